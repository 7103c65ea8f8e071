"""Reading a YAML tree into values: every fault with its place, none of them the last.

Knows trees and places, no field of a goal.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from agent.errors import Fault
from agent.wording import clean
from tools.yaml_tree import Entries, Items, Node, Place, Scalar

MAX_FAULTS = 50
R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Spot:
    """One field, as the contract names it (`parts.0.clauses.1`) and as the file writes it (`clauses[1]`)."""

    canon: str = ""
    written: str = ""

    def key(self, name: str) -> Spot:
        return Spot(canon=_dotted(self.canon, name), written=_dotted(self.written, clean(name)[:60]))

    def item(self, index: int) -> Spot:
        return Spot(canon=_dotted(self.canon, str(index)), written=f"{self.written}[{index}]")


@dataclass(kw_only=True)
class Sheet:
    """One file being read."""

    file: str
    folder: Path
    """Where relative paths start."""
    project: Path
    """What no path may leave; resolved."""
    places: dict[str, str] = field(default_factory=dict)
    _faults: list[tuple[Place, Fault]] = field(default_factory=list)

    def fault(self, at: Place, spot: Spot, what: str, fix: str = "") -> None:
        self._faults.append((at, Fault(place=self._where(at, spot), what=what, fix=fix)))

    def said(self, at: Place, spot: Spot) -> None:
        """Remember where a field stands, for contradictions found later."""
        self.places[spot.canon] = self._where(at, spot)

    def faults(self) -> tuple[Fault, ...]:
        """In the order of the file; of very many the first."""
        ordered = [fault for at, fault in sorted(self._faults, key=lambda f: (f[0].line, f[0].column))]
        if len(ordered) > MAX_FAULTS:
            more = Fault(place=self.file, what=f"and {len(ordered) - MAX_FAULTS} more faults")
            ordered = [*ordered[:MAX_FAULTS], more]
        return tuple(ordered)

    def _where(self, at: Place, spot: Spot) -> str:
        return f"{self.file}:{at.line}:{at.column} {spot.written}".rstrip()


Reader: TypeAlias = Callable[[Sheet, Node, Spot], object]
"""Turns a node into a value; None when nothing was said or a fault was noted."""
Fields: TypeAlias = Mapping[str, Reader]


def scalar(read: Callable[[str], object]) -> Reader:
    """A single value through its field's own parser, whose ValueError is the fault."""

    def reader(sheet: Sheet, node: Node, spot: Spot) -> object:
        if not isinstance(node, Scalar):
            sheet.fault(node.at, spot, f"must be a single value, not {_kind(node)}")
            return None
        if node.text is None:
            return None
        try:
            return read(node.text.strip())
        except ValueError as fault:
            sheet.fault(node.at, spot, clean(str(fault)))
            return None

    return reader


def listing(read: Reader) -> Reader:
    """A list of values; a single one is a list of one."""

    def reader(sheet: Sheet, node: Node, spot: Spot) -> object:
        if isinstance(node, Scalar) and node.text is None:
            return None
        if not isinstance(node, Items):
            value = read(sheet, node, spot)
            return None if value is None else (value,)
        values = []
        for index, item in enumerate(node.items):
            at = spot.item(index)
            sheet.said(item.at, at)
            values.append(read(sheet, item, at))
        return tuple(v for v in values if v is not None)

    return reader


def record(fields: Fields, kind: type[R]) -> Reader:
    """A mapping with known keys as a strict record."""

    def reader(sheet: Sheet, node: Node, spot: Spot) -> object:
        if isinstance(node, Scalar) and node.text is None:
            return None
        values = entries(sheet, node, spot, fields)
        return None if values is None else build(sheet, node, spot, kind, values)

    return reader


def entries(sheet: Sheet, node: Node, spot: Spot, fields: Fields) -> dict[str, object] | None:
    """The values of a mapping's known keys; None when it is none. Unknown keys are faults."""
    if not isinstance(node, Entries):
        some = ", ".join(list(fields)[:3])
        sheet.fault(node.at, spot, f"must be a mapping of fields ({some}, ...), not {_kind(node)}")
        return None
    values: dict[str, object] = {}
    for key, value in node.entries:
        name = key.text or ""
        if name not in fields:
            sheet.fault(key.at, spot.key(name), "is not a known field", near(name, fields))
            continue
        sheet.said(value.at, spot.key(name))
        found = fields[name](sheet, value, spot.key(name))
        if found is not None:
            values[name] = found
    return values


def build(sheet: Sheet, node: Node, spot: Spot, kind: type[R], values: Mapping[str, object]) -> R | None:
    """The record of these values; what it refuses is a fault at the value's own place."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        at = {key.text: value.at for key, value in node.entries} if isinstance(node, Entries) else {}
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            name = str(problem["loc"][0]) if problem["loc"] else ""
            what = "is missing" if problem["type"] == "missing" else problem["msg"].replace("Input should", "must")
            if problem["type"] == "missing" and name in at:
                continue  # its value has a fault of its own
            sheet.fault(at.get(name, node.at), spot.key(name) if name else spot, what)
        return None


def near(name: str, known: Iterable[str]) -> str:
    """The way out of an unknown name."""
    words = sorted(known)
    close = difflib.get_close_matches(name, words, n=1, cutoff=0.55)
    return f"did you mean {close[0]}?" if close else "known: " + ", ".join(words)


def _kind(node: Node) -> str:
    if isinstance(node, Items):
        return "a list"
    return "a mapping" if isinstance(node, Entries) else "a single value"


def _dotted(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
