"""Stage 9, decide: go on, revise, ask, or finish. Pure: from what is known to one decision.

The holdout is opened when validation meets the clauses or the search is exhausted; a later search
learns only that it was short. At most three looks. Everything is bounded: levels of search, looks,
extensions of a watch, attempts of a step.
"""

from __future__ import annotations

import math

from agent import judge, live, remedy
from agent.approving.approvals import denied
from agent.contract import Clause, Part
from agent.diagnose import repeatable
from agent.judge import Judgement
from agent.learning import by_command, holdout_clauses
from agent.live import latest
from agent.plan import Step
from agent.search import can_search_on
from agent.state import WITHOUT, CallState, Decided, Overran, Run
from tools.errors import Cause
from tools.language import tr
from tools.metrics import metric
from tools.recipes.records import LOOKS
from tools.record import Record


class Continue(Record):
    """Nothing to decide: start what is ready, or wait for what runs."""


Decision = Continue | Decided

_BAD_DATA = ("data_missing", "data_invalid")
_READ_DATA = ("prepare_data", "tune_model", "evaluate_model")
"""What asks of the data whether they are what the goal takes them for."""
_SEARCHED_OUT = ("exhausted", "settle")
GO_ON = Continue()
FAR = 3.0
"""A clause is far when validation misses it by more than this many half-widths of its interval."""


def decide(run: Run, *, now: float) -> Decision:
    """The next decision, the most urgent first. A run that ends winds down what it leaves before it finishes."""
    if run.report is not None:
        return Decided(action="finish", why=run.report.reason)
    if (closing := wound_down(run)) is not None:
        if run.live_calls() or run.pending or run.ready():
            return GO_ON
        return Decided(action="finish", why=closing.why, code=closing.code)
    decision = _open(run, now)
    if isinstance(decision, Decided) and decision.action == "finish" and _leaves_something(run):
        return decision.model_copy(update={"action": "revise", "change": "wind_down"})
    return decision


def wound_down(run: Run) -> Decided | None:
    """The decision to wind down, once it was taken."""
    if run.wound_at is None:
        return None
    return next((d for d in run.decisions if d.change == "wind_down"), None)


TAKES_BACK = ("rollback_endpoint", "release_resource", "withdraw_version")


def unkept(run: Run) -> list[str]:
    """Parts that deployed something which is neither handed over nor taken back."""
    parts = []
    for part in run.contract.parts if run.contract is not None else ():
        steps = run.plan.of_part(part.name)
        deployed = any(s.tool == "deploy_model" and run.of_step(s.id) is not None for s in steps)
        kept = any(s.tool == "extend_lease" and run.done(s.id) for s in steps)
        if remedy.meant(part, run).task == "scale" and not all(run.done(s.id) for s in steps):
            deployed = any(s.tool == "scale_endpoint" and run.of_step(s.id) is not None for s in steps)
        # Taking back is tried once: a call that failed for good is not made again, and the lease ends what is left.
        tried = any(s.tool in TAKES_BACK and run.of_step(s.id) for s in steps)
        if deployed and not kept and not tried:
            parts.append(part.name)
    return parts


def _leaves_something(run: Run) -> bool:
    return bool(run.live_calls() or unkept(run))


_CODES = {"refused": 3, "infeasible": 1, "needs_input": 4}


def _open(run: Run, now: float) -> Decision:
    """The decision of a run that is not winding down."""
    contract, feasibility = run.contract, run.plans[-1].feasibility
    if contract is None or feasibility.verdict in _CODES:
        why = tr("; ").join(feasibility.reasons)
        return Decided(action="finish", why=why, code=_CODES.get(feasibility.verdict, 3))
    if cancelled := next((d for d in run.decisions if d.action == "cancel"), None):
        return Decided(action="finish", why=cancelled.why, code=4)
    if (objection := denied(run)) is not None:
        return Decided(action="finish", why=objection, code=3)
    if run.overrun is not None:
        return Decided(action="finish", why=_overran(run.overrun), code=1)
    if (refused := _refused(run)) is not None:
        return refused
    if contract.deadline_s is not None and now - run.started > contract.deadline_s:
        return Decided(
            action="finish", why=tr("the deadline of {seconds:g} s has passed", seconds=contract.deadline_s), code=1
        )
    for part in contract.parts:
        if (decision := _part(part, run)) is not None:
            return decision
    return _whole(run)


def _overran(overrun: Overran) -> str:
    return tr(
        "{step} was billed ${billed:.6g} and ${reserved:.6g} were reserved",
        step=overrun.call.partition("/")[2],
        billed=overrun.billed_micro / 1e6,
        reserved=overrun.reserved_micro / 1e6,
    )


