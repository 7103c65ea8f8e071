"""Training: every family on both tasks, the same model from the same inputs, validation and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from recipe_shop import Shop, column, read, write
from sklearn.metrics import accuracy_score, root_mean_squared_error

from evals.data import generate
from tools.digest import digest
from tools.recipes import parts
from tools.recipes.faults import BadInput
from tools.recipes.model import load
from tools.recipes.parts import endpoint_columns, read_part
from tools.recipes.records import Family, Measure, PrepareArgs, TrainArgs


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("churn")
    shop = Shop(folder / "shop")
    source = write(folder / "churn.csv", generate.churn(400, seed=1))
    shop.prepare(PrepareArgs(source=source, format="csv", task="classification", label="churned"))
    return shop


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("houses")
    shop = Shop(folder / "shop")
    source = write(folder / "houses.csv", generate.houses(300, seed=1))
    shop.prepare(PrepareArgs(source=source, format="csv", task="regression", label="price"))
    return shop


def classify(family: Family = "logistic_regression", **changes: object) -> TrainArgs:
    given = {"task": "classification", "label": "churned", "metric": "accuracy", "trials": 3, "seconds": 60.0}
    return TrainArgs.model_validate(given | {"family": family} | changes)


def predict_price(family: Family, **changes: object) -> TrainArgs:
    given = {"task": "regression", "label": "price", "metric": "rmse", "trials": 3, "seconds": 60.0}
    return TrainArgs.model_validate(given | {"family": family} | changes)


@pytest.mark.parametrize("family", ["logistic_regression", "random_forest", "gradient_boosting"])
def test_each_classifier_finds_what_is_in_the_data(churn: Shop, family: Family) -> None:
    made = churn.train(classify(family))
    assert made.value is not None
    assert made.baseline is not None
    assert made.value > made.baseline + 0.1
    part = read_part(churn.data / parts.VALIDATION, "churned")
    model = load(churn.trained)
    predicted = model.predict(endpoint_columns(part.features, model.metadata.inputs))
    assert made.value == accuracy_score(part.label.to_list(), predicted)
    assert made.digest == model.digest == digest(churn.trained / "model")
    assert made.data_digest == digest(churn.data / parts.TRAIN) == model.metadata.data_digest
    assert [n for n, _ in made.curve][-1] == len(churn.part(parts.TRAIN))
    assert made.curve[-1][1] == made.value


@pytest.mark.parametrize("family", ["linear_regression", "ridge", "lasso", "random_forest", "gradient_boosting"])
def test_each_regression_finds_what_is_in_the_data(houses: Shop, family: Family) -> None:
    made = houses.train(predict_price(family, measures=(Measure(metric="r2"),)))
    assert made.value is not None
    assert made.baseline is not None
    assert made.value < made.baseline / 2
    part = read_part(houses.data / parts.VALIDATION, "price")
    model = load(houses.trained)
    predicted = model.predict(endpoint_columns(part.features, model.metadata.inputs))
    assert made.value == root_mean_squared_error(part.label.to_list(), predicted)
    assert [m.metric for m in made.validation] == ["r2", "rmse"]
    assert made.history == tuple(sorted(made.history, reverse=True))
    if family in ("linear_regression", "ridge"):
        assert made.value < 13
        assert made.trials == (1 if family == "linear_regression" else 3)


@pytest.mark.parametrize("family", ["logistic_regression", "random_forest", "gradient_boosting"])
def test_the_same_inputs_give_the_same_model_to_the_byte(churn: Shop, tmp_path: Path, family: Family) -> None:
    again = Shop(tmp_path / "again")
    again.data = churn.data
    first, second = churn.train(classify(family, trials=2, seed=3)), again.train(classify(family, trials=2, seed=3))
    assert first.digest == second.digest
    assert first.model_copy(update={"seconds": 0.0}) == second.model_copy(update={"seconds": 0.0})


def test_nothing_but_the_two_open_parts_is_needed(churn: Shop, tmp_path: Path) -> None:
    alone = Shop(tmp_path / "alone")
    for name in (parts.TRAIN, parts.VALIDATION):
        os.link(churn.data / name, alone.data / name)
    assert alone.train(classify()).digest == churn.train(classify()).digest


def test_validation_rows_are_not_fitted_on(churn: Shop, tmp_path: Path) -> None:
    """Other validation features leave every trial's model as it was; only their scores change."""
    other = Shop(tmp_path / "other")
    os.link(churn.data / parts.TRAIN, other.data / parts.TRAIN)
    changed = churn.part(parts.VALIDATION)
    changed.with_columns(changed["tenure"] * 0 + 10**6, changed["contract"] + " new").write_parquet(
        other.data / parts.VALIDATION
    )
    args = classify(trials=1, clean=("clip_outliers", "scale", "impute"))
    assert other.train(args).digest == churn.train(args).digest


