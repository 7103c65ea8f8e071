"""Corrections of a contract by the embedded brain: `make it 0.92 instead` replaces the one value it can mean.

A field that is named is set; a bare figure takes the place of the one value of its dimension. Whatever could mean
two things becomes a question, and nothing is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from agent.agree import same
from agent.brain.protocol import Context
from agent.brain.rules.framed import Said, figures, said_of
from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.phrasing import asks, asks_of_the_plan, keeps, lifted, meant, of_budget
from agent.contract import Clause, Contract, Data, Part, Remark
from agent.wording import clean, demand, number
from tools.language import tr
from tools.metrics import metric

_INSTEAD: Final = re.compile(
    r"\binstead\b|\brather\b|\bswitch\b|\breplace\b|改用|改为|改成|换成|换用|而不是", re.IGNORECASE
)
_PARTICLE: Final = re.compile(r"\s*\b(?:instead|rather)\b(?!\s+of\b)", re.IGNORECASE)
_ALSO: Final = re.compile(
    r"\balso\b|\badd\b|\bas well\b|\btoo\b|\badditional|\bjoin(?:ed)?\b|也|再加|加上|以及|另外|还要", re.IGNORECASE
)
_ASKED: Final = "parts"
_MS: Final = 1000.0
_LONG_REQUEST_S: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class _Place:
    """One value that a bare figure could take the place of."""

    name: str
    """As people call it."""
    path: tuple[str | int, ...]
    dims: tuple[str, ...]
    scale: float = 1.0
    """Canonical unit → the field's own."""
    share: bool = False
    """Between 0 and 1."""
    whole: bool = False
    """A count."""


def stands_alone(understood: Contract) -> bool:
    """Whether a message is a goal by itself: it says what to work on."""
    asked = {q.field for q in understood.questions}
    return any(
        p.data or p.target or p.source_models or p.train is not None
        for n, p in enumerate(understood.parts)
        if f"parts.{n}.data" not in asked
    )


def plainly(text: str) -> str:
    """A correction without the word that only says that it is one, which could be taken for a name."""
    return _PARTICLE.sub(" ", text)


def amended(before: Contract, text: str, understood: Contract, context: Context) -> Contract:
    """The contract after the correction, or the contract before with the question that it leaves open.

    `understood`: the text by itself. A text with a subject of its own is a goal, and takes the whole contract's place.
    """
    if stands_alone(understood) and not asks_of_the_plan(text):
        return understood
    whole, text = text, plainly(text)
    taken_back = lifted(text)
    if asks(text) or keeps(text) or (taken_back and figures(text)):
        return _asks_what(before)
    if taken_back and (without := _without_those(before, taken_back)) != before:
        return without
    found = [said_of(part, text, context) for part in before.parts]
    if not found:
        return understood
    at = _meant(before, found, text)
    if at is None and any(s.about_part for s in found):
        names = tr(" or ").join(clean(p.name) for p in before.parts)
        return _asks(before, tr("Which part is meant: {names}?", names=names))
    said = found[at or 0]
    rest = _bare(text, said)
    if not said.anything and not rest:
        return _asks_what(before)
    if len({dim for _, dim in rest}) < len(rest):
        shown = ", ".join(number(value) for value, _ in rest)
        return _asks(before, tr("What is meant by each of {figures}? Say it field by field.", figures=shown))
    after = _applied(before, at or 0, said, whole)
    for value, dim in rest:
        placed = _placed(after, value, dim)
        if isinstance(placed, Remark):
            return before.model_copy(update={"questions": (*before.questions, placed)})
        after = placed
    return after


def _asks(before: Contract, question: str) -> Contract:
    return before.model_copy(update={"questions": (*before.questions, Remark(field=_ASKED, text=question))})


def _asks_what(before: Contract) -> Contract:
    return _asks(before, tr("What is to change? Name the field and its new value, for example `accuracy 0.92`."))


def _meant(before: Contract, found: list[Said], text: str) -> int | None:
    """The part a correction speaks of: the only one, the one it names, or the one that demands such a thing."""
    if len(found) == 1:
        return 0
    lower = text.lower()
    called = [n for n, p in enumerate(before.parts) if {p.name.lower(), (p.target or p.name).lower()} & _words(lower)]
    if len(called) == 1:
        return called[0]
    alike = [n for n, (p, s) in enumerate(zip(before.parts, found, strict=True)) if any(_twin(p, c) for c in s.clauses)]
    return alike[0] if len(alike) == 1 else None


