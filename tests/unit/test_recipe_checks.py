"""What must hold of labels and columns, and what a person is told of them."""

from __future__ import annotations

import polars as pl
import pytest

from tools.recipes import checks, profile
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


def test_columns_without_news_and_columns_that_name_rows_are_reported() -> None:
    features = pl.DataFrame({"k": [1.0] * 60, "n": range(60), "who": [f"u{i}" for i in range(60)], "x": [0, 1] * 30})
    found = profile.findings_of_features(features)
    assert [f.split("'")[1] for f in found] == ["k", "n", "who"]
