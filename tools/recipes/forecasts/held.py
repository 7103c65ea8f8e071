"""What is held out of series, and what was forecast of it, as answers that can be measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.answers.forecasts import Forecasts
from tools.recipes.card import Input
from tools.recipes.data.checks import label_numbers
from tools.recipes.forecasts import calendar
from tools.recipes.forecasts.ahead import SeasonalNaive
from tools.recipes.forecasts.forecaster import typical_or
from tools.recipes.forecasts.rolling import Origins, truths
from tools.recipes.models.encode import matrix
from tools.recipes.parts import Part, endpoint_columns

_SHOWN = 5
_AGAIN = 1.2
"""How often a step is forecast, on average, when origins are near to each other."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """From where what is held out is forecast, and how its rows are called."""

    origins: Origins
    season: int
    typical: float
    """What is said of a series of which nothing is known."""
    times: Floats
    """Of each row of the table."""
    numbers: Ints
    """Of each row of the table: its number in the source."""
    dated: bool
    strangers: tuple[str, ...] = ()
    """Series of which training has no row."""
    block: int | None = None
    """Steps that are resampled together; None: all of an origin's."""


def stacked(inputs: Sequence[Input], parts: Sequence[Part], *, lowercase: bool) -> NDArray[Any]:
    """The rows of all parts, one after the other, as an endpoint would get them."""
    tables = [
        matrix(endpoint_columns(part.features, inputs), inputs, lowercase=lowercase)
        for part in parts
        if part.features.height
    ]
    return np.vstack(tables)


def targets(*parts: Part) -> Floats:
    """The values of all parts, one after the other; NaN where one is missing."""
    found = [label_numbers(part.label).fill_null(float("nan")).to_numpy() for part in parts]
    return np.concatenate(found).astype(np.float64)


def answered(held: Held, made: Floats | None, *, known: Sequence[str] = (), unknown: Sequence[str] = ()) -> Forecasts:
    """The answers to measure. `made`: what was forecast, shape [units, horizon]; None: the seasonal naive forecast.

    `known`: names of the columns that the forecast takes as known in advance; `unknown`: of those it leaves out.
    """
    origins = held.origins
    truth, there = truths(origins)
    blank = np.empty(0)
    nothing = np.empty((len(held.times), 0))
    naive = typical_or(SeasonalNaive(held.season), origins.ahead(nothing, blank), held.typical)
    units, steps = np.nonzero(there)
    blocks = units * (origins.horizon + 1) + steps // (held.block or origins.horizon)
    sizes = np.unique(blocks, return_counts=True)[1]
    last = _last_known(held)
    return Forecasts(
        labels=truth[there],
        predicted=(naive if made is None else made)[there],
        naive=naive[there],
        sizes=sizes.astype(np.int64),
        step=(steps + 1).astype(np.int64),
        series=origins.series[units],
        keys=tuple(s.key for s in origins.panel.series),
        rows=held.numbers[origins.rows[there]],
        origins=tuple(last[u] for u in units),
        facts={
            "step_is": str(origins.panel.calendar),
            "season": held.season,
            "horizon": origins.horizon,
            "origins": len(origins.series),
            "gaps": origins.panel.gaps,
            "rows_without_time_or_value": origins.panel.left_out,
            "not_in_training": list(held.strangers),
            "known_in_advance": list(known),
            "left_out": list(unknown),
        },
        said=tuple(_said(held, truth[there], known, unknown)),
    )


def _last_known(held: Held) -> list[str]:
    """Of each unit: the last time with a value before its origin."""
    found = []
    for series, origin in zip(held.origins.series, held.origins.origin, strict=True):
        rows = held.origins.panel.series[series].rows[:origin]
        rows = rows[rows >= 0]
        found.append(calendar.shown(float(held.times[rows[-1]]), dated=held.dated) if len(rows) else "")
    return found


def _said(held: Held, truth: Floats, known: Sequence[str], unknown: Sequence[str]) -> Iterator[str]:
    origins = held.origins
    if unknown:
        yield tr(
            "left out of the forecast, since a value is not known when it is made: {unknown}", unknown=_some(unknown)
        )
    if known:
        yield tr("taken as known in advance, for every step that is forecast: {known}", known=_some(known))
    if held.strangers:
        yield (
            tr(
                "{n} series of the holdout are not in training ({strangers}): before any value of theirs is "
                "known they are forecast as the mean of all",
                n=len(held.strangers),
                strangers=_some(held.strangers),
            )
        )
    if origins.short:
        names = f" ({_some(origins.short)})" if any(origins.short) else ""
        yield tr(
            "{n} series{names} have fewer values held out than the horizon of {horizon}",
            n=len(origins.short),
            names=names,
            horizon=origins.horizon,
        )
    if origins.left_out:
        yield tr(
            "{left_out} steps are not forecast, since there are very many: origins are farther apart",
            left_out=origins.left_out,
        )
    if len(truth) > _AGAIN * len(np.unique(origins.rows[origins.rows >= 0])):
        yield tr("origins are nearer to each other than the horizon: the intervals are rather too narrow")
    if zeros := int((truth == 0).sum()):
        yield tr(
            "{zeros} of {n} true values are 0, where mape is not defined: it is very large", zeros=zeros, n=len(truth)
        )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(n) for n in names[:_SHOWN])
    return shown + (" ..." if len(names) > _SHOWN else "")
