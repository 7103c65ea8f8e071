"""What a model answered on rows whose truth is known: the one shape that measuring, comparing and reporting know.

One file for each kind beside this one: `classes`, `numbers`, `forecasts`, `rankings`, `clusters`. A unit is what
is resampled: a row, a user, a series' origin. Nothing here knows files or models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tools.recipes.records import Measure

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Answer(Protocol):
    """Truth and answers of one model on one set of rows."""

    @property
    def units(self) -> int:
        """How many independent units there are: what an interval rests on."""
        ...

    def value(self, measure: Measure) -> float | None:
        """The metric over all units; None where it is not defined on them."""
        ...

    def take(self, units: Ints) -> Self:
        """The answers on these units, repeated as often as they are named. Two models on the same rows
        are resampled together by taking the same units of both."""
        ...

    def trials(self, measure: Measure) -> tuple[int, int] | None:
        """(successes, trials) where the metric is a share of independent trials: it gets exact limits."""
        ...

    def resampled(self, measure: Measure, *, resamples: int, seed: int) -> Floats:
        """The metric on every resample of the units, NaN where it is not defined: as `take` and `value`
        would give, only faster."""
        ...

    def section(self) -> Mapping[str, object]:
        """What the full report shows beside the measures, as JSON: a confusion matrix and a table per class,
        residuals, error by horizon, ranking by cut-off, sizes of clusters."""
        ...

    def columns(self) -> Sequence[pl.Series]:
        """What `holdout_rows.csv` holds beside row, label and prediction, so that anybody can compute it again."""
        ...

    def notes(self) -> Sequence[str]:
        """What a reader of the numbers must know of these answers; empty as a rule."""
        ...
