"""How sure a measured number is: intervals and one-sided bounds of any answer.

Shares of independent trials (accuracy, and precision and recall of one class) get exact Clopper-Pearson limits, which
stay honest at 0 and 1; everything else the percentile bootstrap over units, seeded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.special import betaincinv

from tools.recipes.answers.answer import Answer, Floats, Ints
from tools.recipes.records import Measure, Measured

TWO_SIDED = 0.95
_DRAWS = 50_000_000
"""Draws of units per metric; very long holdouts are resampled less often, never under `_FEWEST` times."""
_FEWEST = 200
_CHUNK = 2_000_000


def measured(measures: Sequence[Measure], answer: Answer, *, resamples: int, seed: int) -> tuple[Measured, ...]:
    """Every measure with a two-sided 95 % interval and one-sided bounds at the measure's own confidence."""
    return tuple(_measured(measure, answer, resamples, seed) for measure in measures)


def method(measure: Measure, answer: Answer) -> str:
    """How the interval of this measure is made, in two words."""
    return "Clopper-Pearson" if answer.trials(measure) is not None else "percentile bootstrap"


LIMITS = ("low", "high", "bound_low", "bound_high", "strict_low", "strict_high")


def levels(measure: Measure) -> tuple[float, ...]:
    """Shares of the distribution at which the six `LIMITS` lie."""
    tail = (1 - TWO_SIDED) / 2
    return tail, 1 - tail, 1 - measure.confidence, measure.confidence, 1 - measure.strict, measure.strict


def quantiles(drawn: Floats, at: Sequence[float]) -> list[float] | list[None]:
    """The quantiles of the resamples on which a metric is defined; None where there are none."""
    drawn = drawn[np.isfinite(drawn)]
    return [float(q) for q in np.quantile(drawn, at)] if len(drawn) else [None] * len(at)


def times(units: int, resamples: int) -> int:
    """How often that many units are resampled."""
    return min(resamples, max(_FEWEST, _DRAWS // units))


def draws(rng: np.random.Generator, units: int, resamples: int) -> Iterator[Ints]:
    """Units drawn with replacement, [chunk, units] at a time: `times` of them in all."""
    chunk = max(1, _CHUNK // units)
    wanted = times(units, resamples)
    for start in range(0, wanted, chunk):
        yield rng.integers(0, units, size=(min(chunk, wanted - start), units))


def means(each: Floats, drawn: Iterator[Ints]) -> Floats:
    """The mean of a value per unit, on every resample."""
    return np.concatenate([each[units].mean(axis=1) for units in drawn])


def _measured(measure: Measure, answer: Answer, resamples: int, seed: int) -> Measured:
    value = answer.value(measure)
    if value is None:
        return Measured(metric=measure.metric, of=measure.of, value=None)
    at = levels(measure)
    if (trials := answer.trials(measure)) is not None:
        limits: Sequence[float | None] = _exact(*trials, at)
    else:
        limits = quantiles(answer.resampled(measure, resamples=resamples, seed=seed), at)
    return Measured(metric=measure.metric, of=measure.of, value=value, **dict(zip(LIMITS, limits, strict=True)))


def _exact(hits: int, trials: int, at: Sequence[float]) -> list[float]:
    """Clopper-Pearson: the lower limit for levels under one half, the upper one above."""
    limits = []
    for level in at:
        if level < 0.5:
            limits.append(float(betaincinv(hits, trials - hits + 1, level)) if hits else 0.0)
        else:
            limits.append(float(betaincinv(hits + 1, trials - hits, level)) if hits < trials else 1.0)
    return limits
