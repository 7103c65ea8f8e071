"""A plan's references and what its steps add up to."""

from __future__ import annotations

from typing import Any

import pytest
from given import plan, step
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.plan import Estimate, Range, ref, refs, resolve, total
from tools.record import Json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def taking(low: float | None, high: float | None, usd: float | None = 0.0) -> Estimate:
    return Estimate(usd=Range(low=0.0, high=usd), seconds=Range(low=low, high=high))


def test_references_are_found_wherever_they_stand() -> None:
    args = {"a": ref("x", "key"), "b": [1, {"c": (ref("y.z", "label"),)}], "d": {"$ref": "w.k", "more": 1}}
    assert list(refs(args)) == [("x", "key"), ("y.z", "label")]


def test_a_reference_is_replaced_by_the_field_or_by_the_whole_result() -> None:
    results = {"x": {"key": "k", "n": [1, 2]}}
    assert resolve({"a": ref("x", "n"), "b": [ref("x", "result")], "c": "plain"}, results) == {
        "a": [1, 2],
        "b": [{"key": "k", "n": [1, 2]}],
        "c": "plain",
    }


def test_a_reference_that_came_out_of_a_result_is_data_and_not_followed() -> None:
    results: dict[str, Json] = {"x": {"text": ref("y", "secret")}, "y": {"secret": "s"}}
    assert resolve({"a": ref("x", "text")}, results) == {"a": {"$ref": "y.secret"}}


@pytest.mark.parametrize("missing", [ref("nobody", "key"), ref("x", "nothing")])
def test_a_missing_result_is_an_error_and_never_an_empty_value(missing: dict[str, str]) -> None:
    with pytest.raises(KeyError):
        resolve({"a": missing}, {"x": {"key": 1}})


@given(JSON)
@settings(max_examples=60, deadline=None)
def test_resolving_changes_nothing_but_references(value: Any) -> None:
    whole = {"v": value, "r": ref("x", "key")}
    if {source for source, _ in refs(whole)} != {"x"}:
        return  # the value happens to be a reference itself
    assert resolve(whole, {"x": {"key": 7}}) == {"v": value, "r": 7}


def test_cost_adds_up_and_time_is_the_longest_path() -> None:
    steps = plan(
        step("a", estimate=taking(1, 2, usd=1.0)),
        step("b", needs=("a",), estimate=taking(10, 20, usd=2.0)),
        step("c", needs=("a",), estimate=taking(3, 40, usd=4.0)),
        step("d", needs=("b", "c"), estimate=taking(1, 1, usd=8.0)),
    ).steps
    assert total(steps) == Estimate(usd=Range(low=0.0, high=15.0), seconds=Range(low=12.0, high=43.0))


def test_what_is_not_known_stays_unknown_and_is_never_taken_for_nothing() -> None:
    steps = plan(step("a", estimate=taking(1, None, usd=None)), step("b", needs=("a",), estimate=taking(2, 5))).steps
    assert total(steps) == Estimate(usd=Range(low=0.0, high=None), seconds=Range(low=3.0, high=None))


def test_an_empty_plan_takes_nothing() -> None:
    assert total(()) == Estimate()


def test_a_negative_or_infinite_estimate_is_no_estimate() -> None:
    for bad in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="low"):
            Range(low=bad, high=1.0)
