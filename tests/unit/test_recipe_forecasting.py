"""Forecasting against series whose truth is known, and against numbers computed again without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import metrics

from tools.errors import Invalid
from tools.recipes.answers.forecasts import Forecasts
from tools.recipes.card import Input
from tools.recipes.faults import BadInput
from tools.recipes.forecasts.ahead import Ahead, SeasonalNaive
from tools.recipes.forecasts.forecaster import Forecaster
from tools.recipes.forecasts.seasonal import filled, season_of
from tools.recipes.forecasts.series import panel, roles
from tools.recipes.forecasts.smoothing import Smoothing, Trend
from tools.recipes.learners.forecasting import RECIPE, SUITED, Forecasting
from tools.recipes.learners.learner import Opened, Told
from tools.recipes.models.encode import matrix
from tools.recipes.models.model import Model
from tools.recipes.parts import Holdout, Part, endpoint_columns
from tools.recipes.records import Cleaning, Columns, EvaluateArgs, Family, Measure, TrainArgs

START = date(2024, 1, 1)
RMSE = Measure(metric="rmse")
ROLES = Columns(time="day", group="shop")
ALL = ("rmse", "mse", "mae", "mape", "smape", "r2")
Row = Mapping[str, object]


def shops(days: int = 120, names: Sequence[str] = ("north", "south"), noise: float = 1.0, seed: int = 0) -> list[Row]:
    """A week's pattern of size 10 on a slow trend, in series of different size."""
    rng = np.random.default_rng(seed)
    week = np.array([0.0, 2.0, 5.0, 3.0, 8.0, 10.0, 1.0])
    return [
        {
            "day": START + timedelta(days=t),
            "shop": name,
            "y": 20 * (i + 1) + 0.1 * t + week[t % 7] + rng.normal() * noise,
        }
        for i, name in enumerate(names)
        for t in range(days)
    ]


def opened(rows: Sequence[Row], *, train: int = 80, validation: int = 20) -> Opened:
    """Parted by time, as `prepare` does: days from the start."""
    frame = (
        pl.DataFrame(rows, infer_schema_length=None).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    )
    first, second = START + timedelta(days=train), START + timedelta(days=train + validation)
    features = [c for c in frame.columns if c not in ("row", "y")]
    parts = [
        frame.filter(pl.col("day") < first),
        frame.filter((pl.col("day") >= first) & (pl.col("day") < second)),
        frame.filter(pl.col("day") >= second),
    ]
    return Opened(
        train=Part(parts[0].select(*features, "y"), "y", "train"),
        validation=Part(parts[1].select(*features, "y"), "y", "validation"),
        holdout=Holdout(parts[2].select(*features, "y", "row"), "y", "holdout"),
    )


def learner(
    at: Opened,
    family: Family = "ridge",
    *,
    named: Columns = ROLES,
    horizon: int | None = None,
    clean: tuple[Cleaning, ...] = (),
) -> Forecasting:
    args = TrainArgs(
        task="forecasting",
        label="y",
        roles=named,
        horizon=horizon,
        family=family,
        metric="rmse",
        trials=1,
        seconds=9,
        clean=clean,
    )
    return Forecasting(args, at.train, at.validation)


def trained(at: Opened, family: Family = "ridge", *, named: Columns = ROLES, **params: Any) -> Model:
    on = learner(at, family, named=named)
    chosen = {name: choice.grid[0] for name, choice in on.space().items()} | params
    return Model(on.fit(chosen), on.card(chosen), "digest")


def asking(*, horizon: int | None = None, named: Columns = ROLES, predict: str | None = None) -> EvaluateArgs:
    measures = tuple(Measure(metric=m) for m in ALL)
    return EvaluateArgs(task="forecasting", label="y", roles=named, horizon=horizon, measures=measures, predict=predict)


def judged(model: Model, at: Opened, args: EvaluateArgs | None = None) -> Forecasts:
    made = RECIPE.answer(args or asking(), Told(prediction=[], model=model), at)
    assert isinstance(made, Forecasts)
    return made


def value(answer: Any, metric: str = "rmse") -> float:
    found = answer.value(Measure(metric=metric))
    assert isinstance(found, float)
    return found


