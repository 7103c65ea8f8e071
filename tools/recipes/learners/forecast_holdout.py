"""A forecast judged on the holdout: from rolling origins over it, each with all before it visible.

The history is that of the opened parts, which a model of the same run holds as well; without any, the model's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.answers.answer import Answer, Floats
from tools.recipes.card import Input
from tools.recipes.data import profile
from tools.recipes.forecasts.forecaster import Forecaster
from tools.recipes.forecasts.held import Held, answered, stacked, targets
from tools.recipes.forecasts.rolling import at_once, held_from, horizon_of, spread
from tools.recipes.forecasts.seasonal import season_of
from tools.recipes.forecasts.series import Panel, Roles, panel, roles
from tools.recipes.learners.learner import Opened, Told
from tools.recipes.learners.table import inputs_of
from tools.recipes.records import EvaluateArgs

_STEPS = 500_000
"""Steps that are forecast: of more, a part."""


def answer(args: EvaluateArgs, told: Told, opened: Opened) -> Answer:
    """From rolling origins over the holdout; of a `predict` command, what it said of all of it at once."""
    if told.model is None:
        table, where = _table(args, opened)
        held = _held(args, opened, table, where, None)
        rows = held.origins.rows
        prediction = np.array(told.prediction, dtype=np.float64)
        return answered(held, np.where(rows >= 0, prediction[rows - (len(table) - len(prediction))], np.nan))
    card = told.model.metadata
    forecaster: Forecaster = told.model.estimator
    where = roles(card.inputs, card.roles)
    table = stacked(card.inputs, _parts(opened), lowercase=card.lowercase)
    held = _held(args, opened, table, where, forecaster)
    ahead = held.origins.ahead(where.known_of(table), where.blank)
    asked = {item.name for item in card.inputs}
    return answered(
        held,
        forecaster.forecast(ahead),
        known=[card.inputs[i].name for i in where.known],
        unknown=[name for name in opened.holdout.features.columns if name not in asked],
    )


def baseline(args: EvaluateArgs, opened: Opened) -> Answer:
    """The seasonal naive forecast from the same origins."""
    table, where = _table(args, opened)
    return answered(_held(args, opened, table, where, None), None)


def tripwires(args: EvaluateArgs, opened: Opened) -> Sequence[str]:
    """Columns that are the value to be forecast."""
    named = [n for n in (args.roles.time, args.roles.group) if n is not None]
    features = opened.train.features.drop(named, strict=False)
    names = profile.leaks(features, opened.train.label, "regression")
    return [tr("column {name!r} gives the label away by itself: suspected leakage", name=name) for name in names]


def _parts(opened: Opened) -> tuple[Any, ...]:
    return opened.train, opened.validation, opened.holdout


def _table(args: EvaluateArgs, opened: Opened) -> tuple[NDArray[Any], Roles]:
    """Time and series of all rows."""
    named = (args.roles.time, args.roles.group)
    inputs: tuple[Input, ...] = inputs_of(*(p.features for p in _parts(opened)))
    inputs = tuple(i for i in inputs if i.name in named)
    where = roles(inputs, args.roles)
    return stacked(inputs, _parts(opened), lowercase=False), where


def _held(args: EvaluateArgs, opened: Opened, table: NDArray[Any], where: Roles, forecaster: Forecaster | None) -> Held:
    target = targets(*_parts(opened))
    fitted = opened.train.features.height
    first = fitted + opened.validation.features.height
    trained = panel(table[:fitted], target[:fitted], where, place=tr("training rows")) if fitted else None
    if trained is not None:
        whole = panel(table, target, where, steps=trained.calendar)
        seen = {s.key: s.values for s in trained.series}
        typical = float(np.mean(target[:fitted][np.isfinite(target[:fitted])]))
    else:
        whole = _continued(table, target, where, forecaster)
        seen = {} if forecaster is None else forecaster.history
        typical = 0.0 if forecaster is None else forecaster.typical
    season = season_of(whole.calendar, list(seen.values()))
    held = held_from(whole, first)
    lengths = [len(s.values) - h for s, h in zip(whole.series, held, strict=True) if h is not None]
    horizon = horizon_of(args.horizon, season, lengths)
    out = [s.key for s, h in zip(whole.series, held, strict=True) if h is not None]
    return Held(
        origins=at_once(whole, held) if args.predict is not None else spread(whole, held, horizon, most=_STEPS),
        season=season,
        typical=typical,
        times=where.times(table),
        numbers=np.append(np.full(first, -1), opened.holdout.rows.to_numpy()),
        dated=where.dated,
        strangers=tuple(key for key in out if key not in seen),
        block=horizon,
    )


def _continued(table: NDArray[Any], target: Floats, where: Roles, forecaster: Forecaster | None) -> Panel:
    """The series of the holdout alone, going on from the history that the model holds."""
    if forecaster is None:
        return panel(table, target, where)
    made = panel(table, target, where, steps=forecaster.calendar, starts=forecaster.starts)
    series = []
    for one in made.series:
        values, past = one.values.copy(), forecaster.history.get(one.key, np.empty(0))[: len(one.values)]
        values[: len(past)] = np.where(np.isfinite(values[: len(past)]), values[: len(past)], past)
        series.append(replace(one, values=values))
    return replace(made, series=tuple(series))