def _words(text: str) -> set[str]:
    return set(re.findall(r"[\w.-]+", text))


def _without_those(before: Contract, taken_back: tuple[Entity, ...]) -> Contract:
    """The contract without what the text takes back: a demand, the budget, the deadline."""
    changes: dict[str, object] = {}
    gone = tuple(e.readings["metric"] for e in taken_back if e.means("metric"))
    if any(of_budget(e) for e in taken_back) and before.budget_usd is not None:
        changes |= {"budget_usd": None, "budget_per": None}
    if any(e.means("deadline", "deadline") for e in taken_back) and before.deadline_s is not None and not gone:
        changes["deadline_s"] = None
    parts = tuple(p.model_copy(update={"clauses": _without(p.clauses, gone)}) for p in before.parts)
    if gone and parts != before.parts:
        changes["parts"] = parts
    return before.model_copy(update=changes) if changes else before


def _without(clauses: tuple[Clause, ...], gone: tuple[str, ...]) -> tuple[Clause, ...]:
    return tuple(c for c in clauses if not any(c.metric == name or c.metric.startswith(f"{name}_") for name in gone))


def _applied(before: Contract, at: int, said: Said, text: str) -> Contract:
    part = before.parts[at]
    fields = dict(said.part) | {
        "clauses": _clauses(part, said.clauses, text),
        "data": _data(part.data, said, text),
        "rollout": part.rollout.model_copy(update=dict(said.rollout)),
    }
    if "models" in said.part and _ALSO.search(text):
        fields["models"] = tuple(dict.fromkeys((*part.models, *_texts(said.part["models"]))))
    parts = tuple(p.model_copy(update=fields) if n == at else p for n, p in enumerate(before.parts))
    return before.model_copy(
        update=dict(said.whole)
        | {
            "parts": parts,
            "placement": before.placement.model_copy(update=dict(said.placement)),
            "constraints": tuple(dict.fromkeys((*before.constraints, *said.constraints))),
            "assumptions": (*before.assumptions, *(_moved(a, at) for a in said.assumptions)),
            "questions": (*before.questions, *(_moved(q, at) for q in said.questions)),
        }
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, tuple) else ()


def _moved(remark: Remark, at: int) -> Remark:
    return remark.model_copy(update={"field": re.sub(r"^parts\.0(?=\.|$)", f"parts.{at}", remark.field)})


def _clauses(part: Part, said: tuple[Clause, ...], text: str) -> tuple[Clause, ...]:
    """A demand takes the place of the one on the same metric; with `instead`, of the only one measured alike."""
    found = list(part.clauses)
    for clause in said:
        twin = _twin(part, clause)
        if twin is None and _INSTEAD.search(text):
            alike = [c for c in found if c.where == clause.where and _unit(c) == _unit(clause)]
            twin = alike[0] if len(alike) == 1 else None
        if twin is None or twin not in found:
            taken = {c.id for c in found}
            ids = (clause.id, *(f"{clause.id}_{n}" for n in range(2, len(found) + 3)))
            found.append(clause.model_copy(update={"id": next(i for i in ids if i not in taken)}))
            continue
        kept = {"id": twin.id, "abort": twin.abort or clause.abort} if twin.metric == clause.metric else {}
        found[found.index(twin)] = clause.model_copy(update=kept)
    return tuple(found)


def _twin(part: Part, clause: Clause) -> Clause | None:
    """The demand of the part that bounds the same thing."""
    same_metric = [c for c in part.clauses if c.metric == clause.metric and clause.class_ in (None, c.class_)]
    return same_metric[0] if len(same_metric) == 1 else None


def _unit(clause: Clause) -> str:
    known = metric(clause.metric)
    return "" if known is None else known.unit


