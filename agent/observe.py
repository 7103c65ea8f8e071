"""Stage 7, observe: outcomes become measured facts, each with its evidence and its sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from agent.contract import Clause, Contract, Part
from agent.plan import Step
from tools.evaluate import Evaluated
from tools.monitor import Monitored
from tools.recipes.records import Measured
from tools.record import Json, Record
from tools.train import Selected

Stage = Literal["validation", "holdout", "live"]

QUANTILES = {"latency_p50_ms": 0.5, "latency_p95_ms": 0.95, "latency_p99_ms": 0.99}


HEALTHY = Clause(id="healthy", metric="error_rate", op="<=", value=0.05, where="live", abort=True)
"""What every served version is watched for, also where no clause asks: nothing that fails is promoted."""


class Observation(Record):
    """One measured fact."""

    part: str
    step: str
    stage: Stage
    metric: str
    of: str | None = None
    value: float | None
    low: float | None = None
    high: float | None = None
    """Two-sided 95 % interval."""
    bound_low: float | None = None
    bound_high: float | None = None
    """One-sided bounds at the level that was asked for."""
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


def observe(step: Step, result: Json, contract: Contract) -> tuple[Observation, ...]:
    """What a finished step measured; nothing for a step that measures nothing."""
    part = next((p for p in contract.parts if p.name == step.part), None)
    if part is None:
        return ()
    match step.tool:
        case "select_model":
            chosen = Selected.model_validate(result)
            return tuple(
                _number(m, part, step, "validation", digests={"model": chosen.digest}) for m in chosen.validation
            )
        case "evaluate_model":
            found = Evaluated.model_validate(result)
            path = f"{found.key}/holdout_rows.csv"
            return tuple(
                _number(m, part, step, "holdout", path=path, digests=found.digests, n=found.rows)
                for m in found.measured
            )
        case "monitor_endpoint":
            return _live(Monitored.model_validate(result), part, step)
        case _:
            return ()


def _number(
    m: Measured,
    part: Part,
    step: Step,
    stage: Stage,
    *,
    path: str | None = None,
    digests: Mapping[str, str] | None = None,
    n: int | None = None,
) -> Observation:
    return Observation(
        part=part.name,
        step=step.id,
        stage=stage,
        metric=m.metric,
        of=m.of,
        value=m.value,
        low=m.low,
        high=m.high,
        bound_low=m.bound_low,
        bound_high=m.bound_high,
        path=path,
        digests=dict(digests or {}),
        n=n,
    )


def _live(seen: Monitored, part: Part, step: Step) -> tuple[Observation, ...]:
    clauses = [c for c in part.clauses if c.where == "live"]
    if not any(c.metric == HEALTHY.metric for c in clauses):
        clauses.append(HEALTHY)
    return tuple(o for c in clauses if (o := _live_one(c, seen, part, step)) is not None)


def _live_one(clause: Clause, seen: Monitored, part: Part, step: Step) -> Observation | None:
    traffic, load = seen.traffic, seen.load
    answered = traffic.requests - traffic.errors
    # What the load saw fail and the router did not count was refused by the model: an error all the same.
    refused = max(0, load.failed - traffic.errors) if seen.whole else 0
    errors, n = traffic.errors + refused, traffic.requests + refused
    value: float | None
    count: int | None = None
    threshold = float(clause.value) if isinstance(clause.value, int | float) else None
    match clause.metric:
        case "latency_p50_ms" | "latency_p95_ms" | "latency_p99_ms":
            n = answered
            value = traffic.quantiles_ms.get(clause.metric.removeprefix("latency_").removesuffix("_ms"))
            count = None if threshold is None else traffic.over.get(repr(threshold))
        case "error_rate":
            value = errors / n if n else None
            count = errors
        case "availability":
            value = answered / n if n else None
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
