"""The season of a series, and how its gaps are filled without looking ahead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tools.recipes.answers.answer import Floats
from tools.recipes.forecasts.calendar import DAY_S, Calendar

_NOISE = 0.3
"""Autocorrelation below which numbers have no season."""
_LAG_MOST = 400


def season_of(calendar_: Calendar, series: Sequence[Floats]) -> int:
    """Steps of a season: a week of days, a year of weeks, months or quarters, a day of shorter steps; of numbers,
    what they repeat after. 1 where there is none, or where no series shows two of them."""
    longest = max((len(v) for v in series), default=0)
    season = _usual(calendar_) if calendar_.unit != "numbers" else _repeating(series)
    return season if 2 * season <= longest else 1


def _usual(calendar_: Calendar) -> int:
    if calendar_.unit == "weekdays":
        return 5
    if calendar_.unit == "months":
        return int(12 // calendar_.step) if 12 % calendar_.step == 0 else 1
    if calendar_.step == 7 * DAY_S:
        return 52
    if calendar_.step == DAY_S:
        return 7
    if 60 <= calendar_.step < DAY_S and DAY_S % calendar_.step == 0:
        return int(DAY_S // calendar_.step)
    return 60 if calendar_.step == 1 else 1


def _repeating(series: Sequence[Floats]) -> int:
    """The shortest lag at which the differences' autocorrelation, averaged over series, peaks clearly; else 1."""
    most = min(_LAG_MOST, max((len(v) for v in series), default=0) // 3)
    found = [a for v in series if len(v) > 2 and len(a := _autocorrelation(np.diff(filled(v, 1)), most)) == most + 1]
    if most < 2 or not found:
        return 1
    mean = np.mean(found, axis=0)
    peaks = [i for i in range(2, most) if mean[i] >= max(mean[i - 1], mean[i + 1])]
    top = max((mean[i] for i in peaks), default=0.0)
    return next((i for i in peaks if mean[i] >= max(_NOISE, 0.9 * top)), 1)


def _autocorrelation(changes: Floats, most: int) -> Floats:
    centred = changes - changes.mean()
    power = float(centred @ centred)
    if len(centred) <= most or power <= 0:
        return np.empty(0)
    return np.array([float(centred[lag:] @ centred[: len(centred) - lag]) / power for lag in range(most + 1)])


def filled(values: Floats, season: int) -> Floats:
    """The values with every gap as a season before, or as the step before where that is not known either.

    Nothing after a gap is looked at, so what is filled stays the same however much of the series is known.
    """
    made = values.copy()
    for tick in np.flatnonzero(np.isnan(made)):
        back = tick - season if tick >= season else tick - 1
        made[tick] = made[back] if back >= 0 else np.nan
    return made