@pytest.mark.parametrize("family", SUITED)
def test_every_family_beats_the_seasonal_naive_forecast_on_a_week_with_a_trend(family: Family) -> None:
    at = opened(shops(days=240, seed=1), train=170, validation=35)
    made, naive = judged(trained(at, family), at), RECIPE.baseline(asking(), at)
    assert value(made) < 0.85 * value(naive)
    assert value(made) > 0.8  # noise of 1 cannot be foreseen


@pytest.mark.parametrize("family", ["exponential_smoothing", "ridge"])
def test_without_noise_the_forecast_is_the_truth(family: Family) -> None:
    at = opened(shops(noise=0.0))
    made = judged(trained(at, family, **({"alpha": 1e-3} if family == "ridge" else {"trend": "additive"})), at)
    assert value(made, "mae") < 0.05


def test_the_naive_forecast_is_what_was_seen_a_season_before_every_origin() -> None:
    rows = shops()
    at = opened(rows)
    table = pl.DataFrame(RECIPE.baseline(asking(horizon=6), at).columns())
    seen = {(r["shop"], r["day"]): r["y"] for r in rows}
    for row in table.iter_rows(named=True):
        source = rows[row["row"]]
        origin = date.fromisoformat(row["origin"])
        assert source["day"] == origin + timedelta(days=row["step"])
        assert source["y"] == row["label"]
        assert source["shop"] == row["series"]
        assert row["prediction"] == seen[row["series"], source["day"] - timedelta(days=7)]


def test_every_step_of_the_holdout_is_forecast_and_every_horizon_equally_often() -> None:
    at = opened(shops())
    table = pl.DataFrame(judged(trained(at), at).columns())
    assert set(table["row"]) == set(at.holdout.rows)
    assert table.group_by("step").len()["len"].n_unique() == 1
    assert table["step"].max() == 6  # a third of 20 days, less than a week
    assert table.group_by("series").agg(pl.col("origin").n_unique())["origin"].to_list() == [5, 5]


def test_the_numbers_are_those_of_the_evidence_computed_again() -> None:
    at = opened(shops())
    made = judged(trained(at), at)
    table = pl.DataFrame(made.columns())
    y, p = table["label"].to_numpy(), table["prediction"].to_numpy()
    assert value(made) == pytest.approx(np.sqrt(np.mean((y - p) ** 2)))
    assert value(made, "mae") == pytest.approx(np.mean(np.abs(y - p)))
    assert value(made, "mape") == pytest.approx(metrics.mean_absolute_percentage_error(y, p))
    assert value(made, "smape") == pytest.approx(np.mean(2 * np.abs(y - p) / (np.abs(y) + np.abs(p))))
    assert value(made, "r2") == pytest.approx(metrics.r2_score(y, p))
    steps = made.section()["forecast"]["error_by_step"]  # type: ignore[index]
    third = table.filter(pl.col("step") == 3)
    assert steps[2]["mae"] == pytest.approx((third["label"] - third["prediction"]).abs().mean())


@pytest.mark.parametrize("metric", ALL)
def test_a_resample_is_what_taking_its_units_gives(metric: str) -> None:
    at = opened(shops())
    made = judged(trained(at), at)
    drawn = made.resampled(Measure(metric=metric), resamples=200, seed=3)
    units = np.random.default_rng(3).integers(0, made.units, size=(200, made.units))
    again = [value(made.take(u), metric) for u in units]
    assert drawn == pytest.approx(np.array(again))


def test_one_unit_says_nothing_of_its_own_chance() -> None:
    at = opened(shops(names=("north",)))
    made = judged(trained(at), at, asking(horizon=20))
    assert made.units == 1
    assert np.isnan(made.resampled(RMSE, resamples=50, seed=0)).all()
    assert "one origin only" in " ".join(made.notes())


def asked(values: Sequence[np.ndarray[Any, Any]], origin: int, horizon: int) -> Ahead:
    return Ahead(
        keys=tuple(f"s{i}" for i in range(len(values))),
        values=tuple(values),
        positions=(0,) * len(values),
        series=np.arange(len(values)),
        origin=np.full(len(values), origin),
        horizon=horizon,
        known=np.empty((len(values), horizon, 0)),
    )


