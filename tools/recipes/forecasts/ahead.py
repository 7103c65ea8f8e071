"""A question about the future of many series at once, and the simplest answer to it: the seasonal naive forecast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.forecasts.seasonal import filled


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """From where to forecast, and how far. A unit is one origin of one series."""

    keys: tuple[str, ...]
    values: tuple[Floats, ...]
    """Of each series, NaN where a step has no row. What lies at an origin or after it is never looked at."""
    positions: tuple[int, ...]
    """The absolute number of each series' first step."""
    series: Ints
    """Of each unit."""
    origin: Ints
    """Of each unit: how many steps are known. At least one of them has a value."""
    horizon: int
    known: NDArray[Any]
    """What is known in advance, shape [units, horizon, columns]."""


class Rule(Protocol):
    """What makes a forecast from known values."""

    def forecast(self, ahead: Ahead) -> Floats:
        """Shape [units, horizon]."""
        ...


class SeasonalNaive:
    """Every step as it was a season before: the forecast that every model must beat."""

    def __init__(self, season: int) -> None:
        self.season = season

    def forecast(self, ahead: Ahead) -> Floats:
        """As long as no season is known, the last value."""
        made = np.empty((len(ahead.series), ahead.horizon))
        whole = [filled(v, self.season) for v in ahead.values]
        for unit, (series, origin) in enumerate(zip(ahead.series, ahead.origin, strict=True)):
            season = self.season if origin >= self.season else 1
            last = whole[series][origin - season : origin]
            made[unit] = np.resize(last, ahead.horizon)
        return made
