"""Finds the regular step that all series of a table share, or what is in the way of one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tools.language import tr
from tools.recipes.answers.answer import Floats
from tools.recipes.faults import Fault, refuse
from tools.recipes.forecasts.calendar import DAY_S, WEEK, Calendar, moments, months, shown, whole

_SHORTEST_MONTH = 28.0
_SPARSE = 0.5
"""Share of the steps from first to last that must have a row: with fewer, the step is not how the data are."""
_LONGEST = 20_000_000
"""Steps of a series that fit into memory."""
_SHOWN = 5


def infer(times: Mapping[str, Floats], *, dated: bool, place: str) -> Calendar:
    """The step of the series, by name; each series' times ascend. BadInput names all that are not regular."""
    gaps = {name: np.diff(t) for name, t in times.items()}
    refuse(_repeated(times, gaps, dated=dated, place=place))
    every = np.concatenate([*gaps.values(), np.empty(0)])
    if not len(every):
        problem = tr("no series has two times among {n}", n=len(times))
        fix = tr("name the column that tells series apart only if there is one, or give more rows")
        refuse([Fault(place=place, problem=problem, fix=fix)])
    found = _dated(times, every) if dated else Calendar(unit="numbers", step=_commonest(every))
    faults = [
        fault
        for name, t in times.items()
        if (fault := irregular(found, t, t[0], series=name, place=place, dated=dated)) is not None
    ]
    refuse(_few(faults, place))
    return found


def irregular(calendar: Calendar, times: Floats, start: float, *, series: str, place: str, dated: bool) -> Fault | None:
    """What is wrong with the ascending times of one series; None when they lie on steps from `start`."""
    ticks = calendar.ticks(times, start)
    off = np.flatnonzero(~whole(ticks))
    of = tr(" of series {series!r}", series=series) if series else ""
    if len(off):
        first = shown(float(times[off[0]]), dated=dated)
        problem = tr(
            "{n} of {times} times{of} are not on the regular step of {calendar}, the first is {first}",
            n=len(off),
            times=len(times),
            of=of,
            calendar=calendar,
            first=first,
        )
        return Fault(place=place, problem=problem, fix=tr("put the values on a regular step, such as sums a day"))
    span = float(ticks[-1] - ticks[0]) + 1
    if ticks[-1] > _LONGEST or (len(times) < _SPARSE * span and len(times) > 1):
        first, last = (shown(float(t), dated=dated) for t in (times[0], times[-1]))
        problem = tr(
            "there are rows{of} for {n} of {span:.0f} steps of {calendar} from {first} to {last}",
            of=of,
            n=len(times),
            span=span,
            calendar=calendar,
            first=first,
            last=last,
        )
        return Fault(place=place, problem=problem, fix=tr("correct the times, or put the values on a regular step"))
    return None


def _repeated(times: Mapping[str, Floats], gaps: Mapping[str, Floats], *, dated: bool, place: str) -> list[Fault]:
    faults = []
    for name, gap in gaps.items():
        if len(again := np.flatnonzero(gap <= 0)):
            of = tr(" of series {name!r}", name=name) if name else ""
            first = shown(float(times[name][again[0]]), dated=dated)
            problem = tr("{n} times{of} stand more than once, the first is {first}", n=len(again), of=of, first=first)
            fix = tr("name the column that tells series apart, or keep one row a time")
            faults.append(Fault(place=place, problem=problem, fix=fix))
    return _few(faults, place)


def _few(faults: list[Fault], place: str) -> list[Fault]:
    if len(faults) <= _SHOWN:
        return faults
    more = Fault(
        place=place, problem=tr("{n} more series are at fault", n=len(faults) - _SHOWN), fix=tr("correct them as well")
    )
    return [*faults[:_SHOWN], more]


def _dated(times: Mapping[str, Floats], gaps: Floats) -> Calendar:
    step = _commonest(gaps)
    if step >= _SHORTEST_MONTH * DAY_S and all(whole(months(t, t[0])).all() for t in times.values()):
        apart = np.concatenate([np.diff(np.round(months(t, t[0]))) for t in times.values()])
        return Calendar(unit="months", step=_commonest(apart))
    if step == DAY_S and _no_weekends(times):
        return Calendar(unit="weekdays", step=1.0)
    return Calendar(unit="seconds", step=step)


def _no_weekends(times: Mapping[str, Floats]) -> bool:
    """There are weeks in these times, and no weekend in any of them."""
    days = np.concatenate([moments(t).astype("datetime64[D]") for t in times.values()])
    long = any(t[-1] - t[0] >= 2 * WEEK * DAY_S for t in times.values())
    return long and bool(np.is_busday(days).all())


def _commonest(gaps: Floats) -> float:
    """The most frequent gap, the shortest of equals."""
    values, counts = np.unique(np.round(gaps, 9), return_counts=True)
    return float(values[counts.argmax()])
