"""What must hold of labels and columns, and what a person is told of them."""

from __future__ import annotations

import polars as pl
import pytest

from tools.recipes.data import checks, profile
from tools.recipes.records import Split, Task


def label(values: list[object]) -> pl.Series:
    return pl.Series("y", values, strict=False)


@pytest.mark.parametrize(
    ("values", "task", "says"),
    [
        ([], "classification", "no rows"),
        ([None] * 30, "classification", "missing in every row"),
        (["a"] * 30, "classification", "is 'a' in every row"),
        ([f"id{i}" for i in range(30)], "classification", "30 distinct values in 30 rows"),
        ([i / 7 for i in range(100)] * 1 + [0.0], "classification", "distinct values"),
        (["a", "b"] * 5, "classification", "give at least 20"),
        ([3.0] * 30, "regression", "in every row"),
        ([*map(float, range(30)), float("nan"), float("inf")], "regression", "NaN or infinite, at row 30, 31"),
        ([*map(str, range(30)), "many"], "regression", "no numbers, the first 'many' at row 30"),
        ([*map(str, range(30)), "nan"], "regression", "NaN or infinite"),
        (["yes", "no"] * 20, "regression", "no numbers"),
    ],
)
def test_labels_that_cannot_be_learnt_are_named(values: list[object], task: Task, says: str) -> None:
    assert any(says in str(f) for f in checks.label_faults(label(values), task, complete=True))


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b", None] * 20, "classification"),
        ([0, 1] * 20, "classification"),
        ([True, False] * 20, "classification"),
        ([1.5, 2.5, None] * 20, "regression"),
        (["1.5", "", "NA", "3"] * 20, "regression"),
    ],
)
def test_labels_that_can_be_learnt_pass(values: list[object], task: Task) -> None:
    assert checks.label_faults(label(values), task, complete=True) == []


def test_a_sample_is_not_blamed_for_what_more_rows_may_bring() -> None:
    assert checks.label_faults(label(["a"] * 10), "classification", complete=False) == []
    assert checks.label_faults(label([f"id{i}" for i in range(30)]), "classification", complete=False)


def test_an_absent_label_suggests_its_neighbours() -> None:
    assert "did you mean 'Churned'" in str(checks.label_name_faults(["age", "Churned"], "churn")[0])
    assert "'收入', '违约'" in str(checks.label_name_faults(["收入", "违约"], "label")[0])


def test_columns_that_cannot_be_used_are_all_named() -> None:
    frame = pl.DataFrame({"y": [1, 2], "tags": [["a"], ["b"]], "raw": [b"1", b"2"], "x": [1, 2]})
    faults = [str(f) for f in checks.column_faults(frame, label="y", drop=["z", "y"])]
    assert len(faults) == 4
    assert checks.column_faults(frame, label="y", drop=["tags", "raw"]) == []
    assert "no feature" in str(checks.column_faults(frame.select("y", "x"), label="y", drop=["x"])[0])


@pytest.mark.parametrize(
    ("split", "says"),
    [
        (Split(by="group"), "names no column"),
        (Split(by="group", column="who"), "no column of the data"),
        (Split(by="group", column="pair"), "has 2 values"),
        (Split(by="time", column="name"), "not times"),
        (Split(by="time", column="day", at="soon"), "no ISO date"),
        (Split(by="time", column="n", at="2024-01-01"), "holds numbers"),
    ],
)
def test_a_split_that_cannot_part_the_rows_is_named(split: Split, says: str) -> None:
    frame = pl.DataFrame({"pair": [1, 2] * 5, "name": list("abcdefghij"), "n": range(10)}).with_columns(
        day=pl.date(2024, 1, 1)
    )
    assert says in str(checks.split_faults(frame, split, complete=True)[0])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["0", "1", "1", "1"], "1"),
        (["no", "yes", "yes"], "yes"),
        (["False", "True", "True"], "True"),
        (["malignant", "benign", "benign"], "malignant"),
        (["a", "b"], "b"),
        (["a", "b", "c"], None),
    ],
)
def test_the_positive_class_is_the_affirmed_or_the_rarer_one(names: list[str], expected: str | None) -> None:
    series = pl.Series(names)
    assert profile.positive_class(series, profile.class_order(series)) == expected


def test_classes_have_one_order_as_numbers_or_as_text() -> None:
    assert profile.class_order(pl.Series(["10", "9", "1", None])) == ("1", "9", "10")
    assert profile.class_order(pl.Series(["b", "是", "a"])) == ("a", "b", "是")


