"""A forecast as a model file holds it: a rule, and the series as far as they were known when it was trained.

Asked for (time, series) it answers with what it says of that time from all it knows from before it: one step ahead
within the history it holds, as many steps as it takes after its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import Invalid
from tools.language import tr
from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.forecasts.ahead import Ahead, Rule
from tools.recipes.forecasts.calendar import Calendar, Unit, shown, whole
from tools.recipes.forecasts.series import Panel, Roles

_FARTHEST = 500
_FAULTS = 10


class Forecaster:
    """Plain attributes alone: what a model file may hold."""

    def __init__(self, rule: Rule, calendar: Calendar, roles: Roles) -> None:
        self.rule = rule
        self.unit: Unit = calendar.unit
        self.step = calendar.step
        self.time = roles.time
        self.series = roles.series
        self.known = list(roles.known)
        self.text = list(roles.text)
        self.dated = roles.dated
        self.history: dict[str, Floats] = {}
        self.starts: dict[str, float] = {}
        self.typical = 0.0
        """The mean of all training values: what is said of a series of which nothing is known."""

    @property
    def roles(self) -> Roles:
        return Roles(
            time=self.time, series=self.series, known=tuple(self.known), text=tuple(self.text), dated=self.dated
        )

    @property
    def calendar(self) -> Calendar:
        return Calendar(unit=self.unit, step=self.step)

    @property
    def farthest(self) -> int:
        """Steps behind the end of a series that are still answered."""
        return max(_FARTHEST, *(len(v) for v in self.history.values()))

    def remember(self, panel: Panel) -> None:
        """Take these series for the history."""
        self.starts = {s.key: s.start for s in panel.series}
        self.history = {s.key: s.values for s in panel.series}

    def predict(self, X: NDArray[Any]) -> Floats:  # noqa: N803 - scikit-learn's name
        """One number a row of `encode.matrix`. A row without a time is for the step after the history's end, a
        series that is not known gets what is typical.

        Invalid names the times that lie on no step, before the series begins, or too far behind its end.
        """
        roles = self.roles
        keys = roles.keys(X)
        ticks = self._ticks(keys, roles.times(X))
        known = roles.known_of(X)
        met = np.array([key in self.history for key in keys], dtype=bool)
        ends = np.array([len(self.history.get(key, ())) for key in keys], dtype=np.int64)
        made = np.full(len(X), self.typical)
        past, later = np.flatnonzero(met & (ticks < ends)), np.flatnonzero(met & (ticks >= ends))
        if len(past):
            made[past] = self.forecast(self._from([keys[i] for i in past], ticks[past], known[past][:, None]))[:, 0]
        if len(later):
            made[later] = self._behind([keys[i] for i in later], (ticks - ends)[later], known[later])
        return made

    def forecast(self, ahead: Ahead) -> Floats:
        """Shape [units, horizon]; what is typical where nothing is known of a series before the origin."""
        return typical_or(self.rule, ahead, self.typical)

    def _behind(self, keys: Sequence[str], steps: Ints, known: NDArray[Any]) -> Floats:
        """Rows behind the end of their series, all of a series in one go."""
        names = list(dict.fromkeys(keys))
        place = {name: i for i, name in enumerate(names)}
        unit = np.array([place[key] for key in keys])
        horizon = int(steps.max()) + 1
        whole_known = np.broadcast_to(self.roles.blank, (len(names), horizon, known.shape[1])).copy()
        whole_known[unit, steps] = known
        ends = np.array([len(self.history[name]) for name in names], dtype=np.int64)
        made: Floats = self.forecast(self._from(names, ends, whole_known))[unit, steps]
        return made

    def _from(self, keys: Sequence[str], origins: Ints, known: NDArray[Any]) -> Ahead:
        names = list(dict.fromkeys(keys))
        place = {name: i for i, name in enumerate(names)}
        return Ahead(
            keys=tuple(names),
            values=tuple(self.history[name] for name in names),
            positions=tuple(self.calendar.position(self.starts[name]) for name in names),
            series=np.array([place[key] for key in keys], dtype=np.int64),
            origin=origins,
            horizon=known.shape[1],
            known=known,
        )

    def _ticks(self, keys: Sequence[str], times: Floats) -> Ints:
        """Steps since the series began; 0 for a series that is not known. Invalid with every row at fault."""
        made = np.zeros(len(keys), dtype=np.int64)
        faults: list[str] = []
        grouped: dict[str, list[int]] = {}
        for row, key in enumerate(keys):
            if key in self.history:
                grouped.setdefault(key, []).append(row)
        for key, positions in grouped.items():
            rows = np.array(positions)
            end = len(self.history[key])
            ticks = np.full(len(rows), float(end))
            timed = np.isfinite(times[rows])
            ticks[timed] = self.calendar.ticks(times[rows][timed], self.starts[key])
            faults += self._faults(key, rows, ticks, times)
            made[rows] = np.round(ticks).astype(np.int64)
        if faults:
            more = len(faults) - _FAULTS
            raise Invalid(*faults[:_FAULTS], *([tr("and {more} more rows", more=more)] if more > 0 else []))
        return made

    def _faults(self, key: str, rows: Ints, ticks: Floats, times: Floats) -> list[str]:
        last = len(self.history[key]) - 1 + self.farthest
        start = shown(self.starts[key], dated=self.dated)
        of = tr("series {key!r}", key=key) if key else tr("the series")
        problems = (
            (
                ~whole(ticks),
                tr(
                    "is not on a step of {of}: they come every {calendar} from {start}",
                    of=of,
                    calendar=self.calendar,
                    start=start,
                ),
            ),
            (ticks < -0.5, tr("lies before {of} begins: ask from {start} on", of=of, start=start)),
            (
                ticks > last + 0.5,
                tr(
                    "lies more than {farthest} steps behind the end of {of}: ask for an earlier one",
                    farthest=self.farthest,
                    of=of,
                ),
            ),
        )
        found = []
        for i, row in enumerate(rows):
            problem = next((text for wrong, text in problems if wrong[i]), None)
            if problem is not None:
                found.append(
                    tr(
                        "row {row}: time {shown} {problem}",
                        row=row,
                        shown=shown(float(times[row]), dated=self.dated),
                        problem=problem,
                    )
                )
        return found


def typical_or(rule: Rule, ahead: Ahead, typical: float) -> Floats:
    """The rule's forecast, shape [units, horizon]; what is typical where nothing is known before the origin."""
    met = np.array(
        [bool(np.isfinite(ahead.values[s][:n]).any()) for s, n in zip(ahead.series, ahead.origin, strict=True)],
        dtype=bool,
    )
    made = np.full((len(ahead.series), ahead.horizon), typical)
    if met.any():
        asked = replace(ahead, series=ahead.series[met], origin=ahead.origin[met], known=ahead.known[met])
        made[met] = rule.forecast(asked)
    return made