@pytest.mark.parametrize("trend", ["none", "additive", "damped"])
@pytest.mark.parametrize("season", [1, 4])
def test_smoothing_is_the_textbook_recursion(trend: Trend, season: int) -> None:
    rng = np.random.default_rng(1)
    values = 5 + 0.3 * np.arange(60) + np.tile([1.0, -2.0, 0.5, 0.5], 15) + rng.normal(size=60)
    rule = Smoothing(trend=trend, season=season, seed=0).fit({"s0": values[:50]})
    a, b, c, phi = rule.weights["s0"]
    level, slope, turn = rule._first(values[: max(3 * season, 10)])
    turn = turn.copy()
    for t, y in enumerate(values[:50]):
        error = y - (level + phi * slope + turn[t % season])
        level, slope = level + phi * slope + a * error, phi * slope + a * b * error
        turn[t % season] += c * (1 - a) * error
    expected, reach = [], 0.0
    for h in range(1, 9):
        reach += phi**h
        expected.append(level + reach * slope + turn[(50 + h - 1) % season])
    assert rule.forecast(asked([values], 50, 8))[0] == pytest.approx(expected)
    assert (trend == "none") == (b == 0)


@pytest.mark.parametrize("family", SUITED)
def test_nothing_after_an_origin_is_looked_at(family: Family) -> None:
    at = opened(shops(days=100, names=("north", "south", "late")), train=70, validation=20)
    model = trained(at, family)
    forecaster: Forecaster = model.estimator
    values = [np.asarray(v).copy() for v in forecaster.history.values()]
    for origin in (1, 5, 40, 88):
        ahead = replace(asked(values, origin, 5), keys=tuple(forecaster.history))
        wild = tuple(np.concatenate([v[:origin], np.full(len(v) - origin, 1e6)]) for v in values)
        before, after = forecaster.forecast(ahead), forecaster.forecast(replace(ahead, values=wild))
        assert before.tolist() == after.tolist()


@pytest.mark.parametrize("family", ["exponential_smoothing", "ridge", "gradient_boosting"])
def test_clipped_outliers_lead_a_forecast_less_astray(family: Family) -> None:
    """A wild value before the origin, where training had none."""
    at = opened(shops(days=120, names=("north",)), train=90, validation=20)
    moved = {}
    for clean in ((), ("clip_outliers",)):
        on = learner(at, family, clean=clean)
        rule = on.fit({name: choice.grid[0] for name, choice in on.space().items()}).rule
        calm = np.array([r["y"] for r in shops(days=120, names=("north",))])
        wild = calm.copy()
        wild[108] += 300
        ahead = [replace(asked([v], 110, 5), keys=("north",)) for v in (calm, wild)]
        before, after = (rule.forecast(a) for a in ahead)
        moved[clean] = float(np.abs(after - before).max())
    assert moved["clip_outliers",] < 0.5 * moved[()]


def test_training_sees_no_value_of_the_validation_part() -> None:
    rows = shops()
    wild = [r if r["day"] < START + timedelta(days=80) else {**r, "y": 1e6} for r in rows]  # type: ignore[operator]
    for family in SUITED:
        models = [trained(opened(r), family).estimator for r in (rows, wild)]
        values = [np.arange(30.0)]
        first, second = (m.rule.forecast(asked(values, 25, 3)).tolist() for m in models)
        assert first == second


def served(model: Model, day: date | datetime | str | None, shop: str | None = "north", **more: object) -> float:
    when = day.isoformat() if isinstance(day, date) else day
    columns: dict[str, list[object]] = {"day": [when], "shop": [shop]} | {n: [v] for n, v in more.items()}
    return float(model.predict({i.name: columns[i.name] for i in model.metadata.inputs})[0])


