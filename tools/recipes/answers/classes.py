"""What a classifier answered: the class of each row, with probabilities where it gives them. A unit is a row.

`f1`, `precision`, `recall` and `pr_auc` are binary on the asked or the positive class, macro with more than two
classes; multi-class `roc_auc` is one-versus-rest macro. Definitions are scikit-learn's.
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
from tools.recipes.answers import breakdown, counts
from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.answers.areas import Ranked
from tools.recipes.answers.intervals import draws, means, times
from tools.recipes.records import Measure

SCORED = ("roc_auc", "pr_auc", "log_loss")
"""Metrics that need probabilities."""


@dataclass(frozen=True, kw_only=True)
class Classified:
    """Labels and predictions of a classifier, as positions in `classes`."""

    aligned: ClassVar[bool] = True
    """The same seed resamples the same rows, whatever was answered; but for what the confusion matrix alone decides."""
    labels: Ints
    predicted: Ints
    """May hold `len(classes)`: a prediction that is no class of the data."""
    probability: Floats | None
    """Shape [rows, classes]; None when the model gives none."""
    classes: tuple[str, ...]
    positive: str | None

    @property
    def units(self) -> int:
        return len(self.labels)

    def target(self, of: str | None) -> int | None:
        """The class a binary metric counts as positive; None where the metric is averaged over classes."""
        name = of if of is not None else self.positive if len(self.classes) == 2 else None
        return self.classes.index(name) if name in self.classes else None

    def value(self, measure: Measure) -> float | None:
        if self.units == 0:
            return None
        with warnings.catch_warnings():
            # What scikit-learn warns of, a class without rows or a single class, is answered with None or by its rule.
            warnings.simplefilter("ignore")
            value = self._value(measure)
        return float(value) if value is not None and math.isfinite(value) else None

    def take(self, units: Ints) -> Classified:
        probability = None if self.probability is None else self.probability[units]
        return replace(self, labels=self.labels[units], predicted=self.predicted[units], probability=probability)

    def trials(self, measure: Measure) -> tuple[int, int] | None:
        right = self.labels == self.predicted
        if measure.metric in ("accuracy", "f1_micro"):
            return int(right.sum()), self.units
        target = self.target(measure.of)
        if target is None or measure.metric not in ("precision", "recall"):
            return None
        among = (self.labels if measure.metric == "recall" else self.predicted) == target
        return (int((among & right).sum()), int(among.sum())) if among.any() else None

    def resampled(self, measure: Measure, *, resamples: int, seed: int) -> Floats:
        """Of what depends on the confusion matrix alone, matrices are drawn: a multinomial over its cells is
        resampling rows."""
        rng = np.random.default_rng(seed)
        n, target = self.units, self.target(measure.of)
        if measure.metric not in SCORED:
            table = self.confusion()
            stack = rng.multinomial(n, (table / n).ravel(), size=times(n, resamples)).reshape(-1, *table.shape)
            return counts.values(measure.metric, stack, target)
        if self.probability is None:
            raise ValueError(tr("{metric} needs probabilities", metric=measure.metric))
        if measure.metric == "log_loss":
            return means(_losses(self.labels, self.probability), draws(rng, n, resamples))
        targets = range(len(self.classes)) if target is None else [target]
        ranks = [Ranked(self.labels == t, self.probability[:, t]) for t in targets]
        area = Ranked.roc_auc if measure.metric == "roc_auc" else Ranked.average_precision
        return np.concatenate(
            [
                np.mean([[area(r, np.bincount(d, minlength=n)) for d in drawn] for r in ranks], axis=0)
                for drawn in draws(rng, n, resamples)
            ]
        )

    def section(self) -> Mapping[str, object]:
        return breakdown.of(self.confusion(), self.labels, self.probability, self.classes, self.positive)

    def columns(self) -> Sequence[pl.Series]:
        """Two classes: `score`, the probability of the positive class. More: `score_CLASS` for each."""
        if self.probability is None:
            return []
        target = self.target(None)
        if target is not None:
            return [pl.Series("score", np.ascontiguousarray(self.probability[:, target]))]
        each = enumerate(self.classes)
        return [pl.Series(f"score_{name}", np.ascontiguousarray(self.probability[:, i])) for i, name in each]

    def notes(self) -> Sequence[str]:
        found = []
        if strange := int((self.predicted == len(self.classes)).sum()):
            found.append(tr("{strange} predictions are no class of the data; each counts as wrong", strange=strange))
        if self.units and bool((self.labels == self.predicted).all()):
            found.append(tr("no row is wrong: an interval that is made by resampling rows has no width here"))
        return found

    def confusion(self) -> Ints:
        """Counts [label, prediction]; one class more than there are, for predictions that are none."""
        return counts.confusion(self.labels, self.predicted, len(self.classes) + 1)

    def _value(self, measure: Measure) -> float | None:
        if measure.metric in SCORED:
            return None if self.probability is None else self._scored(measure, self.probability)
        if measure.metric in _BINARY:
            return self._binary_or_macro(measure)
        return _LABELS[measure.metric](self.labels, self.predicted)

    def _binary_or_macro(self, measure: Measure) -> float:
        score, target = _BINARY[measure.metric], self.target(measure.of)
        if target is None:
            return float(score(self.labels, self.predicted, average="macro", zero_division=0))
        return float(score(self.labels == target, self.predicted == target, zero_division=0))

    def _scored(self, measure: Measure, probability: Floats) -> float | None:
        every = np.arange(len(self.classes))
        if measure.metric == "log_loss":
            return float(metrics.log_loss(self.labels, probability, labels=every))
        target = self.target(measure.of)
        targets = every if target is None else every[target : target + 1]
        score = metrics.roc_auc_score if measure.metric == "roc_auc" else metrics.average_precision_score
        values = []
        for one in targets:
            hits = self.labels == one
            if not hits.any() or (measure.metric == "roc_auc" and hits.all()):
                return None
            values.append(float(score(hits, probability[:, one])))
        return float(np.mean(values))


def _losses(labels: Ints, probability: Floats) -> Floats:
    """Per row: minus the logarithm of the probability of its label, clipped as scikit-learn does."""
    eps = np.finfo(probability.dtype).eps
    clipped = np.clip(probability, eps, 1 - eps)
    losses: Floats = -np.log(clipped[np.arange(len(labels)), labels])
    return losses


_BINARY: dict[str, Callable[..., float]] = {
    "precision": metrics.precision_score,
    "recall": metrics.recall_score,
    "f1": metrics.f1_score,
}
_LABELS: dict[str, Callable[[Ints, Ints], float]] = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "mcc": metrics.matthews_corrcoef,
    "f1_macro": lambda y, p: metrics.f1_score(y, p, average="macro", zero_division=0),
    "f1_micro": lambda y, p: metrics.f1_score(y, p, average="micro", zero_division=0),
    "f1_weighted": lambda y, p: metrics.f1_score(y, p, average="weighted", zero_division=0),
}
