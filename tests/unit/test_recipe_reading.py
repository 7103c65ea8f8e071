"""Text to columns: types, blank lines, Chinese, and every kind of text that cannot be read."""

from __future__ import annotations

from datetime import date
from typing import Literal

import polars as pl
import pytest

from tools.recipes.data.reading import MOST_COLUMNS, Opened, parse
from tools.recipes.faults import BadInput


def csv(text: str, label: str | None = None) -> Opened:
    return parse(text.encode(), "csv", place="data.csv", label=label)


def test_types_are_taken_from_the_whole_column() -> None:
    frame = csv("a,b,c,d,e\n1,1.5,x,true,2024-05-31\n2,2,y,false,2024-06-01\n").frame
    assert frame.dtypes == [pl.Int64, pl.Float64, pl.String, pl.Boolean, pl.Date]


def test_spaces_around_numbers_do_not_make_them_text() -> None:
    frame = csv("age, pay, town\n39, 77516, York\n50, ?, Leeds\n").frame
    assert frame.columns == ["age", " pay", " town"]
    assert frame[" pay"].to_list() == [77516, None]


@pytest.mark.parametrize(
    "text", ["2024-01-02 03:04:05", "2024-01-02T03:04:05", "2024-01-02T03:04", "2024-01-02T03:04:05Z"]
)
def test_instants_are_times_in_every_iso_form(text: str) -> None:
    frame = csv(f"t,y\n{text},1\n{text},2\n").frame
    assert frame.schema["t"].is_temporal()
    assert frame["t"].dt.day().to_list() == [2, 2]


def test_months_are_times_and_mean_their_first_day() -> None:
    frame = csv("month,y\n2024-11,1\n2024-12,2\n").frame
    assert frame["month"].to_list() == [date(2024, 11, 1), date(2024, 12, 1)]
    assert csv("part,y\n2024-13,1\n2024-01,2\n").frame.schema["part"] == pl.String


def test_the_label_keeps_its_spelling() -> None:
    assert csv("x,y\n1,01\n2,1.0\n3,\n", label="y").frame["y"].to_list() == ["01", "1.0", None]


def test_blank_lines_are_no_rows_unless_they_are_quoted() -> None:
    assert csv("a,b\n1,2\n\n3,4\n\n\n").frame["a"].to_list() == [1, 3]
    assert csv('a,b\n1,"x\n\ny"\n\n2,z\n').frame["b"].to_list() == ["x\n\ny", "z"]


def test_semicolons_and_a_byte_order_mark_are_understood() -> None:
    opened = parse("\ufeff姓名;年龄\n张三;30\n李四;40\n".encode(), "csv", place="data.csv", label=None)
    assert opened.frame.to_dict(as_series=False) == {"姓名": ["张三", "李四"], "年龄": [30, 40]}


def test_whole_numbers_beyond_64_bits_are_numbers_all_the_same() -> None:
    assert csv("a,b\n99999999999999999999,1\n2,1\n").frame["a"].dtype == pl.Float64


def test_names_that_repeat_or_are_absent_are_all_named() -> None:
    faults = [str(f) for f in csv("a,b,a,\n1,2,3,4\n").faults]
    assert len(faults) == 2
    assert "'a' is on columns 1, 3" in faults[0]
    assert "column 4" in faults[1]


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        ("csv", b"", "is empty"),
        ("csv", b" \n\n", "is empty"),
        ("csv", "a,b\n1,é\n".encode("latin-1"), "line 2: is not UTF-8"),
        ("csv", b"a,b\n1,2\n1,2,3\n4,5,6,7\n", "line 4: has 4 fields"),
        ("csv", b'a,b\n1,"x\n', "cannot be read as CSV"),
        ("jsonl", b'{"a": 1}\n{"a":\n', "line 2: is not JSON"),
        ("jsonl", b'[1]\n"x"\n', "line 2: is not a JSON object"),
        ("jsonl", '{"a": "\u4e2d"}'.encode("gb18030"), "is not UTF-8"),
        ("csv", "a,b\n1,2\n".encode("utf-16"), "is UTF-16"),
        ("csv", ",".join(f"c{i}" for i in range(MOST_COLUMNS + 1)).encode() + b"\n", "10001 columns; at most 10000"),
        ("csv", ",".join(f'"c,{i}"' for i in range(MOST_COLUMNS + 1)).encode() + b"\n", "10001 columns"),
        ("jsonl", "\n".join(f'{{"k{i}": 1}}' for i in range(MOST_COLUMNS + 5)).encode(), "names by line 10001"),
        ("jsonl", b'{"a": {"b": 1}}\n{"a": [2]}\n', "holds an object (line 1) and a list (line 2)"),
        ("jsonl", b'{"a": 1}\n{"a": true}\n', "holds a number (line 1) and a flag (line 2)"),
    ],
)
def test_text_that_cannot_be_read_is_refused_with_its_place(
    kind: Literal["csv", "jsonl"], data: bytes, says: str
) -> None:
    with pytest.raises(BadInput) as refused:
        parse(data, kind, place="data", label=None)
    assert says in str(refused.value)
    assert refused.value.cause == "data_invalid"


def test_text_in_json_stays_text_and_dates_in_it_are_dates() -> None:
    lines = b'{"zip": "01234", "day": "2024-01-02", "n": 1}\n\n{"zip": "9", "day": null, "n": 2.5}\n'
    frame = parse(lines, "jsonl", place="data", label=None).frame
    assert frame["zip"].to_list() == ["01234", "9"]
    assert frame.dtypes == [pl.String, pl.Date, pl.Float64]


def test_a_line_separator_inside_a_text_of_json_ends_no_line() -> None:
    frame = parse('{"a": "one\u2028two"}\n{"a": "three"}\n'.encode(), "jsonl", place="data", label=None).frame
    assert frame["a"].to_list() == ["one\u2028two", "three"]
