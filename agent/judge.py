"""How a clause is judged on what was measured: MET, NOT MET, or UNPROVEN. Pure; it knows no plan.

A holdout clause is judged on the point estimate, or on the one-sided bound where the goal asks for
confidence or the holdout has been opened before. A live clause is judged on one-sided bounds.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Literal

from agent import beside, bounds
from agent.contract import Clause, Relative
from agent.documents import Verdict
from agent.observe import QUANTILES, Observation
from tools.language import tr
from tools.recipes.records import LOOKS, Limits
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
SEEN_MOST = 0.02
"""Share of the holdout that a model may have been trained on before its number proves nothing."""


class Judgement(Record):
    """The verdict on one clause, and on what it stands."""

    verdict: Verdict
    measured: float | None = None
    interval: tuple[float, float] | None = None
    note: str = ""
    breached: bool = False
    """Live only: proven to be worse than demanded, not merely unproven."""


def unmeasured() -> Judgement:
    """Nothing is known."""
    return Judgement(verdict="UNPROVEN", note=tr("not measured"))


def confidence(clause: Clause, look: int) -> float:
    """The level of the one-sided bound: what the goal asks for, corrected from the second look on."""
    level = clause.confidence or 0.95
    return level if look <= 1 else 1.0 - (1.0 - level) / LOOKS


def threshold(clause: Clause, reference: float | None = None) -> float | None:
    """The number to compare with; for a relative clause `reference` is the other's value."""
    if clause.relative is None:
        return float(clause.value) if isinstance(clause.value, int | float) else None
    if reference is None:
        return None
    return reference + margin(clause.relative, reference)


def margin(relative: Relative, reference: float) -> float:
    """By how much the value must differ from the reference; a ratio is taken of its size, whatever its sign."""
    return relative.delta * abs(reference) if relative.kind == "ratio" else relative.delta


def holdout(clause: Clause, seen: Observation | None, *, look: int = 1) -> Judgement:
    """A clause measured on the sealed holdout (or, for planning, on validation)."""
    found = (
        _number(clause, seen, look) if clause.relative is None else _beside(clause, clause.relative, seen, look=look)
    )
    if seen is None or found.verdict == "UNPROVEN" or not (why := _spoiled(seen)):
        return found
    return found.model_copy(update={"verdict": "UNPROVEN", "note": why})


def _number(clause: Clause, seen: Observation | None, look: int) -> Judgement:
    wanted = threshold(clause)
    if seen is not None and seen.value is None:
        return Judgement(verdict="UNPROVEN", note=tr("not defined on these rows"))
    if seen is None or seen.value is None or wanted is None:
        return unmeasured()
    interval = (seen.low, seen.high) if seen.low is not None and seen.high is not None else None
    on_bound = clause.confidence is not None or look > 1
    judged = seen.value
    note = ""
    if on_bound:
        bound = _bound(clause, seen, look)
        if bound is None:
            return Judgement(
                verdict="UNPROVEN", measured=seen.value, interval=interval, note=tr("no bound was computed")
            )
        judged = bound
        note = tr("judged on the {level:.4g} bound {bound:.6g}", level=confidence(clause, look), bound=bound)
        note += _before(seen)
    elif interval is not None and interval[0] <= wanted <= interval[1]:
        note = tr("margin within noise")
    met = COMPARE[clause.op](judged, wanted)
    return Judgement(verdict="MET" if met else "NOT MET", measured=seen.value, interval=interval, note=note)


