"""Rows of a table as series on regular steps: one array of values for each, NaN where a step has no row.

What a row says of itself is taken as an endpoint would get it, so that a served model finds the same series.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.card import Input
from tools.recipes.faults import BadInput, Fault, near, refuse
from tools.recipes.forecasts import calendar
from tools.recipes.forecasts.calendar import Calendar
from tools.recipes.forecasts.regular import infer, irregular
from tools.recipes.records import Columns


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Where time, series and what is known in advance stand in the columns of a matrix."""

    time: int
    series: int | None
    known: tuple[int, ...]
    text: tuple[bool, ...]
    """Of each column that is known in advance: it holds text."""
    dated: bool
    """The times are epoch seconds."""

    def keys(self, table: NDArray[Any]) -> list[str]:
        """The series of every row; all the same where there is one series."""
        return [""] * len(table) if self.series is None else [_key(v) for v in table[:, self.series]]

    def times(self, table: NDArray[Any]) -> Floats:
        times: Floats = table[:, self.time].astype(np.float64)
        return times

    def known_of(self, table: NDArray[Any]) -> NDArray[Any]:
        """What is known in advance of every row: numbers, or objects where a column holds text."""
        return table[:, list(self.known)].astype(object if any(self.text) else np.float64)

    @property
    def blank(self) -> NDArray[Any]:
        """What stands for a row of which nothing is known."""
        values = ["" if text else math.nan for text in self.text]
        return np.array(values, dtype=object if any(self.text) else np.float64)


@dataclass(frozen=True, kw_only=True)
class Series:
    """One series from its first step to its last."""

    key: str
    start: float
    """The time of the first step."""
    values: Floats
    rows: Ints
    """The position of each step's row in the table; -1 where there is none."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """All series of a table, in the order in which they appear in it."""

    calendar: Calendar
    series: tuple[Series, ...]
    left_out: int
    """Rows without a time or a value."""

    @property
    def gaps(self) -> int:
        """Steps without a value."""
        return sum(int(np.isnan(s.values).sum()) for s in self.series)


def roles(inputs: Sequence[Input], named: Columns) -> Roles:
    """The columns by their role. BadInput when there is no time, or a column is not there or of another kind."""
    names = [i.name for i in inputs]
    faults = []
    if named.time is None:
        fix = tr("name the column that holds the time of each value")
        faults.append(Fault(place=tr("time column"), problem=tr("is not named"), fix=fix))
    for role, name in (("time", named.time), ("group", named.group)):
        if name is not None and name not in names:
            problem = tr("is no column of the data")
            faults.append(
                Fault(
                    place=tr("{role} column {name!r}", role=tr(role), name=name), problem=problem, fix=near(name, names)
                )
            )
    kinds = {i.name: i.kind for i in inputs}
    if named.time in kinds and kinds[named.time] not in ("time", "number", "integer"):
        fix = tr("write its values as ISO dates (2024-05-31)")
        faults.append(Fault(place=tr("time column {time!r}", time=named.time), problem=tr("holds no times"), fix=fix))
    refuse(faults)
    time = names.index(named.time or "")
    series = None if named.group is None else names.index(named.group)
    known = tuple(i for i in range(len(names)) if i not in (time, series))
    text = tuple(inputs[i].kind == "category" for i in known)
    return Roles(time=time, series=series, known=known, text=text, dated=inputs[time].kind == "time")


def panel(
    table: NDArray[Any],
    target: Floats,
    where: Roles,
    *,
    steps: Calendar | None = None,
    starts: Mapping[str, float] | None = None,
    place: str = "time",
) -> Panel:
    """The series of a table. Their step is found when it is not given; BadInput when there is none.

    `starts`: where series begin that are known already; the others begin with their first row.
    """
    times, keys = where.times(table), where.keys(table)
    usable = np.isfinite(times) & np.isfinite(target)
    grouped: dict[str, list[int]] = {}
    for row in np.flatnonzero(usable):
        grouped.setdefault(keys[row], []).append(int(row))
    ordered = {key: np.array(rows)[np.argsort(times[rows], kind="stable")] for key, rows in grouped.items()}
    if not ordered:
        raise BadInput([Fault(place=place, problem=tr("no row has a time and a value"), fix=tr("name another column"))])
    begun = {key: (starts or {}).get(key, float(times[rows[0]])) for key, rows in ordered.items()}
    if steps is None:
        steps = infer({k: times[r] for k, r in ordered.items()}, dated=where.dated, place=place)
    else:
        _require_regular(steps, {k: times[r] for k, r in ordered.items()}, begun, where, place)
    made = tuple(_series(key, begun[key], rows, times, target, steps) for key, rows in ordered.items())
    return Panel(calendar=steps, series=made, left_out=int((~usable).sum()))


def _series(key: str, start: float, rows: Ints, times: Floats, target: Floats, steps: Calendar) -> Series:
    ticks = np.round(steps.ticks(times[rows], start)).astype(np.int64)
    values, positions = np.full(ticks[-1] + 1, np.nan), np.full(ticks[-1] + 1, -1, dtype=np.int64)
    values[ticks], positions[ticks] = target[rows], rows
    return Series(key=key, start=start, values=values, rows=positions)


def _require_regular(
    steps: Calendar, times: Mapping[str, Floats], starts: Mapping[str, float], where: Roles, place: str
) -> None:
    faults = []
    for key, t in times.items():
        fault = irregular(steps, t, starts[key], series=key, place=place, dated=where.dated)
        of = tr(" of series {key!r}", key=key) if key else ""
        if fault is None and len(again := np.flatnonzero(np.diff(t) <= 0)):
            first = calendar.shown(float(t[again[0]]), dated=where.dated)
            problem = tr("{n} times{of} stand more than once, the first is {first}", n=len(again), of=of, first=first)
            fault = Fault(place=place, problem=problem, fix=tr("keep one row a time"))
        if fault is None and t[0] < starts[key]:
            problem = tr(
                "{time}{of} lies before the series begins", time=calendar.shown(float(t[0]), dated=where.dated), of=of
            )
            fault = Fault(place=place, problem=problem, fix=tr("split by time"))
        faults += [] if fault is None else [fault]
    refuse(faults)


def _key(value: object) -> str:
    if isinstance(value, float | int | np.number):
        number = float(value)
        return "" if np.isnan(number) else repr(int(number)) if number == int(number) else repr(number)
    return str(value)
