"""Strict schemas of records: what a strict server takes, and the way back."""

from __future__ import annotations

import json
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from agent.brain.llm.client.reading import read_json
from agent.brain.llm.client.strict import faults, restored, schema_of
from agent.contract import Contract, Refusal
from tools.record import Json, Record


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Cat(Record):
    """What developers are told of cats."""

    kind: Literal["cat"]
    lives: int = Field(default=9, ge=1, le=9)


class Dog(Record):
    kind: Literal["dog"]
    name: str = Field(pattern="[A-Z].*", description="As it is called.")
    owner: str | None = None


class Zoo(Record):
    """All that a record can hold."""

    pets: tuple[Annotated[Cat | Dog, Field(discriminator="kind")], ...]
    labels: dict[str, str] = {}
    sizes: dict[str, tuple[float, ...]] | None = None
    pair: tuple[int, str] = (1, "one")
    colour: Colour = Colour.RED
    when: datetime | None = None
    where: Path = Path("/")
    limit: float | Literal["any"] = "any"
    child: Zoo | None = None
    must: int | None


SAMPLE: Json = {
    "pets": [{"kind": "cat", "lives": None}, {"kind": "dog", "name": "Rex", "owner": None}],
    "labels": [{"name": "a", "value": "1"}, {"name": "b", "value": "2"}],
    "sizes": [{"name": "x", "value": [1, 2.5]}],
    "pair": [2, "two"],
    "colour": None,
    "when": "2026-03-02T09:00:00Z",
    "where": None,
    "limit": 3,
    "child": None,
    "must": None,
}


def walk(node: Any) -> list[Json]:
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [*([node] if isinstance(node, dict) else []), *(each for value in below for each in walk(value))]


@pytest.mark.parametrize("record", [Zoo, Cat, Dog, Contract, Refusal])
def test_a_strict_server_has_nothing_against_the_schema_of_a_record(record: type[BaseModel]) -> None:
    assert faults(schema_of(record)) == ()


def test_constraints_defaults_and_what_classes_say_of_themselves_stay_at_home() -> None:
    said = json.dumps(schema_of(Zoo))
    gone = (
        "default",
        "title",
        "oneOf",
        "allOf",
        "pattern",
        "format",
        "minimum",
        "const",
        "discriminator",
        "developers",
    )
    assert not [word for word in gone if f'"{word}"' in said or (word == "developers" and word in said)]
    assert "As it is called." in said


def test_fields_keep_the_order_in_which_they_are_declared() -> None:
    assert list(schema_of(Zoo)["properties"]) == list(Zoo.model_fields) == schema_of(Zoo)["required"]


def test_an_optional_field_is_a_union_with_null_and_a_dictionary_a_list() -> None:
    fields = schema_of(Zoo)["properties"]
    assert {"type": "null"} in fields["where"]["anyOf"]
    entry = fields["labels"]["anyOf"][0]["items"]
    assert entry["required"] == ["name", "value"]
    assert entry["additionalProperties"] is False


def test_what_a_model_writes_by_the_schema_is_the_record_again() -> None:
    zoo, found = read_json(json.dumps(SAMPLE), Zoo)
    assert found == ()
    assert zoo == Zoo(
        pets=(Cat(kind="cat"), Dog(kind="dog", name="Rex")),
        labels={"a": "1", "b": "2"},
        sizes={"x": (1.0, 2.5)},
        pair=(2, "two"),
        when=datetime.fromisoformat("2026-03-02T09:00:00+00:00"),
        limit=3.0,
        must=None,
    )


def test_a_record_inside_itself_is_restored_at_every_depth() -> None:
    zoo, found = read_json(json.dumps(SAMPLE | {"child": SAMPLE | {"must": 4}}), Zoo)
    assert found == ()
    assert zoo is not None
    assert zoo.child is not None
    assert zoo.child.labels == {"a": "1", "b": "2"}
    assert zoo.child.must == 4


def test_a_name_that_stands_twice_in_a_dictionary_is_a_fault() -> None:
    twice = [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]
    assert read_json(json.dumps(SAMPLE | {"labels": twice}), Zoo) == (None, ("labels: the name 'a' stands twice",))


@pytest.mark.parametrize("labels", [[1], ["a"], [{"name": "a"}], [{"name": 1, "value": "x"}], [[]], 3, "a"])
def test_a_dictionary_that_is_none_is_a_fault_and_no_crash(labels: object) -> None:
    record, found = read_json(json.dumps(SAMPLE | {"labels": labels}), Zoo)
    assert record is None
    assert found[0].startswith("labels")


@pytest.mark.parametrize("value", [None, 1, "x", [], [[]], {}, {"pets": {}}, {"pets": [1, None, []]}, {"child": [{}]}])
def test_anything_else_passes_through_unharmed(value: object) -> None:
    assert restored(value, Zoo)[1] == ()


class Anything(Record):
    value: Any


class Loose(Record):
    arguments: dict[str, Any]


class Untold(BaseModel):
    model_config = {"extra": "allow"}


@pytest.mark.parametrize("record", [Anything, Loose])
def test_a_value_of_any_type_has_no_strict_schema(record: type[BaseModel]) -> None:
    with pytest.raises(ValueError, match="no strict schema"):
        schema_of(record)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda s: s["properties"].update(extra={"type": "string"}), "is not required"),
        (lambda s: s.update(additionalProperties=True), "is not closed"),
        (lambda s: s["properties"]["lives"].update(minimum=1), "minimum is not taken"),
        (lambda s: s["properties"].update(lives={}), "may be anything"),
        (lambda s: s["properties"].update(lives={"type": "array"}), "has no items"),
        (lambda s: s["properties"].update(lives={"$ref": "#/$defs/Nobody"}), "must stand alone and lead somewhere"),
        (lambda s: s.update(type="array"), "the root is no object"),
    ],
)
def test_the_checker_sees_what_a_strict_server_refuses(spoil: Any, fault: str) -> None:
    schema = json.loads(json.dumps(schema_of(Cat)))
    spoil(schema)
    assert any(fault in found for found in faults(schema))


def test_every_node_says_what_it_is() -> None:
    schema = schema_of(Contract)
    objects = [node for node in walk(schema) if node.get("type") == "object"]
    assert objects
    assert all(
        node["additionalProperties"] is False and node["required"] == list(node["properties"]) for node in objects
    )
