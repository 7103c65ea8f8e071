"""One sentence for each journal line, for people who read events."""

from __future__ import annotations

from functools import singledispatch

from agent import posed
from agent.clock import stamp
from agent.documents import Pending
from agent.observe import Observation
from agent.record.ledger import Crossing
from agent.service_state import ENTRIES
from agent.service_words import event
from agent.state import (
    Amended,
    Answer,
    Consulted,
    Decided,
    Diagnosed,
    Ended,
    Finished,
    Ignored,
    Intent,
    Known,
    Overran,
    Planned,
    Rejudged,
    Settled,
    Stated,
    Understood,
    Verdict,
)
from agent.survey import Survey
from tools.inert import marked
from tools.language import tr
from tools.record import Record

_SHORT = 12
"""Characters of a digest that people compare."""


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
def _(record: Overran) -> str:
    return tr(
        "{step} was billed ${billed:.6g} and ${reserved:.6g} were reserved: nothing new starts, and what runs is ended",
        step=record.call.partition("/")[2],
        billed=record.billed_micro / 1e6,
        reserved=record.reserved_micro / 1e6,
    )


@sentence.register
def _(record: Crossing) -> str:
    return tr(
        "{percent} % of {account} is used up: ${accrued:.6g} of ${bound:.6g}, and ${reserved:.6g} is reserved",
        percent=record.percent,
        account=_account(record),
        accrued=record.accrued_micro / 1e6,
        bound=record.bound_micro / 1e6,
        reserved=record.reserved_micro / 1e6,
    )


def _account(record: Crossing) -> str:
    match record.holder:
        case "run":
            return tr("the budget")
        case "standing":
            return tr("what {name} may cost in {month}", name=record.name, month=record.month)
        case "requester":
            return tr("what {name} may spend in {month}", name=record.name, month=record.month)
        case "month":
            return tr("what everybody may spend in {month}", month=record.month)


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
    said = tr("; ").join(
        tr("line {n} of the evidence: {said}", n=seen.lines[0], said=marked(seen))
        if seen.count == 1
        else tr("line {n} of the evidence, {count} times: {said}", n=seen.lines[0], count=seen.count, said=marked(seen))
        for seen in record.lines
    )
    return f"{record.text} ({said})" if said else record.text


@sentence.register
def _(record: Decided) -> str:
    change = f" ({record.change})" if record.change else ""
    if not record.why:
        return tr("decided to {action}{change}", action=tr(record.action), change=change)
    return tr("decided to {action}{change}: {why}", action=tr(record.action), change=change, why=record.why)


@sentence.register
def _(record: Pending) -> str:
    again = tr(" again, since {why}", why=record.again) if record.again else ""
    return tr(
        "asks {who} for {id}{again}: {reason} (digest {digest}, until {time})",
        who=posed.who(record),
        id=record.id,
        again=again,
        reason=record.reason,
        digest=record.digest[:_SHORT] or tr("none"),
        time=stamp(record.expires),
    )


@sentence.register
def _(record: Answer) -> str:
    match record.by:
        case "person" | "flag":
            return _said(record)
        case "time":
            return tr("nobody answered {pending} in time, which is a no", pending=record.pending)
        case "overtaken":
            return tr("{pending} is not asked any more", pending=record.pending)
        case "policies":
            return tr("{pending} is not asked any more: the policies have changed", pending=record.pending)


def _said(record: Answer) -> str:
    if not record.digest:  # of a journal from before answers named what they were to
        return tr(
            "{who} approved {pending}" if record.approve else "{who} denied {pending}",
            who=record.who,
            pending=record.pending,
        )
    how = tr(" beforehand (--yes)") if record.by == "flag" else ""
    return tr(
        "{who} approved {pending}{how} at {time} (digest {digest})"
        if record.approve
        else "{who} denied {pending}{how} at {time} (digest {digest})",
        who=record.who,
        pending=record.pending,
        how=how,
        time=stamp(record.at),
        digest=record.digest[:_SHORT],
    )


@sentence.register
def _(record: Ignored) -> str:
    return tr(
        "the yes of {who} to {pending} does not count: {why}"
        if record.approve
        else "the no of {who} to {pending} does not count: {why}",
        who=record.who or tr("nobody"),
        pending=record.pending,
        why=record.why,
    )


@sentence.register
def _(record: Rejudged) -> str:
    return tr(
        "the policies have changed: plan {version} is judged by them, and asks about {steps}",
        version=record.version,
        steps=", ".join(a.step for a in record.approvals) or tr("nothing"),
    )


@sentence.register
def _(record: Finished) -> str:
    verdicts = tr(", ").join(f"{c.metric} {tr(c.verdict)}" for c in record.report.clauses)
    return tr(
        "ended with exit code {code}: {verdicts}",
        code=record.report.exit_code,
        verdicts=verdicts or record.report.reason,
    )


@sentence.register
def _(record: Consulted) -> str:
    tokens = record.tokens_in + record.tokens_out
    cost = tr("price not known") if record.usd_micro is None else f"${record.usd_micro / 1e6:.6g}"
    said = {
        "answered": tr("the model {model} answered", model=record.model),
        "invalid": tr("the model {model} gave no usable answer", model=record.model),
        "declined": tr("the model {model} declined", model=record.model),
        "failed": tr("the model {model} did not answer", model=record.model),
        "skipped": tr("the model {model} was not asked", model=record.model),
    }[record.outcome]
    did = tr("{said} ({purpose}, {tokens} tokens, {cost})", said=said, purpose=record.purpose, tokens=tokens, cost=cost)
    why = f"{tr(': ')}{record.why}" if record.why else ""
    return f"{did}{why}{tr('; the rules did it instead') if record.instead else ''}"


@sentence.register
def _(record: Amended) -> str:
    return tr("{who} changed the goal: {changes}", who=record.who, changes=tr("; ").join(record.changes) or record.text)


@sentence.register
def _(record: Known) -> str:
    if record.why:
        return tr("{tool} was not asked: {why}", tool=record.tool, why=record.why)
    return tr("{tool} was asked before planning", tool=record.tool)


def _service(record: Record) -> str:
    return event(record) or type(record).__name__


for _kind in ENTRIES.values():
    sentence.register(_kind)(_service)
