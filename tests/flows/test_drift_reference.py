"""The job that trains leaves a reference of what it was trained on: of the open parts alone, and always the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from recipe_shop import Shop

from tools.recipes import parts
from tools.recipes.models.model import load
from tools.recipes.records import Family, Task, TrainArgs
from tools.recipes.reference import REFERENCE_FILE, Reference, read


def rows(count: int, label: Callable[[float], object]) -> pl.DataFrame:
    chance = random.Random(4)
    x = [chance.gauss(0, 1) for _ in range(count)]
    colour = [chance.choice(["red", "blue", "green"]) for _ in range(count)]
    return pl.DataFrame({"x": x, "colour": colour, "y": [label(v) for v in x]})


def trained(folder: Path, frame: pl.DataFrame, *, task: Task, family: Family, metric: str) -> Path:
    shop = Shop(folder)
    held = frame.height // 5
    shop.lay(frame, train=frame.height - 2 * held, validation=held)
    shop.train(TrainArgs(task=task, label="y", family=family, metric=metric, trials=1, seconds=30.0))
    return shop.trained / "model"


def classifier(folder: Path, count: int = 500) -> Path:
    frame = rows(count, lambda v: "yes" if v > 0.5 else "no")
    return trained(folder, frame, task="classification", family="logistic_regression", metric="accuracy")


def reference(folder: Path) -> Reference:
    found = read(folder)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier(tmp_path_factory.mktemp("reference"))


def test_features_are_counted_on_the_training_part_and_predictions_on_validation(model: Path) -> None:
    found = reference(model)
    x, colour = found.features
    assert (x.name, sum(x.counts)) == ("x", 300)
    assert (colour.name, len(colour.levels), sum(colour.counts)) == ("colour", 3, 150)
    assert found.prediction is not None
    assert sum(found.prediction.counts) == 100
    assert found.prediction.counts[0] > found.prediction.counts[1] > 0


def test_the_holdout_is_not_in_it(model: Path, tmp_path: Path) -> None:
    frame = rows(500, lambda v: "yes" if v > 0.5 else "no")
    far = frame.with_row_index("row").with_columns(x=pl.when(pl.col("row") < 400).then("x").otherwise(1e6)).drop("row")
    other = trained(tmp_path, far, task="classification", family="logistic_regression", metric="accuracy")
    assert (other / REFERENCE_FILE).read_bytes() == (model / REFERENCE_FILE).read_bytes()


def test_it_is_part_of_the_model_and_always_the_same(model: Path, tmp_path: Path) -> None:
    assert load(classifier(tmp_path)).digest == load(model).digest


def test_it_holds_no_level_in_plain_text(model: Path) -> None:
    assert "green" not in (model / REFERENCE_FILE).read_text()


def test_numbers_that_are_predicted_are_watched_in_quantiles(tmp_path: Path) -> None:
    frame = rows(500, lambda v: 3 * v)
    found = reference(trained(tmp_path, frame, task="regression", family="ridge", metric="rmse")).prediction
    assert found is not None
    assert found.edges is not None
    assert sum(found.counts) == 100


def test_few_rows_leave_no_reference(tmp_path: Path) -> None:
    assert read(classifier(tmp_path, 70)) is None


def test_few_validation_rows_leave_the_predictions_unwatched(tmp_path: Path) -> None:
    assert reference(classifier(tmp_path, 120)).prediction is None


def test_validation_rows_stay_out_of_the_features(model: Path) -> None:
    train = parts.read_part(model.parents[1] / "data" / parts.TRAIN, "y").features
    x = reference(model).features[0]
    assert x.edges is not None
    assert (x.edges[0], x.edges[-1]) == (train["x"].min(), train["x"].max())
