"""What a regression answered: one number a row. A unit is a row.

Definitions are scikit-learn's; sMAPE = mean 2|y - p| / (|y| + |p|) with 0/0 = 0.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import polars as pl
from sklearn import metrics

from tools.language import tr
from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.answers.intervals import draws, means
from tools.recipes.records import Measure

_SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_BINS = 20


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Labels and predictions, in the label's own unit."""

    aligned: ClassVar[bool] = True
    """The same seed resamples the same rows, whatever was answered."""
    labels: Floats
    predicted: Floats

    @property
    def units(self) -> int:
        return len(self.labels)

    def value(self, measure: Measure) -> float | None:
        if self.units == 0:
            return None
        with warnings.catch_warnings():
            # A single row has no r2, of which scikit-learn warns: it is answered with None.
            warnings.simplefilter("ignore")
            value = float(_VALUES[measure.metric](self.labels, self.predicted))
        return value if math.isfinite(value) else None

    def take(self, units: Ints) -> Predicted:
        return replace(self, labels=self.labels[units], predicted=self.predicted[units])

    def trials(self, measure: Measure) -> tuple[int, int] | None:
        del measure
        return None

    def resampled(self, measure: Measure, *, resamples: int, seed: int) -> Floats:
        drawn = draws(np.random.default_rng(seed), self.units, resamples)
        error = self.labels - self.predicted
        if measure.metric == "r2":
            return np.concatenate([_r2(error[d], self.labels[d]) for d in drawn])
        size = np.maximum(np.abs(self.labels), np.finfo(np.float64).eps)
        each = {
            "mse": error**2,
            "rmse": error**2,
            "mae": np.abs(error),
            "mape": np.abs(error) / size,
            "smape": smape(self.labels, self.predicted),
        }[measure.metric]
        found = means(each, drawn)
        return np.sqrt(found) if measure.metric == "rmse" else found

    def section(self) -> Mapping[str, object]:
        return {"residuals": residuals(self.labels, self.predicted)}

    def columns(self) -> Sequence[pl.Series]:
        return []

    def notes(self) -> Sequence[str]:
        if self.units > 1 and bool((self.labels == self.predicted).all()) and np.ptp(self.labels) > 0:
            return [tr("every prediction is exactly the label: suspected leakage")]
        return []


def smape(labels: Floats, predicted: Floats) -> Floats:
    """Per row: 2|y - p| / (|y| + |p|), and 0 where both are 0."""
    size = np.abs(labels) + np.abs(predicted)
    each: Floats = np.divide(2 * np.abs(labels - predicted), size, out=np.zeros_like(size), where=size > 0)
    return each


def residuals(labels: Floats, predicted: Floats) -> Mapping[str, object]:
    """Mean, quantiles and a histogram of prediction - label, in the label's unit."""
    residual = predicted - labels
    rows, edges = np.histogram(residual, bins=_BINS)
    return {
        "definition": tr("prediction - label"),
        "mean": float(residual.mean()),
        "quantiles": {f"{share:g}": float(np.quantile(residual, share)) for share in _SHARES},
        "histogram": {"edges": edges.tolist(), "rows": rows.tolist()},
    }


def _r2(error: Floats, labels: Floats) -> Floats:
    left = (error**2).sum(axis=1)
    spread = ((labels - labels.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    unexplained: Floats = np.divide(left, spread, out=np.full(len(left), np.nan), where=spread > 0)
    return 1 - unexplained


_VALUES: dict[str, Callable[[Floats, Floats], float]] = {
    "rmse": metrics.root_mean_squared_error,
    "mse": metrics.mean_squared_error,
    "mae": metrics.mean_absolute_error,
    "mape": metrics.mean_absolute_percentage_error,
    "smape": lambda y, p: float(smape(y, p).mean()),
    "r2": lambda y, p: metrics.r2_score(y, p) if len(y) > 1 else math.nan,
}
