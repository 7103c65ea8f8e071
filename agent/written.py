"""Whether what a plan says can be written down: plain JSON of bounded size and depth, alike to every reader."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from agent.plan import REF
from tools.language import tr

DEEPEST = 16
"""How far arguments may be nested."""
LONGEST = 1_000_000
"""Characters of arguments, written as JSON."""
LARGEST = 2**63 - 1


def unwritable(args: Any) -> Iterator[str]:
    """Why arguments are not plain JSON of bounded size; the first of each kind."""
    todo: list[tuple[Any, int]] = [(args, 0)]
    said, length = set[str](), 0
    while todo:
        value, depth = todo.pop()
        length += len(value) if isinstance(value, str) else 1
        if depth > DEEPEST or length > LONGEST:
            yield tr("its arguments are larger than any call's")
            return
        if (why := _unwritable(value)) and why not in said:
            said.add(why)
            yield why
        if isinstance(value, Mapping):
            todo += [(key, depth + 1) for key in value] + [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list | tuple):
            todo += [(inner, depth + 1) for inner in value]


def _unwritable(value: Any) -> str:
    if isinstance(value, str):
        half = not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value)
        return tr("half a character stands in its arguments") if half else ""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return "" if -LARGEST <= value <= LARGEST else tr("a number in its arguments is larger than any tool takes")
    if isinstance(value, float):
        return "" if math.isfinite(value) else tr("a number in its arguments is none")
    if isinstance(value, Mapping):
        plain = all(isinstance(key, str) and not key.startswith("__") for key in value)
        if plain and REF in value and not (len(value) == 1 and isinstance(value[REF], str)):
            return tr("a reference in its arguments is none")
        return "" if plain else tr("a name in its arguments is no plain text")
    return "" if isinstance(value, list | tuple) else tr("its arguments are not plain JSON")


def digest_of_odd(tool: str, args: Any) -> str:
    """sha256 by which arguments can be told apart that cannot be written down."""
    try:
        said = json.dumps([tool, args], sort_keys=True, default=repr, skipkeys=True)
    except (ValueError, TypeError, RecursionError):
        said = tool
    return hashlib.sha256(said.encode("utf-8", "backslashreplace")).hexdigest()
