"""Forecasts by a regression on what came before: one model for all series, one step at a time.

A value is learnt as its distance from the level of the last season, in the spread of its series, so that series of
any size share a model and trees can follow a trend. Longer horizons go on from the model's own forecasts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.faults import BadInput, Fault
from tools.recipes.forecasts.ahead import Ahead
from tools.recipes.forecasts.seasonal import filled
from tools.recipes.models import estimators, families
from tools.recipes.models.encode import RawColumns
from tools.recipes.models.estimators import Params, Size
from tools.recipes.records import Family

_LEVEL = 8
"""Steps that make the level where there is no season."""
_SPREAD = 60
_FLAGS = 60
"""Longest season that gets a column of its own for every step; a longer one gets waves."""
_WAVES = 3
_ROWS = 200_000
_CELLS = 200_000_000
"""Training rows, and these times the values each looks back: beyond, rows are drawn."""
_REACH = 1.5
"""How much farther from the level than ever in training a forecast may step: a recursion must not run away."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """Training values of one series."""

    values: Floats
    position: int
    """The absolute number of the first step."""
    known: NDArray[Any]
    """What is known in advance, shape [steps, columns]."""


class Lagged:
    """A regression on lags, level, trend, season and what is known in advance."""

    def __init__(
        self,
        *,
        family: Family,
        params: Params,
        lags: int,
        season: int,
        periods: Sequence[float],
        seed: int,
        clip: bool = False,
    ) -> None:
        """`clip`: past values and columns known in advance count as no farther out than most in training are."""
        self.family = family
        self.params = dict(params)
        self.lags = lags
        self.season = season
        self.periods = list(periods)
        """Further periods, in steps: a week of hours, a year of days."""
        self.seed = seed
        self.clip = clip
        self.spreads: dict[str, float] = {}
        """Standard deviation of each series' training values."""
        self.spread = 1.0
        """The median of these: of a series that was not fitted."""
        self.bounds = (-math.inf, math.inf)
        """How far from the median before it a past value counts, in the spread of its series."""
        self.reach = math.inf
        self.model: Any = None

    @property
    def window(self) -> int:
        """How many values a forecast looks back."""
        return max(self.lags, 2 * self._around)

    def fit(self, series: Mapping[str, Past], *, text: Sequence[bool]) -> Lagged:
        """`text`: which of the columns known in advance hold text. BadInput when no series has two values."""
        spreads = {key: float(np.nanstd(past.values)) for key, past in series.items() if len(past.values)}
        self.spread = float(np.median([s for s in spreads.values() if s > 0] or [1.0]))
        self.spreads = {key: s if s > 0 else self.spread for key, s in spreads.items()}
        if self.clip:
            self.bounds = self._usual({key: past.values for key, past in series.items() if len(past.values)})
        chosen = self._chosen({key: _ticks(past.values, self.window) for key, past in series.items()})
        made = [self._rows(key, series[key], ticks) for key, ticks in chosen.items() if len(ticks)]
        if not made:
            fault = Fault(place="series", problem=tr("none has two values to learn from"), fix=tr("give longer series"))
            raise BadInput([fault])
        table = np.vstack([m[0] for m in made])
        target = np.concatenate([m[1] for m in made])
        self.reach = _REACH * float(np.abs(target).max())
        first = table.shape[1] - len(text)
        self.model = families.pipeline(
            self.family,
            "regression",
            self.params,
            front=RawColumns(text=[first + i for i, is_text in enumerate(text) if is_text], clip=self.clip),
            size=Size(rows=len(table), spread=float(target.std()) or 1.0),
            seed=self.seed,
        )
        self.model.fit(table, target)
        estimators.settled(self.model[-1])
        return self

    def forecast(self, ahead: Ahead) -> Floats:
        """Shape [units, horizon]."""
        whole = [filled(v, self.season) for v in ahead.values]
        back = self.window
        seen = np.empty((len(ahead.series), back + ahead.horizon))
        for unit, (series, origin) in enumerate(zip(ahead.series, ahead.origin, strict=True)):
            seen[unit, :back] = _before(whole[series][:origin], back)
        spread = np.array([self.spreads.get(key, self.spread) for key in ahead.keys])[ahead.series]
        place = np.array(ahead.positions)[ahead.series] + ahead.origin
        for step in range(ahead.horizon):
            table, level = self._features(seen[:, step : step + back], spread, place + step, ahead.known[:, step])
            away = np.clip(self.model.predict(table), -self.reach, self.reach)
            seen[:, back + step] = level + spread * away
        return seen[:, back:]

    @property
    def _around(self) -> int:
        return self.season if self.season > 1 else _LEVEL

    def _chosen(self, ticks: Mapping[str, Ints]) -> dict[str, Ints]:
        """The steps to learn from: all, or, of very many, some drawn with the seed."""
        total = sum(len(t) for t in ticks.values())
        most = min(_ROWS, max(1000, _CELLS // self.window))
        if total <= most:
            return dict(ticks)
        rng = np.random.default_rng(self.seed)
        return {key: t[rng.random(len(t)) < most / total] for key, t in ticks.items()}

    def _usual(self, series: Mapping[str, Floats]) -> tuple[float, float]:
        """The 1st and the 99th percentile of how far values lie from those before them."""
        away = np.concatenate([np.empty(0), *(self._away(key, values) for key, values in series.items())])
        away = away[np.isfinite(away)]
        low, high = np.quantile(away, (0.01, 0.99)) if len(away) else self.bounds
        return float(low), float(high)

    def _away(self, key: str, values: Floats) -> Floats:
        """Of each value with enough before it: its distance from the median of these, in the series' spread."""
        back = min(self.window, max(1, len(values) // 3))
        whole = filled(values, self.season)
        return (values[back:] - np.median(sliding_window_view(whole, back)[:-1], axis=1)) / self.spreads[key]

    def _rows(self, key: str, past: Past, ticks: Ints) -> tuple[NDArray[Any], Floats]:
        whole = filled(past.values, self.season)
        windows = sliding_window_view(np.concatenate([np.full(self.window, whole[0]), whole]), self.window)
        spread = np.full(len(ticks), self.spreads[key])
        table, level = self._features(windows[ticks], spread, past.position + ticks, past.known[ticks])
        return table, (past.values[ticks] - level) / spread

    def _features(
        self, seen: Floats, spread: Floats, position: Ints, known: NDArray[Any]
    ) -> tuple[NDArray[Any], Floats]:
        """One row for each window of past values, shape [rows, window]; and their level."""
        around = self._around
        if self.clip:
            middle, wide = np.median(seen, axis=1, keepdims=True), spread[:, None]
            seen = np.clip(seen, middle + self.bounds[0] * wide, middle + self.bounds[1] * wide)
        level = seen[:, -around:].mean(axis=1)
        before = seen[:, -2 * around : -around].mean(axis=1)
        lags = [*range(1, self.lags + 1), *(n for n in (around, 2 * around) if n > self.lags)]
        recent = np.column_stack([seen[:, -n] for n in lags]) - level[:, None]
        moving = np.column_stack([level - before, seen[:, -min(around, _SPREAD) :].std(axis=1)])
        parts: list[NDArray[Any]] = [recent / spread[:, None], moving / spread[:, None], self._turns(position)]
        table = np.hstack(parts)
        return (np.hstack([table.astype(object), known]) if known.dtype == object else np.hstack([table, known])), level

    def _turns(self, position: Ints) -> Floats:
        """Where in the season, and in the further periods, a step lies."""
        flags = 1 < self.season <= _FLAGS
        made = [np.eye(self.season)[position % self.season]] if flags else []
        for period in [*([] if flags or self.season == 1 else [float(self.season)]), *self.periods]:
            angle = 2 * np.pi * np.outer(position / period, np.arange(1, _WAVES + 1))
            made += [np.sin(angle), np.cos(angle)]
        return np.hstack([np.empty((len(position), 0)), *made])


def _ticks(values: Floats, window: int) -> Ints:
    """The steps of a series to learn from: those with a value and enough before them."""
    first = max(1, min(window, len(values) // 3))
    return first + np.flatnonzero(np.isfinite(values[first:]))


def _before(values: Floats, window: int) -> Floats:
    """The last values; a shorter series is thought to have been at its first value before."""
    if len(values) >= window:
        return values[-window:]
    return np.concatenate([np.full(window - len(values), values[0]), values])
