"""Stage 7, observe: outcomes become measured facts, each with its evidence and its sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from agent.contract import Clause, Comparand, Contract, Part
from agent.plan import Estimate, Step
from tools.evaluate import Evaluated
from tools.monitor import Monitored
from tools.ports import Agreement, Traffic
from tools.recipes.records import UNDER_TEST, Compared, Limits, LoadResult, Measured
from tools.record import Json
from tools.tool import Effect
from tools.train import Selected

Stage = Literal["validation", "holdout", "live"]

QUANTILES = {"latency_p50_ms": 0.5, "latency_p95_ms": 0.95, "latency_p99_ms": 0.99}


HEALTHY = Clause(id="healthy", metric="error_rate", op="<=", value=0.05, where="live", abort=True)
"""What every served version is watched for, also where no clause asks: nothing that fails is promoted."""


AGREEMENT = "agreement"
"""Share of a shadow's answers that say what callers got."""


class Observation(Limits):
    """One measured fact."""

    part: str
    step: str
    stage: Stage
    metric: str
    of: str | None = None
    value: float | None
    round: int = 0
    """Of the step, which is its look at the holdout in this part."""
    looks: int = 0
    """How often other goals, and other parts of this one, had opened the same holdout before."""
    seen_rows: int = 0
    """How many rows of the holdout a model that existed before was trained on: the most of those compared."""
    confined: bool = True
    """Whatever predicted could find neither labels nor key."""
    share: Limits = Limits()
    """Beside another on the same rows: of the difference as a share of the other's size."""
    to: Comparand | None = None
    """With what it was compared on the same rows; then interval and bounds are those of the difference."""
    name: str | None = None
    """What that is called."""
    called: str | None = None
    """What the model under test is called, where there are several."""
    other: float | None = None
    """The other's value."""
    other_count: int | None = None
    other_n: int | None = None
    """Live: how many of the other's requests failed, and of how many."""
    ranks: tuple[tuple[int, float], ...] = ()
    other_ranks: tuple[tuple[int, float], ...] = ()
    """Live: (rank, that many-th smallest latency in ms) of `n` and of `other_n`, around the metric's quantile."""
    difference: float | None = None
    """value - other, in the metric's own unit."""
    p_value: float | None = None
    """Two-sided: how often a difference this large comes from resampling alone."""
    count: int | None = None
    """Live: how many of `n` missed the threshold (slow answers, errors)."""
    n: int | None = None
    threshold: float | None = None
    rate_rps: float | None = None
    """Live: how many requests a second were sent meanwhile."""
    path: str | None = None
    """Object key of the evidence file."""
    digests: Mapping[str, str] = {}
    """What was measured: model, data, evaluator."""

    def opens(self, holdout: str) -> bool:
        """Whether it was measured on the holdout with this digest."""
        return self.stage == "holdout" and self.digests.get("holdout") == holdout


def observe(step: Step, result: Json, contract: Contract) -> tuple[Observation, ...]:
    """What a finished step measured; nothing for a step that measures nothing."""
    part = next((p for p in contract.parts if p.name == step.part), None)
    if part is None:
        return ()
    match step.tool:
        case "select_model":
            chosen = Selected.model_validate(result)
            numbers = tuple(
                _number(m, part, step, "validation", digests={"model": chosen.digest}) for m in chosen.validation
            )
            return (*numbers, *_beside_baseline(chosen, part, step))
        case "evaluate_model":
            found = Evaluated.model_validate(result)
            path = f"{found.key}/holdout_rows.csv"
            numbers = tuple(
                _number(
                    m,
                    part,
                    step,
                    "holdout",
                    path=path,
                    digests=found.digests,
                    n=found.rows,
                    seen_rows=found.seen_rows.get(UNDER_TEST, 0),
                    confined=found.confined,
                )
                for m in found.measured
            )
            return (*numbers, *(_difference(c, part, step, found) for c in found.compared))
        case "monitor_endpoint":
            return _live(Monitored.model_validate(result), part, step)
        case _:
            return ()


