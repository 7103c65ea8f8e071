"""Personal data are told by values and by names; the values themselves are never shown."""

from __future__ import annotations

import polars as pl
import pytest

from tools.recipes.data import personal


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("a", ["x@example.org", "none"], "e-mail"),
        ("note", ["write to bob.b+c@mail.example.co.uk please", *["fine"] * 50], "e-mail"),
        ("a", ["13812345678", "15912345678"], "phone"),
        ("a", [13812345678, 15912345678], "phone"),
        ("a", ["+49 170 1234567", "(030) 555-1234"], "phone"),
        ("a", ["11010519491231002X", "x"], "Chinese identity"),
        ("a", ["4111 1111 1111 1111", "5500005555555559"], "payment card"),
        ("a", [4111111111111111, 5500005555555559], "payment card"),
        ("a", ["GB82WEST12345698765432", "DE89 3704 0044 0532 0130 00"], "IBAN"),
        ("a", ["10.0.0.1", "2001:db8::1"], "IP addresses"),
        ("姓名", ["x"], "a person"),
        ("Customer Name", ["x"], "a person"),
        ("家庭住址", ["x"], "an address"),
        ("shipping_address", ["x"], "an address"),
        ("手机号", ["x"], "reach a person"),
        ("身份证号", [1], "document"),
    ],
)
def test_personal_data_is_named_by_its_column_alone(name: str, values: list[object], says: str) -> None:
    (told,) = personal.findings(pl.DataFrame({name: values, "other": [1] * len(values)}))
    assert repr(name) in told
    assert says in told
    assert not any(str(value) in told for value in values if len(str(value)) > 1)


@pytest.mark.parametrize(
    "values",
    [
        [110105194912310021, 110105199913310027],
        ["1.2", "3.4"],
        ["1234567890123456", "9876543210987654"],
        ["12:30", "2024-01-01"],
        [10_000_000_001, 20_000_000_002],
        ["DE00 3704 0044 0532 0130 00"],
        ["@home", "a@b"],
    ],
)
def test_what_only_looks_alike_is_not_named(values: list[object]) -> None:
    assert personal.findings(pl.DataFrame({"v": values})) == []


def test_one_hit_in_a_thousand_random_numbers_is_no_card() -> None:
    numbers = [4_000_000_000_000_000 + 7 * i for i in range(1000)]
    assert personal.findings(pl.DataFrame({"v": numbers})) == []


def test_long_texts_without_a_mark_cost_nothing_to_look_at() -> None:
    assert personal.findings(pl.DataFrame({"v": ["a." * 50_000 + "!", "DE89" + " a" * 50_000, "1" * 100_000]})) == []
