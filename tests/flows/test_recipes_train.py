"""Training: every family on both tasks, the same model from the same inputs, validation and nothing else."""

from __future__ import annotations

import base64
import io
import json
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from recipe_shop import Shop, column, one, read, write
from sklearn.metrics import accuracy_score, root_mean_squared_error

from evals.data import generate
from tools.digest import digest
from tools.recipes import parts, train
from tools.recipes.card import CARD_FILE, MODEL_FILE
from tools.recipes.faults import BadInput
from tools.recipes.learners import table
from tools.recipes.models.families import SUITED
from tools.recipes.models.model import load
from tools.recipes.parts import endpoint_columns, read_part
from tools.recipes.records import Family, Measure, PrepareArgs, TrainArgs


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("churn")
    shop = Shop(folder / "shop")
    source = write(folder / "churn.csv", generate.churn(400, seed=1))
    shop.prepare(PrepareArgs(tables=one(source), task="classification", label="churned"))
    return shop


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("houses")
    shop = Shop(folder / "shop")
    source = write(folder / "houses.csv", generate.houses(300, seed=1))
    shop.prepare(PrepareArgs(tables=one(source), task="regression", label="price"))
    return shop


def classify(family: Family = "logistic_regression", **changes: object) -> TrainArgs:
    given = {"task": "classification", "label": "churned", "metric": "accuracy", "trials": 3, "seconds": 60.0}
    return TrainArgs.model_validate(given | {"family": family} | changes)


def predict_price(family: Family, **changes: object) -> TrainArgs:
    given = {"task": "regression", "label": "price", "metric": "rmse", "trials": 3, "seconds": 60.0}
    return TrainArgs.model_validate(given | {"family": family} | changes)


@pytest.mark.parametrize("family", SUITED["classification"])
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


@pytest.mark.parametrize("family", SUITED["regression"])
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
    for shop in (churn, other):
        shop.train(args)
    for file in (MODEL_FILE, CARD_FILE):  # not the reference, which holds what the model answers on validation
        assert (other.trained / "model" / file).read_bytes() == (churn.trained / "model" / file).read_bytes()


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
    made = shop.prepare(PrepareArgs(tables=one(source), task="classification", label="churned", seed=4))
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
    shop.prepare(PrepareArgs(tables=one(source), task="classification", label="churned"))
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
        ({"family": "kmeans"}, "is not for classification; use one of logistic_regression"),
        ({"metric": "silhouette"}, "is not measured for classification"),
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


