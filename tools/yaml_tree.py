"""YAML as a tree of texts with their places: no types, no tags, no anchors, no aliases, no duplicates.

Decides what a well-formed document is; knows nothing of what it is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import yaml
from yaml import events as ev

MAX_DEPTH = 24
MAX_NODES = 20_000
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, kw_only=True)
class Place:
    """1-based line and column."""

    line: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Scalar:
    """One value, exactly as written; None when nothing is."""

    at: Place
    text: str | None


@dataclass(frozen=True, kw_only=True)
class Items:
    at: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, kw_only=True)
class Entries:
    at: Place
    entries: tuple[tuple[Scalar, Node], ...]


Node: TypeAlias = Scalar | Items | Entries


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """One thing wrong with the document as YAML."""

    at: Place
    what: str
    fix: str = ""


class _StopError(Exception):
    """Nothing after this flaw can be understood."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw.what)
        self.flaw = flaw


def parse(text: str) -> tuple[Node | None, tuple[Flaw, ...]]:
    """The document's tree, None when there is none, and every flaw. Never recurses deeper than MAX_DEPTH."""
    flaws: list[Flaw] = []
    try:
        return _Reader(text, flaws).document(), tuple(flaws)
    except _StopError as stop:
        return None, (*flaws, stop.flaw)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        return None, (*flaws, Flaw(at=_place(mark), what=f"is not YAML: {what}"))
    except yaml.YAMLError as error:
        return None, (*flaws, Flaw(at=_at(text, getattr(error, "position", 0)), what="holds a character YAML forbids"))


class _Mark(Protocol):
    """Where the scanner was: 0-based."""

    line: int
    column: int


def _place(mark: _Mark | None) -> Place:
    return Place(line=mark.line + 1, column=mark.column + 1) if mark else Place(line=1, column=1)


def _at(text: str, position: int) -> Place:
    before = text[:position]
    return Place(line=before.count("\n") + 1, column=position - (before.rfind("\n") + 1) + 1)


class _Reader:
    """Builds the tree from the event stream, which never recurses whatever the nesting."""

    def __init__(self, text: str, flaws: list[Flaw]) -> None:
        self._events: Iterator[ev.Event] = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        self._flaws = flaws
        self._count = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, ev.DocumentStartEvent):
                if root is not None:
                    raise _StopError(
                        Flaw(at=_place(event.start_mark), what="is a second document", fix="one document a file")
                    )
                root = self._node(next(self._events), 1)
        return root

    def _node(self, event: ev.Event, depth: int) -> Node:
        at = _place(event.start_mark)
        self._count += 1
        if depth > MAX_DEPTH:
            raise _StopError(Flaw(at=at, what=f"is nested deeper than {MAX_DEPTH} levels"))
        if self._count > MAX_NODES:
            raise _StopError(Flaw(at=at, what=f"holds more than {MAX_NODES} values"))
        self._refuse(event, at)
        if isinstance(event, ev.ScalarEvent):
            nothing = event.style is None and event.value in _NULLS
            return Scalar(at=at, text=None if nothing else event.value)
        if isinstance(event, ev.SequenceStartEvent):
            return Items(at=at, items=tuple(self._items(depth)))
        if isinstance(event, ev.MappingStartEvent):
            return Entries(at=at, entries=tuple(self._entries(depth)))
        return Scalar(at=at, text=None)

    def _refuse(self, event: ev.Event, at: Place) -> None:
        if isinstance(event, ev.AliasEvent):
            self._flaws.append(Flaw(at=at, what="is an alias (*)", fix="write the value out"))
        elif getattr(event, "anchor", None):
            self._flaws.append(Flaw(at=at, what="has an anchor (&)", fix="remove it"))
        if getattr(event, "tag", None):
            self._flaws.append(Flaw(at=at, what="has a tag (!)", fix="remove it: every value is read as a text"))

    def _items(self, depth: int) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, ev.SequenceEndEvent):
                return
            yield self._node(event, depth + 1)

    def _entries(self, depth: int) -> Iterator[tuple[Scalar, Node]]:
        seen: dict[str, Place] = {}
        for event in self._events:
            if isinstance(event, ev.MappingEndEvent):
                return
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key, Scalar) or key.text is None:
                self._flaws.append(Flaw(at=key.at, what="a key must be a word"))
            elif key.text in seen:
                first = seen[key.text]
                what = f"the key {key.text!r} stands here a second time"
                self._flaws.append(Flaw(at=key.at, what=what, fix=f"first at {first.line}:{first.column}"))
            else:
                seen[key.text] = key.at
                yield key, value
