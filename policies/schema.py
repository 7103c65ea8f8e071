"""The schema that types every policy: actions from the tool catalogue, attributes from `Facts` and the limits.

An action stands in groups by what it does. Every judged argument is optional, since a plan may not know it yet:
the validator then forces a policy to ask whether it is there. Source of the format: Cedar's JSON schema.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from policies.numbers import Numbers
from policies.request import Facts
from tools.judged import Kind
from tools.record import Json
from tools.tool import Effect, Tool

Group = Literal["read", "mutate", "spend", "destroy", "serve", "job"]
PARENTS: Mapping[Group, tuple[Group, ...]] = {
    "read": (),
    "mutate": (),
    "spend": ("mutate",),
    "destroy": ("mutate",),
    "serve": ("mutate",),
    "job": ("spend",),
}
"""What creates or changes can cost money; `serve` is what changes or loads an endpoint, `job` what starts one."""
DERIVED = ("images_refused", "locations_refused", "locations_never")
"""Facts that are computed from the limits beside the others."""
LIMITS: Json = {"type": "Limits", "id": "limits"}
"""The one entity there is: limits hold for many requests, and are read once."""
TEXT: Json = {"type": "String"}
_TEXTS: Json = {"type": "Set", "element": TEXT}
_KINDS: Mapping[Kind, Json] = {
    "integer": {"type": "Long"},
    "micro": {"type": "Long"},
    "text": TEXT,
    "texts": _TEXTS,
    "flag": {"type": "Boolean"},
}


def groups(tool: Tool) -> tuple[Group, ...]:
    """The groups an action stands in of itself."""
    if tool.effect is Effect.READS:
        return ("read",)
    found: list[Group] = ["spend" if tool.effect in (Effect.CREATES, Effect.CHANGES) else "destroy"]
    if any(view.name == "endpoint" for view in tool.views):
        found.append("serve")
    if tool.uses == "jobs" and tool.effect is Effect.CREATES:
        found.append("job")
    return tuple(found)


def ancestors(tool: Tool) -> frozenset[str]:
    """Every group an action stands in, directly or not."""
    found, todo = set[str](), list(groups(tool))
    while todo:
        group = todo.pop()
        found.add(group)
        todo.extend(PARENTS[group])
    return frozenset(found)


def schema(tools: Iterable[Tool]) -> Json:
    """Cedar's schema as JSON. ValueError when a tool is called as a group is."""
    actions: Json = {group: {"memberOf": [{"id": p} for p in above]} for group, above in PARENTS.items()}
    for tool in tools:
        if tool.name in actions:
            raise ValueError(f"there is an action {tool.name} already")
        actions[tool.name] = {"memberOf": [{"id": group} for group in groups(tool)], "appliesTo": _applies(tool)}
    facts = _attributes(Facts) | {name: _TEXTS for name in DERIVED}
    entities = {"Person": {}, "Run": {}, "Limits": {"shape": _record(_attributes(Numbers))}}
    return {"": {"commonTypes": {"Facts": _record(facts)}, "entityTypes": entities, "actions": actions}}


def _applies(tool: Tool) -> Json:
    judged = {view.name: _KINDS[view.kind] | {"required": False} for view in tool.views}
    taint = {view.name: TEXT | {"required": False} for view in tool.views}
    context = {
        "input": _record(judged),
        "facts": {"type": "Facts"},
        "taint": _record(taint),
        "limits": {"type": "Entity", "name": "Limits"},
    }
    return {"principalTypes": ["Person"], "resourceTypes": ["Run"], "context": _record(context)}


def _record(attributes: Json) -> Json:
    return {"type": "Record", "attributes": attributes, "additionalAttributes": False}


def _attributes(model: type[BaseModel]) -> Json:
    return {name: _attribute(field.annotation) for name, field in model.model_fields.items()}


def _attribute(annotation: object) -> Json:
    """The type of an attribute. ValueError for one that policies cannot have."""
    parts = list(_parts(annotation))
    wanted = [part for part in parts if part is not type(None)]
    if len(wanted) != 1:
        raise ValueError(f"policies know no {annotation}")
    return _type(wanted[0]) | ({"required": False} if len(parts) > 1 else {})


def _parts(annotation: object) -> Iterator[object]:
    if get_origin(annotation) in (Union, types.UnionType):
        yield from get_args(annotation)
    else:
        yield annotation


def _type(annotation: object) -> Json:
    if get_origin(annotation) is Annotated:
        return _type(get_args(annotation)[0])
    if get_origin(annotation) is tuple and get_args(annotation) == (str, Ellipsis):
        return _TEXTS
    plain: Mapping[object, Json] = {int: _KINDS["integer"], str: TEXT, bool: _KINDS["flag"]}
    if annotation not in plain:
        raise ValueError(f"policies know no {annotation}")
    return plain[annotation]
