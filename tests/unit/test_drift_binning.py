"""Bins: what a reference is made of, where served values fall, and which columns are not watched at all."""

from __future__ import annotations

import math
import random
from pathlib import Path

import polars as pl
import pytest

from tools.recipes.binning import Unbinnable, binned, placer
from tools.recipes.card import Card, Input
from tools.recipes.drift_reference import levels, numbers, reference, texts
from tools.recipes.reference import REFERENCE_FILE, Bins, Reference, read

HUNDRED = [float(k) for k in range(100)]


def card(*inputs: Input) -> Card:
    return Card(
        task="classification",
        label="y",
        answers="class",
        inputs=inputs,
        classes=("no", "yes"),
        family="logistic_regression",
        params={},
        data_digest="0" * 64,
    )


def test_numbers_fall_below_between_above_or_nowhere() -> None:
    bins = numbers("x", HUNDRED)
    assert bins.edges is not None
    assert len(bins.edges) == 11
    assert bins.counts[0] == bins.counts[-2] == bins.counts[-1] == 0
    assert sum(bins.counts) == 100
    assert binned(bins, [-1.0, 0.0, 99.0, 99.5, None, math.nan, 1e200, 5]) == [0, 1, 10, 11, 12, 12, 12, 1]


def test_a_number_that_never_changes_has_a_bin_of_its_own() -> None:
    bins = numbers("x", [7.0] * 60)
    assert binned(bins, [7.0]) != binned(bins, [7.1])
    assert binned(bins, [7.0]) != binned(bins, [6.9])


def test_a_flag_has_a_bin_for_either_side() -> None:
    bins = numbers("x", [0] * 80 + [1] * 20)
    zero, one = binned(bins, [0, 1])
    assert (bins.counts[zero], bins.counts[one]) == (80, 20)


@pytest.mark.parametrize("values", [[], [None] * 60, [math.nan] * 60])
def test_a_column_without_a_number_has_two_bins(values: list[object]) -> None:
    bins = numbers("x", values)
    assert binned(bins, [3.0, None]) == [0, 1]


@pytest.mark.parametrize("value", ["3", True, [1], {"a": 1}, b"x"])
def test_what_is_no_number_fits_no_bin(value: object) -> None:
    with pytest.raises(Unbinnable):
        placer(numbers("x", HUNDRED))(value)


@pytest.mark.parametrize("value", [3, 2.5, False, ["a"]])
def test_what_is_no_text_fits_no_bin(value: object) -> None:
    with pytest.raises(Unbinnable):
        placer(levels("x", ["a", "b"] * 40))(value)


def test_numbers_of_any_size_have_a_place() -> None:
    assert binned(numbers("x", HUNDRED), [10**400, -(10**400), 10**18, -5e-324]) == [12, 12, 11, 0]


def test_levels_are_chosen_on_other_rows_than_they_are_counted_on() -> None:
    chance = random.Random(1)
    values = [f"level {chance.randrange(100)}" for _ in range(400)]
    bins = levels("x", values)
    later = binned(bins, [f"level {chance.randrange(100)}" for _ in range(20_000)])
    expected = sum(place < len(bins.levels) for place in later) / len(later)
    found = sum(bins.counts[: len(bins.levels)]) / sum(bins.counts)
    assert found == pytest.approx(expected, abs=0.07), "counted on the rows that chose them it would be twice as much"


@pytest.mark.parametrize("values", [["a", "b"] * 60, ["a"] * 60 + ["b"] * 60, ["a", "b", "c"] * 40])
def test_rows_that_take_turns_are_chosen_and_counted_alike(values: list[str]) -> None:
    bins = levels("x", values)
    assert len(bins.levels) == len(set(values))
    assert min(bins.counts[: len(bins.levels)]) >= 10


def test_levels_are_missing_other_or_themselves_and_kept_as_digests() -> None:
    bins = levels("x", ["red", "blue"] * 3 * 40)
    assert "red" not in bins.model_dump_json()
    red, padded, green, nothing, empty = binned(bins, ["red", " red ", "green", None, "N/A"])
    assert red == padded
    assert green == len(bins.levels)
    assert nothing == empty == green + 1


def test_texts_are_watched_by_length_and_by_words_that_training_did_not_see() -> None:
    chance = random.Random(2)
    words = [f"word{k}" for k in range(50)]
    length, unseen = texts("t", [" ".join(chance.choices(words, k=10)) for _ in range(200)], lowercase=True)
    known, strange = " ".join(words[:10]), "totally other things are said here now by everyone around"
    assert binned(unseen, [known]) != binned(unseen, [strange])
    assert binned(length, [known]) != binned(length, [known * 30])
    assert binned(unseen, [known.upper()]) == binned(unseen, [known])


def test_chinese_is_read_by_its_characters() -> None:
    _, unseen = texts("t", ["今天天气很好我们去公园", "明天会下雨不要忘记带伞"] * 60, lowercase=False)
    assert binned(unseen, ["今天会下雨"]) != binned(unseen, ["系统故障请联络客服"])


@pytest.mark.parametrize(
    ("one", "column", "why"),
    [
        (Input(name="x", datatype="INT64", kind="integer"), pl.Series(range(100)), "counter"),
        (Input(name="x", datatype="BYTES", kind="category"), pl.Series([f"id{k}" for k in range(100)]), "unique"),
        (
            Input(name="x", datatype="BYTES", kind="time"),
            pl.Series([f"2026-01-{k % 28 + 1}" for k in range(100)]),
            "time",
        ),
    ],
)
def test_what_always_leaves_its_bins_is_not_watched(one: Input, column: pl.Series, why: str) -> None:
    made = reference(card(one), pl.DataFrame({"x": column}), prediction=None)
    assert dict(made.unwatched) == {"x": why}
    assert made.features == ()


def test_prose_in_a_column_of_categories_is_watched_as_a_text() -> None:
    prose = pl.Series([f"the customer number {k} wrote a rather long complaint" for k in range(100)])
    made = reference(
        card(Input(name="x", datatype="BYTES", kind="category")), pl.DataFrame({"x": prose}), prediction=None
    )
    assert [bins.of for bins in made.features] == ["length", "unseen"]


def test_a_very_wide_table_is_watched_in_part() -> None:
    names = [f"x{k}" for k in range(600)]
    inputs = [Input(name=name, datatype="FP64", kind="number") for name in names]
    frame = pl.DataFrame({name: HUNDRED for name in names})
    made = reference(card(*inputs), frame, prediction=None)
    assert len(made.features) < 500
    assert set(made.unwatched.values()) == {"too_many"}


def test_a_reference_survives_its_file(tmp_path: Path) -> None:
    made = Reference(features=(numbers("x", HUNDRED), levels("c", ["a", "b"] * 40)))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / REFERENCE_FILE).write_text(made.model_dump_json())
    assert read(tmp_path) == made
    assert read(tmp_path / "model") == made


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b'{"features": [{"name": "x", "edges": [2, 1], "counts": [0, 0, 0, 0]}]}',
        b" " * 5_000_000,
    ],
)
def test_a_file_that_is_no_reference_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / REFERENCE_FILE).write_bytes(content)
    assert read(tmp_path) is None


def test_bins_whose_counts_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2 counts for 4 bins"):
        Bins(name="x", edges=(0.0, 1.0), counts=(1, 2))