def _beside(clause: Clause, relative: Relative, seen: Observation | None, *, look: int) -> Judgement:
    """A relative clause is judged on the paired difference; what is measured is that, or its share of the other.

    The limits of a share are those of the share itself, resampled with both: the other's value is not exact either.
    """
    if seen is None or seen.difference is None or seen.value is None or seen.other is None:
        return Judgement(verdict="UNPROVEN", note=tr("not compared with the {model}", model=tr(relative.to)))
    size = abs(seen.other) if relative.kind == "ratio" else 1.0
    if size == 0.0:
        note = tr(
            "the {model}'s {metric} is 0: nothing is a share of that", model=tr(relative.to), metric=clause.metric
        )
        return Judgement(verdict="UNPROVEN", note=note)
    wanted, judged = relative.delta, seen.difference / size
    limits = seen.share if relative.kind == "ratio" else _of_difference(seen)
    interval = (limits.low, limits.high) if limits.low is not None and limits.high is not None else None
    said = tr("{value:.6g} against {other:.6g} of {beside}", value=seen.value, other=seen.other, beside=_other(seen))
    if clause.confidence is not None or look > 1:
        bound = _bound(clause, limits, look)
        if bound is None:
            note = tr("{said}; no bound was computed", said=said)
            return Judgement(verdict="UNPROVEN", measured=seen.difference / size, interval=interval, note=note)
        judged = bound
        said += tr(
            "; judged on the {level:.4g} bound {bound:.6g} of the difference",
            level=confidence(clause, look),
            bound=bound,
        )
        said += _before(seen)
    elif interval is not None and interval[0] <= wanted <= interval[1]:
        said += tr("; margin within noise")
    # 0.92 - 0.90 is a little less than 0.02 to a computer.
    met = COMPARE[clause.op](judged, wanted) or (clause.op in (">=", "<=") and math.isclose(judged, wanted))
    verdict: Verdict = "MET" if met else "NOT MET"
    return Judgement(verdict=verdict, measured=seen.difference / size, interval=interval, note=said)


def _of_difference(seen: Observation) -> Limits:
    return Limits(**{name: getattr(seen, name) for name in Limits.model_fields})


def _bound(clause: Clause, limits: Limits | Observation, look: int) -> float | None:
    """The one-sided bound that counts: the stricter one from the second look on, where it was computed."""
    low, high = limits.bound_low, limits.bound_high
    if look > 1 and limits.strict_low is not None and limits.strict_high is not None:
        low, high = limits.strict_low, limits.strict_high
    return low if clause.op in (">=", ">") else high


def _before(seen: Observation) -> str:
    """That others have looked at these rows: why a number alone is not enough."""
    return tr("; other goals or parts opened the same rows {n} times before", n=seen.looks) if seen.looks else ""


def _spoiled(seen: Observation) -> str:
    """Why a number says nothing of rows the model has never met; empty when nothing speaks against that."""
    if not seen.confined:
        return tr("the `predict` command could have looked for the labels: nothing here can hide them from it")
    if seen.n and seen.seen_rows > SEEN_MOST * seen.n:
        return tr("the model was trained on {seen} of these {n} rows", seen=seen.seen_rows, n=seen.n)
    return ""


def _other(seen: Observation) -> str:
    model = tr(seen.to or "other")
    if seen.name in (None, seen.to):
        return tr("the {model}", model=model)
    return tr("{name} (the {model})", name=seen.name, model=model)


def on_holdout(
    clause: Clause, seen: Sequence[Observation], *, look: int = 1, stage: Literal["validation", "holdout"] = "holdout"
) -> tuple[Judgement, Observation | None]:
    """The clause on the latest measurement. One about several others holds against each: the hardest counts."""
    latest = find(clause, seen, stage)
    if latest is None or clause.relative is None:
        return holdout(clause, latest, look=look), latest
    same = [o for o in seen if o.stage == stage and o.step == latest.step and answers(clause, o)]
    judged = [(holdout(clause, o, look=look), o) for o in same]
    return min(judged, key=lambda pair: _HARDEST.index(pair[0].verdict))


