"""What a goal file says in fields, and how it joins what the text says.

Fields win over what the text leaves open; where both speak and differ, that is a fault naming both.
Pure: knows no file format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from agent.agree import Agreement, covers
from agent.contract import (
    Clause,
    Constraint,
    Contract,
    Data,
    ModelTask,
    Objective,
    Part,
    Placement,
    Prepare,
    Remark,
    Rollout,
    Search,
    Split,
    ThingTask,
    Train,
    Upkeep,
)
from agent.errors import Fault
from tools.language import tr
from tools.metrics import metric
from tools.record import Json, Record

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""A goal's name that can be its one part's name too, and so an endpoint's."""


class _Said(Record):
    """Only what was said is said again: unset fields stay unset on the wire, however deep."""

    @model_serializer(mode="wrap")
    def _only_set(self, _: SerializerFunctionWrapHandler) -> Json:
        return {name: _plain(getattr(self, name)) for name in sorted(self.model_fields_set)}


def _plain(value: object) -> object:
    if isinstance(value, Record):
        return value.model_dump(mode="json", exclude_unset=True, by_alias=True)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


class StatedPart(_Said):
    """The fields of one part that were written; None or unset is left to the text."""

    name: str | None = None
    task: ModelTask | ThingTask | None = None
    target: str | None = None
    source_models: tuple[str, ...] | None = None
    objective: Objective | None = None
    data: tuple[Data, ...] | None = None
    prepare: Prepare | None = None
    split: Split | None = None
    models: tuple[str, ...] | None = None
    train: Train | None = None
    search: Search | None = None
    clauses: tuple[Clause, ...] | None = None
    """An empty id is given one when the parts are joined."""
    rollout: Rollout | None = None
    upkeep: Upkeep | None = None
    metrics: dict[str, str] | None = None


class Stated(_Said):
    """Everything a goal file says in fields."""

    name: str | None = None
    """What the file calls the goal."""
    parts: tuple[StatedPart, ...] = ()
    budget_usd: float | None = None
    budget_per: Literal["goal", "day", "month"] | None = None
    deadline_s: float | None = None
    environment: Literal["dev", "staging", "production"] | None = None
    namespace: str | None = None
    placement: Placement | None = None
    constraints: tuple[Constraint, ...] | None = None
    assumptions: tuple[Remark, ...] | None = None
    questions: tuple[Remark, ...] | None = None
    places: Mapping[str, str] = {}
    """Dotted path of a field (`parts.0.clauses.1`) → where it stands (`goal.yaml:3:5 clauses[1]`)."""


def merge(contract: Contract, stated: Stated) -> tuple[Contract, tuple[Fault, ...]]:
    """The contract of the text with the fields of the file, and every contradiction between them.

    Assumptions and questions that a field answers are dropped.
    """
    agreement = Agreement(stated.places, contract.assumptions, contract.questions)
    prepared = [*(part.prepare for part in contract.parts), *(part.prepare for part in stated.parts)]
    joins = [join for one in prepared if one is not None for join in one.join]
    agreement.joined |= {name for join in joins for name in (join.left, join.right)}
    whole = agreement.settle(contract, stated, "", "", skip={"name", "parts", "places", "assumptions", "questions"})
    parts = _parts(contract, stated, agreement)
    merged = whole.model_copy(
        update={
            "parts": parts,
            "assumptions": _left(contract.assumptions, agreement.replaced) + (stated.assumptions or ()),
            "questions": _left(contract.questions, agreement.answered, parts=bool(parts)) + (stated.questions or ()),
        }
    )
    _exclusions(merged, stated, agreement)
    return merged, tuple(agreement.faults)


def _left(remarks: tuple[Remark, ...], gone: set[str], *, parts: bool = False) -> tuple[Remark, ...]:
    """The remarks that no field has settled. What is wanted is no question once there are parts."""
    return tuple(r for r in remarks if not (r.field in gone or (parts and r.field == "parts" and "parts" in gone)))


