"""The report of a run as one HTML page that people pass on: no script, no network, light and dark, phone and desk.

Verdict first, then the pictures, then everything they rest on. Outside text stays inert.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from string import Template

from agent.documents import ClauseVerdict, Kept, RunDocument
from agent.pages import charts
from agent.pages.charts import text
from agent.wording import (
    clean,
    demand,
    duration,
    headline,
    interval,
    measured_where,
    moment,
    money,
    number,
    outside,
    paces,
    rollout,
    span,
    work,
)
from tools.language import language, language_of, speaking, tr

_TONE = {"MET": "good", "NOT MET": "bad", "REFUSED": "bad", "FAILED": "bad"}


def render(document: RunDocument) -> str:
    """The whole page, in the language of the goal."""
    with speaking(language_of(document.goal.text)):
        return _page(document)


def _page(document: RunDocument) -> str:
    sections = (
        _head(document),
        _clauses(document.run.clauses),
        _pictures(document),
        _list(tr("Findings"), document.run.findings),
        _kept(document.run.resources.kept),
        _contract(document),
        _assumed(document),
        _work(document),
        _cost(document),
        _trust(document),
    )
    body = "\n".join("\n".join(lines) for section in sections if (lines := list(section)))
    word = headline(document)[0]
    return Template(_file("page.html")).substitute(
        language=language(),
        title=text(f"{tr(word)} · {document.goal.text[:80]}"),
        style=_file("page.css"),
        body=body,
    )


@cache
def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _said(words: str) -> str:
    return text(outside(words))


def _code(words: str) -> str:
    return f"<code>{text(words)}</code>"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """A card; nothing when there is nothing in it."""
    inside = [line for line in lines if line]
    if inside:
        yield f"<section><h2>{title}</h2>"
        yield from inside
        yield "</section>"


def _items(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from _section(title, [_items(map(_said, lines))])


def _head(document: RunDocument) -> Iterator[str]:
    run, (word, why) = document.run, headline(document)
    yield f'<section class="head {_TONE.get(word, "open")}"><h1>{text(tr(word))}</h1>'
    if why:
        yield f'<p class="why">{_said(why)}</p>'
    told = "<br>".join(text(line) for line in document.goal.text.splitlines() if line.strip())
    yield f"<blockquote>{told}</blockquote>"
    facts = [
        (tr("run"), _code(run.id)),
        (tr("asked by"), _code(document.goal.source)),
        (tr("started"), text(moment(run.started))),
        (tr("took"), text(duration(run.seconds))),
        (tr("spent"), text(money(run.spent.usd))),
        *((name, text(figure)) for name, figure in paces(run.pace)),
        (tr("looks at the holdout"), str(run.holdout_looks)),
    ]
    yield '<dl class="facts">' + "".join(f"<div><dt>{k}</dt><dd>{v}</dd></div>" for k, v in facts) + "</dl></section>"


def _clauses(verdicts: tuple[ClauseVerdict, ...]) -> Iterator[str]:
    yield from _section(tr("Clauses"), map(_clause, verdicts))


def _clause(verdict: ClauseVerdict) -> str:
    measured = number(verdict.measured) if verdict.measured is not None else tr("not measured")
    span_ = f' <span class="soft">{interval(verdict.interval)}</span>' if verdict.interval else ""
    proof = verdict.evidence
    where = (
        "" if proof is None else f"{tr('evidence')} {_code(proof.id)}" + (f" {_code(proof.path)}" if proof.path else "")
    )
    notes = " · ".join(filter(None, (text(verdict.part), _said(verdict.note), where)))
    tag = f'<span class="tag {_TONE.get(verdict.verdict, "open")}">{tr(verdict.verdict)}</span>'
    line = f"<div>{_code(verdict.demanded)}<br><b>{text(measured)}</b>{span_}</div>"
    return f'<div class="clause">{line}{tag}<div class="note">{notes}</div></div>'


def _pictures(document: RunDocument) -> Iterator[str]:
    yield from _section(tr("What was measured"), [charts.results(document.run.figures)])


def _kept(kept: tuple[Kept, ...]) -> Iterator[str]:
    lines = []
    for one in kept:
        price = tr("price unknown") if one.usd_per_hour is None else tr("{usd} an hour", usd=money(one.usd_per_hour))
        until = tr("until {time}", time=text(moment(one.expires)))
        lines.append(f"<p>{_code(one.id)} · {_code(one.model)} · {_code(one.url)}<br>{text(price)}, {until}</p>")
        lines.append(f"<pre>{text(one.extend)}\n{text(one.stop)}</pre>")
    yield from _section(tr("Kept running"), lines)


def _contract(document: RunDocument) -> Iterator[str]:
    contract = document.contract
    if contract is None:
        return
    lines = []
    for part in contract.parts:
        inside = [f"{_code(demand(c))} {text(measured_where(c))}" for c in part.clauses]
        if part.models:
            inside.append(f"{tr('models')}: {', '.join(map(_code, part.models))}")
        if part.rollout.strategy != "none":
            inside.append(f"{tr('rollout')}: {text(rollout(part.rollout))}")
        lines.append(f"<p><b>{text(part.name)}</b>: {_said(work(part))}</p>{_items(inside)}")
    limits = []
    if contract.budget_usd is not None:
        limits.append(f"{tr('budget')}: {money(contract.budget_usd)}")
    if contract.deadline_s is not None:
        limits.append(f"{tr('deadline')}: {text(duration(contract.deadline_s))}")
    if contract.environment is not None:
        limits.append(f"{tr('environment')}: {text(contract.environment)}")
    if contract.constraints:
        limits.append(f"{tr('ruled out')}: {', '.join(map(_code, contract.constraints))}")
    yield from _section(tr("Contract"), [*lines, _items(limits)])


def _assumed(document: RunDocument) -> Iterator[str]:
    contract = document.contract
    if contract is None:
        return
    yield from _list(tr("Assumptions"), (f"{r.field}: {r.text}" for r in contract.assumptions))
    yield from _list(tr("Open questions"), (f"{r.field}: {r.text}" for r in contract.questions))
    yield from _list(tr("Feasibility"), document.feasibility.reasons)
    yield from _list(tr("What would work"), document.feasibility.alternatives)


def _work(document: RunDocument) -> Iterator[str]:
    run, lines = document.run, []
    if run.figures.timeline:
        lines.append(charts.timeline(run.figures.timeline))
    if run.revisions:
        told = (tr("plan {version}: {why}", version=r.version, why=_said(r.why)) for r in run.revisions)
        lines.append(f"<h3>{tr('Revisions')}</h3>{_items(told)}")
    if document.plan.steps:
        heads = "".join(f"<th>{tr(h)}</th>" for h in ("step", "tool", "effect", "after", "time", "cost"))
        rows = "".join(
            f"<tr><td>{_code(s.id)}</td><td>{_code(s.tool)}</td><td>{text(tr(str(s.effect)))}</td>"
            f"<td>{', '.join(map(_code, s.needs)) or '–'}</td><td>{span(s.estimate.seconds, 'seconds')}</td>"
            f"<td>{span(s.estimate.usd, 'usd')}</td></tr>"
            for s in document.plan.steps
        )
        title = tr("Plan {version}, as estimated", version=document.plan.version)
        table = f'<div class="scroll"><table class="plan"><tr>{heads}</tr>{rows}</table></div>'
        lines.append(f"<details><summary>{title}</summary>{table}</details>")
    yield from _section(tr("Steps"), lines)


def _cost(document: RunDocument) -> Iterator[str]:
    run = document.run
    limit = document.contract.budget_usd if document.contract is not None else None
    drawn = charts.costs(sorted(run.spent.by.items()), run.spent.usd, limit)
    created, released = run.resources.created, run.resources.released
    if created or released:
        named = [
            f"{tr('created')}: {', '.join(map(_code, created)) or tr('nothing')}",
            f"{tr('released')}: {', '.join(map(_code, released)) or tr('nothing')}",
        ]
        title = tr("{made} created, {gone} released", made=len(created), gone=len(released))
        drawn += f"<details><summary>{title}</summary>{_items(named)}</details>"
    yield from _section(tr("Cost and resources"), [drawn])


def _trust(document: RunDocument) -> Iterator[str]:
    run, source = document.run, document.goal.source
    door, _, who = source.partition(":")
    goal = shlex.quote(clean(who)) if door == "file" else shlex.quote(clean(document.goal.text))
    by = " --brain llm" if run.brain == "llm" else ""
    again = f"goalkeeper run {goal}{by}\n" if run.brain != "none" else ""
    told = [
        f"{tr('isolation of the jobs that train')}: {_code(run.isolation)}",
        f"{tr('looks at the holdout')}: {run.holdout_looks}",
        f"{tr('understood by')}: {_code(run.brain)}",
        f"{tr('sha256 of the goal')}: {_code(document.goal.digest)}",
    ]
    paths = sorted({v.evidence.path for v in run.clauses if v.evidence is not None and v.evidence.path})
    if paths:
        told.append(f"{tr('labels and predictions of every holdout row')}: {', '.join(map(_code, paths))}")
    lines = [_items(told), f"<pre>{text(again.strip())}\n{text('goalkeeper events ' + run.id)}</pre>"]
    yield from _section(tr("What the numbers rest on, and how to reproduce them"), lines)
