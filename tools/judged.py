"""What policy judges of a tool's arguments: plain fields by their name, and views of nested ones.

Policies know integers, texts, sets of texts and flags. A number with a fraction is judged in micro-units,
under its name with `_micro`; a command is judged by the program it starts, never as a set of words.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from tools.record import Json

Kind = Literal["integer", "micro", "text", "texts", "flag"]
_PLAIN: Mapping[type, Kind] = {bool: "flag", int: "integer", float: "micro", str: "text"}


@dataclass(frozen=True, kw_only=True)
class View:
    """A value drawn from nested arguments."""

    name: str
    kind: Kind
    reads: tuple[str, ...]
    """The arguments it is drawn from: where they came from is where it came from."""
    of: Callable[[Json], object]
    """From all arguments of the call; None: there is none, or it is not known yet."""


Judged: TypeAlias = str | View


def views(args: type[BaseModel], judged: tuple[Judged, ...]) -> tuple[View, ...]:
    """Every judged value as a view, by the name that policies know. ValueError lists what cannot be judged."""
    found = [item if isinstance(item, View) else _plain(args, item) for item in judged]
    names = [view.name for view in found]
    faults = [f"it judges {name} twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    faults += [
        f"it judges arguments it does not have: {sorted(unknown)}"
        for view in found
        if (unknown := set(view.reads) - set(args.model_fields))
    ]
    faults += [f"{v.name} does not say what it is drawn from" for v in found if not v.reads]
    if faults:
        raise ValueError("; ".join(faults))
    return tuple(found)


def _plain(args: type[BaseModel], field: str) -> View:
    if field not in args.model_fields:
        raise ValueError(f"it judges arguments it does not have: [{field!r}]")
    kind = _kind(args.model_fields[field].annotation)
    if kind is None:
        raise ValueError(f"{field} is nested: judge a view of it")
    name = field + "_micro" if kind == "micro" else field
    return View(name=name, kind=kind, reads=(field,), of=lambda given: given.get(field))


def _kind(annotation: object) -> Kind | None:
    """What an argument of that type is to a policy; None when it is nothing a policy can judge."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inner[0])
    if origin in (Union, types.UnionType):
        kinds = {_kind(part) for part in inner if part is not type(None)}
        return kinds.pop() if len(kinds) == 1 else None
    if origin is Literal:
        return "text" if all(isinstance(value, str) for value in inner) else None
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        return "texts" if _kind(inner[0]) == "text" else None
    return _PLAIN.get(annotation) if isinstance(annotation, type) else None
