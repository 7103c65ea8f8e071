"""A request in the one form that policies judge: integers, flags, texts without look-alikes, sorted sets.

What has no such form is named in a sentence, and the call is refused; nothing here raises for what a call says.
"""

from __future__ import annotations

import json
import math
import posixpath
import re
from collections.abc import Mapping
from unicodedata import normalize

from policies import places
from policies.limits import MICRO, Limits
from policies.request import LARGEST, Label, Request
from policies.schema import LIMITS
from tools.judged import View
from tools.language import tr
from tools.record import Json
from tools.tool import Tool

MAX_TEXT = 8192
MAX_ITEMS = 10_000
_RISING: tuple[Label, ...] = ("person", "file", "tool", "outside")
_LIMITS: Json = {"__entity": LIMITS}
_JSON = json.JSONEncoder(separators=(",", ":")).encode
_ENCODED = re.compile(r"%(?:2e|2f|5c|00)", re.IGNORECASE)


class _OddError(Exception):
    """This value has no form that a policy could judge; the sentence says why."""


def judged(tool: Tool, args: Json) -> Json:
    """The arguments that policy judges, by the names that policies know. What is odd is kept, for `wire` to name."""
    found: Json = {}
    for view in tool.views:
        try:
            value = view.of(args)
        except Exception as error:  # noqa: BLE001 - arguments may have any shape here; what cannot be read is refused
            value = {"unreadable": type(error).__name__}
        if value is None:
            continue
        try:
            found[view.name] = _micro(value) if view.kind == "micro" else _canonical(view, value)
        except _OddError:
            found[view.name] = value
    return found


def wire(request: Request, tool: Tool, limits: Limits) -> tuple[str, tuple[str, ...]]:
    """The context as JSON, and why it is none that could be judged."""
    odd: list[str] = []
    views = {view.name: view for view in tool.views}
    given: Json = {}
    for name, value in request.input.items():
        if name.startswith("__"):
            continue
        if name not in views:
            odd.append(tr("{tool} has no argument {name!r} that policies know", tool=tool.name, name=str(name)[:60]))
            continue
        try:
            given[name] = _canonical(views[name], value)
        except _OddError as error:
            odd.append(tr("the argument {name} of {tool} {why}", name=name, tool=tool.name, why=error))
    facts, wrong = _facts(request, limits)
    odd += wrong
    if odd:
        return "", tuple(odd)
    return _JSON({"input": given, "facts": facts, "taint": _taint(tool, request.taint), "limits": _LIMITS}), ()


def _facts(request: Request, limits: Limits) -> tuple[Json, list[str]]:
    """Facts as they go to the policies; absent is what is not known."""
    found: Json = {}
    odd = []
    for name, value in request.facts.__dict__.items():  # pydantic's own iteration costs as much as all the rest
        if value is None:
            continue
        if value is True or value is False or value == () or (type(value) is int and -LARGEST <= value <= LARGEST):
            found[name] = value  # most facts are: there is nothing to bring into a form
            continue
        try:
            found[name] = _fact(value)
        except _OddError as error:
            odd.append(tr("the fact {name} {why}", name=name, why=error))
    for name, value in (("requester", request.requester), ("run", request.run)):
        try:
            _plain(value)
        except _OddError as error:
            odd.append(tr("the fact {name} {why}", name=name, why=error))
    if not odd:
        found["images_refused"] = places.images(request.facts.images, limits)
        found["locations_refused"] = places.outside(request.facts.locations, limits)
        found["locations_never"] = places.never(request.facts.locations, limits)
    return found, odd


def _fact(value: object) -> object:
    if value is True or value is False or value == ():
        return value
    if isinstance(value, str):
        return _plain(value)
    return sorted({_plain(item) for item in value}) if isinstance(value, tuple) else _integer(value)


def _taint(tool: Tool, labels: Mapping[str, Label]) -> dict[str, Label]:
    """Where each judged value came from: of all that it is drawn from, the least trusted."""
    if not labels:
        return {}
    bases = [(re.split(r"[.\[]", path, maxsplit=1)[0], label) for path, label in labels.items()]
    found = {}
    for view in tool.views:
        known = [label for base, label in bases if base in view.reads or base == view.name]
        if known:
            found[view.name] = max(known, key=_RISING.index)
    return found


def _canonical(view: View, value: object) -> object:
    """The value in its one form; `_OddError` when it is nothing of that kind. Twice is the same as once."""
    if view.kind in ("integer", "micro"):
        return _integer(value)
    if view.kind == "flag":
        if not isinstance(value, bool):
            raise _OddError(tr("is neither true nor false"))
        return value
    if view.kind == "text":
        return _text(value)
    if not isinstance(value, list | tuple | set | frozenset) or len(value) > MAX_ITEMS:
        raise _OddError(tr("is no list of at most {most} texts", most=MAX_ITEMS))
    return sorted({_text(item) for item in value})


def _micro(value: object) -> int:
    """To the nearest micro-unit."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer(value * MICRO)
    if not isinstance(value, float) or not math.isfinite(value):
        raise _OddError(tr("is no number"))
    if not math.isfinite(value * MICRO):
        raise _OddError(tr("is larger than any policy can compare"))
    return _integer(round(value * MICRO))


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _OddError(tr("is no whole number"))
    if not -LARGEST <= value <= LARGEST:
        raise _OddError(tr("is larger than any policy can compare"))
    return value


def _plain(value: object) -> str:
    """A text as policies compare it."""
    if not isinstance(value, str):
        raise _OddError(tr("is no text"))
    if len(value) > MAX_TEXT:
        raise _OddError(tr("is longer than {most} characters", most=MAX_TEXT))
    if value.isascii():
        return value
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise _OddError(tr("holds half a character"))
    return normalize("NFKC", value)


def _text(value: object) -> str:
    """An argument's text: a name in characters that are what they look like, a place without detours."""
    plain = _plain(value)
    if plain != value and "/" not in plain and _alike(str(value)):
        raise _OddError(tr("is written with look-alikes of plain letters: write {plain!r}", plain=plain[:60]))
    return _place(plain) if "/" in plain else plain


def _alike(text: str) -> bool:
    """A character that another one stands for: full-width and mathematical letters, ligatures."""
    return any(
        not char.isascii() and (bare := normalize("NFKC", char)).isascii() and bare.isalnum() for char in set(text)
    )


def _place(text: str) -> str:
    scheme, slashes, rest = text.partition("://")
    if not slashes:
        return posixpath.normpath(re.sub(r"^/+", "/", text))
    if {".", ".."} & set(rest.split("/")) or _ENCODED.search(rest):
        raise _OddError(tr("leads through `..` or encoded dots: write the place itself"))
    return f"{scheme.lower()}://{rest}"
