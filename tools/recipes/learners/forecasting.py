"""Forecasting: a number of every series at every step, from what was known before it.

Parameters are fitted on training rows alone; the history a model goes on from, at validation and when it is served,
is all that was known by then. Every measurement is from rolling origins, without fitting again.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import get_args

import numpy as np
import polars as pl

from tools.language import tr
from tools.recipes.answers.answer import Answer, Floats
from tools.recipes.card import Card, Input
from tools.recipes.data.checks import given
from tools.recipes.faults import BadInput, Fault
from tools.recipes.forecasts.ahead import Rule
from tools.recipes.forecasts.forecaster import Forecaster
from tools.recipes.forecasts.held import Held, answered, stacked, targets
from tools.recipes.forecasts.lagged import Lagged, Past
from tools.recipes.forecasts.rolling import Origins, held_from, horizon_of, spread
from tools.recipes.forecasts.seasonal import season_of
from tools.recipes.forecasts.series import panel, roles
from tools.recipes.forecasts.smoothing import Smoothing, Trend
from tools.recipes.learners import forecast_holdout
from tools.recipes.learners.learner import Recipe
from tools.recipes.learners.table import inputs_of
from tools.recipes.models import families
from tools.recipes.models.families import Choice, Params, Size
from tools.recipes.parts import Part
from tools.recipes.records import Family, TrainArgs

SUITED: tuple[Family, ...] = (
    "exponential_smoothing",
    "linear_regression",
    "ridge",
    "lasso",
    "random_forest",
    "gradient_boosting",
)
_FEW_WAYS: tuple[Family, ...] = ("exponential_smoothing", "linear_regression")
_FEW_VALUES = 12
"""Numbers with no more values than these are codes and flags, which are planned; more is something measured."""
_VALIDATED = 50_000
"""Steps that are forecast in every trial."""
_LAGS_MOST = 60
_LAGS_ALONE = (4, 8, 2, 12)
"""Values looked back at where there is no season."""
_LEAST_LAGS = 3


class Forecasting:
    """The series of the training and the validation part. A `Learner`."""

    def __init__(self, args: TrainArgs, train: Part, validation: Part) -> None:
        """BadInput when the rows are no series on regular steps, or validation does not come after training."""
        families.require_suited(args.family, args.task, SUITED)
        # Combinations that are few are tried once each, and none twice.
        self.args = args.model_copy(update={"method": "grid"}) if args.family in _FEW_WAYS else args
        self.digest = train.digest
        self._inputs = _inputs(args, train, validation)
        self._roles = roles(self._inputs, args.roles)
        self._lowercase = "lowercase" in args.clean
        self._table = stacked(self._inputs, (train, validation), lowercase=self._lowercase)
        target = targets(train, validation)
        first = train.features.height
        known = panel(self._table[:first], target[:first], self._roles)
        self._panel = panel(self._table, target, self._roles, steps=known.calendar)
        self._season = season_of(known.calendar, [s.values for s in known.series])
        self._held = held_from(self._panel, first)
        self._typical = float(target[:first][np.isfinite(target[:first])].mean())
        self._longest = max(len(s.values) for s in known.series)
        self.rows = int(sum(np.isfinite(s.values).sum() for s in known.series))
        self.cells = self.rows * (self._season + len(self._roles.known) + _LEAST_LAGS)
        self._origins = self._spread()

    def space(self) -> dict[str, Choice]:
        if self.args.family == "exponential_smoothing":
            found = {"trend": Choice(scale="list", grid=("damped", "none", "additive"))}
            return found | ({"season": Choice(scale="list", grid=("additive", "none"))} if self._season > 1 else {})
        space = families.space(self.args.family, "regression", size=Size(rows=self.rows))
        return {"lags": Choice(scale="list", grid=self._lags())} | space

    def fit(self, params: Params, share: float = 1.0) -> Forecaster:
        """A share is the end of every series."""
        made = Forecaster(self._rule(params, share), self._panel.calendar, self._roles)
        made.typical = self._typical
        made.remember(self._panel)
        return made

    def outcome(self, fitted: Forecaster) -> Answer:
        ahead = self._origins.ahead(self._roles.known_of(self._table), self._roles.blank)
        return answered(self._judging(), fitted.forecast(ahead))

    def baseline(self) -> Answer:
        return answered(self._judging(), None)

    def card(self, params: Params) -> Card:
        args = self.args
        return Card(
            task=args.task,
            label=args.label,
            roles=args.roles,
            answers="number",
            inputs=self._inputs,
            family=args.family,
            params=dict(params),
            lowercase=self._lowercase,
            data_digest=self.digest,
            versions={name: version(name) for name in ("scikit-learn", "skops", "numpy")},
        )

    def _spread(self) -> Origins:
        lengths = [len(s.values) - h for s, h in zip(self._panel.series, self._held, strict=True) if h is not None]
        if not lengths:
            fault = Fault(place="validation", problem=tr("holds no value of any series"), fix=tr("give longer series"))
            raise BadInput([fault])
        asked = None if self.args.horizon is None else min(self.args.horizon, max(lengths))
        return spread(self._panel, self._held, horizon_of(asked, self._season, lengths), most=_VALIDATED)

    def _judging(self) -> Held:
        return Held(
            origins=self._origins,
            season=self._season,
            typical=self._typical,
            times=self._roles.times(self._table),
            numbers=np.arange(len(self._table)),
            dated=self._roles.dated,
        )

    def _lags(self) -> tuple[int, ...]:
        most = max(1, min(_LAGS_MOST, self._longest // 3))
        wanted = (self._season, 2 * self._season, _LEAST_LAGS) if self._season > 1 else _LAGS_ALONE
        return tuple(dict.fromkeys(min(n, most) for n in wanted))

    def _rule(self, params: Params, share: float) -> Rule:
        series = [(s, s.values[:h]) for s, h in zip(self._panel.series, self._held, strict=True)]
        ends = {s.key: _end(values, share) for s, values in series if len(values)}
        clip = "clip_outliers" in self.args.clean
        if self.args.family == "exponential_smoothing":
            season = self._season if params.get("season", "none") == "additive" else 1
            trend: Trend = next(t for t in get_args(Trend) if t == params["trend"])
            values = {s.key: whole[ends[s.key] :] for s, whole in series if s.key in ends}
            return Smoothing(trend=trend, season=season, seed=self.args.seed, clip=clip).fit(values)
        known = np.vstack([self._roles.known_of(self._table), self._roles.blank[None]])
        past = {
            s.key: Past(
                values=whole[ends[s.key] :],
                position=self._panel.calendar.position(s.start) + ends[s.key],
                known=known[s.rows[: len(whole)]][ends[s.key] :],
            )
            for s, whole in series
            if s.key in ends
        }
        rule = Lagged(
            family=self.args.family,
            params={name: value for name, value in params.items() if name != "lags"},
            lags=int(params["lags"] or _LEAST_LAGS),
            season=self._season,
            periods=self._panel.calendar.periods(self._longest),
            seed=self.args.seed,
            clip=clip,
        )
        return rule.fit(past, text=self._roles.text)


def _inputs(args: TrainArgs, train: Part, validation: Part) -> tuple[Input, ...]:
    """Time, series, and, for a family that uses them, the columns that can be known in advance."""
    named = (args.roles.time, args.roles.group)
    every = inputs_of(train.features, validation.features)
    takes_more = args.family != "exponential_smoothing"
    return tuple(i for i in every if i.name in named or (takes_more and _in_advance(i, args, train, validation)))


def _in_advance(column: Input, args: TrainArgs, train: Part, validation: Part) -> bool:
    """Has values after training too, and is planned rather than measured: a category, a flag, one of a few numbers,
    or the same for all of a series. What is measured (customers of the day) is not known when a forecast is made."""
    values = train.features[column.name]
    if not given(validation.features[column.name]).any():
        return False
    if column.kind not in ("number", "integer") or values.n_unique() <= _FEW_VALUES:
        return True
    if args.roles.group is None:
        return False
    each = train.features.group_by(args.roles.group).agg(pl.col(column.name).n_unique())
    return bool((each[column.name] <= 1).all())


def _end(values: Floats, share: float) -> int:
    """Where the last share of a series begins, at a value."""
    known = np.flatnonzero(np.isfinite(values))
    return int(known[min(len(known) - 1, round((1 - share) * len(known)))])


RECIPE = Recipe(
    answers="number",
    learner=Forecasting,
    answer=forecast_holdout.answer,
    baseline=forecast_holdout.baseline,
    tripwires=forecast_holdout.tripwires,
)
