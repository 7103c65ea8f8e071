"""Exponential smoothing with additive trend and season (Holt and Winters), in its error-correction form.

    e = y - (l + p b + s),  l = l + p b + a e,  b = p b + a b' e,  s = s + c (1 - a) e

a, b', c and the damping p are looked for per series, by the squared error of one step ahead on training values.
The first state is read off a series' first seasons by least squares, so it depends on nothing that comes later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.forecasts.ahead import Ahead

Trend = Literal["none", "additive", "damped"]

_DEFAULT = (0.3, 0.1, 0.1, 0.95)
_LEAST = (1e-3, 1e-4, 1e-4, 0.8)
_MOST = (0.999, 0.5, 0.999, 0.98)
_TRIED = 48
"""Weights tried at once, twice: all over their range, then near the best."""
_NEAR = 0.08
_CELLS = 2_000_000
"""Weights times series times season that are held at once."""
_FITTED_ON = 3000
"""Steps at the end of a series that weights are fitted to."""
_SEASONS_SEEN = 3
_LEAST_SEEN = 10
_UNBOUNDED = np.array([-np.inf, np.inf])


class Smoothing:
    """A state per series, moved along by what was seen."""

    def __init__(self, *, trend: Trend, season: int, seed: int, clip: bool = False) -> None:
        """`clip`: an error moves the state by no more than most errors in training were."""
        self.trend = trend
        self.season = season
        """1: there is none."""
        self.seed = seed
        self.clip = clip
        self.bounds: dict[str, Floats] = {}
        """Per series: between what an error is clipped. Empty where nothing is."""
        self.weights: dict[str, Floats] = {}
        """Per series: level, trend, season, damping."""
        self.usual = self._allowed(np.array([_DEFAULT]))[0]
        """For a series that was not fitted: the median of those that were."""

    def fit(self, values: Mapping[str, Floats]) -> Smoothing:
        """`values` are the training values of each series."""
        group = max(1, _CELLS // (_TRIED * self.season))
        names = list(values)
        for start in range(0, len(names), group):
            some = names[start : start + group]
            best = self._best([values[n][-_FITTED_ON:] for n in some])
            self.weights |= {name: best[i] for i, name in enumerate(some)}
            if self.clip:
                found = self._errors([values[n][-_FITTED_ON:] for n in some], best)
                self.bounds |= {name: found[i] for i, name in enumerate(some)}
        if self.weights:
            self.usual = np.median(np.stack(list(self.weights.values())), axis=0)
        return self

    def forecast(self, ahead: Ahead) -> Floats:
        """Shape [units, horizon]."""
        tracks, of_unit = self._tracks(ahead)
        lengths = [int(ahead.origin[of_unit == i].max()) for i in range(len(tracks))]
        seen = [ahead.values[s][:n] for (s, _), n in zip(tracks, lengths, strict=True)]
        weights = np.stack([self.weights.get(ahead.keys[s], self.usual) for s, _ in tracks])
        first = _stacked([self._first(v[:n]) for v, (_, n) in zip(seen, tracks, strict=True)])
        level, slope, season = (np.empty((len(of_unit), *part.shape[1:])) for part in first)
        bounds = np.stack([self.bounds.get(ahead.keys[s], _UNBOUNDED) for s, _ in tracks])
        for tick, state in _states(_padded(seen), weights, first, bounds):
            if len(units := np.flatnonzero(ahead.origin == tick)):
                chosen = of_unit[units]
                level[units], slope[units], season[units] = (part[chosen] for part in state)
        damping = weights[of_unit, 3]
        steps = np.arange(ahead.horizon)
        reach = np.cumsum(damping[:, None] ** (steps + 1), axis=1)
        turn = (ahead.origin[:, None] + steps) % self.season
        made: Floats = level[:, None] + reach * slope[:, None] + np.take_along_axis(season, turn, axis=1)
        return made

    def _tracks(self, ahead: Ahead) -> tuple[list[tuple[int, int]], Ints]:
        """(series, values its first state is read off), each once; and which of them each unit goes along."""
        seen = np.minimum(ahead.origin, max(_SEASONS_SEEN * self.season, _LEAST_SEEN))
        pairs, of_unit = np.unique(np.stack([ahead.series, seen], axis=1), axis=0, return_inverse=True)
        return [(int(s), int(n)) for s, n in pairs], of_unit.reshape(-1).astype(np.int64)

    def _first(self, values: Floats) -> tuple[float, float, Floats]:
        """Level, slope and season before the first of these values, from a line with a shift per step of the season."""
        ticks = np.flatnonzero(np.isfinite(values))
        known = values[ticks]
        sloped = self.trend != "none" and len(known) >= max(4, 2 * self.season)
        turns = np.eye(self.season)[ticks % self.season] if self.season > 1 else np.empty((len(ticks), 0))
        middle = float(ticks.mean())
        columns = [np.ones((len(ticks), 1)), (ticks - middle)[:, None] * float(sloped), turns]
        found = np.linalg.lstsq(np.hstack(columns), known, rcond=None)[0]
        season = found[2:] if self.season > 1 else np.zeros(1)
        level, slope = float(found[0] + season.mean()), float(found[1]) if sloped else 0.0
        return level - slope * (middle + 1), slope, season - season.mean()

    def _best(self, series: Sequence[Floats]) -> Floats:
        """Weights [series, 4] with the smallest squared error."""
        values = _padded(series)
        seen = max(_SEASONS_SEEN * self.season, _LEAST_SEEN)
        first = _stacked([self._first(v[:seen]) for v in series])
        skipped = seen if values.shape[1] >= 2 * seen else 0
        rng = np.random.default_rng(self.seed)
        least, most = np.array(_LEAST), np.array(_MOST)
        drawn = least + (most - least) * rng.uniform(size=(_TRIED - 1, 1, 4)) ** 2
        tried = np.broadcast_to(np.vstack([np.array(_DEFAULT)[None, None], drawn]), (_TRIED, len(series), 4))
        best = self._least(values, first, tried, skipped)
        moved = best + _NEAR * (most - least) * rng.standard_normal((_TRIED - 1, len(series), 4))
        return self._least(values, first, np.concatenate([best[None], np.clip(moved, least, most)]), skipped)

    def _errors(self, series: Sequence[Floats], weights: Floats) -> Floats:
        """The 1st and the 99th percentile of each series' errors one step ahead, shape [series, 2]."""
        values = _padded(series)
        first = _stacked([self._first(v[: max(_SEASONS_SEEN * self.season, _LEAST_SEEN)]) for v in series])
        errors = [
            values[:, tick] - _expected(state, weights, tick)
            for tick, state in _states(values, weights, first)
            if tick < values.shape[1]
        ]
        return np.nanquantile(np.stack(errors), (0.01, 0.99), axis=0).T

    def _least(self, values: Floats, first: tuple[Floats, ...], tried: Floats, skipped: int) -> Floats:
        """Of `tried`, shape [tried, series, 4], the best of each series; the first of equals."""
        tried = self._allowed(tried)
        squares = np.zeros(tried.shape[:2])
        wide = tuple(np.broadcast_to(part, (len(tried), *part.shape)) for part in first)
        for tick, state in _states(values, tried, wide):
            if skipped <= tick < values.shape[1]:
                error = values[:, tick] - _expected(state, tried, tick)
                squares += np.where(np.isfinite(error), error, 0.0) ** 2
        best: Floats = tried[np.nan_to_num(squares, nan=np.inf).argmin(axis=0), np.arange(tried.shape[1])]
        return best

    def _allowed(self, weights: Floats) -> Floats:
        """The weights with those that the trend and the season do not have set to what leaves them out."""
        made = weights.copy()
        if self.trend == "none":
            made[..., 1] = 0.0
        if self.trend != "damped":
            made[..., 3] = 1.0
        if self.season == 1:
            made[..., 2] = 0.0
        return made


