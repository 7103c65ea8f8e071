"""How sure a measured number is: intervals and one-sided bounds.

Shares of rows (accuracy, and precision and recall of one class) get exact Clopper-Pearson limits, which stay honest
at 0 and 1; everything else the percentile bootstrap over rows, seeded. Bootstrap of what depends on the confusion
matrix alone draws matrices: a multinomial over its cells is resampling rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from tools.recipes import counts
from tools.recipes.metrics_of import SCORED, Classified, Floats, Ints, Predicted, Rows, smape, value_of
from tools.recipes.records import Measure, Measured

_TWO_SIDED = 0.95
_DRAWS = 50_000_000
"""Row draws per metric; very long holdouts are resampled less often, never under `_FEWEST` times."""
_FEWEST = 200
_CHUNK = 2_000_000


def measured(measures: Sequence[Measure], rows: Rows, *, resamples: int, seed: int) -> tuple[Measured, ...]:
    """Every measure with a two-sided 95 % interval and one-sided bounds at the measure's own confidence."""
    return tuple(_measured(measure, rows, resamples, seed) for measure in measures)


def method(measure: Measure, rows: Rows) -> str:
    """How the interval of this measure is made, in two words."""
    return "Clopper-Pearson" if _trials(measure, rows) is not None else "percentile bootstrap"


def _measured(measure: Measure, rows: Rows, resamples: int, seed: int) -> Measured:
    value = value_of(measure, rows)
    if value is None:
        return Measured(metric=measure.metric, of=measure.of, value=None)
    tail = (1 - _TWO_SIDED) / 2
    levels = (tail, 1 - tail, 1 - measure.confidence, measure.confidence)
    trials = _trials(measure, rows)
    limits = _exact(*trials, levels) if trials is not None else _quantiles(measure, rows, resamples, seed, levels)
    low, high, bound_low, bound_high = limits
    return Measured(
        metric=measure.metric,
        of=measure.of,
        value=value,
        low=low,
        high=high,
        bound_low=bound_low,
        bound_high=bound_high,
    )


def _trials(measure: Measure, rows: Rows) -> tuple[int, int] | None:
    """(successes, trials) of a metric that is a share of rows; None for the others."""
    if not isinstance(rows, Classified):
        return None
    if measure.metric in ("accuracy", "f1_micro"):
        return int((rows.labels == rows.predicted).sum()), len(rows.labels)
    target = rows.target(measure.of)
    if target is None or measure.metric not in ("precision", "recall"):
        return None
    among = (rows.labels if measure.metric == "recall" else rows.predicted) == target
    hits = among & (rows.labels == rows.predicted)
    return (int(hits.sum()), int(among.sum())) if among.any() else None


def _exact(hits: int, trials: int, levels: Sequence[float]) -> list[float]:
    """Clopper-Pearson: the lower limit for levels under one half, the upper one above."""
    limits = []
    for level in levels:
        if level < 0.5:
            limits.append(float(betaincinv(hits, trials - hits + 1, level)) if hits else 0.0)
        else:
            limits.append(float(betaincinv(hits + 1, trials - hits, level)) if hits < trials else 1.0)
    return limits


def _quantiles(
    measure: Measure, rows: Rows, resamples: int, seed: int, levels: Sequence[float]
) -> list[float] | list[None]:
    drawn = resampled(measure, rows, resamples=resamples, seed=seed)
    drawn = drawn[np.isfinite(drawn)]
    return [float(q) for q in np.quantile(drawn, levels)] if len(drawn) else [None] * len(levels)