def _data(before: tuple[Data, ...], said: Said, text: str) -> tuple[Data, ...]:
    """Another set takes the place of the only one in its role, unless it is to come on top."""
    found = list(before)
    for data in said.data:
        roles = [n for n, d in enumerate(found) if d.role == data.role or data.role == "train"]
        if len(roles) == 1 and not _ALSO.search(text):
            old = found[roles[0]]
            found[roles[0]] = old.model_copy(
                update={"uri": data.uri, "format": data.format, "label": data.label or old.label}
            )
        else:
            found.append(data)
    if said.label is not None and found:
        at = next((n for n, d in enumerate(found) if d.label), 0)
        found[at] = found[at].model_copy(update={"label": said.label})
    return tuple(found)


def _bare(text: str, said: Said) -> list[tuple[float, str]]:
    """The figures of the text that no field took up."""
    taken = list(said.figures())

    def free(value: float) -> bool:
        return not any(same(value * scale, each) for scale in (1.0, 100.0, 1000.0, 0.01) for each in taken)

    return [(value, dim) for value, dim in meant(text) if free(value)]


def _placed(contract: Contract, value: float, dim: str) -> Contract | Remark:
    """The contract with the figure in the one place it can mean; else what to ask."""
    fit = [p for p in _places(contract) if dim in p.dims and not (p.share and value > 1)]
    if not dim and 0 < value <= 1 and any(p.share for p in fit):
        fit = [p for p in fit if p.share]
    if dim == "duration":  # milliseconds are of a request, hours of a run
        of_requests = [p for p in fit if p.scale == _MS]
        fit = (of_requests or fit) if value < _LONG_REQUEST_S else [p for p in fit if p not in of_requests]
    if len(fit) == 1:
        figure = round(value * fit[0].scale, 9)
        put: Contract = _put(contract, fit[0].path, int(figure) if fit[0].whole else figure)
        return put
    shown = f"{number(value * _MS)} ms" if dim == "duration" and value < 1 else number(value)
    if not fit:
        told = tr("What is to be {value}? Nothing of the goal is a value like that.", value=shown)
        return Remark(field=_ASKED, text=told)
    names = tr(" or ").join(p.name for p in fit)
    return Remark(field=_ASKED, text=tr("What is to be {value}: {names}?", value=shown, names=names))


def _put(value: Any, path: tuple[str | int, ...], new: float) -> Any:
    """The record with another value at that path."""
    if not path:
        return new
    head, *rest = path
    if isinstance(value, tuple):
        return tuple(_put(v, tuple(rest), new) if n == head else v for n, v in enumerate(value))
    return value.model_copy(update={head: _put(getattr(value, str(head)), tuple(rest), new)})


def _places(contract: Contract) -> Iterator[_Place]:
    for at, part in enumerate(contract.parts):
        of = f" ({clean(part.name)})" if len(contract.parts) > 1 else ""
        yield from _demanded(part, at, of)
        rollout = ("parts", at, "rollout")
        if part.rollout.replicas is not None:
            yield _Place(name=tr("replicas") + of, path=(*rollout, "replicas"), dims=("", "replica"), whole=True)
        if part.rollout.hold_s is not None:
            name = tr("the time of each rollout step") + of
            yield _Place(name=name, path=(*rollout, "hold_s"), dims=("duration",))
        if part.search is not None and part.search.trials is not None:
            path = ("parts", at, "search", "trials")
            yield _Place(name=tr("trials") + of, path=path, dims=("", "trial"), whole=True)
    if contract.budget_usd is not None:
        yield _Place(name=tr("the budget"), path=("budget_usd",), dims=("", "money"))
    if contract.deadline_s is not None:
        yield _Place(name=tr("the deadline"), path=("deadline_s",), dims=("duration",))


_DIMS: Final = {"ratio": ("", "percent", "points"), "ms": ("", "duration"), "s": ("duration",), "usd": ("", "money")}


def _demanded(part: Part, at: int, of: str) -> Iterator[_Place]:
    for index, clause in enumerate(part.clauses):
        if isinstance(clause.value, int | float) and clause.relative is None:
            unit = _unit(clause)
            yield _Place(
                name=demand(clause) + of,
                path=("parts", at, "clauses", index, "value"),
                dims=_DIMS.get(unit, ("",)),
                scale=_MS if unit == "ms" else 1.0,
                share=unit == "ratio",
            )
