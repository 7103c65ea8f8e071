"""Which fields a goal file may hold, and how each reads its text: the contract's fields, one by one.

The tables mirror the records of `agent.contract`; a value is parsed once, here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import get_args

from agent.brain.rules.grammar.fields import parse_clause, parse_duration, parse_flag, parse_money, parse_number
from agent.contract import (
    Clause,
    Comparand,
    Constraint,
    Contract,
    Data,
    Join,
    ModelTask,
    Objective,
    Op,
    Part,
    Placement,
    Prepare,
    Relative,
    Remark,
    Rollout,
    Search,
    Split,
    Strategy,
    ThingTask,
    Train,
    Upkeep,
)
from agent.doors.goal_paths import path_inside
from agent.doors.sheet import Fields, Reader, Sheet, Spot, build, entries, listing, near, record, scalar
from agent.wording import clean
from tools.metrics import METRICS, Where
from tools.yaml_tree import Entries, Node, Scalar

MAX_TEXT = 2_000


def _words(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    if clean(text) != text or len(text) > MAX_TEXT:
        raise ValueError("must be one line of ordinary characters")
    return text


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of them: {near(text, choices)}")
        return text

    return read


def _amount(text: str) -> float:
    """Any finite number, also a share in percent or a word."""
    sign = -1.0 if text.startswith(("-", "−")) else 1.0
    value = float(text) if _is_number(text) else sign * parse_number(text.lstrip("+-−").lstrip())
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value


def _some(text: str) -> float:
    """A number of 0 or more."""
    value = _amount(text)
    if value < 0:
        raise ValueError(f"{text!r} is negative")
    return value


def _count(text: str) -> int:
    value = _some(text)
    if value != int(value):
        raise ValueError(f"{text!r} is not a whole number")
    return int(value)


def _money(text: str) -> float:
    return _some(text) if _is_number(text) else parse_money(text)


def _seconds(text: str) -> float:
    """A duration; a bare number is seconds."""
    value = _amount(text) if _is_number(text) else parse_duration(text)
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"{text!r} is not more than nothing")
    return value


def _gigabytes(text: str) -> float:
    return _some(re.sub(r"\s*(?:gi?b?)$", "", text, flags=re.IGNORECASE))


def _share_of_traffic(text: str) -> float:
    """Percent, with or without the sign: 5 and `5 %` are both five percent."""
    return _some(text.removesuffix("%").strip())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _choice(literal: object) -> Reader:
    return scalar(_one_of(*get_args(literal)))


def _annotated(kind: type[Contract | Data | Part | Prepare | Split | Search | Upkeep], field: str) -> tuple[str, ...]:
    """The closed set of words of a record's field, however deep its annotation nests."""

    def words(annotation: object) -> tuple[str, ...]:
        inner = get_args(annotation)
        return tuple(w for a in inner for w in ((a,) if isinstance(a, str) else words(a)))

    return words(kind.model_fields[field].annotation)


def _steps(sheet: Sheet, node: Node, spot: Spot) -> object:
    """`[5, 25, 100]`, or in one text: `5/25/100`."""
    if isinstance(node, Scalar) and node.text and len(texts := re.split(r"[\s/,→>%-]+", node.text.strip(" %"))) > 1:
        items = [scalar(_share_of_traffic)(sheet, Scalar(at=node.at, text=t), spot) for t in texts]
        return tuple(i for i in items if i is not None)
    return listing(scalar(_share_of_traffic))(sheet, node, spot)


def _clause(sheet: Sheet, node: Node, spot: Spot) -> object:
    """`f1 >= 0.85`, or its fields one by one."""
    if isinstance(node, Entries):
        return _clause_fields(sheet, node, spot)
    found = scalar(parse_clause)(sheet, node, spot)
    return _bounded(sheet, node, spot, found.model_copy(update={"id": ""})) if isinstance(found, Clause) else None


