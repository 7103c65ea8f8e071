"""An answer's text as a record, and nothing else believed: every fault of it as a short sentence with its path."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from agent.brain.llm.client.strict import restored

MOST_CHARACTERS = 256 * 1024
MOST_DEPTH = 48
MOST_FAULTS = 20
_LONGEST = 240
"""Characters of one fault."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_STARTS = 8
"""Braces that are tried as the beginning of an object."""
_OBJECTS = 16
"""Objects in prose that are looked at."""

R = TypeVar("R", bound=BaseModel)


class NotJson(ValueError):
    """A text is no JSON that is taken here."""


def loads(text: str) -> Any:
    """JSON without names that stand twice, without NaN and infinity, and of bounded size and depth. NotJson."""
    if len(text) > MOST_CHARACTERS:
        raise NotJson(f"is longer than {MOST_CHARACTERS} characters")
    if text.count("{") + text.count("[") > MOST_DEPTH and _depth(text) > MOST_DEPTH:
        raise NotJson(f"is nested deeper than {MOST_DEPTH} levels")
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise NotJson(f"is not JSON: {error.msg} at character {error.pos}") from error
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error) if isinstance(error, NotJson) else "holds a number that is too long") from error


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise NotJson(f"has the key {twice[:80]!r} twice")
    return found


def _no_number(word: str) -> float:
    raise NotJson(f"holds {word}, which is no number")


def _depth(text: str) -> int:
    """Of the brackets outside strings."""
    deepest = depth = 0
    for bracket in re.findall(r"[{}\[\]]", _STRING.sub("", text)):
        depth += 1 if bracket in "{[" else -1
        deepest = max(deepest, depth)
    return deepest


def read(text: str, answer: type[R]) -> tuple[R | None, tuple[str, ...]]:
    """The record in an answer, or every fault of it. Of a text with prose around it: the only object that fits."""
    said = text.rpartition("</think>")[2].strip().removeprefix("\ufeff").strip()
    if not said:
        return None, ("the answer is empty",)
    whole, faults = read_json(said, answer)
    if whole is not None or len(said) > MOST_CHARACTERS or said.startswith("["):
        return whole, faults
    inner = [part for part in _objects(said) if part != said]
    tried = [read_json(part, answer) for part in inner]
    fitting: list[R] = []
    for record, _ in tried:
        fitting += [record] if record is not None and record not in fitting else []
    if len(fitting) == 1:
        return fitting[0], ()
    if len(fitting) > 1:
        return None, ("the answer holds several JSON objects that fit: write one",)
    if said.startswith("{") or not inner:
        return None, faults
    return None, tried[0][1] if len(tried) == 1 else ("the answer holds no JSON object that fits, and several others",)


def read_json(text: str, answer: type[R]) -> tuple[R | None, tuple[str, ...]]:
    """The record that a text is as a whole, or every fault of it."""
    try:
        value, twice = restored(loads(text), answer)
        again = json.dumps(value, ensure_ascii=False).encode()
    except NotJson as error:
        return None, (f"the answer {error}",)
    except UnicodeEncodeError:
        return None, ("the answer holds half of a surrogate pair, which is no character",)
    try:
        record = answer.model_validate_json(again, strict=True)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        found = dict.fromkeys([*twice, *(_said(p["loc"], p["type"], p["msg"]) for p in problems)])
        return None, tuple(found)[:MOST_FAULTS]
    return (None, twice[:MOST_FAULTS]) if twice else (record, ())


def _said(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).lstrip(".") or "the answer"
    if kind == "missing":
        message = "is missing"
    elif kind == "extra_forbidden":
        message = "is no field that is known"
    else:
        message = message.removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{path[:120]}: {message}"[:_LONGEST]


def _objects(text: str) -> list[str]:
    """The outermost JSON-like objects in prose, by their braces."""
    found: list[str] = []
    start, tries = text.find("{"), 0
    while start >= 0 and tries < _STARTS and len(found) < _OBJECTS:
        end = _end(text, start)
        if end is None:
            tries += 1
            start = text.find("{", start + 1)
            continue
        found.append(text[start:end])
        start = text.find("{", end)
    return found


_MARKS = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}]', re.DOTALL)


def _end(text: str, start: int) -> int | None:
    """Behind the brace that closes the one at `start`; None when none does."""
    depth = 0
    for mark in _MARKS.finditer(text, start):
        if mark[0] in "{}":
            depth += 1 if mark[0] == "{" else -1
            if depth == 0:
                return mark.end()
    return None
