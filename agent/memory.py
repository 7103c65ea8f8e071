"""Memory of outcomes: what a finished run teaches, and what past work says of work to come. Pure.

Facts of journals only: how long, for how much, how good on validation. No number of a holdout, no text.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log
from statistics import median
from typing import get_args

from pydantic import ValidationError

from agent import estimate
from agent.contract import Contract
from agent.learning import opens_holdout, task_of
from agent.past import Past, Sized, Work
from agent.plan import Range, Step
from agent.state import CallState, Run
from agent.survey import Survey
from tools.metrics import metric
from tools.record import Record

WITHIN = 8.0
"""Work is comparable when the rule of thumb gives it at most this many times, and at least this part of, the time of
the other: so far the rule's shape is trusted, and its scale is learnt."""
PLAUSIBLE = 10_000.0
"""Further from the rule of thumb than this, either way, nothing is a measurement."""
PEERS = 2.0
"""Of comparable work that which is no more than so many times further in size than the nearest."""
NEAREST = 8
"""How much of that is looked at: the nearest, and the newest of what is as near."""
LEAST, ALONE = 1.2, 1.5
"""How far the work may at least be from the median, as a factor: where much is known, and where one piece is."""
WIDEST = 10.0
LATE_S = 60.0
"""An outcome that came in this long after the work's hard limit says when somebody looked, not what it took."""
KEPT = 60
"""How much past work a survey holds."""


class Expected(Record):
    """What work to come will take."""

    seconds: Range
    bound: Range
    """What hard limits are computed from: its high end is never below that of the rule of thumb. Past work may be
    unlike what comes, and its record wrong: an estimate that is too low costs a surprise, a limit that is too low
    kills a job that is fine, and one that is too high holds money back until the job ends."""


def outcomes(run: Run) -> tuple[Past, ...]:
    """The finished work of a run that has its report, where the size of its data and the place are known."""
    found = (_outcome(state, run) for state in run.calls.values() if state.phase == "done")
    return tuple(past for past in found if past is not None)


def _outcome(state: CallState, run: Run) -> Past | None:
    step = next((s for p in reversed(run.plans) if (s := p.plan.step(state.call.step)) is not None), None)
    work = None if step is None else _work(step, state, run)
    took = None if step is None else _took(step, state)
    if step is None or work is None or took is None:
        return None
    name, value = _validation(state)
    told = {"metric": name, "value": value, "met": _met(step.part, run), "usd_micro": state.settled_micro or 0}
    try:
        fields = dict(work) | told | {"run": run.id, "call": state.call.id, "seconds": took}
        return Past.model_validate(fields, strict=True)
    except ValidationError:
        return None  # it cannot be what it says: nothing is learnt from it


def _work(step: Step, state: CallState, run: Run) -> Work | None:
    part = next((p for p in run.contract.parts if p.name == step.part), None) if run.contract is not None else None
    tool = next((known for known in get_args(Sized) if known == step.tool), None)
    if part is None or tool is None or run.survey is None or not estimate.known_size(run.survey, part):
        return None
    args = state.call.args
    work = estimate.work(
        run.survey,
        part,
        tool,
        family=args.get("family"),
        trials=args.get("trials", 0),
        command=args.get("command", ()),
    )
    return work if work.place is not None else None


def _took(step: Step, state: CallState) -> float | None:
    if state.started_at is None or state.ended_at is None:
        return None
    took = state.ended_at - state.started_at
    return took if 0 < took <= step.limit_s + LATE_S else None


def _validation(state: CallState) -> tuple[str, object]:
    """What a search came to. What an evaluation measured is the holdout's, and is not remembered."""
    name, result = str(state.call.args.get("metric", "")), state.ended.result if state.ended is not None else None
    if state.call.tool != "tune_model" or metric(name) is None or result is None:
        return "", None
    value = result.get("value")
    return (name, value) if value is not None else ("", None)


def _met(part: str | None, run: Run) -> bool | None:
    verdicts = {c.verdict for c in run.report.clauses if c.part == part} if run.report is not None else set[str]()
    return False if "NOT MET" in verdicts else True if verdicts == {"MET"} else None


def concerning(past: Iterable[Past], contract: Contract, seen: Survey) -> tuple[Past, ...]:
    """What is worth knowing before planning: work of the contract's tasks, where its work would run."""
    tasks = {task_of(p, seen) for p in contract.parts if opens_holdout(p) or p.task in ("prepare", "estimate")}
    place = seen.place
    if place is None:
        return ()
    return tuple(p for p in past if p.task in tasks and p.place == place)[:KEPT]


def expected(past: Iterable[Past], work: Work) -> Expected:
    """What past work says, else the rule of thumb."""
    rule = estimate.seconds(work)
    known = typical(past, work)
    if known is None:
        return Expected(seconds=rule, bound=rule)
    high = max(value for value in (rule.high, known.high) if value is not None)
    return Expected(seconds=known, bound=Range(low=known.low, high=high))


def typical(past: Iterable[Past], work: Work) -> Range | None:
    """Seconds, from comparable work: the same tool, task, family or program, on the same kind of place. None when
    there is none.

    Each piece says by which factor the rule of thumb was off; their median corrects the rule for this work. The span
    is twice the median deviation of their logarithms, never less than `LEAST`, and wider where few or only distant
    sizes are known.
    """
    known = sorted((p for p in past if _comparable(p, work)), key=lambda p: _distance(p, work))
    if not known:
        return None
    least = _distance(known[0], work)
    nearest = [p for p in known if _distance(p, work) <= least + log(PEERS)][:NEAREST]
    factors = [log(p.seconds / estimate.typical_s(p)) for p in nearest]
    off = median(factors)
    apart = median(abs(factor - off) for factor in factors)
    margin = log(LEAST + (ALONE - LEAST) / len(factors))
    aside = min(log(WIDEST), margin + 2 * apart + least / 4)
    return estimate.around(estimate.typical_s(work) * exp(off), spread=exp(2 * aside))


def _comparable(past: Past, work: Work) -> bool:
    if (past.tool, past.task, past.family, past.program) != (work.tool, work.task, work.family, work.program):
        return False
    if work.place is None or past.place != work.place or (work.tool == "tune_model" and work.family is None):
        return False
    plausible = 1 / PLAUSIBLE <= past.seconds / estimate.typical_s(past) <= PLAUSIBLE
    return plausible and _distance(past, work) <= log(WITHIN)


def _distance(past: Past, work: Work) -> float:
    """How many times the size of one the other is, as a logarithm. What a user's own program does with its data is not
    known: there the cells count."""
    if work.tool == "launch_training":
        return abs(log(past.rows * past.columns / (work.rows * work.columns)))
    return abs(log(estimate.typical_s(past) / estimate.typical_s(work)))
