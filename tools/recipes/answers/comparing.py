"""How sure a difference between two models is: a paired bootstrap over the units both answered.

Each resample takes the same units of both, so what is hard for both cancels out. For what depends on the confusion
matrix alone, whole resamples are drawn at once: a multinomial over the cells (label, answer, other answer) is
resampling rows. The p value is that of the centred bootstrap: how often resampling alone moves the difference at
least as far from where it is as it is from zero. n pairs that all point one way happen by chance with 2^(1 - n):
no p value is smaller than that, and no limit is given at a level that so few pairs cannot reach.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tools.language import tr
from tools.recipes.answers import counts
from tools.recipes.answers.answer import Answer, Floats, Ints
from tools.recipes.answers.formulated import Formulated
from tools.recipes.answers.intervals import LIMITS, draws, levels, times
from tools.recipes.records import Against, Compared, Limits, Measure

_CHUNK = 4_000_000
_BEYOND = math.inf
"""The share of nothing that something is."""


@runtime_checkable
class Counted(Protocol):
    """An answer in classes: the metrics in `counts` depend on how often each cell occurs, and on nothing else."""

    @property
    def labels(self) -> Ints: ...
    @property
    def predicted(self) -> Ints:
        """May hold `len(classes)`: no class of the data."""
        ...

    @property
    def classes(self) -> tuple[str, ...]: ...
    def target(self, of: str | None) -> int | None: ...


@runtime_checkable
class Aligned(Protocol):
    """An answer whose `resampled` takes the same units for the same seed, whatever was answered."""

    @property
    def aligned(self) -> bool: ...


def paired(measure: Measure, answer: Answer, other: Answer, *, against: Against, resamples: int, seed: int) -> Compared:
    """The difference `answer - other` in the metric's own unit, with its limits and its p value.

    None stands for what cannot be said: the metric is not defined for one of the two, or the units are too few.
    ValueError when the two were not asked about equally many units.
    """
    answer, other = _asked(measure, answer), _asked(measure, other)
    if answer.units != other.units:
        raise ValueError(
            tr("{units} units cannot be paired with {other_units}", units=answer.units, other_units=other.units)
        )
    value, base = answer.value(measure), other.value(measure)
    found = Compared(
        metric=measure.metric, of=measure.of, to=against.to, name=against.name, value=value, other=base, difference=None
    )
    if value is None or base is None:
        return found
    difference = value - base
    mine, theirs = _drawn(measure, answer, other, resamples, seed)
    drawn = (mine - theirs)[np.isfinite(mine - theirs)]
    return found.model_copy(
        update={
            "difference": difference,
            **dict(_limits(drawn, answer.units, measure)),
            "share": _limits(_shares(mine, theirs), answer.units, measure),
            "p_value": _p_value(drawn, difference, answer.units),
        }
    )


def _asked(measure: Measure, answer: Answer) -> Answer:
    return answer.answering(measure) if isinstance(answer, Formulated) else answer


def _limits(drawn: Floats, units: int, measure: Measure) -> Limits:
    """Two-sided 95 % limits and one-sided bounds; None where so few units can exclude nothing at that level."""
    if not len(drawn):
        return Limits()
    at = dict(zip(LIMITS, levels(measure), strict=True))
    known = {name: level for name, level in at.items() if 0.5**units <= min(level, 1 - level)}
    with np.errstate(invalid="ignore"):  # next to what is beyond every limit
        found = np.quantile(drawn, list(known.values()))
    return Limits.model_validate({n: float(q) for n, q in zip(known, found, strict=True) if math.isfinite(q)})


def _shares(mine: Floats, theirs: Floats) -> Floats:
    """The difference as a share of the other's size, on every resample: beyond every limit where that is 0.

    `mine >= theirs + delta * |theirs|` holds on a resample exactly where this share is `delta` or more: its quantiles
    bound what a ratio demands with the noise of both.
    """
    defined = np.isfinite(mine) & np.isfinite(theirs)
    difference, size = (mine - theirs)[defined], np.abs(theirs[defined])
    nothing = np.where(difference == 0, 0.0, np.copysign(_BEYOND, difference))
    shares: Floats = np.divide(difference, size, out=nothing, where=size > 0)
    return shares


def _p_value(differences: Floats, observed: float, units: int) -> float | None:
    if units < 2 or not len(differences):
        return None
    # Sums in another order differ in the last digits: a tie must stay one.
    margin = 1e-12 * max(1.0, abs(observed))
    extreme = int((np.abs(differences - observed) >= abs(observed) - margin).sum())
    return min(1.0, max((1 + extreme) / (1 + len(differences)), 2 * 0.5**units))


def _drawn(measure: Measure, answer: Answer, other: Answer, resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Both values on every resample; NaN where one is not defined on it."""
    rng = np.random.default_rng(seed)
    if isinstance(answer, Counted) and isinstance(other, Counted) and measure.metric in counts.COUNTED:
        chunks = zip(*_counted(measure, answer, other, rng, times(answer.units, resamples)), strict=True)
        mine, theirs = (np.concatenate(values) for values in chunks)
        return mine, theirs
    if isinstance(answer, Aligned) and isinstance(other, Aligned):
        one, two = (a.resampled(measure, resamples=resamples, seed=seed) for a in (answer, other))
        return one, two
    drawn = (units for chunk in draws(rng, answer.units, resamples) for units in chunk)
    pairs = np.array([[_value(measure, a.take(units)) for a in (answer, other)] for units in drawn], dtype=np.float64)
    return pairs[:, 0], pairs[:, 1]


def _value(measure: Measure, answer: Answer) -> float:
    value = answer.value(measure)
    return math.nan if value is None else value


def _counted(
    measure: Measure, answer: Counted, other: Counted, rng: np.random.Generator, resamples: int
) -> Iterator[tuple[Floats, Floats]]:
    """Both values, a chunk of resamples at a time."""
    size = len(answer.classes) + 1
    cells, often = np.unique((answer.labels * size + answer.predicted) * size + other.predicted, return_counts=True)
    label, first, second = cells // size**2, cells // size % size, cells % size
    mine, theirs = _cell_sums(label * size + first, size), _cell_sums(label * size + second, size)
    chunk = max(1, _CHUNK // (len(cells) + 2 * size**2))
    for start in range(0, resamples, chunk):
        n = min(chunk, resamples - start)
        drawn = rng.multinomial(int(often.sum()), often / often.sum(), size=n)
        stacks = [np.asarray(drawn @ sums).reshape(n, size, size) for sums in (mine, theirs)]
        values = [counts.values(measure.metric, s, answer.target(measure.of)) for s in stacks]
        yield values[0], values[1]


def _cell_sums(places: NDArray[np.int64], size: int) -> csr_array:
    """Adds counts of joint cells up to a flat confusion matrix."""
    ones = np.ones(len(places), dtype=np.int64)
    return csr_array((ones, (np.arange(len(places)), places)), shape=(len(places), size * size))
