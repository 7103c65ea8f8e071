"""How good a model gets: from quality on a 0..1 scale to the metrics a recipe reports, with intervals."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import NormalDist

from tools.backends.sim.world import Learner
from tools.metrics import metric
from tools.recipes.records import Against, Compared, Limits, Measure, Measured

SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Parts of the training rows a learning curve is measured at."""


def search(learner: Learner, trials: int, rng: random.Random) -> tuple[float, ...]:
    """Best quality after each trial: rises, never passes the plateau. More trials extend the same sequence."""
    best, history = 0.0, []
    for trial in range(1, trials + 1):
        curve = learner.plateau - (learner.plateau - learner.start) * math.exp(-trial / learner.scale)
        best = max(best, _ratio(curve - abs(rng.gauss(0.0, learner.noise))))
        history.append(best)
    return tuple(history)


def by_rows(quality: float, rows: int) -> tuple[tuple[int, float], ...]:
    """Quality by training rows: flattens out and ends at `quality` with all of them."""
    last = 1 - 0.3 * math.exp(-5)
    return tuple((max(1, round(rows * s)), quality * (1 - 0.3 * math.exp(-5 * s)) / last) for s in SHARES)


def value_of(name: str, quality: float, *, label_scale: float) -> float:
    """The metric that a model of that quality has.

    Ratios that grow are the quality itself, `mcc` is 2q - 1, `log_loss` is -ln q; errors are
    label_scale · (1 - q), relative errors 1 - q.
    """
    known = metric(name)
    if name == "mcc":
        return 2 * quality - 1
    if name in ("log_loss", "perplexity"):
        loss = -math.log(max(quality, 1e-9))
        return math.exp(loss) if name == "perplexity" else loss
    if known is None or known.better == "max":
        return quality
    return (1 - quality) * (1.0 if known.unit == "ratio" else label_scale)


def measure(
    asked: Sequence[Measure], quality: float, *, rows: int, label_scale: float, rng: random.Random
) -> tuple[Measured, ...]:
    """Every measure with its 95 % interval and one-sided bounds, by the normal approximation."""
    spread = math.sqrt(max(quality * (1 - quality), 1e-6) / rows)
    return tuple(_measured(one, _nearby(one, quality, spread, rng), spread, label_scale) for one in asked)


def compare(
    asked: Sequence[Measure], one: Against, quality: float, other: float, *, rows: int, label_scale: float
) -> tuple[Compared, ...]:
    """Every measure of a model beside another's on the same rows, by the normal approximation.

    Right and wrong answers of two models on the same rows agree half of the time they could differ.
    """
    return tuple(_compared(measure, one, quality, other, rows, label_scale) for measure in asked)


def _compared(asked: Measure, one: Against, quality: float, other: float, rows: int, label_scale: float) -> Compared:
    value, beside = (value_of(asked.metric, q, label_scale=label_scale) for q in (quality, other))
    low, high = (value_of(asked.metric, q, label_scale=label_scale) for q in (0.49, 0.5))
    variance = quality * (1 - quality) + other * (1 - other)
    spread = 100 * abs(high - low) * math.sqrt(max(variance / 2, 1e-6) / rows)
    difference, normal = value - beside, NormalDist()
    sigmas = (normal.inv_cdf(asked.confidence), normal.inv_cdf(asked.strict))
    return Compared(
        metric=asked.metric,
        of=asked.of,
        to=one.to,
        name=one.name,
        value=value,
        other=beside,
        difference=difference,
        **dict(_limits(difference, spread, sigmas)),
        share=_share(difference, beside, spread, sigmas),
        p_value=min(1.0, 2 * normal.cdf(-abs(difference) / spread)),
    )


def _limits(value: float, spread: float, sigmas: tuple[float, float]) -> Limits:
    return Limits(
        low=value - 1.96 * spread,
        high=value + 1.96 * spread,
        bound_low=value - sigmas[0] * spread,
        bound_high=value + sigmas[0] * spread,
        strict_low=value - sigmas[1] * spread,
        strict_high=value + sigmas[1] * spread,
    )


def _share(difference: float, other: float, spread: float, sigmas: tuple[float, float]) -> Limits:
    """Of the difference as a share of the other's size, by the first derivatives with respect to both."""
    if other == 0.0:
        return Limits()
    share = difference / abs(other)
    return _limits(share, spread / abs(other) * math.hypot(1.0, share), sigmas)


def _nearby(one: Measure, quality: float, spread: float, rng: random.Random) -> float:
    """Accuracy is the quality; other metrics of the same predictions lie close by."""
    if one.metric == "accuracy":
        return quality
    return _ratio(quality + rng.uniform(-0.5, 0.5) * spread)


def _measured(one: Measure, quality: float, spread: float, label_scale: float) -> Measured:
    def at(sigmas: float) -> float:
        return value_of(one.metric, _ratio(quality + sigmas * spread), label_scale=label_scale)

    def both(sigmas: float) -> list[float]:
        return sorted((at(-sigmas), at(sigmas)))

    one_sided, strict = (NormalDist().inv_cdf(level) for level in (one.confidence, one.strict))
    limits = (*both(1.96), *both(one_sided), *both(strict))
    names = ("low", "high", "bound_low", "bound_high", "strict_low", "strict_high")
    return Measured(metric=one.metric, of=one.of, value=at(0.0), **dict(zip(names, limits, strict=True)))


def _ratio(value: float) -> float:
    return min(1.0, max(0.0, value))