def _clause_fields(sheet: Sheet, node: Node, spot: Spot) -> object:
    values = entries(sheet, node, spot, CLAUSE)
    if values is None:
        return None
    metric, written = (
        values.get("metric"),
        {key.text for key, _ in node.entries} if isinstance(node, Entries) else set(),
    )
    if not isinstance(metric, str):
        if "metric" not in written:
            sheet.fault(node.at, spot.key("metric"), "is missing")
        return None
    if "value" not in values and "relative" not in values and not written & {"value", "relative"}:
        sheet.fault(node.at, spot.key("value"), "is missing", "or say what it is `relative` to")
    if {"value", "relative"} <= values.keys():
        sheet.fault(node.at, spot, "has both `value` and `relative`", "keep one")
    known = METRICS.get(metric)
    defaults: dict[str, object] = {"id": "", "value": None, "where": known.where if known else "live"}
    if isinstance(text := values.get("value"), str) and (known is None or known.unit != "version"):
        values["value"] = _threshold(sheet, node, spot, f"{metric} {values.get('op', '>=')} {text}")
    clause = build(sheet, node, spot, Clause, defaults | values)
    return _bounded(sheet, node, spot, clause) if clause is not None else None


def _threshold(sheet: Sheet, node: Node, spot: Spot, demand: str) -> float | str | None:
    """The value of a clause as its metric's unit reads it: `200 ms`, `95 %`."""
    try:
        return parse_clause(demand).value
    except ValueError as fault:
        at = (
            next((v.at for k, v in node.entries if k.text == "value"), node.at)
            if isinstance(node, Entries)
            else node.at
        )
        sheet.fault(at, spot.key("value"), clean(str(fault)))
        return None


def _bounded(sheet: Sheet, node: Node, spot: Spot, clause: Clause) -> Clause | None:
    """The clause, unless its threshold is no possible number. What is merely out of reach is the plan's to say."""
    known, value = METRICS.get(clause.metric), clause.value
    if isinstance(value, float | int):
        if not math.isfinite(value):
            sheet.fault(node.at, spot, "the threshold is not a finite number")
            return None
        if value < 0 and known is not None and known.low is not None and known.low >= 0:
            sheet.fault(node.at, spot, f"{clause.metric} is never negative")
            return None
    return clause


def _metric(text: str) -> str:
    if text in METRICS or re.fullmatch(r"custom:[a-z0-9_]+", text):
        return text
    raise ValueError(f"{text!r} is not a known metric: {near(text, METRICS)}, or custom:NAME")


def _data(sheet: Sheet, node: Node, spot: Spot) -> object:
    """`penguins.csv`, or its fields."""
    if isinstance(node, Scalar):
        uri = _uri(sheet, node, spot)
        return None if uri is None else Data.model_validate({"uri": uri})
    return record(DATA, Data)(sheet, node, spot)


def _uri(sheet: Sheet, node: Node, spot: Spot) -> object:
    return scalar(lambda text: path_inside(_words(text), folder=sheet.folder, project=sheet.project))(sheet, node, spot)


def _formulas(sheet: Sheet, node: Node, spot: Spot) -> object:
    """Name → formula of a metric of one's own."""
    if not isinstance(node, Entries):
        return record({}, Part)(sheet, node, spot)
    found: dict[str, str] = {}
    for key, value in node.entries:
        name = (key.text or "").removeprefix("custom:")
        at = spot.key(name)
        sheet.said(value.at, at)
        if not re.fullmatch(r"[a-z0-9_]{1,64}", name):
            sheet.fault(key.at, at, "a metric's name is made of a-z, 0-9 and _")
        elif isinstance(formula := scalar(_words)(sheet, value, at), str):
            found[name] = formula
    return found


_TEXT = scalar(_words)
_TEXTS = listing(_TEXT)
_FLAG = scalar(parse_flag)
_COUNT = scalar(_count)
_DURATION = scalar(_seconds)
_REMARKS = listing(record({"field": _TEXT, "text": _TEXT}, Remark))

