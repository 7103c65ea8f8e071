"""When two answers to one request say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.backends.local.router_compare import Likeness, likeness


def answer(data: list[Any], datatype: str = "BYTES", *, version: str = "v1", **more: Any) -> bytes:
    prediction = {"name": "prediction", "datatype": datatype, "shape": [len(data)], "data": data}
    outputs = [prediction, *({"name": name, "data": value} for name, value in more.items())]
    return json.dumps({"model_name": "m", "model_version": version, "outputs": outputs}).encode()


def test_the_same_class_agrees_whatever_the_version_its_probability_and_its_id_are() -> None:
    one, other = answer(["yes"], probability=[0.1, 0.9]), answer(["yes"], version="v2", probability=[0.4, 0.6])
    assert likeness(one, other) == Likeness(True)
    assert likeness(one, answer(["no"], version="v2")) == Likeness(False)
    assert likeness(answer(["yes", "no"]), answer(["yes"])) == Likeness(False)


@pytest.mark.parametrize(
    ("one", "other", "agrees", "apart"),
    [
        ([100.0], [101.0], True, 1.0),
        ([100.0], [102.0], False, 2.0),
        ([-100.0], [-99.5], True, 0.5),
        ([0.0], [0.0], True, 0.0),
        ([0.0], [0.001], False, 0.001),
        ([1.0, 10.0], [1.0, 12.0], False, 1.0),
        ([1, 2], [1.0, 2.0], True, 0.0),
    ],
)
def test_numbers_agree_within_one_percent_and_their_distance_is_the_mean_over_the_rows(
    one: list[float], other: list[float], agrees: bool, apart: float
) -> None:
    assert likeness(answer(one, "FP64"), answer(other, "FP64")) == Likeness(agrees, pytest.approx(apart))


def test_integers_are_ids_and_not_amounts() -> None:
    assert likeness(answer([1000], "INT64"), answer([1001], "INT64")) == Likeness(False)
    assert likeness(answer([1000], "INT64"), answer([1000], "INT64")) == Likeness(True)


@pytest.mark.parametrize(
    ("one", "other", "agrees"),
    [
        (b'{"outputs": [{"name": "s", "data": [1, 2.0]}]}', b'{"outputs": [{"name": "s", "data": [1, 2.01]}]}', True),
        (b'{"outputs": [{"name": "s", "data": [1.0]}]}', b'{"outputs": [{"name": "s", "data": [1.0, 2.0]}]}', False),
        (b'{"a": {"b": [true, null, "x"]}}', b'{"a": {"b": [true, null, "x"]}}', True),
        (b'{"a": true}', b'{"a": 1}', False),
        (b'{"a": 1}', b'{"b": 1}', False),
        (b'{"a": 1}', b"[1]", False),
        (b"plain", b"plain", True),
        (b"plain", b"other", False),
        (b"\xff\xfe", b"{}", False),
    ],
)
def test_what_is_no_prediction_is_compared_as_json(one: bytes, other: bytes, agrees: bool) -> None:
    assert likeness(one, other) == Likeness(agrees)


@pytest.mark.parametrize("odd", [[1e999], [10**400], ["1"], [None], [True], [], {"a": 1}, [[1.0]]])
def test_odd_numbers_never_count_as_a_distance(odd: Any) -> None:
    text = answer([1.0], "FP64").replace(b"[1.0]", json.dumps(odd).encode())
    assert likeness(answer([5.0], "FP64"), text).agreed is False
    assert likeness(text, text).difference in (None, 0.0)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["outputs", "name", "datatype", "data", "x"]), inner, max_size=4)
    ),
)


@given(JSON, JSON)
def test_whatever_is_answered_is_compared_and_never_raises(one: object, other: object) -> None:
    texts = [json.dumps(each).encode() for each in (one, other)]
    assert likeness(*texts).agreed == likeness(*reversed(texts)).agreed


def test_answers_nested_too_deeply_are_compared_as_bytes() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert likeness(deep, deep).agreed
    assert not likeness(deep, b"[]").agreed