@pytest.mark.parametrize("family", SUITED)
def test_the_endpoint_answers_the_first_step_as_it_was_measured(family: Family) -> None:
    at = opened([{**r, "offer": float(i % 3 == 0), "kind": "ab"[i % 2]} for i, r in enumerate(shops())])
    model = trained(at, family)
    table = pl.DataFrame(judged(model, at).columns())
    told = model.predict(endpoint_columns(at.holdout.features, model.metadata.inputs))
    place = {row: i for i, row in enumerate(at.holdout.rows)}
    first = table.filter(pl.col("origin") == "2024-04-09")
    assert len(first) == 12
    assert [told[place[r]] for r in first["row"]] == pytest.approx(first["prediction"].to_list(), rel=1e-9)


def test_within_its_history_the_endpoint_forecasts_one_step() -> None:
    at = opened(shops())
    model = trained(at, "exponential_smoothing")
    forecaster: Forecaster = model.estimator
    day = START + timedelta(days=60)
    ahead = replace(asked([forecaster.history["north"]], 60, 1), keys=("north",))
    assert served(model, day) == forecaster.rule.forecast(ahead)[0, 0]


def test_a_row_without_a_time_is_the_next_step_and_a_series_that_is_not_known_gets_the_mean() -> None:
    at = opened(shops())
    model = trained(at)
    assert served(model, None) == served(model, START + timedelta(days=100))
    mean = at.train.label.mean()
    assert served(model, START, shop="nowhere") == pytest.approx(mean)
    assert served(model, None, shop=None) == pytest.approx(mean)


def test_times_that_cannot_be_answered_are_named_all_at_once() -> None:
    model = trained(opened(shops()))
    days = ["2023-12-31", "2024-02-01T06:00:00", "2031-01-01", "2024-02-01"]
    with pytest.raises(Invalid) as error:
        model.predict({"day": days, "shop": ["north"] * 4})
    text = str(error.value)
    assert len(error.value.faults) == 3
    assert "row 0: time 2023-12-31 lies before series 'north' begins: ask from 2024-01-01 on" in text
    assert "row 1: time 2024-02-01T06:00:00 is not on a step of series 'north': they come every 1 day" in text
    assert "row 2: time 2031-01-01 lies more than 500 steps behind the end" in text


def test_a_far_time_is_the_end_of_the_same_recursion() -> None:
    model = trained(opened(shops()))
    days = [(START + timedelta(days=100 + h)).isoformat() for h in range(30)]
    whole = model.predict({"day": days, "shop": ["south"] * 30})
    assert served(model, START + timedelta(days=129), "south") == pytest.approx(whole[-1])


def times(*moments: object, values: Sequence[float] | None = None, kind: Any = "time") -> tuple[Any, Any, Any]:
    inputs = (Input(name="t", datatype="BYTES" if kind == "time" else "FP64", kind=kind),)
    column = [m.isoformat() if isinstance(m, date) else m for m in moments]
    target = np.arange(len(column), dtype=float) if values is None else np.array(values)
    return matrix({"t": column}, inputs, lowercase=False), target, roles(inputs, Columns(time="t"))


