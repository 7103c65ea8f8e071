"""From a model's text to a record: everything wrong with it at once, and nothing believed that is not in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from agent.brain.llm.client.reading import MOST_CHARACTERS, NotJson, loads, read
from tools.record import Record


class Inner(Record):
    size: float = Field(gt=0)


class Thing(Record):
    name: str
    count: int = 1
    inner: Inner | None = None


GOOD = '{"name": "a", "count": null, "inner": {"size": 2}}'
THING = Thing(name="a", inner=Inner(size=2.0))


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\n  {GOOD}\n",
        f"\ufeff{GOOD}",
        f"```json\n{GOOD}\n```",
        f"Sure! Here {{it}} is: {GOOD} Anything else?",
        f"It's {{ an open brace. {GOOD}",
        f"<think>maybe {GOOD.replace('2', '3')}</think>{GOOD}",
        f"{GOOD}\n\nHope that helps.",
        f"{GOOD} {GOOD}",
    ],
)
def test_the_only_object_that_fits_is_the_answer(text: str) -> None:
    assert read(text, Thing) == (THING, ())


def test_two_different_objects_that_fit_are_a_fault() -> None:
    other = GOOD.replace('"a"', '"b"')
    assert read(f"{GOOD} or {other}", Thing) == (None, ("the answer holds several JSON objects that fit: write one",))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("<think>hm</think>", "is empty"),
        ("I cannot.", "is not JSON"),
        ("[1, 2]", "the answer"),
        (f"[{GOOD}]", "the answer"),
        ("null", "the answer"),
        ('{"name": "a", "name": "b"}', "has the key 'name' twice"),
        ('{"name": "a", "inner": {"size": NaN}}', "holds NaN"),
        ('{"name": "a", "inner": {"size": -Infinity}}', "holds -Infinity"),
        ('{"name": "a", "inner": {"size": 1e999}}', "holds Infinity|inner"),
        ('{"name": "a", "count": ' + "9" * 5000 + "}", "too long"),
        ("[" * 100_000, "nested deeper"),
        ('{"a":' * 20_000, "nested deeper"),
        ("x" * (MOST_CHARACTERS + 1), "longer than"),
        ('{"name": "\\ud800"}', "surrogate"),
        ('{"name": "a", "count": "1"}', "count"),
        ('{"name": "a", "count": true}', "count"),
        ('{"name": "a", "count": 1.5}', "count"),
        ('{"name": "a"', "is not JSON"),
    ],
)
def test_whatever_is_no_answer_is_one_fault_in_words(text: str, fault: str) -> None:
    record, faults = read(text, Thing)
    assert record is None
    assert any(word in faults[0] for word in fault.split("|")), faults


def test_all_faults_are_told_at_once_with_their_paths() -> None:
    text = '{"count": 1.5, "inner": {"size": -1, "colour": "red"}, "other": 0}'
    assert read(text, Thing)[1] == (
        "name: is missing",
        "count: must be a valid integer",
        "inner.size: must be greater than 0",
        "inner.colour: is no field that is known",
        "other: is no field that is known",
    )


def test_faults_stay_short_and_few_whatever_the_answer_is_named() -> None:
    text = json.dumps({"name": "a"} | {f"{n}{'k' * 1000}": n for n in range(200)})
    faults = read(text, Thing)[1]
    assert len(faults) == 20
    assert max(map(len, faults)) <= 240


@given(st.text(max_size=200))
def test_no_text_does_more_than_have_faults(text: str) -> None:
    record, faults = read(text, Thing)
    assert (record is None) == bool(faults)


BRANCHES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3),
    max_leaves=6,
)


@given(BRANCHES)
def test_json_of_any_shape_is_the_record_or_has_faults(value: object) -> None:
    record, faults = read(json.dumps({"name": value, "inner": value}), Thing)
    assert (record is None) == bool(faults)


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False) | st.text()))
def test_sound_json_is_loaded_as_it_is(value: dict[str, object]) -> None:
    assert loads(json.dumps(value)) == value


def test_brackets_inside_strings_are_no_depth() -> None:
    assert loads(json.dumps({"a": "[" * 1000})) == {"a": "[" * 1000}
    with pytest.raises(NotJson, match="deeper"):
        loads('{"a":' + "[" * 1000 + "]" * 1000 + "}")