def _parts(contract: Contract, stated: Stated, agreement: Agreement) -> tuple[Part, ...]:
    pairs = _pair(contract.parts, stated, agreement)
    parts = list(contract.parts)
    for said_at, told_at in pairs:
        said, said_path = stated.parts[said_at], f"parts.{said_at}"
        if told_at is None:
            if (new := _new(said, said_path, agreement)) is not None:
                parts.append(new)
                agreement.answered.add("parts")
        else:
            told_path = f"parts.{told_at}"
            part = agreement.settle(parts[told_at], said, told_path, said_path, skip={"name"})
            name = said.name or (part.target if said.target else None) or part.name
            parts[told_at] = _fitted(part.model_copy(update={"name": name}), said, told_path, agreement)
    if len(parts) == 1 and parts[0].name == "model" and stated.name and _NAME.fullmatch(stated.name):
        parts[0] = parts[0].model_copy(update={"name": stated.name})
    names = [part.name for part in parts]
    for name in sorted({n for n in names if names.count(n) > 1}):
        agreement.fault("parts", tr("two parts are called {name!r}", name=name), tr("give each a name of its own"))
    return tuple(parts)


def _pair(told: tuple[Part, ...], stated: Stated, agreement: Agreement) -> list[tuple[int, int | None]]:
    """Which part of the text each part of the file means: by name, else in order."""
    free = list(range(len(told)))
    pairs: dict[int, int | None] = {}
    for index, said in enumerate(stated.parts):
        named = next((i for i in free if said.name and said.name in (told[i].name, told[i].target)), None)
        if named is not None:
            free.remove(named)
            pairs[index] = named
    rest = [i for i in range(len(stated.parts)) if i not in pairs]
    if len(stated.parts) == 1 and rest and len(told) > 1:
        names = ", ".join(part.name for part in told)
        agreement.fault(
            "parts.0",
            tr("the text states several parts ({names})", names=names),
            tr("put the fields under `parts:` by name"),
        )
        return []
    for index in rest:
        pairs[index] = free.pop(0) if free else None
    return sorted(pairs.items())


def _new(said: StatedPart, path: str, agreement: Agreement) -> Part | None:
    """A part that only the file states."""
    task = said.task or _task(said.clauses or (), said.objective)
    if task is None:
        agreement.fault(path, tr("nothing says what is wanted"), tr("add `task:`, e.g. `task: classification`"))
        return None
    part = Part(name=said.name or said.target or "model", task=task)
    return agreement.settle(part, said, path, path, skip={"name", "task"})


def _fitted(part: Part, said: StatedPart, path: str, agreement: Agreement) -> Part:
    """The part with a task that its metrics are defined on, where the text left the task open."""
    task = _task(part.clauses, part.objective)
    if said.task is not None or task is None or not agreement.open(f"{path}.task"):
        return part
    agreement.replaced.update(agreement.about(f"{path}.task"))
    agreement.answered.update(agreement.about(f"{path}.task"))
    return part.model_copy(update={"task": task})


def _task(clauses: tuple[Clause, ...], objective: Objective | None) -> ModelTask | None:
    names = [c.metric for c in clauses] + ([objective.metric] if objective else [])
    for name in names:
        known = metric(name)
        if known is not None and known.tasks:
            return _MODEL_TASKS.get(known.tasks[0])
    return None


_MODEL_TASKS: dict[str, ModelTask] = {
    "classification": "classification",
    "regression": "regression",
    "clustering": "clustering",
    "recommendation": "recommendation",
    "causal-lm": "causal-lm",
    "image-classification": "image-classification",
}


def _exclusions(merged: Contract, stated: Stated, agreement: Agreement) -> None:
    """What one side rules out and the other demands."""
    ruled = set(merged.constraints)
    clashes = [
        ("no_production", "environment", merged.environment == "production"),
        ("no_spot", "placement.spot", merged.placement.spot is True),
        ("no_gpu", "placement.gpu", merged.placement.gpu is not None),
        ("no_gpu", "placement.gpu_count", bool(merged.placement.gpu_count)),
    ]
    clashes += [
        ("no_deploy", f"parts.{index}.rollout", part.rollout.strategy != "none")
        for index, part in enumerate(merged.parts)
    ]
    for constraint, path, demanded in clashes:
        by_file = [p for p in stated.places if covers(path, p) or covers(p, path)]
        if demanded and constraint in ruled and (by_file or constraint in (stated.constraints or ())):
            wanted = path.rpartition(".")[2]
            what = tr("the goal both rules this out ({ruled}) and asks for {wanted}", ruled=constraint, wanted=wanted)
            agreement.fault(path if by_file else "constraints", what, tr("keep one of the two"))