def callers(traffic: Traffic, part: Part, *, seconds: float) -> tuple[Observation, ...]:
    """What the callers of an endpoint got, over so many seconds; a request that was refused as malformed is their
    matter."""
    step = Step(
        id="check", tool="read_traffic", part=part.name, effect=Effect.READS, args={}, estimate=Estimate(), limit_s=1.0
    )
    answered = traffic.requests - traffic.errors
    load = LoadResult(sent=traffic.requests, answered=answered, failed=0, seconds=max(seconds, 1e-3))
    alone = part.model_copy(update={"clauses": tuple(c for c in part.clauses if c.relative is None)})
    return _live(Monitored(traffic=traffic, load=load), alone, step)


def _beside_baseline(chosen: Selected, part: Part, step: Step) -> tuple[Observation, ...]:
    """The chosen model beside the constant predictor on validation, where a clause is about that."""
    name = str(step.args["metric"])
    about = [c for c in part.clauses if c.relative is not None and c.relative.to == "baseline" and c.metric == name]
    if not about or chosen.value is None or chosen.baseline is None:
        return ()
    return (
        Observation(
            part=part.name,
            step=step.id,
            stage="validation",
            metric=name,
            of=about[0].class_,
            to="baseline",
            name="baseline",
            value=chosen.value,
            other=chosen.baseline,
            difference=chosen.value - chosen.baseline,
        ),
    )


def _difference(c: Compared, part: Part, step: Step, found: Evaluated) -> Observation:
    called = step.args.get("called")
    return Observation(
        part=part.name,
        step=step.id,
        stage="holdout",
        metric=c.metric,
        of=c.of,
        to=c.to,
        name=c.name,
        called=called if isinstance(called, str) else None,
        value=c.value,
        other=c.other,
        difference=c.difference,
        low=c.low,
        high=c.high,
        bound_low=c.bound_low,
        bound_high=c.bound_high,
        strict_low=c.strict_low,
        strict_high=c.strict_high,
        round=step.round,
        seen_rows=max(found.seen_rows.get(UNDER_TEST, 0), found.seen_rows.get(c.name, 0)),
        confined=found.confined,
        share=c.share,
        p_value=c.p_value,
        path=f"{found.key}/holdout_rows.csv",
        digests=dict(found.digests),
        n=found.rows,
    )


def _number(
    m: Measured,
    part: Part,
    step: Step,
    stage: Stage,
    *,
    path: str | None = None,
    digests: Mapping[str, str] | None = None,
    n: int | None = None,
    seen_rows: int = 0,
    confined: bool = True,
) -> Observation:
    called = step.args.get("called")
    return Observation(
        part=part.name,
        step=step.id,
        stage=stage,
        called=called if isinstance(called, str) else None,
        metric=m.metric,
        of=m.of,
        value=m.value,
        low=m.low,
        high=m.high,
        bound_low=m.bound_low,
        bound_high=m.bound_high,
        strict_low=m.strict_low,
        strict_high=m.strict_high,
        round=step.round,
        seen_rows=seen_rows,
        confined=confined,
        path=path,
        digests=dict(digests or {}),
        n=n,
    )


def _live(seen: Monitored, part: Part, step: Step) -> tuple[Observation, ...]:
    clauses = [c for c in part.clauses if c.where == "live"]
    if not any(c.metric == HEALTHY.metric and c.relative is None for c in clauses):
        clauses.append(HEALTHY)
    absolute = [c for c in clauses if c.relative is None]
    found = [o for c in absolute if (o := _live_one(c, seen, part, step)) is not None]
    if seen.beside is not None:
        found += [o for c in clauses if c.relative is not None and (o := _beside(c, seen, part, step)) is not None]
    if (agreed := seen.agreement) is not None and agreed.compared:
        found.append(_agreement(agreed, part, step))
    return tuple(found)


