"""Where two statements of one record agree: what the text told, and what fields said.

Decides field by field; knows no file and no place beyond the path of a field.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel

from agent.contract import Clause, Data, Remark
from agent.errors import Fault
from agent.wording import clean, demand, number
from tools.language import tr

R = TypeVar("R", bound=BaseModel)
UNIONS = frozenset({"constraints", "clean", "drop_columns", "join", "retrain_on"})
"""Fields whose values add up instead of competing."""


class Agreement:
    """One joining: collects the contradictions, and which remarks were settled."""

    def __init__(self, places: Mapping[str, str], assumptions: tuple[Remark, ...], questions: tuple[Remark, ...]):
        self.places = places
        self.remarks = tuple(r.field for r in (*assumptions, *questions))
        self.faults: list[Fault] = []
        self.replaced: set[str] = set()
        """Fields of assumptions that no longer hold."""
        self.answered: set[str] = set()
        """Fields of questions that are answered."""
        self.joined: set[str] = set()
        """Data sets that are joined to others: a second one in the same role is no contradiction."""

    def fault(self, path: str, what: str, fix: str | None = None) -> None:
        """A contradiction at a field of the file; the nearest place above it is named."""
        while path and path not in self.places:
            path = path.rpartition(".")[0]
        place = self.places.get(path, path or tr("goal file"))
        self.faults.append(Fault(place=place, what=what, fix=fix or tr("make the two agree, or say it once")))

    def about(self, path: str) -> set[str]:
        """The fields of remarks that speak of this path, of something above it, or below it."""
        return {field for field in self.remarks if covers(field, path) or covers(path, field)}

    def open(self, path: str) -> bool:
        """Whether the text's value at this path was only assumed or asked for."""
        return any(covers(field, path) for field in self.remarks)

    def settle(self, told: R, said: BaseModel, told_path: str, said_path: str, *, skip: frozenset[str] | set[str]) -> R:
        """`told` with every field that `said` sets."""
        changes: dict[str, object] = {}
        for name in sorted(said.model_fields_set - set(skip)):
            value = getattr(said, name)
            if value is None:
                continue
            at, here = _join(told_path, name), _join(said_path, name)
            before = getattr(told, name)
            changes[name] = self._field(name, before, value, at, here, default=_default(told, name))
        return told.model_copy(update=changes)

    def _field(self, name: str, told: object, said: object, at: str, here: str, *, default: object) -> object:
        if isinstance(told, BaseModel) and isinstance(said, BaseModel) and not isinstance(said, Clause):
            return self.settle(told, said, at, here, skip=frozenset())
        self._heard(at, changed=told not in (None, (), default) and not same(told, said))
        if name in UNIONS and isinstance(told, tuple) and isinstance(said, tuple):
            return (
                tuple(dict.fromkeys((*told, *said)))
                if name != "join"
                else told + tuple(j for j in said if j not in told)
            )
        if name == "clauses" and isinstance(told, tuple) and isinstance(said, tuple):
            return self._clauses(() if self._assumed(at) else told, said, here)
        if name == "data" and isinstance(told, tuple) and isinstance(said, tuple):
            return self._data(() if self._assumed(at) else told, said, at, here)
        if told in (None, (), {}, default) or same(told, said) or self.open(at):
            return said
        self.fault(here, tr("the text says {told}, this says {said}", told=show(told), said=show(said)))
        return told

    def _assumed(self, path: str) -> bool:
        return path in self.remarks

    def _heard(self, path: str, *, changed: bool) -> None:
        """A field was said: remarks about it or below it are settled, and above it where it changed something."""
        below = {field for field in self.remarks if covers(path, field)}
        above = {field for field in self.remarks if covers(field, path)}
        self.answered |= below | above
        self.replaced |= below | (above if changed else set())

    def _clauses(self, told: tuple[Clause, ...], said: tuple[Clause, ...], here: str) -> tuple[Clause, ...]:
        """Both lists together; the same demand twice is one, with different thresholds a contradiction."""
        merged = list(told)
        for index, clause in enumerate(said):
            twin = next((i for i, other in enumerate(merged) if _alike(other, clause)), None)
            if twin is None:
                merged.append(clause)
            elif _equal(merged[twin], clause):
                merged[twin] = clause.model_copy(update={"id": clause.id or merged[twin].id})
            else:
                what = tr(
                    "the text demands {told}, this {said}"
                    if twin < len(told)
                    else "another clause demands {told}, this {said}",
                    told=demand(merged[twin]),
                    said=demand(clause),
                )
                self.fault(f"{here}.{index}", what)
        return _numbered(merged)

    def _data(self, told: tuple[Data, ...], said: tuple[Data, ...], at: str, here: str) -> tuple[Data, ...]:
        """Both lists together: the same source is one, another source in the same role a contradiction."""
        merged = list(told)
        for index, data in enumerate(said):
            twin = next((i for i, other in enumerate(merged) if _source(other) == _source(data)), None)
            rival = next((d for d in told if d.role == data.role and _source(d) != _source(data)), None)
            if twin is not None:
                merged[twin] = self.settle(merged[twin], data, f"{at}.{twin}", f"{here}.{index}", skip={"uri"})
            elif rival is not None and data.uri not in self.joined:
                self.fault(
                    f"{here}.{index}",
                    tr("the text names {told}, this {said}", told=clean(rival.uri), said=clean(data.uri)),
                )
            else:
                merged.append(data)
        return tuple(merged)


