"""Strict JSON schemas: what structured outputs accept, and nothing else.

The strictest dialect there is among compatible services: also keywords that only newer services take are refused.
Source of the rules: OpenAI's guide to structured outputs, "Supported schemas".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

DEEPEST = 10
MOST_PROPERTIES = 5_000
MOST_ENUM_VALUES = 1_000
MANY_ENUM_VALUES = 250
"""Above so many values of one enumeration their texts together may have 15 000 characters."""
MANY_ENUM_CHARS = 15_000
MOST_CHARS = 120_000
"""Names of properties and definitions, values of enumerations and constants together."""
_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_ANYWHERE = frozenset({"title", "description", "type", "enum", "const", "anyOf", "$ref"})
_OF_TYPE = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items"}),
}
_AT_ROOT = frozenset({"$defs", "definitions", "$schema"})


@dataclass
class _Walk:
    """What has been seen of a schema so far."""

    root: dict[str, Any]
    properties: int = 0
    values: int = 0
    chars: int = 0


def faults(schema: object) -> Iterator[str]:
    """Why a strict schema is not accepted; nothing when it is."""
    if not isinstance(schema, dict):
        yield "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'."
        return
    if schema.get("type") != "object" or "anyOf" in schema or "$ref" in schema:
        yield f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{schema.get('type')}\"'."
        return
    walk = _Walk(root=schema)
    yield from _node(schema, (), 1, walk)
    for name, inner in _definitions(schema).items():
        walk.chars += len(name)
        yield from _node(inner, ("$defs", name), 1, walk)
    yield from _sizes(walk)


def _definitions(schema: dict[str, Any]) -> dict[str, Any]:
    found = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    return {str(name): inner for name, inner in found.items()}


def _sizes(walk: _Walk) -> Iterator[str]:
    for what, found, most in (
        ("object properties", walk.properties, MOST_PROPERTIES),
        ("enum values", walk.values, MOST_ENUM_VALUES),
        ("characters of names and values", walk.chars, MOST_CHARS),
    ):
        if found > most:
            yield f"schema has {found} {what}, and at most {most} are supported."


def _node(node: object, at: tuple[str, ...], depth: int, walk: _Walk) -> Iterator[str]:
    where = f"In context={at!r}, "
    if not isinstance(node, dict):
        yield f"{where}schema must be an object."
        return
    if depth > DEEPEST:
        yield f"{where}schema exceeds the {DEEPEST} levels of nesting that are supported."
        return
    if "$ref" in node:
        yield from (f"{where}{what}" for what in _ref(node, walk))
        return
    if "anyOf" in node:
        yield from _union(node, at, depth, walk)
        return
    types = node.get("type")
    named = tuple(types) if isinstance(types, list) else (types,)
    if not named or not all(isinstance(t, str) and t in _TYPES for t in named):
        yield f"{where}schema must have a 'type' key."
        return
    yield from (f"{where}{what}" for what in _keywords(node, named, at))
    yield from (f"{where}{what}" for what in _values(node, walk))
    if "object" in named:
        yield from _object(node, at, depth, walk)
    if "array" in named:
        if "items" not in node:
            yield f"{where}array schema missing items."
        else:
            yield from _node(node["items"], (*at, "items"), depth + 1, walk)


def _ref(node: dict[str, Any], walk: _Walk) -> Iterator[str]:
    if more := sorted(set(node) - {"$ref"}):
        yield f"$ref cannot have keywords {more}."
    target = node["$ref"]
    names = [f"#/{at}/{name}" for at in ("$defs", "definitions") for name in walk.root.get(at, {})]
    if target not in ("#", *names):
        yield f"reference {target!r} cannot be resolved."


def _union(node: dict[str, Any], at: tuple[str, ...], depth: int, walk: _Walk) -> Iterator[str]:
    if more := sorted(set(node) - {"anyOf", "title", "description"}):
        yield f"In context={at!r}, {more} is not permitted beside 'anyOf'."
    members = node["anyOf"]
    if not isinstance(members, list) or not members:
        yield f"In context={at!r}, 'anyOf' must be an array with members."
        return
    for number, member in enumerate(members):
        yield from _node(member, (*at, "anyOf", str(number)), depth, walk)


def _keywords(node: dict[str, Any], types: tuple[str, ...], at: tuple[str, ...]) -> Iterator[str]:
    known = _ANYWHERE.union(*(_OF_TYPE.get(t, frozenset()) for t in types), _AT_ROOT if at == () else ())
    for keyword in sorted(set(node) - known):
        yield f"'{keyword}' is not permitted."


def _values(node: dict[str, Any], walk: _Walk) -> Iterator[str]:
    if "const" in node:
        walk.chars += len(str(node["const"]))
    if "enum" not in node:
        return
    values = node["enum"]
    if not isinstance(values, list) or not values:
        yield "'enum' must be an array with values."
        return
    chars = sum(len(v) for v in values if isinstance(v, str))
    walk.values, walk.chars = walk.values + len(values), walk.chars + chars
    if len(values) > MANY_ENUM_VALUES and chars > MANY_ENUM_CHARS:
        yield f"enum of {len(values)} values has {chars} characters, and {MANY_ENUM_CHARS} are supported."


def _object(node: dict[str, Any], at: tuple[str, ...], depth: int, walk: _Walk) -> Iterator[str]:
    where = f"In context={at!r}, "
    properties, required = node.get("properties"), node.get("required")
    if node.get("additionalProperties") is not False:
        yield f"{where}'additionalProperties' is required to be supplied and to be false."
    if not isinstance(properties, dict):
        yield f"{where}object schema missing properties."
        return
    if not isinstance(required, list) or sorted(map(str, required)) != sorted(properties):
        yield (
            f"{where}'required' is required to be supplied and to be an array including every key in properties. "
            f"It differs in {sorted(set(properties) ^ set(map(str, required or ())))}."
        )
    walk.properties += len(properties)
    for name, inner in properties.items():
        walk.chars += len(name)
        yield from _node(inner, (*at, "properties", name), depth + 1, walk)