def months(first: date, count: int, every: int = 1, *, last: bool = False) -> list[date]:
    made = []
    for i in range(count):
        number = first.month - 1 + i * every
        start = date(first.year + number // 12, number % 12 + 1, 1)
        after = date(start.year + start.month // 12, start.month % 12 + 1, 1)
        made.append(after - timedelta(days=1) if last else start.replace(day=first.day))
    return made


def working(count: int) -> list[date]:
    days = (START + timedelta(days=i) for i in range(count * 2))
    return [d for d in days if d.weekday() < 5][:count]


NOON = datetime(2024, 1, 1)


@pytest.mark.parametrize(
    ("moments", "step", "season"),
    [
        ([START + timedelta(days=i) for i in range(30)], "1 day", 7),
        ([START + timedelta(days=7 * i) for i in range(120)], "7 days", 52),
        ([START + timedelta(days=7 * i) for i in range(60)], "7 days", 1),
        (months(START, 30), "1 month", 12),
        (months(START, 30, last=True), "1 month", 12),
        (months(START, 12, every=3), "3 months", 4),
        (months(START, 12, every=12), "12 months", 1),
        (working(40), "1 weekday (Monday to Friday)", 5),
        ([NOON + timedelta(hours=i) for i in range(100)], "1 hour", 24),
        ([NOON + timedelta(minutes=15 * i) for i in range(300)], "15 minutes", 96),
    ],
)
def test_the_step_and_its_season_are_found(moments: list[date], step: str, season: int) -> None:
    found = panel(*times(*moments))
    assert str(found.calendar) == step
    assert found.gaps == 0
    assert season_of(found.calendar, [s.values for s in found.series]) == season


def test_the_season_of_numbered_steps_is_what_they_repeat_after() -> None:
    rng = np.random.default_rng(0)
    wave = np.tile([0.0, 4.0, 9.0, 2.0, -5.0, 1.0], 30)
    for values, season in ((wave + rng.normal(size=180), 6), (rng.normal(size=180), 1), (np.ones(180), 1)):
        found = panel(*times(*range(180), values=values, kind="integer"))
        assert season_of(found.calendar, [s.values for s in found.series]) == season


def test_gaps_are_filled_from_before_and_told() -> None:
    assert filled(np.array([1.0, 2.0, np.nan, np.nan, 5.0, np.nan]), 2).tolist() == [1, 2, 1, 2, 5, 2]
    assert filled(np.array([1.0, np.nan]), 7).tolist() == [1, 1]
    rows = [r for i, r in enumerate(shops()) if i % 11 != 5]
    at = opened(rows)
    for family in SUITED:
        made = judged(trained(at, family), at)
        assert made.section()["forecast"]["gaps"] == 240 - len(rows)  # type: ignore[index]
        assert value(made) < 3


@pytest.mark.parametrize(
    ("moments", "message"),
    [
        ([START, START, START + timedelta(days=1)], "1 times stand more than once, the first is 2024-01-01"),
        (
            [START + timedelta(days=5 + i * i) for i in range(12)],
            "there are rows for 12 of 122 steps of 1 day from 2024-01-06 to 2024-05-06",
        ),
        (
            [NOON, NOON + timedelta(hours=1), NOON + timedelta(hours=2), NOON + timedelta(hours=2.4)],
            "1 of 4 times are not on the regular step of 1 hour, the first is 2024-01-01T02:24:00",
        ),
        ([*(NOON + timedelta(seconds=i) for i in range(9)), datetime(9999, 1, 1)], "to 9999-01-01; correct the times"),
        ([START], "no series has two times"),
        ([None, None], "no row has a time and a value"),
    ],
)
def test_times_that_are_no_regular_series_are_named(moments: list[Any], message: str) -> None:
    with pytest.raises(BadInput) as error:
        panel(*times(*moments))
    assert message in str(error.value)


def test_a_series_that_is_at_fault_is_named_and_of_many_the_first() -> None:
    rows = [
        {**r, "day": START} if r["shop"] != "a" and i % 50 == 7 else r for i, r in enumerate(shops(50, "abcdefghi"))
    ]
    with pytest.raises(BadInput) as error:
        learner(opened(rows, train=30, validation=10))
    assert "1 times of series 'b' stand more than once" in str(error.value)
    assert "3 more series are at fault" in str(error.value)


Spoil = Callable[[list[Row]], list[Row]]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (Columns(group="shop"), "time column: is not named; name the column that holds the time"),
        (Columns(time="dai", group="shop"), "did you mean 'day'?"),
        (Columns(time="shop"), "time column 'shop': holds no times"),
        (Columns(time="day"), "stand more than once"),
    ],
)
def test_roles_that_do_not_fit_the_columns_are_named(named: Columns, message: str) -> None:
    with pytest.raises(BadInput) as error:
        learner(opened(shops()), named=named)
    assert message in str(error.value)


def test_a_family_for_rows_is_refused_with_those_for_series() -> None:
    with pytest.raises(BadInput, match="use one of exponential_smoothing, linear_regression, ridge"):
        learner(opened(shops()), "svm")


def test_a_holdout_shorter_than_the_horizon_is_refused_with_the_way_out() -> None:
    at = opened(shops())
    with pytest.raises(BadInput, match="is 25 steps, and 20 are held out; ask for at most 20"):
        judged(trained(at), at, asking(horizon=25))