def _beside(clause: Clause, seen: Monitored, part: Part, step: Step) -> Observation | None:
    """The version and the one beside it over the same requests."""
    other, mine = seen.beside, seen.traffic
    if other is None or not (errors := _errors(seen, mine)).n or not (theirs := _errors(seen, other)).n:
        return None
    fields: dict[str, object]
    if clause.metric in QUANTILES:
        name = _percentile(clause)
        if name not in mine.quantiles_ms or name not in other.quantiles_ms:
            return None
        value, reference = mine.quantiles_ms[name], other.quantiles_ms[name]
        fields = {
            "n": _timed(seen, mine).n,
            "ranks": mine.ranks_ms.get(name, ()),
            "other_n": _timed(seen, other).n,
            "other_ranks": other.ranks_ms.get(name, ()),
        }
    elif clause.metric in ("error_rate", "availability"):
        value, reference = errors.missed / errors.n, theirs.missed / theirs.n
        if clause.metric == "availability":
            value, reference = 1.0 - value, 1.0 - reference
        fields = {"count": errors.missed, "n": errors.n, "other_count": theirs.missed, "other_n": theirs.n}
    else:
        return None
    found = Observation(
        part=part.name,
        step=step.id,
        stage="live",
        metric=clause.metric,
        to="incumbent",
        name=other.version,
        value=value,
        other=reference,
        difference=value - reference,
    )
    return found.model_copy(update=fields)


class Missed(NamedTuple):
    """So many of `n` requests missed it."""

    missed: int
    n: int


def _errors(seen: Monitored, traffic: Traffic) -> Missed:
    """Requests of one version that failed.

    The load sends what the version must be able to answer, so what it refused (4xx) failed as well; no more than the
    load saw fail, as others may ask for what is malformed. A copy that is still on its way to a shadow after the
    longest that an answer may take failed; in a watch that was ended early it may still get one.
    """
    mine = traffic.version == seen.traffic.version
    refused = min(traffic.refused, seen.load.failed)
    if mine and seen.whole:
        # What the load saw fail and the router did not count never got so far, or was refused.
        refused = max(refused, seen.load.failed - traffic.errors)
    waiting = seen.agreement.waiting if mine and seen.agreement is not None and not seen.stopped else 0
    return Missed(traffic.errors + refused + waiting, traffic.requests + refused + waiting)


def _timed(seen: Monitored, traffic: Traffic) -> Missed:
    """Requests whose latency counts. What a shadow never answered took longer than anything that can be asked."""
    answered = traffic.requests - traffic.errors
    if seen.agreement is None or traffic.version != seen.traffic.version:
        return Missed(0, answered)
    return _errors(seen, traffic)


def _percentile(clause: Clause) -> str:
    """What the clause's quantile is called in `Traffic`."""
    return clause.metric.removeprefix("latency_").removesuffix("_ms")


def _agreement(agreed: Agreement, part: Part, step: Step) -> Observation:
    """How often a shadow said what callers got: known, and asked for by no clause."""
    return Observation(
        part=part.name,
        step=step.id,
        stage="live",
        metric=AGREEMENT,
        value=agreed.agreed / agreed.compared,
        count=agreed.compared - agreed.agreed,
        n=agreed.compared,
    )


def _live_one(clause: Clause, seen: Monitored, part: Part, step: Step) -> Observation | None:
    traffic, load = seen.traffic, seen.load
    errors, n = _errors(seen, traffic)
    value: float | None
    count: int | None = None
    threshold = float(clause.value) if isinstance(clause.value, int | float) else None
    match clause.metric:
        case "latency_p50_ms" | "latency_p95_ms" | "latency_p99_ms":
            never, n = _timed(seen, traffic)
            value = traffic.quantiles_ms.get(_percentile(clause))
            over = None if threshold is None else traffic.over.get(repr(threshold))
            count = None if over is None else over + never
        case "error_rate":
            value = errors / n if n else None
            count = errors
        case "availability":
            value = (n - errors) / n if n else None
            count = errors
        case "throughput_rps":
            value = load.answered / max(load.seconds, 1e-9)
        case _:
            return None
    return Observation(
        part=part.name,
        step=step.id,
        stage="live",
        metric=clause.metric,
        value=value,
        count=count,
        n=n,
        threshold=threshold,
        rate_rps=round(load.sent / max(load.seconds, 1e-9), 3),
    )