def covers(outer: str, inner: str) -> bool:
    """Whether a dotted path is the other one or lies above it."""
    return inner == outer or inner.startswith(outer + ".")


def same(told: object, said: object) -> bool:
    """Equal for a person: spelling in another case and lists in another order do not differ."""
    if isinstance(told, bool) or isinstance(said, bool):
        return told is said
    if isinstance(told, int | float) and isinstance(said, int | float):
        return math.isclose(told, said, rel_tol=1e-9)
    if isinstance(told, str) and isinstance(said, str):
        return told.casefold() == said.casefold()
    if isinstance(told, tuple) and isinstance(said, tuple):
        return sorted(map(show, told)) == sorted(map(show, said))
    return told == said


def show(value: object) -> str:
    """A value as a fault shows it."""
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, tuple):
        return ", ".join(show(item) for item in value)
    if isinstance(value, BaseModel):
        return clean(value.model_dump_json(exclude_unset=True))
    return clean(str(value))


def _default(record: BaseModel, name: str) -> object:
    return type(record).model_fields[name].get_default(call_default_factory=True)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _source(data: Data) -> str:
    return data.uri if ":" in data.uri else posixpath.normpath(data.uri)


def _alike(a: Clause, b: Clause) -> bool:
    """Two clauses bound the same thing from the same side: a number and what is relative to a model both hold."""
    return (a.metric, a.class_, a.where, a.abort, _side(a), _to(a)) == (
        b.metric,
        b.class_,
        b.where,
        b.abort,
        _side(b),
        _to(b),
    )


def _to(clause: Clause) -> str | None:
    return None if clause.relative is None else clause.relative.to


def _side(clause: Clause) -> str:
    return clause.op.rstrip("=") or "=="


def _equal(a: Clause, b: Clause) -> bool:
    return a.relative == b.relative and (
        a.value == b.value or (None not in (a.value, b.value) and same(a.value, b.value))
    )


def _numbered(clauses: list[Clause]) -> tuple[Clause, ...]:
    """Every clause with an id of its own: its metric's name, numbered where that is taken."""
    taken = {c.id for c in clauses if c.id}
    named: list[Clause] = []
    for clause in clauses:
        if not clause.id:
            stem = clause.metric.replace(":", "_")
            id_ = next(i for i in (stem, *(f"{stem}_{n}" for n in range(2, len(clauses) + 3))) if i not in taken)
            taken.add(id_)
            named.append(clause.model_copy(update={"id": id_}))
        else:
            named.append(clause)
    return tuple(named)