def _refused(run: Run) -> Decided | None:
    for step in run.in_trouble():
        state = run.of_step(step.id)
        if state is not None and state.phase == "refused":
            reason = tr("; ").join(state.verdict.reasons)
            over_budget = set(state.verdict.policies) == {"budget"}
            if over_budget and step.tool == "tune_model" and _chosen_before(step, run):
                return Decided(
                    action="revise",
                    part=step.part,
                    change="settle",
                    why=tr("the search ends here: {reason}", reason=reason),
                )
            code = 1 if over_budget else 3
            return Decided(action="finish", part=step.part, why=reason, code=code)
    return None


def _chosen_before(step: Step, run: Run) -> bool:
    """An earlier round chose a model that can be judged."""
    return any(run.done(s.id) for s in run.plan.of_part(step.part or "", "select_model"))


def _whole(run: Run) -> Decision:
    """The run is over when every step of every part is, or can no longer start."""
    if run.live_calls() or run.pending or run.ready():
        return GO_ON
    if all(run.done(s.id) for s in run.plan.steps):
        return Decided(action="finish", why=_ending(run))
    return Decided(action="finish", why=_ending(run) or tr("no step can go on"), code=_failure_code(run))


def _ending(run: Run) -> str:
    """The last thing that was decided about any part, in its own words."""
    whys = [d.why for d in run.decisions if d.change in ("stop", "roll_back")]
    return whys[-1] if whys else ""


def _failure_code(run: Run) -> int:
    """2 when the data itself is at fault, 5 when the agent, a backend or a program failed."""
    failed = [c for c in run.calls.values() if c.phase == "failed" and c.ended is not None]
    if any(c.call.tool in _READ_DATA and c.ended and c.ended.cause in _BAD_DATA for c in failed):
        return 2
    return 5 if failed else 1


_JUDGED = ("select_model", "evaluate_model", "deploy_model", "scale_endpoint", "monitor_endpoint", "extend_lease")
"""Tools whose results say whether a part goes on as planned."""


def _part(part: Part, run: Run) -> Decided | None:
    if _stopped(part, run):
        return None
    for step in run.in_trouble(part.name):
        state = run.of_step(step.id)
        if state is not None and state.phase == "failed":
            return _after_failure(part, step, state, run)
    steps = run.plan.of_part(part.name, *_JUDGED)
    for look in (live.decide, _holdout, _validation):
        if (decision := look(part, steps, run)) is not None:
            return decision
    return remedy.wanted(part, run)


def _stopped(part: Part, run: Run) -> bool:
    return any(d.part == part.name and d.change in ("stop", "roll_back") for d in run.decisions)


def _cause(step: Step, state: CallState, run: Run) -> Cause | None:
    """As it was diagnosed last: the rules' own word, or a model's where they had none."""
    said = [d.cause for d in run.diagnoses if d.step == step.id]
    return said[-1] if said else state.ended.cause if state.ended is not None else None


def _after_failure(part: Part, step: Step, state: CallState, run: Run) -> Decided | None:
    ended = state.ended
    assert ended is not None
    if repeatable(_cause(step, state, run)) and state.call.attempt < 2 and not step.tool.startswith("evaluate"):
        return Decided(action="revise", part=part.name, change=f"retry:{step.id}", why=f"{step.id}: {ended.message}")
    why = tr("{step} failed ({cause}): {message}", step=step.id, cause=ended.cause, message=ended.message)
    siblings = [s for s in run.plan.of_part(part.name) if s.tool == step.tool == "tune_model" and s.id != step.id]
    if siblings and not all((c := run.of_step(s.id)) is not None and c.phase == "failed" for s in siblings):
        return Decided(action="revise", part=part.name, change=f"{WITHOUT}{step.id}", why=why)
    return Decided(action="revise", part=part.name, change=live.undo(part, run), why=why)


def _validation(part: Part, steps: list[Step], run: Run) -> Decided | None:
    """After a choice on validation: search on before the holdout is opened, if that may help."""
    chosen = latest(steps, "select_model", run)
    if chosen is None:
        return None
    evaluation = next((s for s in steps if s.tool == "evaluate_model" and chosen.id in s.needs), None)
    if evaluation is None or run.of_step(evaluation.id) is not None:
        return None
    short = short_on_validation(part, chosen, run)
    if not short or any(d.part == part.name and d.change in _SEARCHED_OUT for d in run.decisions):
        return None
    if why := exhausted(part, chosen, run, short):
        return Decided(action="revise", part=part.name, change="exhausted", why=why)
    return Decided(action="revise", part=part.name, change="search", why=_short_words(short))


