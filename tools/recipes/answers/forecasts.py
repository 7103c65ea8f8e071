"""What a forecast answered from rolling origins: a number for every origin and step. A unit is one origin of a series.

Definitions are those of `numbers`. Origins nearer to each other than the horizon forecast some steps more than once;
resampling takes them for independent, so limits are then rather too narrow, and the notes say so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from tools.language import tr
from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.answers.intervals import draws
from tools.recipes.answers.numbers import Predicted, residuals, smape
from tools.recipes.records import Measure

_SERIES_SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class Forecasts:
    """Truth and forecast of every (origin, step), unit by unit."""

    labels: Floats
    predicted: Floats
    naive: Floats
    """What the seasonal naive forecast says of the same steps."""
    sizes: Ints
    """Steps of each unit that have a value, in the order in which they stand here."""
    step: Ints
    """1 is the step right after the origin."""
    series: Ints
    """Positions in `keys`."""
    keys: tuple[str, ...]
    rows: Ints
    """The row of each step, as the source numbers it."""
    origins: tuple[str, ...]
    """Of each row here: the last time that was known, "" where nothing was."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """Season, step, horizon, origins: how the forecasts were asked for."""
    said: tuple[str, ...] = ()

    @property
    def units(self) -> int:
        return len(self.sizes)

    def value(self, measure: Measure) -> float | None:
        return Predicted(labels=self.labels, predicted=self.predicted).value(measure)

    def take(self, units: Ints) -> Forecasts:
        ends = np.cumsum(self.sizes)
        starts = ends - self.sizes
        rows = np.concatenate([np.arange(starts[u], ends[u]) for u in units]) if len(units) else np.empty(0, np.int64)
        return replace(
            self,
            labels=self.labels[rows],
            predicted=self.predicted[rows],
            naive=self.naive[rows],
            sizes=self.sizes[units],
            step=self.step[rows],
            series=self.series[rows],
            rows=self.rows[rows],
            origins=tuple(self.origins[r] for r in rows),
        )

    def trials(self, measure: Measure) -> tuple[int, int] | None:
        del measure
        return None

    def resampled(self, measure: Measure, *, resamples: int, seed: int) -> Floats:
        """From sums over each unit. All NaN where one unit is all there is: it says nothing of its own chance."""
        if self.units < 2:
            return np.full(resamples, math.nan)
        sums = self._sums(measure.metric)
        drawn = draws(np.random.default_rng(seed), self.units, resamples)
        return np.concatenate([_metric(measure.metric, sums[units].sum(axis=1)) for units in drawn])

    def section(self) -> Mapping[str, object]:
        steps = [{"step": int(s)} | self._errors(self.step == s) for s in np.unique(self.step)]
        each = [(i, self._errors(self.series == i)) for i in np.unique(self.series)]
        worst = sorted(each, key=lambda pair: -float(str(pair[1]["rmse"])))[:_SERIES_SHOWN]
        return {
            "forecast": {
                **self.facts,
                "rows": len(self.labels),
                "units": self.units,
                "error_by_step": steps,
                "error_by_series": [{"series": self.keys[i]} | errors for i, errors in worst],
                "series_not_shown": len(each) - len(worst),
            },
            "residuals": residuals(self.labels, self.predicted) if len(self.labels) else {},
        }

    def columns(self) -> Sequence[pl.Series]:
        """All of the evidence: a row of the source occurs once for every origin that it is forecast from."""
        return [
            pl.Series("row", self.rows),
            pl.Series("label", self.labels),
            pl.Series("prediction", self.predicted),
            pl.Series("series", [self.keys[i] for i in self.series], dtype=pl.String),
            pl.Series("origin", list(self.origins), dtype=pl.String),
            pl.Series("step", self.step),
        ]

    def notes(self) -> Sequence[str]:
        single = (
            [tr("there is one origin only: nothing can be said of how sure the error is")] if self.units == 1 else []
        )
        return [*self.said, *single]

    def _errors(self, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> dict[str, object]:
        labels, predicted, naive = self.labels[rows], self.predicted[rows], self.naive[rows]
        return {
            "rows": len(labels),
            "rmse": float(np.sqrt(np.mean((labels - predicted) ** 2))),
            "mae": float(np.mean(np.abs(labels - predicted))),
            "naive_rmse": float(np.sqrt(np.mean((labels - naive) ** 2))),
            "naive_mae": float(np.mean(np.abs(labels - naive))),
        }

    def _sums(self, metric: str) -> Floats:
        """Sums over each unit from which `_metric` follows, shape [units, sums]; the number of steps comes first."""
        error = self.labels - self.predicted
        centred = self.labels - self.labels.mean()
        size = np.maximum(np.abs(self.labels), np.finfo(np.float64).eps)
        each = {
            "mse": [error**2],
            "rmse": [error**2],
            "mae": [np.abs(error)],
            "mape": [np.abs(error) / size],
            "smape": [smape(self.labels, self.predicted)],
            "r2": [error**2, centred, centred**2],
        }[metric]
        of = np.repeat(np.arange(self.units), self.sizes)
        sums = [np.bincount(of, weights=values, minlength=self.units) for values in each]
        return np.stack([self.sizes.astype(np.float64), *sums], axis=1)


def _metric(metric: str, sums: Floats) -> Floats:
    """The metric of every resample from its sums, shape [resamples, sums]."""
    count, first = sums[:, 0], sums[:, 1]
    if metric != "r2":
        mean: Floats = first / count
        return mean**0.5 if metric == "rmse" else mean
    spread = sums[:, 3] - sums[:, 2] ** 2 / count
    unexplained: Floats = np.divide(first, spread, out=np.full(len(first), math.nan), where=spread > 1e-12 * sums[:, 3])
    return 1.0 - unexplained
