"""Forecasting and clustering through the programs: prepare, train, evaluate, and the model as it is served."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from recipe_shop import Shop
from sklearn import metrics

from tools.errors import Refused
from tools.recipes import train as train_program
from tools.recipes.models import artefact, model
from tools.recipes.program import quiet
from tools.recipes.records import (
    Against,
    Columns,
    EvaluateArgs,
    Family,
    Inputs,
    Measure,
    PrepareArgs,
    Split,
    Table,
    TrainArgs,
)
from tools.recipes.serve import Service

ROLES = Columns(time="day", group="shop")
BASELINE = (Against(to="baseline", name="seasonal naive"),)
FORECASTS: tuple[Family, ...] = (
    "exponential_smoothing",
    "linear_regression",
    "ridge",
    "lasso",
    "random_forest",
    "gradient_boosting",
)


def sales(path: Path, days: int = 150) -> Path:
    rng = np.random.default_rng(0)
    week = np.array([0.0, 2.0, 5.0, 3.0, 8.0, 10.0, 1.0])
    rows = [
        {
            "shop": shop,
            "day": date(2024, 1, 1) + timedelta(days=t),
            "offer": int(rng.integers(0, 2)),
            "sold": 20 * (i + 1) + 0.1 * t + week[t % 7] + rng.normal(),
        }
        for t in range(days)
        for i, shop in enumerate(("north", "south"))
    ]
    pl.DataFrame(rows).write_csv(path)
    return path


def prepared(folder: Path) -> Shop:
    shop = Shop(folder / "shop")
    source = sales(folder / "sales.csv")
    shop.prepare(
        PrepareArgs(
            tables=(Table(name="sales.csv", source=str(source), format="csv"),),
            task="forecasting",
            label="sold",
            time="day",
            group="shop",
            split=Split(by="time", column="day"),
        )
    )
    return shop


def training(family: Family) -> TrainArgs:
    return TrainArgs(task="forecasting", label="sold", roles=ROLES, family=family, metric="mae", trials=2, seconds=30)


ASKED = EvaluateArgs(
    task="forecasting",
    label="sold",
    roles=ROLES,
    horizon=7,
    measures=(Measure(metric="mae"), Measure(metric="smape"), Measure(metric="custom:bias")),
    formulas={"bias": "mean(prediction - label)"},
    against=BASELINE,
)


@pytest.mark.parametrize("family", FORECASTS)
def test_a_forecast_is_prepared_trained_measured_and_served(tmp_path: Path, family: Family) -> None:
    shop = prepared(tmp_path)
    learnt = shop.train(training(family))
    assert learnt.value is not None
    assert learnt.baseline is not None
    found = shop.evaluate(ASKED)
    rows = shop.evidence()
    label, told = (np.array([float(r[c]) for r in rows]) for c in ("label", "prediction"))
    mae, smape, bias = (m.value for m in found.measured)
    assert mae == pytest.approx(metrics.mean_absolute_error(label, told))
    assert smape == pytest.approx(np.mean(2 * np.abs(label - told) / (np.abs(label) + np.abs(told))))
    assert bias == pytest.approx(np.mean(told - label))
    assert mae is not None
    assert found.compared[0].other is not None
    assert mae < 0.95 * found.compared[0].other
    source = pl.read_csv(tmp_path / "sales.csv")
    assert label.tolist() == [source["sold"][int(r["row"])] for r in rows]
    section = json.loads((shop.judged / "evaluation.json").read_text(encoding="utf-8"))["forecast"]
    assert (section["season"], section["horizon"]) == (7, 7)

    served = model.load(shop.trained)
    Service(model=served, name="sales", version="1").check()
    first = [r for r in rows if r["step"] == "1" and r["origin"] == min(r["origin"] for r in rows)]
    columns = {"day": [], "shop": [], "offer": []}  # type: ignore[var-annotated]
    for row in first:
        for name, values in columns.items():
            values.append(source[name][int(row["row"])])
    asked = {i.name: columns[i.name] for i in served.metadata.inputs}
    assert served.predict(asked) == pytest.approx([float(r["prediction"]) for r in first], rel=1e-9)


def test_equal_data_and_seed_give_equal_bytes(tmp_path: Path) -> None:
    shop = prepared(tmp_path)
    for family in ("exponential_smoothing", "ridge"):
        mounts, digests = {"data": str(shop.data)}, set()
        for name in ("one", "two"):
            out = tmp_path / f"{family}-{name}"
            out.mkdir()
            made = train_program.work(Inputs(args=training(family).model_dump(), mounts=mounts, out=str(out)), quiet)
            digests.add(made.digest)
        assert len(digests) == 1


def test_a_forecast_is_not_opened_as_another_family(tmp_path: Path) -> None:
    shop = prepared(tmp_path)
    shop.train(training("exponential_smoothing"))
    file = model.locate(shop.trained) / "model.skops"
    with pytest.raises(Refused, match=r"tools\.recipes\.forecasts\.smoothing\.Smoothing, which no ridge model holds"):
        artefact.load(file, "ridge")


def test_clusters_are_prepared_trained_measured_and_served(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    of = np.resize([0, 1, 0, 2, 0, 1, 0, 1, 0, 2], 300)
    at = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])[of] + rng.normal(size=(300, 2))
    frame = pl.DataFrame(
        {"income": 30_000 + 1000 * at[:, 0], "age": at[:, 1], "vip": [bool(i % 3) for i in range(300)]}
    )
    frame.write_csv(tmp_path / "customers.csv")
    shop = Shop(tmp_path / "shop")
    table = Table(name="customers.csv", source=str(tmp_path / "customers.csv"), format="csv")
    shop.prepare(PrepareArgs(tables=(table,), task="clustering", label=None))
    learnt = shop.train(
        TrainArgs(task="clustering", label=None, family="kmeans", metric="silhouette", trials=11, seconds=30)
    )
    measures = (Measure(metric="silhouette"),)
    found = shop.evaluate(EvaluateArgs(task="clustering", label=None, measures=measures, against=BASELINE))
    value, chance = found.measured[0].value, found.compared[0].other
    assert learnt.params["n_clusters"] in (3, 6)  # with the flag, or without it
    assert value is not None
    assert chance is not None
    assert value > 0.5 > 0.05 > chance
    rows = shop.evidence()
    assert value == pytest.approx(np.mean([float(r["silhouette"]) for r in rows]))
    served = model.load(shop.trained)
    Service(model=served, name="customers", version="1").check()
    source = pl.read_csv(tmp_path / "customers.csv")[[int(r["row"]) for r in rows]]
    told = served.predict({name: source[name].to_list() for name in source.columns})
    assert told == [r["prediction"] for r in rows]