def _states(
    values: Floats, weights: Floats, first: tuple[Floats, ...], bounds: Floats | None = None
) -> Iterator[tuple[int, tuple[Floats, Floats, Floats]]]:
    """(number of values seen, level, slope and season after them), from none to all; a missing value moves only time.

    `values` is [series, steps]; weights and states may have more axes before these. The state yielded is overwritten.
    `bounds`, shape [series, 2]: between what errors are clipped.
    """
    level, slope, season = (part.copy() for part in first)
    alpha, beta, gamma, damping = (weights[..., i] for i in range(4))
    turns = season.shape[-1]
    yield 0, (level, slope, season)
    for tick in range(values.shape[1]):
        error = values[:, tick] - _expected((level, slope, season), weights, tick)
        error = np.where(np.isfinite(error), error, 0.0)
        error = error if bounds is None else np.clip(error, bounds[:, 0], bounds[:, 1])
        slope = damping * slope
        level = level + slope + alpha * error
        slope = slope + alpha * beta * error
        season[..., tick % turns] += gamma * (1 - alpha) * error
        yield tick + 1, (level, slope, season)


def _expected(state: tuple[Floats, Floats, Floats], weights: Floats, tick: int) -> Floats:
    level, slope, season = state
    expected: Floats = level + weights[..., 3] * slope + season[..., tick % season.shape[-1]]
    return expected


def _stacked(states: Sequence[tuple[float, float, Floats]]) -> tuple[Floats, Floats, Floats]:
    level, slope, season = zip(*states, strict=True)
    return np.array(level), np.array(slope), np.stack(season)


def _padded(series: Sequence[Floats]) -> Floats:
    """Shape [series, longest], NaN behind the shorter ones."""
    made = np.full((len(series), max(len(v) for v in series)), np.nan)
    for i, values in enumerate(series):
        made[i, : len(values)] = values
    return made
