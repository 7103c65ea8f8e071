"""Raw values to numbers: what the endpoint may send, and what was fitted on training rows only."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from tools.errors import Invalid
from tools.recipes.card import Input, Kind
from tools.recipes.models.encode import RawColumns, matrix


def column(name: str, kind: Kind) -> Input:
    return Input(name=name, datatype="BYTES" if kind in ("category", "time") else "FP64", kind=kind)


AGE, CITY = column("age", "number"), column("城市", "category")


def test_numbers_come_as_floats_with_gaps_as_nan() -> None:
    table = matrix({"age": [1, None, float("inf"), 2.5, -1e200]}, [AGE], lowercase=False)
    assert table.dtype == np.float64
    np.testing.assert_array_equal(table[:, 0], [1.0, np.nan, np.nan, 2.5, np.nan])


def test_numbers_as_text_are_read_and_missing_text_is_missing() -> None:
    table = matrix({"age": ["1.5", "NA", "", " 2 "]}, [AGE], lowercase=False)
    np.testing.assert_array_equal(table[:, 0], [1.5, np.nan, np.nan, 2.0])


def test_flags_are_understood_in_every_spelling() -> None:
    flag = column("paperless", "boolean")
    table = matrix({"paperless": [True, 0, "TRUE", "no", None]}, [flag], lowercase=False)
    np.testing.assert_array_equal(table[:, 0], [1.0, 0.0, 1.0, 0.0, np.nan])


def test_times_are_seconds_whatever_they_are_written_as() -> None:
    when = column("joined", "time")
    given = ["1970-01-02", date(1970, 1, 2), datetime(1970, 1, 2, tzinfo=UTC), 86400, "1970-01-02T08:00:00+08:00", None]
    table = matrix({"joined": given}, [when], lowercase=False)
    np.testing.assert_array_equal(table[:, 0], [86400.0] * 5 + [np.nan])
    months = matrix({"joined": ["1970-02", "1970-01-31"]}, [when], lowercase=False)
    np.testing.assert_array_equal(months[:, 0], [31 * 86400.0, 30 * 86400.0])


def test_text_is_trimmed_and_lowered_only_when_asked() -> None:
    given = {"城市": [" 北京 ", b"Paris", None, "?"]}
    assert matrix(given, [CITY], lowercase=False)[:, 0].tolist() == ["北京", "Paris", "", ""]
    assert matrix(given, [CITY], lowercase=True)[:, 0].tolist() == ["北京", "paris", "", ""]


def test_every_fault_of_the_columns_is_named() -> None:
    inputs = [AGE, CITY, column("joined", "time"), column("paperless", "boolean")]
    with pytest.raises(Invalid) as missing:
        matrix({"城市": ["a"], "paperless": [True, False]}, inputs, lowercase=False)
    assert len(missing.value.faults) == 3
    wrong = {"age": ["old"], "城市": ["a"], "joined": ["soon"], "paperless": ["perhaps"]}
    with pytest.raises(Invalid) as bad:
        matrix(wrong, inputs, lowercase=False)
    assert [f.split("'")[1] for f in bad.value.faults] == ["age", "joined", "paperless"]


def test_a_value_that_training_did_not_see_is_all_zeros() -> None:
    seen = matrix({"age": [1, 2, 3], "城市": ["北京", "上海", "北京"]}, [AGE, CITY], lowercase=False)
    encode = RawColumns(text=[1]).fit(seen)
    fresh = matrix({"age": [9, 9], "城市": ["北京", "广州"]}, [AGE, CITY], lowercase=False)
    np.testing.assert_array_equal(encode.transform(fresh), [[9.0, 0.0, 1.0], [9.0, 0.0, 0.0]])


def test_missing_text_is_a_value_of_its_own_when_training_had_it() -> None:
    seen = matrix({"城市": ["a", None, "a"]}, [CITY], lowercase=False)
    encode = RawColumns(text=[0]).fit(seen)
    np.testing.assert_array_equal(encode.transform(seen), [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])


def test_a_column_with_many_values_keeps_the_most_frequent() -> None:
    seen = matrix({"城市": ["a", "a", "a", "b", "b", "c", "d"]}, [CITY], lowercase=False)
    assert RawColumns(text=[0], most=2).fit(seen).values_ == [["a", "b"]]


def test_a_column_without_a_number_in_training_is_left_out() -> None:
    made = RawColumns().fit(np.array([[np.nan, 1.0], [np.nan, 2.0]]))
    np.testing.assert_array_equal(made.transform(np.array([[7.0, 3.0]])), [[3.0]])
    alone = RawColumns().fit(np.array([[np.nan], [np.nan]]))
    assert alone.transform(np.array([[1.0]])).shape == (1, 1)


def test_clipping_uses_the_bounds_of_the_rows_it_was_fitted_on() -> None:
    seen = matrix({"age": [float(i) for i in range(101)]}, [AGE], lowercase=False)
    encode = RawColumns(clip=True).fit(seen)
    fresh = matrix({"age": [1e9, -1e9, 50.0, None]}, [AGE], lowercase=False)
    np.testing.assert_allclose(encode.transform(fresh)[:, 0], [99.0, 1.0, 50.0, np.nan])
