"""Random answers: whatever a schema allows, and nothing else; the same for the same seed."""

from __future__ import annotations

import json
from random import Random

import jsonschema
import pytest

from evals.model_server import schemas
from evals.model_server.values import HOSTILE, Drawing, words_in

TREE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "kind": {"type": "string", "enum": ["leaf", "branch"]},
        "size": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "count": {"type": ["integer", "null"]},
        "sure": {"type": "boolean"},
        "version": {"type": "integer", "const": 1},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
        "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
    },
    "required": ["name", "kind", "size", "count", "sure", "version", "parts", "next"],
    "additionalProperties": False,
    "$defs": {
        "Part": {
            "type": "object",
            "properties": {"of": {"type": "array", "items": {"$ref": "#/$defs/Part"}}, "says": {"type": "string"}},
            "required": ["of", "says"],
            "additionalProperties": False,
        }
    },
}


def test_the_schema_of_these_tests_is_a_strict_one() -> None:
    assert list(schemas.faults(TREE)) == []


@pytest.mark.parametrize("seed", range(40))
def test_what_is_drawn_is_what_the_schema_allows_and_ends(seed: int) -> None:
    drawn = Drawing(TREE, Random(seed), hostile=seed / 40).value()
    jsonschema.validate(drawn, TREE)
    assert len(json.dumps(drawn, allow_nan=False)) < 5_000_000


def test_the_same_seed_says_the_same() -> None:
    first, again, other = (Drawing(TREE, Random(seed)).value() for seed in (1, 1, 2))
    assert first == again != other


def test_hostile_and_plausible_values_both_come_up() -> None:
    drawn = [Drawing(TREE, Random(seed), words=("tumours",)).value() for seed in range(200)]
    names = {d["name"] for d in drawn}
    assert names & set(HOSTILE)
    assert "tumours" in names
    assert {d["kind"] for d in drawn} == {"leaf", "branch"}
    sizes = [d["size"] for d in drawn if d["size"] is not None]
    assert max(sizes) > 1e17
    assert any(0 < s <= 1 for s in sizes)


def test_words_of_a_prompt_are_taken_up_whole_and_once() -> None:
    assert words_in('Classify "own.csv", 准确率 90%，标签 own.csv') == ["Classify", "own.csv", "准确率", "90%", "标签"]


@pytest.mark.parametrize("seed", range(60))
def test_a_changed_value_is_another_one_that_the_schema_allows(seed: int) -> None:
    value = Drawing(TREE, Random(1)).value()
    kept = json.dumps(value)
    drawing = Drawing(TREE, Random(seed), hostile=0.5)
    for times in (0, 1, 4):
        jsonschema.validate(drawing.changed(value, times), TREE)
    assert json.dumps(value) == kept
    assert drawing.changed(value, 0) == value
    assert any(drawing.changed(value, 4) != value for _ in range(5))
