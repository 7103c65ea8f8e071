"""The report of a run as Markdown: verdict first, then everything it rests on.

Pure: a document in, text out. Outside text stays inert: no links, no markup, no control characters.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from agent.documents import ClauseVerdict, Kept, RunDocument
from agent.wording import (
    clean,
    demand,
    duration,
    headline,
    interval,
    measured_where,
    money,
    number,
    outside,
    rollout,
    span,
    work,
)

_MARKUP = re.compile(r"([\\`*\[\]<>|#])")


def render(document: RunDocument) -> str:
    """The whole report; ends with a newline."""
    sections = (
        _head(document),
        _clauses(document.run.clauses),
        _list("Findings", document.run.findings),
        _kept(document.run.resources.kept),
        _contract(document),
        _remarks(document),
        _plan(document),
        _spent(document),
        _trust(document),
        _reproduce(document),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _said(text: str) -> str:
    """Outside text in a sentence or a cell. Pairs of backticks stay: within them nothing is markup."""
    pieces = re.split(r"`([^`]*)`", outside(text))
    return "".join(_code(p) if i % 2 else _MARKUP.sub(r"\\\1", p) for i, p in enumerate(pieces))


def _code(text: str) -> str:
    """Outside text as code, also inside a table."""
    return "`" + clean(text).replace("`", "'").replace("|", "¦") + "`"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _head(document: RunDocument) -> Iterator[str]:
    run = document.run
    word, why = headline(document)
    yield f"# {word}"
    yield ""
    if why:
        yield _said(why)
        yield ""
    yield from (f"> {_said(line)}" for line in document.goal.text.splitlines() if line.strip())
    yield ""
    ended = f", ended {run.ended}" if run.ended else ""
    took = f"{duration(run.seconds)}, {money(run.spent.usd)} spent"
    yield f"Run {_code(run.id)} for {_code(document.goal.source)}: started {run.started}{ended}, {took}."


def _clauses(verdicts: tuple[ClauseVerdict, ...]) -> Iterator[str]:
    if not verdicts:
        return
    yield from ("## Clauses", "")
    yield _row("part", "demanded", "measured", "95 % interval", "verdict", "evidence", "note")
    yield _row("---", "---", "---:", "---", "---", "---", "---")
    for verdict in verdicts:
        proof = verdict.evidence
        where = "none" if proof is None else _code(proof.id) + (f" {_code(proof.path)}" if proof.path else "")
        yield _row(
            _said(verdict.part),
            _code(verdict.demanded),
            _said(number(verdict.measured)),
            interval(verdict.interval) or "–",
            f"**{verdict.verdict}**",
            where,
            _said(verdict.note),
        )


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    items = [f"- {_said(line)}" for line in lines]
    if items:
        yield from (f"## {title}", "", *items)


def _kept(kept: tuple[Kept, ...]) -> Iterator[str]:
    if not kept:
        return
    yield from ("## Kept running", "")
    for one in kept:
        price = "price unknown" if one.usd_per_hour is None else f"{money(one.usd_per_hour)} an hour"
        yield f"- {_code(one.id)} serves {_code(one.model)} at <{clean(one.url)}>: {price}, until {clean(one.expires)}"
        yield f"  - extend: {_code(one.extend)}"
        yield f"  - stop: {_code(one.stop)}"


def _contract(document: RunDocument) -> Iterator[str]:
    contract = document.contract
    if contract is None:
        return
    yield from ("## Contract", "")
    for part in contract.parts:
        yield f"- **{_said(part.name)}**: {_said(work(part))}"
        yield from (f"  - {_code(demand(clause))} {measured_where(clause)}" for clause in part.clauses)
        if part.objective is not None:
            yield f"  - {_code(part.objective.metric)} as {part.objective.direction} as possible"
        if part.models:
            yield f"  - models: {', '.join(_code(m) for m in part.models)}"
        if part.rollout.strategy != "none":
            yield f"  - rollout: {_said(rollout(part.rollout))}"
    if contract.budget_usd is not None:
        per = f" a {contract.budget_per}" if contract.budget_per not in (None, "goal") else ""
        yield f"- budget: {money(contract.budget_usd)}{per}"
    if contract.deadline_s is not None:
        yield f"- deadline: {duration(contract.deadline_s)}"
    if contract.environment is not None:
        yield f"- environment: {contract.environment}"
    if contract.constraints:
        yield f"- ruled out: {', '.join(_code(c) for c in contract.constraints)}"


def _remarks(document: RunDocument) -> Iterator[str]:
    if document.contract is None:
        return
    parts = (
        list(_list("Assumptions", (f"{r.field}: {r.text}" for r in document.contract.assumptions))),
        list(_list("Open questions", (f"{r.field}: {r.text}" for r in document.contract.questions))),
        list(_list("Feasibility", document.feasibility.reasons)),
        list(_list("What would work", document.feasibility.alternatives)),
    )
    yield from "\n\n".join("\n".join(part) for part in parts if part).splitlines()


def _plan(document: RunDocument) -> Iterator[str]:
    if not document.plan.steps:
        return
    estimate = document.estimate
    yield from (f"## Plan (version {document.plan.version})", "")
    yield f"Estimated {span(estimate.usd, 'usd')} and {span(estimate.seconds, 'seconds')}."
    yield ""
    yield _row("step", "tool", "effect", "after", "time", "cost")
    yield _row("---", "---", "---", "---", "---", "---")
    for step in document.plan.steps:
        after = ", ".join(_code(need) for need in step.needs) or "–"
        time, cost = span(step.estimate.seconds, "seconds"), span(step.estimate.usd, "usd")
        yield _row(_code(step.id), _code(step.tool), str(step.effect), after, time, cost)
    if document.run.revisions:
        yield from ("", "Revisions:", "")
        yield from (f"- version {revision.version}: {_said(revision.why)}" for revision in document.run.revisions)


def _spent(document: RunDocument) -> Iterator[str]:
    run, contract = document.run, document.contract
    limit = contract.budget_usd if contract is not None else None
    yield from ("## Spent and resources", "")
    yield f"- spent: {money(run.spent.usd)}" + (f" of {money(limit)}" if limit is not None else "")
    yield from (f"  - {_said(source)}: {money(usd)}" for source, usd in sorted(run.spent.by.items()))
    for name, ids in (("created", run.resources.created), ("released", run.resources.released)):
        yield f"- {name}: {', '.join(_code(i) for i in ids) or 'nothing'}"
    if not run.resources.kept:
        yield "- kept: nothing"


def _trust(document: RunDocument) -> Iterator[str]:
    run = document.run
    kept = {
        "sandboxed": "the jobs that train could not see the source, the home folder or the agent",
        "encrypted": "the jobs that train could not open our copy of the holdout; the source itself was not hidden",
        "none": "nothing kept the holdout from the jobs that train",
    }
    if run.isolation == "none" and not run.holdout_looks:
        return  # nothing was trained
    yield from ("## What the numbers rest on", "")
    yield f"- isolation: `{run.isolation}`" + (f" – {kept[run.isolation]}" if run.isolation in kept else "")
    yield f"- looks at the holdout: {run.holdout_looks}"
    yield f"- understood by: `{clean(run.brain)}`"


def _reproduce(document: RunDocument) -> Iterator[str]:
    run, source = document.run, document.goal.source
    door, _, who = source.partition(":")
    goal = shlex.quote(clean(who)) if door == "file" else shlex.quote(clean(document.goal.text))
    again = [] if run.brain == "none" else [f"goalkeeper run {goal}".replace("```", "'''")]
    yield from ("## How to reproduce", "")
    yield from ("```sh", *again, f"goalkeeper events {clean(run.id)}", "```")
    yield ""
    yield f"The goal's sha256 is {_code(document.goal.digest)}."
    paths = sorted({v.evidence.path for v in run.clauses if v.evidence is not None and v.evidence.path})
    if paths:
        yield "Labels and predictions of every holdout row, to compute the numbers again: " + ", ".join(
            map(_code, paths)
        )
