"""How good a model gets: from quality on a 0..1 scale to the metrics a recipe reports, with intervals."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import NormalDist

from tools.backends.sim.world import Learner
from tools.metrics import metric
from tools.recipes.records import Measure, Measured

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


def _nearby(one: Measure, quality: float, spread: float, rng: random.Random) -> float:
    """Accuracy is the quality; other metrics of the same predictions lie close by."""
    if one.metric == "accuracy":
        return quality
    return _ratio(quality + rng.uniform(-0.5, 0.5) * spread)


def _measured(one: Measure, quality: float, spread: float, label_scale: float) -> Measured:
    def at(sigmas: float) -> float:
        return value_of(one.metric, _ratio(quality + sigmas * spread), label_scale=label_scale)

    one_sided = NormalDist().inv_cdf(one.confidence)
    low, high = sorted((at(-1.96), at(1.96)))
    bound_low, bound_high = sorted((at(-one_sided), at(one_sided)))
    return Measured(
        metric=one.metric, of=one.of, value=at(0.0), low=low, high=high, bound_low=bound_low, bound_high=bound_high
    )


def _ratio(value: float) -> float:
    return min(1.0, max(0.0, value))
