"""One sentence for each journal line, for people who read events."""

from __future__ import annotations

from functools import singledispatch

from agent.documents import Pending
from agent.observe import Observation
from agent.state import (
    Answer,
    Decided,
    Diagnosed,
    Ended,
    Finished,
    Intent,
    Planned,
    Settled,
    Stated,
    Understood,
    Verdict,
)
from agent.survey import Survey
from tools.language import tr
from tools.record import Record


@singledispatch
def sentence(record: Record) -> str:
    """What the line says, in words."""
    return type(record).__name__


@sentence.register
def _(record: Stated) -> str:
    return tr("{who} asked: {goal}", who=record.owner, goal=record.goal.text)


@sentence.register
def _(record: Understood) -> str:
    if record.contract is None:
        return (
            tr("refused: {reason}", reason=record.refusal.reason)
            if record.refusal is not None
            else tr("not understood")
        )
    parts = record.contract.parts
    clauses = sum(len(p.clauses) for p in parts)
    tasks = tr(", ").join(tr(p.task) for p in parts) or tr("nothing yet")
    return tr("understood as {tasks} with {clauses} clauses", tasks=tasks, clauses=clauses)


@sentence.register
def _(record: Survey) -> str:
    return tr(
        "surveyed {data} data sets, {offers} offers, {endpoints} endpoints",
        data=len(record.data),
        offers=len(record.offers),
        endpoints=len(record.endpoints),
    )


@sentence.register
def _(record: Planned) -> str:
    why = f"{tr(': ')}{record.plan.why}" if record.plan.why else ""
    return tr(
        "plan {version} with {steps} steps, {verdict}{why}",
        version=record.plan.version,
        steps=len(record.plan.steps),
        verdict=tr(record.feasibility.verdict),
        why=why,
    )


@sentence.register
def _(record: Verdict) -> str:
    why = f"{tr(': ')}{tr('; ').join(record.reasons)}" if record.reasons else ""
    return f"{record.call.step} {tr(record.ruling)}{why}"


@sentence.register
def _(record: Intent) -> str:
    return tr("{step} begins", step=record.call.partition("/")[2])


@sentence.register
def _(record: Ended) -> str:
    step = record.call.partition("/")[2]
    match record.phase:
        case "running":
            return tr("{step} runs as {handle}", step=step, handle=record.handle)
        case "done":
            return tr("{step} is done", step=step)
        case "failed":
            return tr("{step} failed ({cause}): {message}", step=step, cause=record.cause, message=record.message)


@sentence.register
def _(record: Settled) -> str:
    return tr(
        "{step} cost ${usd:.6g} until it was handed over or ended",
        step=record.call.partition("/")[2],
        usd=record.usd_micro / 1e6,
    )


@sentence.register
def _(record: Observation) -> str:
    value = tr("undefined") if record.value is None else f"{record.value:.6g}"
    of = tr(" of {of}", of=record.of) if record.of else ""
    if record.to is not None:
        other = tr("undefined") if record.other is None else f"{record.other:.6g}"
        value += tr(", {name}'s {other}", name=record.name, other=other)
    return tr(
        "{stage} {metric}{of} of {model} is {value}",
        stage=tr(record.stage),
        metric=record.metric,
        of=of,
        model=record.called or record.part,
        value=value,
    )


@sentence.register
def _(record: Diagnosed) -> str:
    return record.text


@sentence.register
def _(record: Decided) -> str:
    change = f" ({record.change})" if record.change else ""
    return tr("decided to {action}{change}: {why}", action=tr(record.action), change=change, why=record.why)


@sentence.register
def _(record: Pending) -> str:
    return tr("asks {id}: {reason}", id=record.id, reason=record.reason)


@sentence.register
def _(record: Answer) -> str:
    return tr(
        "{who} approved {pending}" if record.approve else "{who} denied {pending}",
        who=record.who,
        pending=record.pending,
    )


@sentence.register
def _(record: Finished) -> str:
    verdicts = tr(", ").join(f"{c.metric} {tr(c.verdict)}" for c in record.report.clauses)
    return tr(
        "ended with exit code {code}: {verdicts}",
        code=record.report.exit_code,
        verdicts=verdicts or record.report.reason,
    )