def short_on_validation(part: Part, chosen: Step, run: Run) -> list[tuple[Clause, Judgement]]:
    """The holdout clauses that the chosen model does not meet on validation."""
    seen = [o for o in run.observations if o.step == chosen.id]
    judged = [(c, judge.on_holdout(c, seen, stage="validation")[0]) for c in holdout_clauses(part)]
    return [(c, j) for c, j in judged if j.verdict == "NOT MET"]


def _short_words(short: list[tuple[Clause, Judgement]]) -> str:
    return tr("; ").join(
        tr(
            "validation {metric} {measured:.4g}, {op} {wanted} is demanded",
            metric=c.metric,
            measured=j.measured,
            op=c.op,
            wanted=_demanded(c),
        )
        for c, j in short
    )


def _demanded(clause: Clause) -> str:
    """The number that is demanded; of a relative clause the difference, which is what was measured."""
    if clause.relative is None:
        return f"{clause.value}"
    delta, model = clause.relative.delta, tr(clause.relative.to)
    if clause.relative.kind == "ratio":
        return tr("{delta:+g} of it against the {model}", delta=delta, model=model)
    return tr("{delta:+g} against the {model}", delta=delta, model=model)


def exhausted(part: Part, chosen: Step, run: Run, short: list[tuple[Clause, Judgement]]) -> str:
    """Why searching on is not worth it; empty when it may be."""
    if not can_search_on(part, chosen.round):
        return tr(
            "the search is exhausted after {rounds}: {short}",
            rounds=_rounds(part, chosen.round),
            short=_short_words(short),
        )
    result = run.result(chosen.id) or {}
    for clause, judged in short:
        if reason := unlikely(clause, judged, result.get("curve", [])):
            return reason
    return ""


def _rounds(part: Part, level: int) -> str:
    """How far the search went, and who bounded it."""
    if by_command(part):
        return tr("the goal's own program")
    if part.search is not None and part.search.trials is not None:
        return tr("the {n} trials that the goal allows", n=part.search.trials)
    return tr("{n} rounds", n=level + 1)


def unlikely(clause: Clause, judged: Judgement, curve: list[list[float]]) -> str:
    """Whether the learning curve on validation says that more search or data will not reach the clause.

    The curve is continued by its last slope per doubling of rows, for ten times the data; the clause
    must be missed by more than `FAR` half-widths of the interval as well.
    """
    known = metric(clause.metric)
    wanted = judge.threshold(clause)
    if wanted is None or judged.measured is None or judged.interval is None or len(curve) < 2 or known is None:
        return ""
    half = (judged.interval[1] - judged.interval[0]) / 2
    if abs(judged.measured - wanted) <= FAR * half:
        return ""
    sign = 1.0 if known.better == "max" else -1.0
    (rows_a, a), (rows_b, b) = curve[-2], curve[-1]
    doublings = max(1e-9, math.log2(rows_b / max(rows_a, 1)))
    slope = max(0.0, sign * (b - a) / doublings)
    best = sign * judged.measured + slope * math.log2(10.0)
    if best >= sign * wanted:
        return ""
    return tr(
        "{metric} {op} {wanted:g} is unlikely to be reachable: validation gives {measured:.4g} and its "
        "learning curve suggests at most about {best:.4g} with ten times the data",
        metric=clause.metric,
        op=clause.op,
        wanted=wanted,
        measured=judged.measured,
        best=sign * best,
    )


def _holdout(part: Part, steps: list[Step], run: Run) -> Decided | None:
    """After a look at the holdout: go on to deploy, search once more, or stop."""
    done = latest([s for s in steps if s.measures], "evaluate_model", run)
    if done is None or any(s.tool == "select_model" and s.round > done.round for s in steps):
        return None
    seen = [o for o in run.observations if o.step == done.id]
    look = run.looks(part.name)
    judged = [(c, judge.on_holdout(c, seen, look=look)[0]) for c in holdout_clauses(part)]
    short = [c for c, j in judged if j.verdict != "MET"]
    if not short:
        return None
    names = ", ".join(c.metric for c in short)
    searched_out = any(d.part == part.name and d.change in _SEARCHED_OUT for d in run.decisions)
    chosen = latest(steps, "select_model", run)
    if searched_out or look >= LOOKS or chosen is None or not can_search_on(part, chosen.round):
        why = next((d.why for d in run.decisions if d.change in _SEARCHED_OUT and d.part == part.name), "")
        return Decided(
            action="revise", part=part.name, change="stop", why=why or tr("{names} short on the holdout", names=names)
        )
    return Decided(
        action="revise", part=part.name, change="search", why=tr("{names} short on the holdout", names=names)
    )