def test_features_that_give_the_label_away_are_found() -> None:
    names = pl.Series("y", ["yes", "no"] * 50)
    features = pl.DataFrame(
        {
            "same": ["Y", "N"] * 50,
            "above": [100.0 + i if i % 2 else float(i) / 100 for i in range(100)],
            "chance": [(i * 37 % 11) for i in range(100)],
            "id": range(100),
        }
    )
    assert profile.leaks(features, names, "classification") == ["same", "above"]
    numbers = pl.Series("y", [float(i * i % 17) for i in range(100)])
    scaled = pl.DataFrame({"scaled": numbers * 3 + 1, "other": range(100)})
    assert profile.leaks(scaled, numbers, "regression") == ["scaled"]


def test_classes_that_are_spelled_in_several_ways_are_named() -> None:
    names = pl.Series("y", ["Yes", "yes ", "no", "no"] * 10)
    (told,) = profile.findings_of_classes(names, profile.class_order(names))
    assert told.startswith("classes 'Yes', 'yes ' differ in case or spaces alone")


def test_groups_that_the_holdout_does_not_share_give_nothing_away() -> None:
    features = pl.DataFrame({"patient": [f"p{i // 8}" for i in range(80)]})
    label = pl.Series("y", [i // 8 % 2 for i in range(80)])
    others = pl.DataFrame({"patient": [f"q{i}" for i in range(9)]})
    assert profile.leaks(features, label, "classification", judged_on=features[:9]) == ["patient"]
    assert profile.leaks(features, label, "classification", judged_on=others) == []
    above = pl.DataFrame({"late": range(80)})
    sorted_label = pl.Series("y", [i // 40 for i in range(80)])
    assert profile.leaks(above, sorted_label, "classification", judged_on=above[:0]) == ["late"]


def test_a_task_without_a_label_needs_none() -> None:
    for task in ("clustering", "recommendation"):
        assert checks.label_name_faults(["a"], None, task) == []
    assert checks.label_name_faults(["a"], None, "forecasting")
    assert checks.label_faults(label([None] * 30), "clustering", complete=True) == []
    assert checks.label_faults(label([1] * 30), "recommendation", complete=True) == []
    assert checks.label_faults(label(["often"] * 30), "recommendation", complete=True)


def test_bytes_are_features_of_images_alone() -> None:
    frame = pl.DataFrame({"image": [b"x"], "y": ["a"]})
    assert checks.column_faults(frame, label="y", drop=(), task="image-classification") == []
    assert "holds bytes" in str(checks.column_faults(frame, label="y", drop=(), task="classification")[0])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([None] * 200, "is empty"),
        ([" ", "NA"] * 100, "is empty"),
        ([1.0, 2.0] + [None] * 198, "nearly empty"),
        ([float(i % 7) for i in range(199)] + [1e6], "'c' (1 rows)"),
        ([str(i % 9) for i in range(195)] + ["about 3"] * 5, "5 of 200 values are no numbers"),
        ([f"u{i}" for i in range(200)], "identifier"),
        ([i * 3 % 200 for i in range(200)], "identifier"),
    ],
)
def test_columns_that_deserve_a_word_get_one(values: list[object], says: str) -> None:
    (found,) = profile.findings_of_features(pl.DataFrame({"c": pl.Series(values, strict=False)}))
    assert says in found


@pytest.mark.parametrize(
    "values",
    [
        [f"this is sentence number {i}" for i in range(200)],
        ["x" * 60 + str(i) for i in range(200)],
        [i / 7 for i in range(200)],
        [i * i * 1000 for i in range(200)],
        [0.0] * 150 + [5.0] * 50,
        ["a", "1"] * 100,
    ],
)
def test_ordinary_columns_get_none(values: list[object]) -> None:
    assert profile.findings_of_features(pl.DataFrame({"c": values})) == []


def test_short_texts_are_no_identifiers_in_chinese_either() -> None:
    told = pl.DataFrame({"zh": [f"账单{i}太高" for i in range(60)], "en": [f"invoice {i} is wrong" for i in range(60)]})
    assert profile.findings_of_features(told) == []
    named = pl.DataFrame({"name": [f"王{chr(0x4E00 + i)}" for i in range(60)]})
    assert "looks like an identifier" in profile.findings_of_features(named)[0]


def test_columns_without_news_and_columns_that_name_rows_are_reported() -> None:
    features = pl.DataFrame({"k": [1.0] * 60, "n": range(60), "who": [f"u{i}" for i in range(60)], "x": [0, 1] * 30})
    found = profile.findings_of_features(features)
    assert [f.split("'")[1] for f in found] == ["k", "n", "who"]
