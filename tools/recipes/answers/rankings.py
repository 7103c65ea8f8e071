"""What a recommender listed for each user, over all items that the user had not met in training. A unit is a user.

Relevance is binary. NDCG@k sums 1 / log2(rank + 1) over the hits and divides by the best sum that the user's relevant
items allow; recall@k = hits / min(k, relevant); precision@k = hits / k; MAP@k is the mean over users of the sum of
precision at each hit / min(k, relevant). A user without a relevant item has no value and is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.answers.intervals import draws, means
from tools.recipes.records import Measure

CUTOFFS = (1, 5, 10, 20)
DEPTH = max(CUTOFFS)
JUDGED = {"ndcg_at_10": 10, "recall_at_10": 10}
"""The metrics that a clause may name, and their cut-offs."""
_ACTIVITY = ((0, 0), (1, 4), (5, 19), (20, None))
"""Interactions in training: from, to."""


@dataclass(frozen=True, kw_only=True)
class Rankings:
    """Lists of items beside what each user wanted."""

    hits: NDArray[np.bool_]
    """[users, depth]: the item at this rank is relevant, and stands there for the first time."""
    listed: Ints
    """[users, depth]: numbers of the items; -1 where the list is shorter."""
    relevant: Ints
    """Relevant items of each user, those that no list can hold included."""
    met: Ints
    """Interactions of each user in training."""
    catalogue: int
    """Items there are to recommend."""
    popular: Rankings | None = None
    """The most popular items for the same users."""
    evidence: tuple[pl.Series, ...] = ()
    """For `holdout_rows.csv`, one value a row."""
    remarks: tuple[str, ...] = ()
    aligned: ClassVar[bool] = True
    told: Mapping[str, object] = field(default_factory=dict)
    """What the report says of users and rows that were counted or left out."""

    @property
    def units(self) -> int:
        return len(self.relevant)

    def value(self, measure: Measure) -> float | None:
        if measure.metric not in JUDGED or not self.units:
            return None
        return float(self.each(measure.metric).mean())

    def take(self, units: Ints) -> Rankings:
        return replace(
            self,
            hits=self.hits[units],
            listed=self.listed[units],
            relevant=self.relevant[units],
            met=self.met[units],
            popular=None,
        )

    def trials(self, measure: Measure) -> tuple[int, int] | None:
        del measure
        return None

    def resampled(self, measure: Measure, *, resamples: int, seed: int) -> Floats:
        return means(self.each(measure.metric), draws(np.random.default_rng(seed), self.units, resamples))

    def each(self, metric: str) -> Floats:
        """One of `JUDGED` for every user."""
        return self.ndcg(JUDGED[metric]) if metric.startswith("ndcg") else self.recall(JUDGED[metric])

    def ndcg(self, k: int) -> Floats:
        gain = 1.0 / np.log2(np.arange(2, k + 2))
        best = np.cumsum(gain)[np.minimum(self.relevant, k) - 1]
        found: Floats = (self.hits[:, :k] * gain[: self.hits.shape[1]]).sum(axis=1) / best
        return found

    def recall(self, k: int) -> Floats:
        found: Floats = self.hits[:, :k].sum(axis=1) / np.minimum(self.relevant, k)
        return found

    def section(self) -> Mapping[str, object]:
        popular = self.popular
        return {
            "ranking": {
                "over": tr("all items that the user had not met in training"),
                "relevance": "binary",
                "users": self.units,
                "catalogue": self.catalogue,
                **self.told,
                "by_cutoff": [self._at(k, popular) for k in CUTOFFS if k <= self.hits.shape[1]],
                "by_activity": [row for low, high in _ACTIVITY if (row := self._among(low, high, popular)) is not None],
            }
        }

    def columns(self) -> Sequence[pl.Series]:
        """`user`, `item`; `relevance`: 1 where the row counts as a relevant item, 0 for what is no yes, was met in
        training or stands in an earlier row; `rank`: where the item stands in the user's list, empty where it does
        not (ten are served). A user's relevant items are the sum of `relevance`; one with none is left out of the
        means."""
        return self.evidence

    def notes(self) -> Sequence[str]:
        return self.remarks

    def _at(self, k: int, popular: Rankings | None) -> Mapping[str, object]:
        row: dict[str, object] = {"cutoff": k, **self._values(k)}
        return row if popular is None or k > popular.hits.shape[1] else {**row, "popularity": popular._values(k)}

    def _values(self, k: int) -> Mapping[str, float | None]:
        if not self.units:
            return dict.fromkeys(("ndcg", "recall", "precision", "hit_rate", "map", "coverage"))
        hits = self.hits[:, :k]
        precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
        mean_precision = (precision * hits).sum(axis=1) / np.minimum(self.relevant, k)
        shown = self.listed[:, :k]
        return {
            "ndcg": float(self.ndcg(k).mean()),
            "recall": float(self.recall(k).mean()),
            "precision": float(hits.sum(axis=1).mean() / k),
            "hit_rate": float(hits.any(axis=1).mean()),
            "map": float(mean_precision.mean()),
            "coverage": len(np.unique(shown[shown >= 0])) / self.catalogue if self.catalogue else None,
        }

    def _among(self, low: int, high: int | None, popular: Rankings | None) -> Mapping[str, object] | None:
        units = np.flatnonzero((self.met >= low) & (self.met <= (high if high is not None else self.met)))
        if not len(units):
            return None
        name = f"{low}" if low == high else f"{low}-{high}" if high is not None else tr("{low} or more", low=low)
        row: dict[str, object] = {"interactions": name, "users": len(units), **self.take(units)._headline()}
        return row if popular is None else {**row, "popularity": popular.take(units)._headline()}

    def _headline(self) -> Mapping[str, float]:
        return {metric: float(self.each(metric).mean()) for metric in JUDGED}
