"""Made-up tables whose rows can be drawn without end, and the ways in which they drift. No file, no model, no server.

Every feature comes of a normal latent value; features hang together through a common one. What is served is put in the
bins that `tools.recipes.drift_reference` makes of the reference rows, as the router would put it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from tools.inputs import Binned
from tools.recipes.binning import placer
from tools.recipes.drift_reference import levels, numbers
from tools.recipes.reference import PREDICTION, Bins

Drifting = Literal["mean", "scale", "levels", "one", "predictions", "gradual"]
Values = NDArray[np.float64]
CLASSES = ("a", "b", "c")
_CUTS = (-0.6, 0.9)
MISSING_SHARE = 0.02
RAMP = 5
"""Windows until a gradual shift is whole."""


class Table(NamedTuple):
    """What rows look like."""

    name: str
    numeric: int
    categorical: int = 0
    correlation: float = 0.0
    reference_rows: int = 2000
    window_rows: int = 500

    @property
    def width(self) -> int:
        return self.numeric + self.categorical


class Moved(NamedTuple):
    """How far latent values are from where they were: (value - 0) * scale + mean, per feature."""

    mean: Values
    scale: Values
    score: float = 0.0


class Rows(NamedTuple):
    """Values per feature (codes of a categorical one; NaN: missing), and predicted classes."""

    columns: list[Values]
    predicted: NDArray[np.int64]


def still(table: Table) -> Moved:
    return Moved(np.zeros(table.width), np.ones(table.width))


def moved(table: Table, how: Drifting, window: int) -> Moved:
    """The drift in the given window after its onset, counted from 0."""
    at = still(table)
    if how == "predictions":
        return at._replace(score=0.7)
    if how == "scale":
        at.scale[: max(1, table.numeric // 3)] = 1.7
        return at
    if how == "levels":
        at.mean[table.numeric :] = 0.6
        return at
    size = {"mean": 0.5, "one": 0.6, "gradual": 0.7 * min(1.0, (window + 1) / RAMP)}[how]
    at.mean[: 1 if how == "one" else max(1, table.numeric // 3)] = size
    return at


def draw(table: Table, at: Moved, rows: int, rng: np.random.Generator) -> Rows:
    common = rng.standard_normal((rows, 1))
    own = rng.standard_normal((rows, table.width))
    rest = np.sqrt(table.correlation) * common + np.sqrt(1 - table.correlation) * own
    latent = rest * at.scale + at.mean
    columns = [_numeric(latent[:, j], j, rng) for j in range(table.numeric)]
    columns += [_category(latent[:, j], j) for j in range(table.numeric, table.width)]
    score = rest[:, :3].mean(axis=1) * np.sqrt(min(3, table.width)) + at.score
    return Rows(columns, np.searchsorted(_CUTS, score))


def _numeric(latent: Values, number: int, rng: np.random.Generator) -> Values:
    """In turn: as it is, skewed, whole numbers, and zero where it is negative; some with gaps."""
    shapes = (latent, np.exp(latent), np.round(2 * latent), np.maximum(latent, 0.0))
    values: Values = shapes[number % len(shapes)].copy()
    if number % 3 == 0:
        values[rng.random(len(values)) < MISSING_SHARE] = np.nan
    return values


def _category(latent: Values, number: int) -> Values:
    """Codes of levels whose shares fall as 1/rank: few levels, some, or more than have bins of their own."""
    shares = 1.0 / np.arange(1, (4, 12, 60)[number % 3] + 1)
    codes: Values = np.searchsorted(np.cumsum(shares / shares.sum())[:-1], ndtr(latent)).astype(np.float64)
    return codes


class Watched:
    """The bins of a table's reference rows."""

    def __init__(self, table: Table, rng: np.random.Generator) -> None:
        self._table = table
        rows = draw(table, still(table), table.reference_rows, rng)
        told = draw(table, still(table), max(50, table.reference_rows // 4), rng).predicted
        self._bins = [_bins(table, number, column) for number, column in enumerate(rows.columns)]
        self._prediction = levels(PREDICTION, [CLASSES[code] for code in told], known=CLASSES)

    def window(self, at: Moved, rng: np.random.Generator) -> tuple[Binned, ...]:
        """One window of served rows, counted."""
        rows = draw(self._table, at, self._table.window_rows, rng)
        found = [_counted(bins, column) for bins, column in zip(self._bins, rows.columns, strict=True)]
        served = (*np.bincount(rows.predicted, minlength=len(CLASSES)).tolist(), 0, 0)
        return (*found, Binned(name=PREDICTION, reference=self._prediction.counts, served=served))


def _bins(table: Table, number: int, column: Values) -> Bins:
    known: Sequence[object] = [None if np.isnan(v) else v for v in column.tolist()]
    if number < table.numeric:
        return numbers(f"x{number}", known)
    return levels(f"x{number}", [f"level {int(v)}" for v in column])


def _counted(bins: Bins, column: Values) -> Binned:
    places = _numbered(bins, column) if bins.edges is not None else _levelled(bins, column)
    served = tuple(np.bincount(places, minlength=bins.size).tolist())
    return Binned(name=bins.name, reference=bins.counts, served=served)


def _numbered(bins: Bins, column: Values) -> NDArray[np.int64]:
    edges = np.array(bins.edges)
    places = np.searchsorted(edges[:-1], column, side="right")
    places[column > edges[-1]] = len(edges)
    places[np.isnan(column)] = bins.size - 1
    return places


def _levelled(bins: Bins, column: Values) -> NDArray[np.int64]:
    place = placer(bins)
    codes = column.astype(np.int64)
    return np.array([place(f"level {code}") for code in range(codes.max() + 1)])[codes]