def resampled(measure: Measure, rows: Rows, *, resamples: int, seed: int) -> Floats:
    """The metric on every resample of the rows; NaN where it is not defined on one."""
    rng = np.random.default_rng(seed)
    n = len(rows.labels)
    times = min(resamples, max(_FEWEST, _DRAWS // n))
    if isinstance(rows, Predicted):
        return _regression(measure.metric, rows, _draws(rng, n, times))
    target = rows.target(measure.of)
    if measure.metric not in SCORED:
        size = len(rows.classes) + 1
        table = counts.confusion(rows.labels, rows.predicted, size)
        stack = rng.multinomial(n, (table / n).ravel(), size=times).reshape(times, size, size)
        return counts.values(measure.metric, stack, target)
    if rows.probability is None:
        raise ValueError(f"{measure.metric} needs probabilities")
    if measure.metric == "log_loss":
        return _means(_losses(rows.labels, rows.probability), _draws(rng, n, times))
    targets = range(len(rows.classes)) if target is None else [target]
    ranks = [_Ranked(rows.labels == t, rows.probability[:, t]) for t in targets]
    area = _Ranked.roc_auc if measure.metric == "roc_auc" else _Ranked.average_precision
    return np.concatenate(
        [
            np.mean([[area(r, np.bincount(d, minlength=n)) for d in draws] for r in ranks], axis=0)
            for draws in _draws(rng, n, times)
        ]
    )


def _draws(rng: np.random.Generator, n: int, times: int) -> Iterator[Ints]:
    """Row numbers drawn with replacement, [chunk, n] at a time."""
    chunk = max(1, _CHUNK // n)
    for start in range(0, times, chunk):
        yield rng.integers(0, n, size=(min(chunk, times - start), n))


def _means(each: Floats, draws: Iterator[Ints]) -> Floats:
    return np.concatenate([each[rows].mean(axis=1) for rows in draws])


def _losses(labels: Ints, probability: Floats) -> Floats:
    """Per row: minus the logarithm of the probability of its label, clipped as scikit-learn does."""
    eps = np.finfo(probability.dtype).eps
    clipped = np.clip(probability, eps, 1 - eps)
    return -np.log(clipped[np.arange(len(labels)), labels])


def _regression(metric: str, rows: Predicted, draws: Iterator[Ints]) -> Floats:
    error = rows.labels - rows.predicted
    if metric == "r2":
        return np.concatenate([_r2(error[d], rows.labels[d]) for d in draws])
    size = np.maximum(np.abs(rows.labels), np.finfo(np.float64).eps)
    each = {
        "mse": error**2,
        "rmse": error**2,
        "mae": np.abs(error),
        "mape": np.abs(error) / size,
        "smape": smape(rows.labels, rows.predicted),
    }[metric]
    means = _means(each, draws)
    return np.sqrt(means) if metric == "rmse" else means


def _r2(error: Floats, labels: Floats) -> Floats:
    left = (error**2).sum(axis=1)
    spread = ((labels - labels.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    unexplained: Floats = np.divide(left, spread, out=np.full(len(left), np.nan), where=spread > 0)
    return 1 - unexplained


class _Ranked:
    """Rows in falling order of their score, with ties as one step: areas for any weighting of the rows."""

    def __init__(self, hits: NDArray[np.bool_], score: Floats) -> None:
        self._order = np.argsort(-score, kind="stable")
        self._hits = hits[self._order]
        ranked = score[self._order]
        self._ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)

    def _steps(self, weights: Ints) -> tuple[Floats, Floats]:
        """True and false positives down to each distinct score, from (0, 0)."""
        ordered = weights[self._order]
        true = np.cumsum(ordered * self._hits)[self._ends]
        false = np.cumsum(ordered * ~self._hits)[self._ends]
        return np.concatenate([[0.0], true]), np.concatenate([[0.0], false])

    def roc_auc(self, weights: Ints) -> float:
        true, false = self._steps(weights)
        if not true[-1] or not false[-1]:
            return float("nan")
        return float(np.sum(np.diff(false) * (true[1:] + true[:-1])) / (2 * true[-1] * false[-1]))

    def average_precision(self, weights: Ints) -> float:
        true, false = self._steps(weights)
        if not true[-1]:
            return float("nan")
        named = true[1:] + false[1:]
        precision = np.divide(true[1:], named, out=np.zeros(len(named)), where=named > 0)
        return float(np.sum(np.diff(true) * precision) / true[-1])