def test_where_a_fit_is_costly_bad_trials_end_on_a_share_of_the_rows(churn: Shop, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    rng = np.random.default_rng(0)
    columns = {f"x{i}": rng.normal(size=500) for i in range(260)}
    label = np.where(columns["x0"] + columns["x1"] + rng.normal(size=500) > 0, "yes", "no")
    shop.lay(pl.DataFrame(columns | {"churned": label}), train=400, validation=80)
    args = classify("svm", trials=8, seed=2)
    on = table.learner(args, *(read_part(shop.data / name, "churned") for name in (parts.TRAIN, parts.VALIDATION)))
    assert train.costly(on)
    first, second = shop.train(args), shop.train(args)
    assert 0 < first.pruned < first.trials
    assert len(first.history) == first.trials
    assert first.model_copy(update={"seconds": 0.0}) == second.model_copy(update={"seconds": 0.0})
    small = classify("logistic_regression", trials=2)
    assert churn.train(small).pruned == 0


def test_a_share_holds_rows_of_every_class(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    rows = [{"x": float(i % 7), "churned": "rare" if i in (90, 150) else ("no", "yes")[i % 2]} for i in range(220)]
    shop.lay(pl.DataFrame(rows), train=180, validation=20)
    args = classify("svm")
    on = table.learner(args, *(read_part(shop.data / name, "churned") for name in (parts.TRAIN, parts.VALIDATION)))
    assert len(on.fit({"C": 1.0}, 0.05)[-1].classes_) == 3
    assert len(on.fit({"C": 1.0})[-1].classes_) == 3


def test_many_classes_of_few_rows_have_a_shorter_curve(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    rows = [{"x": float(i % 20), "churned": f"class {i % 20}"} for i in range(100)]
    shop.lay(pl.DataFrame(rows), train=60, validation=40)
    assert [n for n, _ in shop.train(classify("svm")).curve] == [45, 60]


def test_a_class_with_a_single_row_is_named_where_a_family_cannot_have_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    rows = [{"x": float(i % 7), "churned": "rare" if i == 90 else ("no", "yes")[i % 2]} for i in range(220)]
    shop.lay(pl.DataFrame(rows), train=180, validation=20)
    with pytest.raises(BadInput, match="a class with a single training row"):
        shop.train(classify("svm"))
    assert shop.train(classify("knn")).value is not None


CHINESE = {
    "好": ("很好用", "非常满意", "质量不错"),
    "差": ("太差了", "不推荐", "要退货"),
    "中": ("一般般", "还可以", "凑合用"),
}
ENGLISH = {"good": ("works well", "very happy", "great"), "bad": ("broke at once", "awful", "send it back")}
ABOUT = ("手机", "包装", "客服", "屏幕", "the parcel", "the screen", "battery life")


def reviews(words: Mapping[str, Sequence[str]], rows: int = 150) -> pl.DataFrame:
    rng = random.Random(0)
    said = []
    for _ in range(rows):
        label = rng.choice(sorted(words))
        text = f"{' and '.join(rng.sample(ABOUT, 2))} {rng.choice(words[label])}"
        said.append(
            {
                "review": text,
                "stars": rng.choice([None, 1.0, 5.0]),
                "city": rng.choice(["京", "York", None]),
                "y": label,
            }
        )
    return pl.DataFrame(said)


def read_texts(family: Family = "logistic_regression", **changes: object) -> TrainArgs:
    given = {"task": "text-classification", "label": "y", "metric": "accuracy", "trials": 2, "seconds": 60.0}
    return TrainArgs.model_validate(given | {"family": family} | changes)


@pytest.mark.parametrize("words", [CHINESE, ENGLISH], ids=["zh", "en"])
@pytest.mark.parametrize("family", SUITED["text-classification"])
def test_texts_are_told_apart_in_either_language(
    tmp_path: Path, words: dict[str, Sequence[str]], family: Family
) -> None:
    shop = Shop(tmp_path / "shop")
    shop.lay(reviews(words), train=100, validation=30)
    made = shop.train(read_texts(family))
    assert made.value is not None
    assert made.baseline is not None
    assert made.value > max(0.8, made.baseline) or family == "knn"
    model = load(shop.trained)
    assert {i.name: i.kind for i in model.metadata.inputs} == {"review": "text", "stars": "number", "city": "category"}
    part = read_part(shop.data / parts.VALIDATION, "y")
    told = model.predict(endpoint_columns(part.features, model.metadata.inputs))
    assert made.value == accuracy_score(part.label.to_list(), told)
    unseen: dict[str, list[Any]] = {"review": [None, "", "☃" * 3, "\n \n"], "stars": [None, 1e300, -5.0, 0.0]}
    unseen["city"] = ["?", None, "x", "京"]
    assert set(model.predict(unseen)) <= set(words)


def test_texts_that_share_no_term_still_make_a_model(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    rows = [{"text": chr(0x4E00 + i), "y": "ab"[i % 2]} for i in range(60)]
    shop.lay(pl.DataFrame(rows), train=40, validation=10)
    assert shop.train(read_texts()).value is not None
    shop.lay(pl.DataFrame([{"text": "", "y": "ab"[i % 2]} for i in range(60)]), train=40, validation=10)
    assert shop.train(read_texts()).value is not None


def test_a_table_without_text_is_no_text_classification(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    shop.lay(pl.DataFrame({"x": range(60), "y": ["a", "b"] * 30}), train=40, validation=10)
    with pytest.raises(BadInput, match="no column of text"):
        shop.train(read_texts())
    shop.lay(reviews(ENGLISH), train=100, validation=30)
    with pytest.raises(BadInput, match="use one of logistic_regression, random_forest, decision_tree"):
        shop.train(read_texts("gradient_boosting"))


def picture(seed: int, kind: str, form: str = "PNG", size: int = 20) -> bytes:
    """Noise, bright above or on the left."""
    pixels = np.random.default_rng(seed).integers(0, 120, (size, size, 3)).astype(np.uint8)
    pixels[: size // 2 if kind == "above" else size, : size // 2 if kind == "left" else size] += 100
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


def pictures(rows: int = 120) -> pl.DataFrame:
    kinds = [("above", "left")[i % 2] for i in range(rows)]
    forms = ("PNG", "JPEG", "BMP")
    return pl.DataFrame({"image": [picture(i, k, forms[i % 3]) for i, k in enumerate(kinds)], "y": kinds})


def see(family: Family = "logistic_regression", **changes: object) -> TrainArgs:
    given = {"task": "image-classification", "label": "y", "metric": "accuracy", "trials": 1, "seconds": 60.0}
    return TrainArgs.model_validate(given | {"family": family} | changes)


@pytest.mark.parametrize("family", ["logistic_regression", "svm", "random_forest", "knn", "mlp", "naive_bayes"])
def test_pictures_are_told_apart_and_asked_for_as_base64(tmp_path: Path, family: Family) -> None:
    shop = Shop(tmp_path / "shop")
    shop.lay(pictures(), train=80, validation=20)
    made = shop.train(see(family))
    assert made.value == 1.0
    model = load(shop.trained)
    assert [(i.name, i.datatype, i.kind) for i in model.metadata.inputs] == [("image", "BYTES", "image")]
    sent = [base64.b64encode(picture(999, kind, size=35)).decode() for kind in ("left", "above")]
    assert model.predict({"image": [*sent, None]})[:2] == ["left", "above"]


def test_a_picture_that_cannot_be_opened_is_named_before_anything_is_learnt(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    rows = pictures()
    broken = [b"no picture" if i in (3, 90) else cell for i, cell in enumerate(rows["image"])]
    shop.lay(rows.with_columns(image=pl.Series(broken)), train=80, validation=20)
    with pytest.raises(BadInput) as refused:
        shop.train(see())
    assert [f.place for f in refused.value.found] == [
        "column 'image', training row 3",
        "column 'image', validation row 10",
    ]
    with pytest.raises(BadInput, match="ask for image classification"):
        shop.train(see(task="classification"))


def test_a_table_of_pixels_is_a_set_of_images_too(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop")
    shop.prepare(PrepareArgs(tables=one("sklearn:digits", "bundled"), task="image-classification", label=None))
    made = shop.train(see(label="target", family="knn"))
    assert made.value is not None
    assert made.value > 0.95
