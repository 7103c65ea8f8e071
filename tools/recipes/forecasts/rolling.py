"""Rolling origins: from several points of what is held out, a forecast of the next steps with all before it visible.

Origins are spread evenly from the first step that is held out to the last from which the whole horizon is held out,
at most a horizon apart, so every step is forecast at least once and every horizon equally often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.faults import BadInput, Fault
from tools.recipes.forecasts.ahead import Ahead
from tools.recipes.forecasts.series import Panel

_ORIGINS = 5
"""Of each series, where what is held out is long enough: fewer say little of how sure the error is."""


@dataclass(frozen=True, kw_only=True)
class Origins:
    """From where to forecast. A unit is one origin of one series."""

    panel: Panel
    series: Ints
    """Of each unit."""
    origin: Ints
    """Of each unit: how many steps are known."""
    unseen: Ints
    """Of each unit: how many of these are held out."""
    horizon: int
    short: tuple[str, ...] = ()
    """Series whose held out part is shorter than the horizon: they are forecast as far as it goes."""
    left_out: int = 0
    """Steps that are not forecast, since there are very many."""

    @property
    def rows(self) -> Ints:
        """The table's row of every step, shape [units, horizon]; -1 where there is none."""
        ticks = self.origin[:, None] + np.arange(self.horizon)
        made = np.full(ticks.shape, -1, dtype=np.int64)
        for unit, series in enumerate(self.series):
            rows = self.panel.series[series].rows
            inside = ticks[unit] < len(rows)
            made[unit, inside] = rows[ticks[unit][inside]]
        return made

    def ahead(self, known: NDArray[Any], blank: NDArray[Any]) -> Ahead:
        """The question as it is put to a rule. `known`: of every row of the table, what is known in advance."""
        series = self.panel.series
        return Ahead(
            keys=tuple(s.key for s in series),
            values=tuple(s.values for s in series),
            positions=tuple(self.panel.calendar.position(s.start) for s in series),
            series=self.series,
            origin=self.origin,
            horizon=self.horizon,
            known=np.vstack([known, blank[None]])[self.rows],
        )


def held_from(panel: Panel, first_row: int) -> list[int | None]:
    """The first step of each series whose row is `first_row` of the table or a later one; None where there is none.

    BadInput when a row that is not held out comes later than one that is.
    """
    found: list[int | None] = []
    faults = []
    for series in panel.series:
        held = np.flatnonzero(series.rows >= first_row)
        before = np.flatnonzero((series.rows >= 0) & (series.rows < first_row))
        found.append(int(held[0]) if len(held) else None)
        if len(held) and len(before) and before[-1] > held[0]:
            of = tr(" of series {key!r}", key=series.key) if series.key else ""
            faults.append(tr("rows{of} that are held out lie before others that are not", of=of))
    if faults:
        fix = tr("split by time: a forecast knows nothing that comes later")
        raise BadInput([Fault(place="split", problem=problem, fix=fix) for problem in faults[:_ORIGINS]])
    return found


def horizon_of(asked: int | None, season: int, lengths: Sequence[int]) -> int:
    """Steps to forecast: as asked, else a season, but at most a third of what is held out.

    BadInput when more are asked for than are held out of any series.
    """
    longest = max(lengths, default=0)
    if asked is None:
        return max(1, min(season if season > 1 else longest, longest // 3))
    if asked > longest:
        problem = tr("is {asked} steps, and {longest} are held out", asked=asked, longest=longest)
        raise BadInput(
            [
                Fault(
                    place="horizon",
                    problem=problem,
                    fix=tr("ask for at most {longest}, or hold out more", longest=longest),
                )
            ]
        )
    return asked


def spread(panel: Panel, held: Sequence[int | None], horizon: int, *, most: int) -> Origins:
    """Origins of every series with something held out; of very many, fewer, so that `most` steps are forecast."""
    places = [(i, first) for i, first in enumerate(held) if first is not None]
    per_series = max(1, most // (horizon * max(1, len(places))))
    units: list[tuple[int, int, int]] = []
    short, left_out = [], 0
    for i, first in places:
        series = panel.series[i]
        length = len(series.values) - first
        if length < horizon:
            short.append(series.key)
        found = _origins(length, horizon, per_series)
        left_out += length - len(np.unique(np.minimum(found[:, None] + np.arange(horizon), length - 1)))
        units += [(i, first + int(o), int(o)) for o in found]
    table = np.array(units, dtype=np.int64).reshape(-1, 3)
    return Origins(
        panel=panel,
        series=table[:, 0],
        origin=table[:, 1],
        unseen=table[:, 2],
        horizon=horizon,
        short=tuple(short),
        left_out=left_out,
    )


def at_once(panel: Panel, held: Sequence[int | None]) -> Origins:
    """One origin a series, where it begins to be held out: for a program that is asked once about all rows."""
    places = [(i, first) for i, first in enumerate(held) if first is not None]
    return Origins(
        panel=panel,
        series=np.array([i for i, _ in places], dtype=np.int64),
        origin=np.array([first for _, first in places], dtype=np.int64),
        unseen=np.zeros(len(places), dtype=np.int64),
        horizon=max((len(panel.series[i].values) - first for i, first in places), default=1),
    )


def truths(origins: Origins) -> tuple[Floats, NDArray[np.bool_]]:
    """True values, shape [units, horizon], and where there is one."""
    ticks = origins.origin[:, None] + np.arange(origins.horizon)
    made = np.full(ticks.shape, np.nan)
    for unit, series in enumerate(origins.series):
        values = origins.panel.series[series].values
        inside = ticks[unit] < len(values)
        made[unit, inside] = values[ticks[unit][inside]]
    return made, np.isfinite(made) & (origins.rows >= 0)


def _origins(length: int, horizon: int, most: int) -> Ints:
    """Steps into what is held out, from 0."""
    last = max(0, length - horizon)
    wanted = max(-(-length // horizon), min(_ORIGINS, last + 1))
    found: Ints = np.unique(np.round(np.linspace(0, last, min(wanted, most)))).astype(np.int64)
    return found
