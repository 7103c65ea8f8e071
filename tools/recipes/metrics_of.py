"""The value of a metric on rows with known labels, by scikit-learn's definitions. Shared by training and evaluation.

`f1`, `precision`, `recall` and `pr_auc` are binary on the asked or the positive class, macro with more than two
classes; multi-class `roc_auc` is one-versus-rest macro; sMAPE = mean 2|y - p| / (|y| + |p|) with 0/0 = 0.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from tools.metrics import METRICS
from tools.recipes.faults import Fault, near
from tools.recipes.records import Measure, Task

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PER_CLASS = ("precision", "recall", "f1", "roc_auc", "pr_auc")
"""Metrics that may be asked of one class."""
SCORED = ("roc_auc", "pr_auc", "log_loss")
"""Metrics that need probabilities."""


@dataclass(frozen=True, kw_only=True)
class Classified:
    """Labels and predictions of a classifier, as positions in `classes`."""

    labels: Ints
    predicted: Ints
    """May hold `len(classes)`: a prediction that is no class of the data."""
    probability: Floats | None
    """Shape [rows, classes]; None when the model gives none."""
    classes: tuple[str, ...]
    positive: str | None

    def target(self, of: str | None) -> int | None:
        """The class a binary metric counts as positive; None where the metric is averaged over classes."""
        name = of if of is not None else self.positive if len(self.classes) == 2 else None
        return self.classes.index(name) if name in self.classes else None


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Labels and predictions of a regression."""

    labels: Floats
    predicted: Floats


Rows = Classified | Predicted


def faults_of(measures: Sequence[Measure], task: Task, classes: Sequence[str]) -> list[Fault]:
    """Measures that can never have a value: unknown metrics, another task's, classes that are not there."""
    known = [m.name for m in METRICS.values() if task in m.tasks]
    found = []
    for measure in measures:
        place = f"metric {measure.metric}"
        if measure.metric not in known:
            found.append(Fault(place=place, problem=f"is not measured for {task}", fix=near(measure.metric, known)))
        elif measure.of is not None and measure.metric not in PER_CLASS:
            fix = f"leave the class out, or use one of {', '.join(PER_CLASS)}"
            found.append(Fault(place=place, problem="is not measured for one class", fix=fix))
        elif measure.of is not None and measure.of not in classes:
            found.append(
                Fault(place=place, problem=f"{measure.of!r} is no class of the data", fix=near(measure.of, classes))
            )
    return found


def value_of(measure: Measure, rows: Rows) -> float | None:
    """The metric on these rows; None where it is not defined on them."""
    if len(rows.labels) == 0:
        return None
    with warnings.catch_warnings():
        # What scikit-learn warns of, a class without rows or a single class, is answered with None or by its rule.
        warnings.simplefilter("ignore")
        value = _classified(measure, rows) if isinstance(rows, Classified) else _REGRESSION[measure.metric](rows)
    return float(value) if value is not None and math.isfinite(value) else None


def smape(labels: Floats, predicted: Floats) -> Floats:
    """Per row: 2|y - p| / (|y| + |p|), and 0 where both are 0."""
    size = np.abs(labels) + np.abs(predicted)
    each: Floats = np.divide(2 * np.abs(labels - predicted), size, out=np.zeros_like(size), where=size > 0)
    return each


def _classified(measure: Measure, rows: Classified) -> float | None:
    if measure.metric in SCORED:
        return None if rows.probability is None else _scored(measure, rows, rows.probability)
    if measure.metric in ("precision", "recall", "f1"):
        return _binary_or_macro(measure, rows)
    return _LABELS[measure.metric](rows.labels, rows.predicted)


def _binary_or_macro(measure: Measure, rows: Classified) -> float:
    score = {"precision": metrics.precision_score, "recall": metrics.recall_score, "f1": metrics.f1_score}[
        measure.metric
    ]
    target = rows.target(measure.of)
    if target is None:
        return float(score(rows.labels, rows.predicted, average="macro", zero_division=0))
    return float(score(rows.labels == target, rows.predicted == target, zero_division=0))


def _scored(measure: Measure, rows: Classified, probability: Floats) -> float | None:
    every = np.arange(len(rows.classes))
    if measure.metric == "log_loss":
        return float(metrics.log_loss(rows.labels, probability, labels=every))
    target = rows.target(measure.of)
    targets = every if target is None else every[target : target + 1]
    score = metrics.roc_auc_score if measure.metric == "roc_auc" else metrics.average_precision_score
    values = []
    for one in targets:
        hits = rows.labels == one
        if not hits.any() or (measure.metric == "roc_auc" and hits.all()):
            return None
        values.append(float(score(hits, probability[:, one])))
    return float(np.mean(values))


_LABELS: dict[str, Callable[[Ints, Ints], float]] = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "mcc": metrics.matthews_corrcoef,
    "f1_macro": lambda y, p: metrics.f1_score(y, p, average="macro", zero_division=0),
    "f1_micro": lambda y, p: metrics.f1_score(y, p, average="micro", zero_division=0),
    "f1_weighted": lambda y, p: metrics.f1_score(y, p, average="weighted", zero_division=0),
}
_REGRESSION: dict[str, Callable[[Predicted], float | None]] = {
    "rmse": lambda r: metrics.root_mean_squared_error(r.labels, r.predicted),
    "mse": lambda r: metrics.mean_squared_error(r.labels, r.predicted),
    "mae": lambda r: metrics.mean_absolute_error(r.labels, r.predicted),
    "mape": lambda r: metrics.mean_absolute_percentage_error(r.labels, r.predicted),
    "smape": lambda r: float(smape(r.labels, r.predicted).mean()),
    "r2": lambda r: metrics.r2_score(r.labels, r.predicted) if len(r.labels) > 1 else None,
}