def test_the_card_says_what_an_endpoint_may_be_sent(churn: Shop) -> None:
    churn.train(classify())
    card = json.loads((churn.trained / "model" / "model.json").read_text(encoding="utf-8"))
    assert [(i["name"], i["datatype"], i["kind"]) for i in card["inputs"]] == [
        ("tenure", "INT64", "integer"),
        ("calls", "INT64", "integer"),
        ("spend", "FP64", "number"),
        ("contract", "BYTES", "category"),
        ("paperless", "INT64", "boolean"),
        ("joined", "BYTES", "time"),
    ]
    assert card["classes"] == ["no", "yes"]
    assert (card["task"], card["label"], card["positive"]) == ("classification", "churned", "yes")
    assert card["family"] == "logistic_regression"


def test_raw_values_of_the_source_file_can_be_sent(churn: Shop, tmp_path: Path) -> None:
    churn.train(classify())
    model = load(churn.trained)
    rows = read(churn.folder.parent / "churn.csv")[:5]
    sent = {i.name: column(rows, i.name) for i in model.metadata.inputs}
    names, probability = model.predict_rows(sent)
    assert set(names) <= {"no", "yes"}
    assert probability is not None
    assert all(sum(p) == pytest.approx(1.0) for p in probability)
    assert names == [("no", "yes")[p[1] > p[0]] for p in probability]
    one, _ = model.predict_rows({name: values[2:3] for name, values in sent.items()})
    assert one == names[2:3]


def test_missing_and_unseen_values_are_answered(churn: Shop) -> None:
    for family in ("logistic_regression", "random_forest", "gradient_boosting"):
        churn.train(classify(family, trials=1, clean=("drop_missing",)))
        model = load(churn.trained)
        nothing = {i.name: [None] for i in model.metadata.inputs}
        unseen = {i.name: ["never"] if i.kind == "category" else [None] for i in model.metadata.inputs}
        assert model.predict(nothing)[0] in ("no", "yes")
        assert model.predict(unseen)[0] in ("no", "yes")


def test_a_class_that_training_rows_lack_has_no_probability(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    rows = generate.churn(60, seed=1)
    rows[0]["churned"] = "maybe"
    source = write(tmp_path / "rare.csv", rows)
    made = shop.prepare(PrepareArgs(source=source, format="csv", task="classification", label="churned", seed=4))
    assert made.classes == ("maybe", "no", "yes")
    train = shop.part(parts.TRAIN)
    train.filter(train["churned"] != "maybe").write_parquet(shop.data / parts.TRAIN)
    shop.train(classify(classes=made.classes))
    model = load(shop.trained)
    probability = model.probability({i.name: [None] for i in model.metadata.inputs})
    assert probability is not None
    assert probability.shape == (1, 3)
    assert probability[0, 0] == 0.0


def test_lower_case_is_part_of_the_model(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    rows = [row | {"contract": str(row["contract"]).upper()} for row in generate.churn(200, seed=1)]
    source = write(tmp_path / "upper.csv", rows)
    shop.prepare(PrepareArgs(source=source, format="csv", task="classification", label="churned"))
    shop.train(classify(clean=("lowercase",), trials=1))
    model = load(shop.trained)
    sent = {i.name: [rows[0][i.name], rows[0][i.name]] for i in model.metadata.inputs}
    probability = model.probability(sent | {"contract": ["MONTH", "month"]})
    assert probability is not None
    assert (probability[0] == probability[1]).all()


def test_a_search_out_of_time_still_gives_a_model(churn: Shop) -> None:
    made = churn.train(classify(trials=1000, seconds=1e-6))
    assert made.trials == 1
    assert load(churn.trained).digest == made.digest


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"family": "ridge"}, "use one of logistic_regression"),
        ({"metric": "rmse"}, "is not measured for classification"),
        ({"metric": "f1", "metric_class": "perhaps"}, "no class of the data"),
        ({"label": "churn"}, "no prepared part"),
        ({"classes": ("a", "b")}, "none of the classes"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(churn: Shop, changes: dict[str, object], says: str) -> None:
    with pytest.raises(BadInput) as refused:
        churn.train(classify(**changes))  # type: ignore[arg-type]
    assert says in str(refused.value)
