"""What a clustering answered: a cluster for every row, and how well each row lies in its own. A unit is a row.

The silhouette is scikit-learn's: (b - a) / max(a, b) with a the mean distance to the rows of the own cluster and b the
least mean distance to those of another one. A resample takes rows with their silhouettes as they are among all rows;
to measure distances anew in each would be another statistic, since a row that is drawn twice is its own neighbour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from sklearn.metrics import silhouette_samples

from tools.language import tr
from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.answers.intervals import draws, means
from tools.recipes.records import Measure

MOST = 5_000
"""Rows whose distances are measured: the work grows with their square. Of more, as many are drawn with the seed."""


@dataclass(frozen=True, kw_only=True)
class Clustered:
    """The cluster of every row, and the silhouettes of those that were measured."""

    silhouette: Floats
    """Of the measured rows; empty where it is not defined: one cluster, or one for every row."""
    measured: Ints
    """Positions of these rows among all."""
    assigned: tuple[str, ...]
    """Of all rows."""
    described: Mapping[str, object] = field(default_factory=dict)
    """Centres of the clusters, for the report."""

    @property
    def units(self) -> int:
        return len(self.measured)

    def value(self, measure: Measure) -> float | None:
        del measure
        return float(self.silhouette.mean()) if len(self.silhouette) else None

    def take(self, units: Ints) -> Clustered:
        silhouette = self.silhouette[units] if len(self.silhouette) else self.silhouette
        return replace(self, silhouette=silhouette, measured=self.measured[units])

    def trials(self, measure: Measure) -> tuple[int, int] | None:
        del measure
        return None

    def resampled(self, measure: Measure, *, resamples: int, seed: int) -> Floats:
        del measure
        if not len(self.silhouette):
            return np.full(resamples, math.nan)
        return means(self.silhouette, draws(np.random.default_rng(seed), self.units, resamples))

    def section(self) -> Mapping[str, object]:
        names = np.array(self.assigned)
        own = names[self.measured]
        table = []
        for name in _in_order(self.assigned):
            here = self.silhouette[own == name] if len(self.silhouette) else self.silhouette
            rows = int((names == name).sum())
            mean = float(here.mean()) if len(here) else None
            table.append({"cluster": name, "rows": rows, "share": rows / len(names), "silhouette": mean})
        return {
            "clusters": {
                "count": len(table),
                "each": table,
                "silhouette_rows": len(self.measured),
                "silhouette_of": tr("all rows")
                if self._whole
                else tr("{n} rows drawn with the seed", n=len(self.measured)),
                "rows_nearer_to_another": int((self.silhouette < 0).sum()),
                "interval": tr("bootstrap over rows with their silhouettes as they are among all rows"),
                **self.described,
            }
        }

    def columns(self) -> Sequence[pl.Series]:
        """`silhouette` of every measured row; empty for the others, and for all where it is not defined."""
        found: list[float | None] = [None] * len(self.assigned)
        for place, value in zip(self.measured, self.silhouette, strict=False):
            found[place] = float(value)
        return [pl.Series("silhouette", found, dtype=pl.Float64)]

    def notes(self) -> Sequence[str]:
        if not len(self.silhouette):
            return [
                tr(
                    "the rows are in {n} clusters: a silhouette needs two, and fewer than rows",
                    n=len(set(self.assigned)),
                )
            ]
        if not self._whole:
            return [
                tr(
                    "the silhouette is that of {n} of {rows} rows, drawn with the seed",
                    n=len(self.measured),
                    rows=len(self.assigned),
                )
            ]
        return []

    @property
    def _whole(self) -> bool:
        return len(self.measured) >= len(self.assigned)


def clustered(features: Floats, assigned: Sequence[str], *, seed: int, described: Mapping[str, object]) -> Clustered:
    """The silhouettes of rows with these features, shape [rows, columns], in these clusters."""
    rows = len(assigned)
    measured = np.arange(rows)
    if rows > MOST:
        measured = np.sort(np.random.default_rng(seed).choice(rows, size=MOST, replace=False))
    names = np.array(assigned)[measured]
    defined = 1 < len(np.unique(names)) < len(names)
    return Clustered(
        silhouette=silhouette_samples(features[measured], names) if defined else np.empty(0),
        measured=measured.astype(np.int64),
        assigned=tuple(assigned),
        described=described,
    )


def _in_order(names: Sequence[str]) -> list[str]:
    """Each name once: `cluster-2` before `cluster-10`."""
    return sorted(set(names), key=lambda name: (len(name), name))
