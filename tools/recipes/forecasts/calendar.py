"""The regular steps that a series' times have: one step for all series of a table.

A time is what `encode.matrix` makes of it: epoch seconds, or the number a column of numbers holds. A tick is a
number of steps since a series began. Knows no values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.answers.answer import Floats, Ints

Unit = Literal["seconds", "weekdays", "months", "numbers"]

DAY_S = 86_400.0
YEAR_S = 365.2425 * DAY_S
_NEAR = 1e-3
"""How far from a step, in steps, a time may lie and still be on it."""
_YEARLY_S = 2 * DAY_S
_YEARS_SEEN = 1.5
WEEK = 7
_WORKING_DAYS = 5


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """How long a step is."""

    unit: Unit
    step: float
    """In seconds, weekdays (Monday to Friday), months, or the unit of the numbers."""

    def ticks(self, times: Floats, start: float) -> Floats:
        """Steps from `start` to each time; not whole where a time is not on a step."""
        match self.unit:
            case "months":
                return months(times, start) / self.step
            case "weekdays":
                return _weekdays(times, start)
            case _:
                return (times - start) / self.step

    def position(self, start: float) -> int:
        """The absolute number of the step `start` lies on, so that two series agree on what a Monday is."""
        moment = np.array([start])
        match self.unit:
            case "months":
                return int(moments(moment).astype("datetime64[M]").astype(np.int64)[0] // int(self.step))
            case "weekdays":
                return int(_working_day(moment)[0])
            case _:
                return int(np.floor(start / self.step + _NEAR))

    def seconds(self) -> float | None:
        """The length of a step in seconds, months and weekdays on average; None for numbers."""
        return {
            "seconds": self.step,
            "weekdays": DAY_S * WEEK / _WORKING_DAYS,
            "months": self.step * YEAR_S / 12,
            "numbers": None,
        }[self.unit]

    def periods(self, longest: int) -> list[float]:
        """Periods beside the season, in steps: a week of shorter steps, and a year where `longest` steps hold one
        and a half of them."""
        seconds = self.seconds()
        if seconds is None or self.unit == "months":
            return []
        week = [WEEK * DAY_S / seconds] if seconds < DAY_S else []
        year = YEAR_S / seconds
        return week + ([year] if seconds <= _YEARLY_S and longest >= _YEARS_SEEN * year else [])

    def __str__(self) -> str:
        match self.unit:
            case "months":
                return _counted(self.step, "{n:g} month", "{n:g} months")
            case "weekdays":
                return tr("1 weekday (Monday to Friday)")
            case "numbers":
                return f"{self.step:g}"
            case _:
                for one, many, length in _LENGTHS:
                    if self.step % length == 0:
                        return _counted(self.step / length, one, many)
                return _counted(self.step, "{n:g} second", "{n:g} seconds")


_LENGTHS = (
    ("{n:g} day", "{n:g} days", DAY_S),
    ("{n:g} hour", "{n:g} hours", 3600.0),
    ("{n:g} minute", "{n:g} minutes", 60.0),
)


def whole(ticks: Floats) -> NDArray[np.bool_]:
    """Which ticks lie on a step."""
    return np.isfinite(ticks) & (np.abs(ticks - np.round(ticks)) <= _NEAR)


def shown(time: float, *, dated: bool) -> str:
    """A time as a person reads it."""
    if not dated:
        return f"{time:g}"
    text = datetime.fromtimestamp(time, tz=UTC).isoformat()
    return text.removesuffix("+00:00").removesuffix("T00:00:00")


def moments(times: Floats) -> NDArray[np.datetime64]:
    """Whole seconds."""
    found: NDArray[np.datetime64] = np.floor(times).astype("datetime64[s]")
    return found


def months(times: Floats, start: float) -> Floats:
    """Months from `start`: whole where the day of the month is the same, or the last one where it is or must be."""
    found = moments(np.append(times, start))
    month = found.astype("datetime64[M]")
    into = (found - month.astype("datetime64[s]")).astype(np.int64)
    day, clock = into // int(DAY_S), into % int(DAY_S)
    days = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    last = day == days - 1
    same = (day == np.minimum(day[-1], days - 1)) | (last & last[-1])
    off = np.where(same & (clock == clock[-1]), 0.0, 0.5)
    apart: Floats = ((month - month[-1]).astype(np.float64) + off)[:-1]
    return apart


def _weekdays(times: Floats, start: float) -> Floats:
    """Weekdays from `start`; not whole at weekends or at another time of the day."""
    every = np.append(times, start)
    on = np.is_busday(moments(every).astype("datetime64[D]")) & (np.mod(every, DAY_S) == np.mod(start, DAY_S))
    index = _working_day(every)
    found: Floats = (index - index[-1] + np.where(on, 0.0, 0.5))[:-1]
    return found


def _working_day(times: Floats) -> Ints:
    """Weekdays since Thursday, 1 January 1970."""
    days = moments(times).astype("datetime64[D]")
    counted: Ints = np.busday_count(np.datetime64("1970-01-01"), days).astype(np.int64)
    return counted


def _counted(number: float, one: str, many: str) -> str:
    return tr(one if number == 1 else many, n=number)