def test_rows_that_are_held_out_before_others_are_refused() -> None:
    at = opened(shops())
    swapped = Opened(
        train=at.train,
        validation=Part(at.holdout.features.with_columns(at.holdout.label), "y", "v"),
        holdout=Holdout(
            at.validation.features.with_columns(at.validation.label, pl.Series("row", range(40))), "y", "h"
        ),
    )
    with pytest.raises(BadInput, match="split by time"):
        RECIPE.baseline(asking(), swapped)


@pytest.mark.parametrize("family", SUITED)
def test_a_constant_series_is_forecast_as_it_is(family: Family) -> None:
    at = opened([{**r, "y": 4.0} for r in shops()])
    made = judged(trained(at, family), at)
    assert value(made, "mae") == pytest.approx(0.0, abs=1e-9)
    assert value(made, "r2") == 1.0
    assert np.isnan(made.resampled(Measure(metric="r2"), resamples=10, seed=0)).all()


@pytest.mark.parametrize("family", SUITED)
def test_series_of_three_points_are_forecast(family: Family) -> None:
    rows = [{"day": START + timedelta(days=t), "shop": "x", "y": float(t)} for t in range(3)]
    at = opened(rows, train=1, validation=1)
    with pytest.raises(BadInput, match="no series has two times"):
        learner(at, family)
    rows = [{"day": START + timedelta(days=t), "shop": s, "y": float(t)} for s in "xyz" for t in range(4)]
    at = opened(rows, train=2, validation=1)
    assert np.isfinite(value(judged(trained(at, family), at)))


@pytest.mark.parametrize("family", SUITED)
def test_a_series_that_training_never_saw_is_forecast_from_what_the_holdout_shows_and_told(family: Family) -> None:
    new = [r for r in shops(names=("north", "south", "new")) if r["shop"] != "new" or r["day"] >= date(2024, 4, 12)]  # type: ignore[operator]
    at = opened(new)
    made = judged(trained(at, family), at)
    table = pl.DataFrame(made.columns()).filter(pl.col("series") == "new")
    cold = table.filter(pl.col("origin") == "")
    assert cold["prediction"].unique().to_list() == [pytest.approx(at.train.label.mean())]
    assert "1 series of the holdout are not in training ('new')" in " ".join(made.notes())
    warm = table.filter(pl.col("origin") > "2024-04-14")
    assert (warm["label"] - warm["prediction"]).abs().mean() < 15  # the mean of all is 30 away


def test_missing_values_are_gaps_and_counted() -> None:
    rows = [{**r, "y": None} if i % 17 == 3 else r for i, r in enumerate(shops())]
    at = opened(rows)
    made = judged(trained(at), at)
    forecast: Any = made.section()["forecast"]
    assert forecast["rows_without_time_or_value"] == sum(r["y"] is None for r in rows)
    assert np.isfinite(made.labels).all()


def test_zero_and_negative_values_have_every_metric_and_a_warning_of_mape() -> None:
    rows = [{**r, "y": float(t % 7 - 3)} for t, r in enumerate(shops(names=("north",)))]
    at = opened(rows)
    made = judged(trained(at, "exponential_smoothing", trend="none"), at)
    assert all(np.isfinite(value(made, m)) for m in ALL)
    assert "true values are 0, where mape is not defined" in " ".join(made.notes())


def test_what_is_known_in_advance_helps_and_is_told() -> None:
    rng = np.random.default_rng(5)
    offers = rng.integers(0, 2, size=240)
    rows = [{**r, "offer": bool(o), "y": r["y"] + 30 * o} for r, o in zip(shops(), offers, strict=True)]  # type: ignore[operator]
    at = opened(rows)
    made = judged(trained(at, "gradient_boosting"), at)
    blind = judged(trained(at, "exponential_smoothing"), at)
    assert value(made) < 0.5 * value(blind)
    assert made.notes()[0] == "taken as known in advance, for every step that is forecast: 'offer'"
    assert [i.name for i in trained(at, "exponential_smoothing").metadata.inputs] == ["day", "shop"]


