"""The report of a run as Markdown: verdict first, then everything it rests on.

Pure: a document in, text out. Outside text stays inert: no links, no markup, no control characters.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from agent.documents import ClauseVerdict, Kept, RunDocument
from agent.wording import (
    budget,
    clean,
    demand,
    duration,
    headline,
    interval,
    measured_where,
    money,
    number,
    outside,
    paces,
    rollout,
    span,
    spent,
    wanted,
    work,
)
from tools.language import language_of, speaking, tr

_MARKUP = re.compile(r"([\\`*\[\]<>|#])")


def render(document: RunDocument) -> str:
    """The whole report, in the language of the goal; ends with a newline."""
    with speaking(language_of(document.goal.text)):
        return "\n\n".join("\n".join(lines) for section in _sections(document) if (lines := list(section))) + "\n"


def _sections(document: RunDocument) -> tuple[Iterator[str], ...]:
    return (
        _head(document),
        _clauses(document.run.clauses),
        _list(tr("Findings"), document.run.findings),
        _kept(document.run.resources.kept),
        _contract(document),
        _remarks(document),
        _plan(document),
        _spent(document),
        _trust(document),
        _reproduce(document),
    )


def said(text: str) -> str:
    """Outside text in a sentence or a cell. Pairs of backticks stay: within them nothing is markup."""
    pieces = re.split(r"`([^`]*)`", outside(text))
    return "".join(code(p) if i % 2 else _MARKUP.sub(r"\\\1", p) for i, p in enumerate(pieces))


def code(text: str) -> str:
    """Outside text as code, also inside a table."""
    return "`" + clean(text).replace("`", "'").replace("|", "¦") + "`"


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _head(document: RunDocument) -> Iterator[str]:
    run = document.run
    word, why = headline(document)
    yield f"# {tr(word)}"
    yield ""
    if why:
        yield said(why)
        yield ""
    yield from (f"> {said(line)}" for line in document.goal.text.splitlines() if line.strip())
    yield ""
    ended = tr(", ended {time}", time=run.ended) if run.ended else ""
    yield tr(
        "Run {run} for {who}: started {time}{ended}, {took}, {usd} spent.",
        run=code(run.id),
        who=code(document.goal.source),
        time=run.started,
        ended=ended,
        took=duration(run.seconds),
        usd=money(run.spent.usd),
    )


def _clauses(verdicts: tuple[ClauseVerdict, ...]) -> Iterator[str]:
    if not verdicts:
        return
    yield from (f"## {tr('Clauses')}", "")
    heads = ("part", "demanded", "measured", "95 % interval", "verdict", "evidence", "note")
    yield row(*map(tr, heads))
    yield row("---", "---", "---:", "---", "---", "---", "---")
    for verdict in verdicts:
        proof = verdict.evidence
        where = tr("none") if proof is None else code(proof.id) + (f" {code(proof.path)}" if proof.path else "")
        yield row(
            said(verdict.part),
            code(verdict.demanded),
            said(number(verdict.measured)),
            interval(verdict.interval) or "–",
            f"**{tr(verdict.verdict)}**",
            where,
            said(verdict.note),
        )


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    items = [f"- {said(line)}" for line in lines]
    if items:
        yield from (f"## {title}", "", *items)


def _kept(kept: tuple[Kept, ...]) -> Iterator[str]:
    if not kept:
        return
    yield from (f"## {tr('Kept running')}", "")
    for one in kept:
        price = tr("price unknown") if one.usd_per_hour is None else tr("{usd} an hour", usd=money(one.usd_per_hour))
        until = tr("until {time}", time=clean(one.expires))
        serves = tr(
            "{endpoint} serves {model} at {url}",
            endpoint=code(one.id),
            model=code(one.model),
            url=f"<{clean(one.url)}>",
        )
        yield f"- {serves}: {price}, {until}"
        yield f"  - {tr('extend')}: {code(one.extend)}"
        yield f"  - {tr('stop')}: {code(one.stop)}"


def _contract(document: RunDocument) -> Iterator[str]:
    contract = document.contract
    if contract is None:
        return
    yield from (f"## {tr('Contract')}", "")
    for part in contract.parts:
        yield f"- **{said(part.name)}**: {said(work(part))}"
        yield from (f"  - {code(demand(clause))} {measured_where(clause)}" for clause in part.clauses)
        if part.objective is not None:
            yield f"  - {wanted(part.objective)}"
        if part.models:
            yield f"  - {tr('models')}: {', '.join(code(m) for m in part.models)}"
        if part.rollout.strategy != "none":
            yield f"  - {tr('rollout')}: {said(rollout(part.rollout))}"
    if contract.budget_usd is not None:
        yield f"- {tr('budget')}: {budget(contract)}"
    if contract.deadline_s is not None:
        yield f"- {tr('deadline')}: {duration(contract.deadline_s)}"
    if contract.environment is not None:
        yield f"- {tr('environment')}: {tr(contract.environment)}"
    if contract.constraints:
        yield f"- {tr('ruled out')}: {', '.join(code(c) for c in contract.constraints)}"


def _remarks(document: RunDocument) -> Iterator[str]:
    if document.contract is None:
        return
    parts = (
        list(_list(tr("Assumptions"), (f"{r.field}: {r.text}" for r in document.contract.assumptions))),
        list(_list(tr("Open questions"), (f"{r.field}: {r.text}" for r in document.contract.questions))),
        list(_list(tr("Feasibility"), document.feasibility.reasons)),
        list(_list(tr("What would work"), document.feasibility.alternatives)),
    )
    yield from "\n\n".join("\n".join(part) for part in parts if part).splitlines()


def _plan(document: RunDocument) -> Iterator[str]:
    if not document.plan.steps:
        return
    estimate = document.estimate
    yield from (f"## {tr('Plan (version {n})', n=document.plan.version)}", "")
    usd, time = span(estimate.usd, "usd"), span(estimate.seconds, "seconds")
    yield tr("Estimated {usd} and {time}.", usd=usd, time=time)
    yield ""
    yield row(*map(tr, ("step", "tool", "effect", "after", "time", "cost")))
    yield row("---", "---", "---", "---", "---", "---")
    for step in document.plan.steps:
        after = ", ".join(code(need) for need in step.needs) or "–"
        time, cost = span(step.estimate.seconds, "seconds"), span(step.estimate.usd, "usd")
        yield row(code(step.id), code(step.tool), tr(str(step.effect)), after, time, cost)
    if document.run.revisions:
        yield from ("", tr("Revisions") + ":", "")
        for revision in document.run.revisions:
            yield "- " + tr("plan {version}: {why}", version=revision.version, why=said(revision.why))


def _spent(document: RunDocument) -> Iterator[str]:
    run, contract = document.run, document.contract
    limit = contract.budget_usd if contract is not None else None
    yield from (f"## {tr('Spent and resources')}", "")
    yield f"- {tr('spent')}: {spent(run.spent.usd, limit)}"
    yield from (f"  - {said(source)}: {money(usd)}" for source, usd in sorted(run.spent.by.items()))
    yield from (f"- {name}: {figure}" for name, figure in paces(run.pace))
    for name, ids in (("created", run.resources.created), ("released", run.resources.released)):
        yield f"- {tr(name)}: {', '.join(code(i) for i in ids) or tr('nothing')}"
    if not run.resources.kept:
        yield f"- {tr('kept')}: {tr('nothing')}"


def _trust(document: RunDocument) -> Iterator[str]:
    run = document.run
    kept = {
        "sandboxed": tr("the jobs that train could not see the source, the home folder or the agent"),
        "encrypted": tr("the jobs that train could not open our copy of the holdout; the source itself was not hidden"),
        "none": tr("nothing kept the holdout from the jobs that train"),
    }
    if run.isolation == "none" and not run.holdout_looks:
        return  # nothing was trained
    yield from (f"## {tr('What the numbers rest on')}", "")
    yield f"- {tr('isolation')}: `{run.isolation}`" + (f" – {kept[run.isolation]}" if run.isolation in kept else "")
    yield f"- {tr('looks at the holdout')}: {run.holdout_looks}"
    yield f"- {tr('understood by')}: `{clean(run.brain)}`"


def _reproduce(document: RunDocument) -> Iterator[str]:
    run, source = document.run, document.goal.source
    door, _, who = source.partition(":")
    goal = shlex.quote(clean(who)) if door == "file" else shlex.quote(clean(document.goal.text))
    by = " --brain llm" if run.brain == "llm" else ""
    again = [] if run.brain == "none" else [f"goalkeeper run {goal}{by}".replace("```", "'''")]
    yield from (f"## {tr('How to reproduce')}", "")
    yield from ("```sh", *again, f"goalkeeper events {clean(run.id)}", "```")
    yield ""
    yield tr("The goal's sha256 is {digest}.", digest=code(document.goal.digest))
    paths = sorted({v.evidence.path for v in run.clauses if v.evidence is not None and v.evidence.path})
    if paths:
        files = ", ".join(map(code, paths))
        yield tr("Labels and predictions of every holdout row, to compute the numbers again: {files}", files=files)
