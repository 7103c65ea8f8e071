"""What a model answers when it is asked to understand a goal: the contract's own fields, in as few words as they need.

What every goal has is a record; what few goals have is a list of settings, `{"field": "budget_usd", "values": [12]}`,
so that neither schema nor answer grows with what is not said. Nothing in it is believed: see `trace` and `settle`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError

from agent.contract import (
    UNNAMED,
    Clause,
    Contract,
    Data,
    Join,
    MetricName,
    ModelTask,
    Op,
    Part,
    Relative,
    ThingTask,
)
from tools.record import Json, Record

GoalField = Literal[
    "budget_usd", "budget_per", "deadline_s", "environment", "namespace", "placement.backend", "placement.gpu",
    "placement.gpu_count", "placement.gpu_memory_gb", "placement.cpus", "placement.memory_gb", "placement.spot",
    "placement.regions", "placement.instance_types", "placement.zones", "constraints",
]  # fmt: skip
PartField = Literal[
    "source_models", "objective.metric", "objective.direction", "prepare.clean", "prepare.drop_columns", "split.by",
    "split.column", "split.at", "split.holdout", "models", "train.kind", "train.value", "train.predict",
    "search.method", "search.trials", "rollout.strategy", "rollout.steps", "rollout.hold_s", "rollout.replicas",
    "rollout.min_replicas", "rollout.max_replicas", "rollout.lease_s", "upkeep.watch", "upkeep.every_s",
    "upkeep.retrain_on", "upkeep.for_s", "metrics",
]  # fmt: skip
LEFT_OUT: Final[Mapping[str, str]] = {
    "assumptions": "our own sentences, made from the names of fields",
    "questions": "our own sentences, made from the names of fields",
    "parts.data.format": "the address tells it",
    "parts.clauses.id": "ours: the metric's name, numbered",
    "parts.clauses.where": "the metric and the task tell it",
}
"""Fields of a contract that no model is asked for, and why."""
MOST_SETTINGS = 40
MOST_PARTS = 8
MOST_ITEMS = 24


class Setting(Record):
    """One field of the whole goal; a list has several values."""

    field: GoalField
    values: tuple[bool | float | str, ...] = Field(max_length=MOST_ITEMS)


class PartSetting(Record):
    """One field of one part. `metrics`: `NAME = FORMULA`."""

    field: PartField
    values: tuple[bool | float | str, ...] = Field(max_length=MOST_ITEMS)


class SaidData(Record):
    """One data set the goal names."""

    uri: str
    role: Literal["train", "holdout", "interactions", "items", "users", "unlabelled"]
    label: str | None
    time: str | None
    id: str | None


class SaidClause(Record):
    """One demand. `value` is null where `relative` is given."""

    metric: MetricName
    op: Op
    value: float | str | None
    relative: Relative | None
    class_: str | None = Field(alias="class")
    abort: bool
    confidence: float | None
    window_s: float | None

    model_config = Record.model_config | {"populate_by_name": True, "serialize_by_alias": True}


class SaidPart(Record):
    """What is wanted of one model or one thing that runs."""

    name: str | None
    task: ModelTask | ThingTask
    target: str | None
    data: tuple[SaidData, ...] = Field(max_length=MOST_ITEMS)
    joins: tuple[Join, ...] = Field(max_length=MOST_ITEMS)
    clauses: tuple[SaidClause, ...] = Field(max_length=MOST_ITEMS)
    settings: tuple[PartSetting, ...] = Field(max_length=MOST_SETTINGS)


class Said(Record):
    """A goal as a model understands it."""

    kind: Literal["goal", "not_ours", "rules"]
    """`rules`: it asks to set rules aside. Why something is refused is said in our words."""
    open: bool
    """What to do depends on something that must be found out first."""
    parts: tuple[SaidPart, ...] = Field(max_length=MOST_PARTS)
    settings: tuple[Setting, ...] = Field(max_length=MOST_SETTINGS)
    unclear: tuple[Literal["parts", "data", "label", "clauses", "budget_usd", "deadline_s"], ...]
    """What the goal leaves so unclear that a person must be asked."""


def drafted(said: Said) -> tuple[Contract | None, tuple[str, ...]]:
    """The contract an answer states, or every fault that keeps it from being one, for its author."""
    found: list[str] = []
    raw: Json = {"parts": tuple(_part(part, f"parts.{n}", found) for n, part in enumerate(said.parts))}
    _set(raw, said.settings, "", found)
    try:
        contract = Contract.model_validate(raw)
    except ValidationError as error:
        found += [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)]
        return None, tuple(found)
    return (None, tuple(found)) if found else (contract, ())


def said_of(contract: Contract, *, open_: bool = False) -> Said:
    """The answer that states this contract: what a model is shown of the contract it is to correct."""
    return Said(
        kind="goal",
        open=open_,
        parts=tuple(_said_part(part) for part in contract.parts),
        settings=tuple(Setting.model_validate(s) for s in _settings(contract, get_args(GoalField))),
        unclear=(),
    )


def leaves(record: type[BaseModel], under: str = "") -> Iterator[str]:
    """Paths of everything a record holds, without the places in its lists: `parts.clauses.value`."""
    for name, field in record.model_fields.items():
        inner = _record_in(field.annotation)
        path = f"{under}{field.alias or name}"
        if inner is None:
            yield path
        else:
            yield from leaves(inner, f"{path}.")


def _record_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (tuple, Union, UnionType):
        return next((r for a in get_args(annotation) if (r := _record_in(a)) is not None), None)
    return None


def _part(said: SaidPart, path: str, found: list[str]) -> Json:
    raw: Json = {
        "name": said.name or said.target or UNNAMED,
        "task": said.task,
        "target": said.target,
        "data": tuple(d.model_dump() for d in said.data),
        "clauses": tuple(_clause(c, n) for n, c in enumerate(said.clauses)),
    }
    if said.joins:
        raw["prepare"] = {"join": tuple(j.model_dump() for j in said.joins)}
    _set(raw, said.settings, f"{path}.", found)
    for name in ("objective", "train"):
        record, needed = raw.get(name), {"objective": ("metric", "direction"), "train": ("kind", "value")}[name]
        if record is not None:
            found += [f"{path}.{name}.{key}: goes with {name}" for key in needed if key not in record]
    return raw


def _clause(said: SaidClause, number: int) -> Json:
    return {**said.model_dump(by_alias=True), "id": str(number), "where": "holdout"}


def _set(raw: Json, settings: tuple[Setting | PartSetting, ...], under: str, found: list[str]) -> None:
    """Puts settings where they belong; a field that is set twice adds up if it is a list."""
    for setting in settings:
        path = f"parts.{setting.field}" if under else setting.field
        *above, name = setting.field.split(".")
        place = raw
        for step in above:
            place = place.setdefault(step, {})
        if path == "parts.metrics":
            place[name] = {**place.get(name, {}), **_formulas(setting.values, f"{under}{setting.field}", found)}
        elif path in lists():
            place[name] = (*place.get(name, ()), *setting.values)
        elif len(setting.values) != 1 or name in place:
            found.append(f"{under}{setting.field}: takes one value")
        else:
            place[name] = setting.values[0]


def _formulas(values: tuple[bool | float | str, ...], path: str, found: list[str]) -> dict[str, str]:
    pairs = [str(v).partition("=") for v in values]
    found += [f"{path}: write NAME = FORMULA" for _, mark, _ in pairs if not mark]
    return {name.strip(): formula.strip() for name, mark, formula in pairs if mark}


@cache
def lists() -> frozenset[str]:
    """Paths of fields that hold several values."""
    return frozenset(_list_paths(Contract, ""))


def _list_paths(record: type[BaseModel], under: str) -> Iterator[str]:
    for name, field in record.model_fields.items():
        inner = _record_in(field.annotation)
        if inner is not None:
            yield from _list_paths(inner, f"{under}{name}.")
        elif get_origin(field.annotation) is tuple:
            yield f"{under}{name}"


def _said_part(part: Part) -> SaidPart:
    return SaidPart(
        name=part.name,
        task=part.task,
        target=part.target,
        data=tuple(SaidData.model_validate(d.model_dump(exclude={"format"})) for d in part.data),
        joins=part.prepare.join if part.prepare else (),
        clauses=tuple(_said_clause(c) for c in part.clauses),
        settings=tuple(PartSetting.model_validate(s) for s in _settings(part, get_args(PartField))),
    )  # fmt: skip


def _said_clause(clause: Clause) -> SaidClause:
    return SaidClause.model_validate(clause.model_dump(exclude={"id", "where"}, by_alias=True))


def _settings(record: BaseModel, fields: tuple[str, ...]) -> Iterator[Json]:
    for path in fields:
        holder: object = record
        *above, name = path.split(".")
        for step in above:
            holder = getattr(holder, step, None)
        if not isinstance(holder, BaseModel):
            continue
        value, default = getattr(holder, name), type(holder).model_fields[name].default
        if value is None or value == default:
            continue
        if isinstance(value, Mapping):
            value = tuple(f"{key} = {formula}" for key, formula in value.items())
        yield {"field": path, "values": value if isinstance(value, tuple) else (value,)}


SHAPES: Final = ((SaidData, Data), (SaidClause, Clause), (SaidPart, Part))
"""Records of an answer and what they stand for."""