_HARDEST: tuple[Verdict, ...] = ("NOT MET", "UNPROVEN", "MET")


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
    if clause.relative is not None:
        return _live_beside(clause, clause.relative, seen, look=look, stages=stages)
    share = allowed_share(clause)
    if seen is None or seen.value is None:
        return unmeasured()
    if share is None or seen.count is None or seen.n is None:
        return _plain(clause, seen)
    if share <= 0.0:
        return _zero(clause, seen)
    alpha = bounds.spent(look)
    high = bounds.upper(seen.count, seen.n, alpha)
    low = bounds.lower(seen.count, seen.n, alpha / max(1, stages) / (bounds.EARLY if clause.abort else 1))
    measured = seen.value
    rate = "" if seen.rate_rps is None else tr(" at {rate:.0f} a second", rate=seen.rate_rps)
    sample = tr(
        "{count} of {n} requests{rate} missed it; at most {share:.4g} may",
        count=seen.count,
        n=seen.n,
        rate=rate,
        share=share,
    )
    if high <= share:
        return Judgement(verdict="MET", measured=measured, interval=_interval(clause, seen), note=sample)
    if low > share:
        return Judgement(
            verdict="NOT MET", measured=measured, interval=_interval(clause, seen), note=sample, breached=True
        )
    need = bounds.needed(share, alpha)
    note = tr("inconclusive: {sample}; about {need} requests without a miss would prove it", sample=sample, need=need)
    return Judgement(verdict="UNPROVEN", measured=measured, interval=_interval(clause, seen), note=note)


def _live_beside(clause: Clause, relative: Relative, seen: Observation | None, *, look: int, stages: int) -> Judgement:
    """A version and the one beside it, under the same traffic: met and broken both need a proof (`agent.beside`)."""
    if seen is None or seen.value is None or seen.other is None or not seen.n or not seen.other_n:
        return Judgement(verdict="UNPROVEN", note=tr("not measured beside the {model}", model=tr(relative.to)))
    size = abs(seen.other) if relative.kind == "ratio" and seen.other else 1.0
    measured = (seen.value - seen.other) / size
    said = tr(
        "{value:.6g} against {other:.6g} of {beside}, over {n} and {other_n} requests",
        value=seen.value,
        other=seen.other,
        beside=_other(seen),
        n=seen.n,
        other_n=seen.other_n,
    )
    if margin_said := beside.margin_words(clause):
        said = tr("{said}; {margin}", said=said, margin=margin_said)
    if beside.broken(clause, relative, seen, bounds.spent(look) / max(1, stages)):
        return Judgement(verdict="NOT MET", measured=measured, note=said, breached=True)
    if beside.kept(clause, relative, seen, bounds.spent(look)):
        return Judgement(verdict="MET", measured=measured, note=said)
    return Judgement(verdict="UNPROVEN", measured=measured, note=tr("inconclusive: {said}", said=said))


def _interval(clause: Clause, seen: Observation) -> tuple[float, float] | None:
    if clause.metric != "error_rate" or seen.count is None or seen.n is None:
        return None
    return bounds.lower(seen.count, seen.n, 0.025), bounds.upper(seen.count, seen.n, 0.025)


def _zero(clause: Clause, seen: Observation) -> Judgement:
    """A zero threshold is judged on the count, with n shown."""
    if not seen.n:
        return unmeasured()
    met = seen.count == 0
    note = tr("{count} of {n} requests", count=seen.count, n=seen.n)
    return Judgement(verdict="MET" if met else "NOT MET", measured=seen.value, note=note, breached=not met)


def _plain(clause: Clause, seen: Observation) -> Judgement:
    wanted = threshold(clause)
    if wanted is None or seen.value is None or not seen.n:
        return unmeasured()
    note = tr("over {n} requests", n=seen.n)
    if COMPARE[clause.op](seen.value, wanted):
        return Judgement(verdict="MET", measured=seen.value, note=note)
    if seen.rate_rps is None or seen.rate_rps < wanted * ENOUGH:
        return Judgement(verdict="UNPROVEN", measured=seen.value, note=tr("{note}; no more were sent", note=note))
    return Judgement(verdict="NOT MET", measured=seen.value, note=note, breached=True)


def find(clause: Clause, seen: Sequence[Observation], stage: str) -> Observation | None:
    """The latest observation of the clause's metric at that stage."""
    return next((o for o in reversed(seen) if o.stage == stage and answers(clause, o)), None)


def answers(clause: Clause, seen: Observation) -> bool:
    """Whether the observation is about the clause: what was counted was counted against its own threshold."""
    to = clause.relative.to if clause.relative is not None else None
    same = (seen.metric, seen.of, seen.to) == (clause.metric, clause.class_, to)
    return same and seen.threshold in (None, threshold(clause))
