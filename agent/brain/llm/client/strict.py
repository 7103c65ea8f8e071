"""The schema of a record as strict servers take it: closed objects, everything required, no constraint but shape.

What the schema cannot say (patterns, bounds, defaults) is checked afterwards, by the record itself. An optional field
is a union with null, a dictionary a list of `{name, value}`, a tuple an array; `restored` turns them back.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic import BaseModel

from tools.record import Json

KEYWORDS = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "$ref", "$defs", "description"}
)
"""All that a strict schema is made of."""
_NULL: Json = {"type": "null"}
_SCALARS = ("string", "number", "integer", "boolean", "null")


@cache
def schema_of(record: type[BaseModel]) -> Json:
    """The strict schema of a record, its fields in the order in which they are declared.

    ValueError names what has no strict form: a value of any type, a root that is no object.
    """
    plain = record.model_json_schema(mode="validation")
    definitions = {name: _shape(node, name) for name, node in plain.get("$defs", {}).items()}
    root = {"$ref": plain["$ref"]} if "$ref" in plain else _shape(plain, record.__name__)
    if "$ref" in root:
        root = dict(definitions[_name(root)])
    if root.get("type") != "object":
        raise ValueError(f"{record.__name__}: the root of a strict schema must be an object")
    return root | ({"$defs": definitions} if definitions else {})


def _strict(node: Json, at: str) -> Json:
    """One node of a schema. `at`: where it is, for what is said of it."""
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    return _shape(node, at) | ({"description": node["description"]} if "description" in node else {})


def _shape(node: Json, at: str) -> Json:
    """The same without what it says of itself: a class speaks to developers."""
    if len(node.get("allOf", ())) == 1:
        return _strict(node["allOf"][0], at)
    for union in ("anyOf", "oneOf"):
        if union in node:
            return {"anyOf": _distinct(_strict(branch, at) for branch in node[union])}
    if "const" in node or "enum" in node:
        return _closed(node)
    kind = node.get("type")
    if kind == "object":
        return _object(node, at)
    if kind == "array":
        return {"type": "array", "items": _items(node, at)}
    if kind in _SCALARS:
        return {"type": kind}
    raise ValueError(f"{at}: a value of any type has no strict schema")


def _closed(node: Json) -> Json:
    words = [node["const"]] if "const" in node else list(node["enum"])
    return ({"type": node["type"]} if "type" in node else {}) | {"enum": words}


def _object(node: Json, at: str) -> Json:
    """A record with its fields, or a dictionary as a list."""
    if "properties" not in node and isinstance(node.get("additionalProperties"), dict):
        entry = {"name": {"type": "string"}, "value": _strict(node["additionalProperties"], f"{at}.*")}
        return {"type": "array", "items": _closed_object(entry)}
    if "properties" not in node and node.get("additionalProperties") is not False:
        raise ValueError(f"{at}: a dictionary of anything has no strict schema")
    required = node.get("required", ())
    fields = {
        name: _field(field, f"{at}.{name}", required=name in required)
        for name, field in node.get("properties", {}).items()
    }
    return _closed_object(fields)


def _closed_object(fields: Json) -> Json:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _field(node: Json, at: str, *, required: bool) -> Json:
    strict = _strict(node, at)
    if required or _takes_null(strict):
        return strict
    said = strict.pop("description", None)
    branches = strict["anyOf"] if set(strict) == {"anyOf"} else [strict]
    return {"anyOf": [*branches, _NULL]} | ({} if said is None else {"description": said})


def _takes_null(node: Json) -> bool:
    branches = node.get("anyOf", [node])
    return any(branch.get("type") == "null" or None in branch.get("enum", ()) for branch in branches)


def _items(node: Json, at: str) -> Json:
    if "prefixItems" in node:
        each = _distinct(_strict(item, f"{at}[{index}]") for index, item in enumerate(node["prefixItems"]))
        return each[0] if len(each) == 1 else {"anyOf": each}
    return _strict(node.get("items", {}), f"{at}[]")


def _distinct(nodes: Iterator[Json]) -> list[Json]:
    found: list[Json] = []
    for node in nodes:
        found += [node] if node not in found else []
    return found


def _name(reference: Json) -> str:
    return str(reference["$ref"]).removeprefix("#/$defs/")


def faults(schema: Json) -> tuple[str, ...]:
    """Everything for which a strict server would refuse a schema; empty when there is nothing."""
    found = [] if schema.get("type") == "object" else ["the root is no object"]
    definitions = schema.get("$defs", {})
    found += _node_faults({key: value for key, value in schema.items() if key != "$defs"}, "root", definitions)
    for name, node in definitions.items():
        found += _node_faults(node, name, definitions)
    return tuple(found)


def _node_faults(node: Any, at: str, definitions: Json) -> list[str]:
    if not isinstance(node, dict):
        return [f"{at}: is no schema"]
    found = [f"{at}: {word} is not taken" for word in node if word not in KEYWORDS or word == "$defs"]
    if "$ref" in node:
        known = _name(node) in definitions and len(node) == 1
        return found + ([] if known else [f"{at}: a reference must stand alone and lead somewhere"])
    if not {"type", "anyOf", "enum"} & set(node):
        found.append(f"{at}: may be anything")
    if node.get("type") == "object":
        found += _object_faults(node, at)
    if node.get("type") == "array" and "items" not in node:
        found.append(f"{at}: has no items")
    below = [(f"{at}.{name}", each) for name, each in node.get("properties", {}).items()]
    below += [(f"{at}|{index}", each) for index, each in enumerate(node.get("anyOf", ()))]
    below += [(f"{at}[]", node["items"])] if "items" in node else []
    return found + [fault for where, each in below for fault in _node_faults(each, where, definitions)]


def _object_faults(node: Json, at: str) -> list[str]:
    found = [] if node.get("additionalProperties") is False else [f"{at}: is not closed"]
    missing = set(node.get("properties", {})) ^ set(node.get("required", ()))
    return found + [f"{at}: {name} is not required, or not there" for name in sorted(missing)]


def restored(value: Any, record: type[BaseModel]) -> tuple[Any, tuple[str, ...]]:
    """What a model wrote by the strict schema, as the record takes it; and names that stand twice in a dictionary."""
    plain = record.model_json_schema(mode="validation")
    twice: list[str] = []
    return _restored(value, plain, plain.get("$defs", {}), "", twice), tuple(twice)


def _restored(value: Any, node: Json, definitions: Json, at: str, twice: list[str]) -> Any:
    node = _branch(value, node, definitions)
    if isinstance(value, list) and _is_map(node):
        return _dictionary(value, node["additionalProperties"], definitions, at, twice)
    if isinstance(value, list):
        kinds = node.get("prefixItems", [])
        each = [kinds[i] if i < len(kinds) else node.get("items", {}) for i in range(len(value))]
        return [
            _restored(v, e if isinstance(e, dict) else {}, definitions, f"{at}[{i}]", twice)
            for i, (v, e) in enumerate(zip(value, each, strict=True))
        ]
    if isinstance(value, dict) and "properties" in node:
        fields, required = node["properties"], node.get("required", ())
        return {
            name: _restored(v, fields.get(name, {}), definitions, f"{at}.{name}", twice)
            for name, v in value.items()
            if v is not None or name in required or name not in fields or _null_is_meant(fields[name], definitions)
        }
    return value


def _dictionary(value: list[Any], each: Json, definitions: Json, at: str, twice: list[str]) -> Any:
    """A list of `{name, value}` as a dictionary; anything else is left to the record to refuse."""
    pairs = [v for v in value if isinstance(v, dict) and set(v) == {"name", "value"} and isinstance(v["name"], str)]
    if len(pairs) != len(value):
        return value
    names = [pair["name"] for pair in pairs]
    twice += [
        f"{at.lstrip('.')}: the name {name!r} stands twice" for name in dict.fromkeys(names) if names.count(name) > 1
    ]
    return {p["name"]: _restored(p["value"], each, definitions, f"{at}.{p['name']}", twice) for p in pairs}


def _is_map(node: Json) -> bool:
    return "properties" not in node and isinstance(node.get("additionalProperties"), dict)


def _null_is_meant(node: Json, definitions: Json) -> bool:
    return any(
        branch.get("type") == "null" or branch.get("const", 0) is None for branch in _branches(node, definitions)
    )


def _branches(node: Json, definitions: Json) -> list[Json]:
    """What a value may be, references followed and unions opened."""
    if "$ref" in node:
        return _branches(definitions.get(_name(node), {}), definitions)
    inner = node.get("anyOf") or node.get("oneOf") or (node.get("allOf") if len(node.get("allOf", ())) == 1 else None)
    return [b for each in inner for b in _branches(each, definitions)] if inner else [node]


def _branch(value: Any, node: Json, definitions: Json) -> Json:
    """The branch that a value is most likely of; an empty schema when none is."""
    branches = _branches(node, definitions)
    if isinstance(value, list):
        fitting = [b for b in branches if b.get("type") == "array"] or [b for b in branches if _is_map(b)]
    elif isinstance(value, dict):
        objects = [b for b in branches if "properties" in b]
        fitting = [b for b in objects if _tags_fit(value, b)] or objects
        fitting = [b for b in fitting if set(value) == set(b["properties"])] or fitting
    else:
        fitting = branches
    return fitting[0] if fitting else {}


def _tags_fit(value: Json, branch: Json) -> bool:
    """Whether every field of one possible value has it."""
    closed = {name: f for name, f in branch["properties"].items() if "const" in f or "enum" in f}
    return all(
        value.get(name) in ([field["const"]] if "const" in field else field["enum"]) for name, field in closed.items()
    )
