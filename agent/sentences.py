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
from tools.record import Record


@singledispatch
def sentence(record: Record) -> str:
    """What the line says, in words."""
    return type(record).__name__


@sentence.register
def _(record: Stated) -> str:
    return f"{record.owner} asked: {record.goal.text}"


@sentence.register
def _(record: Understood) -> str:
    if record.contract is None:
        return f"refused: {record.refusal.reason}" if record.refusal is not None else "not understood"
    parts = record.contract.parts
    clauses = sum(len(p.clauses) for p in parts)
    return f"understood as {', '.join(p.task for p in parts) or 'nothing yet'} with {clauses} clauses"


@sentence.register
def _(record: Survey) -> str:
    return f"surveyed {len(record.data)} data sets, {len(record.offers)} offers, {len(record.endpoints)} endpoints"


@sentence.register
def _(record: Planned) -> str:
    why = f": {record.plan.why}" if record.plan.why else ""
    return f"plan {record.plan.version} with {len(record.plan.steps)} steps, {record.feasibility.verdict}{why}"


@sentence.register
def _(record: Verdict) -> str:
    why = f": {'; '.join(record.reasons)}" if record.reasons else ""
    return f"{record.call.step} {record.ruling}{why}"


@sentence.register
def _(record: Intent) -> str:
    return f"{record.call.partition('/')[2]} begins"


@sentence.register
def _(record: Ended) -> str:
    step = record.call.partition("/")[2]
    match record.phase:
        case "running":
            return f"{step} runs as {record.handle}"
        case "done":
            return f"{step} is done"
        case "failed":
            return f"{step} failed ({record.cause}): {record.message}"


@sentence.register
def _(record: Settled) -> str:
    return f"{record.call.partition('/')[2]} cost ${record.usd_micro / 1e6:.6g} until it was handed over or ended"


@sentence.register
def _(record: Observation) -> str:
    value = "undefined" if record.value is None else f"{record.value:.6g}"
    of = f" of {record.of}" if record.of else ""
    return f"{record.stage} {record.metric}{of} of {record.part} is {value}"


@sentence.register
def _(record: Diagnosed) -> str:
    return record.text


@sentence.register
def _(record: Decided) -> str:
    change = f" ({record.change})" if record.change else ""
    return f"decided to {record.action}{change}: {record.why}"


@sentence.register
def _(record: Pending) -> str:
    return f"asks {record.id}: {record.reason}"


@sentence.register
def _(record: Answer) -> str:
    return f"{record.who} {'approved' if record.approve else 'denied'} {record.pending}"


@sentence.register
def _(record: Finished) -> str:
    verdicts = ", ".join(f"{c.metric} {c.verdict}" for c in record.report.clauses)
    return f"ended with exit code {record.report.exit_code}: {verdicts or record.report.reason}"