CLAUSE: Fields = {
    "id": scalar(_words),
    "metric": scalar(_metric),
    "op": _choice(Op),
    "value": scalar(_words),
    "relative": record(
        {"to": _choice(Comparand), "delta": scalar(_amount), "kind": scalar(_one_of("absolute", "ratio"))}, Relative
    ),
    "where": _choice(Where),
    "class": _TEXT,
    "abort": _FLAG,
    "confidence": scalar(_some),
    "window_s": _DURATION,
}
DATA: Fields = {
    "uri": _uri,
    "role": scalar(_one_of(*_annotated(Data, "role"))),
    "label": _TEXT,
    "time": _TEXT,
    "id": _TEXT,
    "format": scalar(_one_of(*_annotated(Data, "format"))),
}
JOIN: Fields = {"left": _uri, "right": _uri, "on": _TEXTS, "how": scalar(_one_of("inner", "left"))}
PREPARE: Fields = {
    "join": listing(record(JOIN, Join)),
    "clean": listing(scalar(_one_of(*_annotated(Prepare, "clean")))),
    "drop_columns": _TEXTS,
}
SPLIT: Fields = {
    "by": scalar(_one_of(*_annotated(Split, "by"))),
    "column": _TEXT,
    "at": _TEXT,
    "holdout": scalar(_some),
}
TRAIN: Fields = {"kind": scalar(_one_of("recipe", "command", "image")), "value": _TEXT, "predict": _TEXT}
SEARCH: Fields = {"method": scalar(_one_of(*_annotated(Search, "method"))), "trials": _COUNT}
ROLLOUT: Fields = {
    "strategy": _choice(Strategy),
    "steps": _steps,
    "hold_s": _DURATION,
    "replicas": _COUNT,
    "min_replicas": _COUNT,
    "max_replicas": _COUNT,
    "lease_s": _DURATION,
}
UPKEEP: Fields = {
    "watch": _FLAG,
    "every_s": _DURATION,
    "retrain_on": listing(scalar(_one_of(*_annotated(Upkeep, "retrain_on")))),
    "for_s": _DURATION,
}
PLACEMENT: Fields = {
    "backend": scalar(_one_of("local", "kubernetes", "aws", "sim")),
    "gpu": _TEXT,
    "gpu_count": _COUNT,
    "gpu_memory_gb": scalar(_gigabytes),
    "cpus": scalar(_some),
    "memory_gb": scalar(_gigabytes),
    "spot": _FLAG,
    "regions": _TEXTS,
    "instance_types": _TEXTS,
    "zones": _TEXTS,
}
PART: Fields = {
    "name": _TEXT,
    "task": scalar(_one_of(*get_args(ModelTask), *get_args(ThingTask))),
    "target": _TEXT,
    "source_models": listing(_uri),
    "objective": record(
        {"metric": scalar(_metric), "direction": scalar(_one_of("max", "min"))},
        Objective,
    ),
    "data": listing(_data),
    "prepare": record(PREPARE, Prepare),
    "split": record(SPLIT, Split),
    "models": _TEXTS,
    "train": record(TRAIN, Train),
    "search": record(SEARCH, Search),
    "clauses": listing(_clause),
    "rollout": record(ROLLOUT, Rollout),
    "upkeep": record(UPKEEP, Upkeep),
    "metrics": _formulas,
}
WHOLE: Fields = {
    "budget_usd": scalar(_money),
    "budget_per": scalar(_one_of(*_annotated(Contract, "budget_per"))),
    "deadline_s": _DURATION,
    "environment": scalar(_one_of(*_annotated(Contract, "environment"))),
    "namespace": _TEXT,
    "placement": record(PLACEMENT, Placement),
    "constraints": listing(_choice(Constraint)),
    "assumptions": _REMARKS,
    "questions": _REMARKS,
}
"""The contract's fields beside its parts."""