def test_what_is_measured_on_the_day_itself_is_not_known_in_advance_and_is_told() -> None:
    rng = np.random.default_rng(6)
    guests = rng.normal(100, 20, size=240)
    size = {"north": 3.5, "south": 7.25}
    rows = [
        {**r, "guests": float(g), "floor": size.get(str(r["shop"]), 1.0), "y": 3.0 * float(g)}
        for r, g in zip(shops(), guests, strict=True)
    ]
    at = opened(rows)
    model = trained(at, "gradient_boosting")
    assert [i.name for i in model.metadata.inputs] == ["day", "shop", "floor"]
    made = judged(model, at)
    assert "left out of the forecast, since a value is not known when it is made: 'guests'" in made.notes()
    assert value(made) > 20


def test_a_column_that_is_empty_after_training_is_not_used() -> None:
    rows = [{**r, "later": 1.0 if r["day"] < date(2024, 3, 1) else None} for r in shops()]  # type: ignore[operator]
    assert [i.name for i in trained(opened(rows)).metadata.inputs] == ["day", "shop"]


def test_a_predict_command_is_judged_on_what_it_said_of_all_rows_at_once() -> None:
    at = opened(shops())
    args = asking(predict="predict")
    made = RECIPE.answer(args, Told(prediction=[float(i) for i in range(40)]), at)
    assert isinstance(made, Forecasts)
    table = pl.DataFrame(made.columns()).sort("row")
    assert table["row"].to_list() == at.holdout.rows.to_list()
    assert table["prediction"].to_list() == [float(i) for i in range(40)]
    assert made.units == RECIPE.baseline(args, at).units == 8


def test_a_model_on_a_table_of_its_own_goes_on_from_its_history() -> None:
    at = opened(shops())
    model = trained(at)
    nothing = Part(at.train.features.with_columns(at.train.label).clear(), "y", "")
    alone = Opened(train=nothing, validation=nothing, holdout=at.holdout)
    assert judged(model, alone).predicted == pytest.approx(judged(model, at).predicted)


def test_numbers_may_be_times_and_series() -> None:
    rows = [{"day": r["day"], "tick": i % 120, "shop": 1 + i // 120, "y": r["y"]} for i, r in enumerate(shops())]
    at = opened(rows)
    bare = [p.features.drop("day") for p in (at.train, at.validation)]
    parts = [Part(f.with_columns(p.label), "y", "d") for f, p in zip(bare, (at.train, at.validation), strict=True)]
    holdout = Holdout(at.holdout.features.drop("day").with_columns(at.holdout.label, at.holdout.rows), "y", "h")
    numbered = Opened(train=parts[0], validation=parts[1], holdout=holdout)
    named = Columns(time="tick", group="shop")
    model = trained(numbered, named=named)
    made = judged(model, numbered, asking(named=named))
    assert made.keys == ("1", "2")
    assert made.facts["season"] == 7
    assert made.origins[0] == "99"
    assert value(made) < 1.3


def test_the_search_varies_trend_season_and_lags() -> None:
    at = opened(shops())
    assert set(learner(at, "exponential_smoothing").space()) == {"trend", "season"}
    space = learner(at).space()
    assert set(space) == {"lags", "alpha"}
    assert space["lags"].grid == (7, 14, 3)


def test_a_share_of_the_training_rows_is_their_end() -> None:
    at = opened(shops())
    on = learner(at)
    params = {name: choice.grid[0] for name, choice in on.space().items()}
    early = [{**r, "y": -1e5} if r["day"] < START + timedelta(days=15) else r for r in shops()]  # type: ignore[operator]
    other = learner(opened(early))
    values = [np.arange(40.0)]
    first, second = (o.fit(params, 0.5).rule.forecast(asked(values, 40, 4)).tolist() for o in (on, other))
    assert first == second


def test_the_seasonal_naive_forecast_of_a_short_history_is_the_last_value() -> None:
    values = [np.array([3.0, np.nan, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0])]
    assert SeasonalNaive(7).forecast(asked(values, 2, 3))[0].tolist() == [3.0, 3.0, 3.0]
    assert SeasonalNaive(2).forecast(asked(values, 3, 3))[0].tolist() == [3.0, 5.0, 3.0]
