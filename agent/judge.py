"""How a clause is judged on what was measured: MET, NOT MET, or UNPROVEN. Pure; it knows no plan.

A holdout clause is judged on the point estimate, or on the one-sided bound where the goal asks for
confidence or the holdout has been opened before. A live clause is judged on one-sided bounds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from agent import bounds
from agent.contract import Clause
from agent.documents import Verdict
from agent.observe import QUANTILES, Observation
from tools.record import Record

COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
ENOUGH = 1.05
"""A throughput is only refuted when clearly more than it was sent."""
LOOKS = 3
"""How often the holdout may be opened."""


class Judgement(Record):
    """The verdict on one clause, and on what it stands."""

    verdict: Verdict
    measured: float | None = None
    interval: tuple[float, float] | None = None
    note: str = ""
    breached: bool = False
    """Live only: proven to be worse than demanded, not merely unproven."""


UNMEASURED = Judgement(verdict="UNPROVEN", note="not measured")


def confidence(clause: Clause, look: int) -> float:
    """The level of the one-sided bound: what the goal asks for, corrected from the second look on."""
    level = clause.confidence or 0.95
    return level if look <= 1 else 1.0 - (1.0 - level) / LOOKS


def threshold(clause: Clause, reference: float | None = None) -> float | None:
    """The number to compare with; for a relative clause `reference` is the incumbent's value."""
    if clause.relative is None:
        return float(clause.value) if isinstance(clause.value, int | float) else None
    if reference is None:
        return None
    if clause.relative.kind == "ratio":
        return reference * (1.0 + clause.relative.delta)
    return reference + clause.relative.delta


def holdout(clause: Clause, seen: Observation | None, *, look: int = 1) -> Judgement:
    """A clause measured on the sealed holdout (or, for planning, on validation)."""
    wanted = threshold(clause)
    if seen is None or seen.value is None or wanted is None:
        return UNMEASURED
    interval = (seen.low, seen.high) if seen.low is not None and seen.high is not None else None
    on_bound = clause.confidence is not None or look > 1
    judged = seen.value
    note = ""
    if on_bound:
        bound = seen.bound_low if clause.op in (">=", ">") else seen.bound_high
        if bound is None:
            return Judgement(verdict="UNPROVEN", measured=seen.value, interval=interval, note="no bound was computed")
        judged = bound
        note = f"judged on the {confidence(clause, look):.4g} bound {bound:.6g}"
    elif interval is not None and interval[0] <= wanted <= interval[1]:
        note = "margin within noise"
    met = COMPARE[clause.op](judged, wanted)
    return Judgement(verdict="MET" if met else "NOT MET", measured=seen.value, interval=interval, note=note)


def allowed_share(clause: Clause) -> float | None:
    """The share of requests that may miss: 0.05 for a p95, the threshold itself for an error rate."""
    value = threshold(clause)
    if clause.metric in QUANTILES:
        return 1.0 - QUANTILES[clause.metric]
    if value is None:
        return None
    return {"error_rate": value, "availability": 1.0 - value}.get(clause.metric)


def live(clause: Clause, seen: Observation | None, *, look: int = 1, stages: int = 1) -> Judgement:
    """A clause measured on live traffic: proven, breached, or neither.

    `look` counts the times this question was put to the same rollout, `stages` over how many stages
    the error of a false rollback is spent.
    """
    share = allowed_share(clause)
    if seen is None or seen.value is None:
        return UNMEASURED
    if share is None or seen.count is None or seen.n is None:
        return _plain(clause, seen)
    if share <= 0.0:
        return _zero(clause, seen)
    alpha = bounds.SPENT[min(look, len(bounds.SPENT)) - 1]
    high = bounds.upper(seen.count, seen.n, alpha)
    low = bounds.lower(seen.count, seen.n, bounds.ALPHA / max(1, stages))
    measured = seen.value
    rate = "" if seen.rate_rps is None else f" at {seen.rate_rps:.0f} a second"
    sample = f"{seen.count} of {seen.n} requests{rate} missed it; at most {share:.4g} may"
    if high <= share:
        return Judgement(verdict="MET", measured=measured, interval=_interval(clause, seen), note=sample)
    if low > share:
        return Judgement(
            verdict="NOT MET", measured=measured, interval=_interval(clause, seen), note=sample, breached=True
        )
    need = bounds.needed(share, alpha)
    note = f"inconclusive: {sample}; about {need} requests without a miss would prove it"
    return Judgement(verdict="UNPROVEN", measured=measured, interval=_interval(clause, seen), note=note)


def _interval(clause: Clause, seen: Observation) -> tuple[float, float] | None:
    if clause.metric != "error_rate" or seen.count is None or seen.n is None:
        return None
    return bounds.lower(seen.count, seen.n, 0.025), bounds.upper(seen.count, seen.n, 0.025)


def _zero(clause: Clause, seen: Observation) -> Judgement:
    """A zero threshold is judged on the count, with n shown."""
    if not seen.n:
        return UNMEASURED
    met = seen.count == 0
    note = f"{seen.count} of {seen.n} requests"
    return Judgement(verdict="MET" if met else "NOT MET", measured=seen.value, note=note, breached=not met)


def _plain(clause: Clause, seen: Observation) -> Judgement:
    wanted = threshold(clause)
    if wanted is None or seen.value is None or not seen.n:
        return UNMEASURED
    note = f"over {seen.n} requests"
    if COMPARE[clause.op](seen.value, wanted):
        return Judgement(verdict="MET", measured=seen.value, note=note)
    if seen.rate_rps is None or seen.rate_rps < wanted * ENOUGH:
        return Judgement(verdict="UNPROVEN", measured=seen.value, note=f"{note}; no more were sent")
    return Judgement(verdict="NOT MET", measured=seen.value, note=note, breached=True)


def find(clause: Clause, seen: Sequence[Observation], stage: str) -> Observation | None:
    """The latest observation of the clause's metric at that stage."""
    return next((o for o in reversed(seen) if o.stage == stage and answers(clause, o)), None)


def answers(clause: Clause, seen: Observation) -> bool:
    """Whether the observation is about the clause: what was counted was counted against its own threshold."""
    same = seen.metric == clause.metric and seen.of == clause.class_
    return same and seen.threshold in (None, threshold(clause))
