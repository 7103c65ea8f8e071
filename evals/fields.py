"""Compares a worked goal with what the embedded brain makes of it, field by field.

A field that is given must come out exactly; a list that is given is complete, its order free except for rollout steps.
A case marked `exact` is held to the fields it leaves out too: nothing may be invented there; `"*"` leaves a field free.
It knows the corpus format and nothing of the grammar.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime

from agent.brain.protocol import Context
from agent.brain.rules.grammar.understand import Rules
from agent.contract import Contract, Refusal
from agent.goal import Goal
from tools.record import Json, Record

_ORDERED = ("steps",)
_FREE = "*"
_BUNDLED_LABEL = "target"
_NOW = "2026-03-02T09:00:00+00:00"
_SILENT: Mapping[str, Json] = {
    "": {
        "budget_usd": None,
        "deadline_s": None,
        "environment": None,
        "namespace": None,
        "constraints": [],
        "placement": {},
    },
    "placement": {
        "backend": None,
        "gpu": None,
        "gpu_count": None,
        "gpu_memory_gb": None,
        "cpus": None,
        "memory_gb": None,
        "spot": None,
        "regions": [],
        "instance_types": [],
        "zones": [],
    },
    "parts": {
        "target": None,
        "source_models": [],
        "objective": None,
        "data": [],
        "prepare": None,
        "split": None,
        "models": [],
        "train": None,
        "search": None,
        "clauses": [],
        "rollout": {"strategy": "none"},
        "upkeep": None,
        "metrics": None,
    },
    "data": {"label": None, "time": None, "id": None},
    "prepare": {"join": [], "clean": [], "drop_columns": []},
    "split": {"column": None, "at": None, "holdout": None},
    "train": {"predict": None},
    "clauses": {"relative": None, "class": None, "abort": False, "confidence": None, "window_s": None},
    "rollout": {
        "steps": [],
        "hold_s": None,
        "replicas": None,
        "min_replicas": None,
        "max_replicas": None,
        "lease_s": None,
    },
    "upkeep": {"every_s": None, "retrain_on": [], "for_s": None},
}
"""What each record holds where the goal says nothing."""


class Checked(Record):
    """One field of one goal: what is wrong about it, if anything, and whether anything is or should be said there."""

    path: str
    fault: str = ""
    stated: bool = True


def differences(case: Json, *, strict: bool = True) -> Iterator[tuple[str, str]]:
    """Every field of the case with what is wrong about it, or an empty string."""
    for field in checked(case, strict=strict):
        yield field.path, field.fault


def checked(case: Json, *, strict: bool = True) -> Iterator[Checked]:
    """Every field of the case, judged. `strict`: questions that the case does not list are faults too."""
    goal = Goal.of(case["text"], source="cli:evals")
    now = datetime.fromisoformat(case.get("now", _NOW)).timestamp()
    answer = Rules().understand(goal, Context(now=now))
    refused = case.get("feasibility") == "refused"
    if refused or isinstance(answer, Refusal):
        wrong = refused != isinstance(answer, Refusal)
        wanted = "a refusal" if refused else "a contract"
        yield Checked(path="refused", fault=f"expected {wanted}, got {answer!r}" if wrong else "")
        return
    document = json.loads(answer.model_dump_json())
    wanted_all = case.get("contract", {})
    if case.get("exact") and wanted_all:
        wanted_all = _spelled_out("", wanted_all)
    for field, wanted in wanted_all.items():
        yield from _compare(field, wanted, document.get(field))
    yield _questions(case, answer, strict=strict)


def _questions(case: Json, answer: Contract, *, strict: bool) -> Checked:
    asked = {q.field for q in answer.questions}
    wanted = set(case.get("questions", ()))
    wrong = asked != wanted if strict else not wanted <= asked
    fault = f"expected {sorted(wanted)}, got {sorted(asked)}" if wrong else ""
    return Checked(path="questions", fault=fault, stated=bool(wanted or asked))


def _spelled_out(kind: str, wanted: Json) -> Json:
    """The record with what the case leaves out set to what silence means."""
    whole: Json = {**_SILENT.get(kind, {}), **wanted}
    for key, value in whole.items():
        if isinstance(value, dict):
            whole[key] = _spelled_out(key, value)
        elif isinstance(value, list):
            whole[key] = [_spelled_out(key, item) if isinstance(item, dict) else item for item in value]
    return whole


def _compare(path: str, wanted: object, found: object) -> Iterator[Checked]:
    if wanted == _FREE:
        return
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            made = found.get(key) if isinstance(found, dict) else None
            if key == "label" and _is_bundled(wanted) and {value, made} <= {None, _BUNDLED_LABEL}:
                continue
            yield from _compare(f"{path}.{key}", value, made)
    elif isinstance(wanted, list) and any(isinstance(item, dict) for item in wanted):
        yield from _records(path, wanted, found if isinstance(found, list) else [])
    elif isinstance(wanted, list):
        yield _judged(path, wanted, found, same=_alike(path, wanted, found))
    else:
        yield _judged(path, wanted, found, same=_same(wanted, found))


def _is_bundled(data: Json) -> bool:
    """A set of scikit-learn's: its one label is the same whether it is spelled out or not."""
    return str(data.get("uri", "")).startswith("sklearn:")


def _judged(path: str, wanted: object, found: object, *, same: bool) -> Checked:
    silent = _silent(wanted) and _silent(found)
    return Checked(path=path, fault="" if same else f"expected {wanted!r}, got {found!r}", stated=not silent)


def _silent(value: object) -> bool:
    return value is None or value is False or value == "none" or (isinstance(value, list | dict) and not value)


def _alike(path: str, wanted: list[object], found: object) -> bool:
    if not isinstance(found, list):
        return not wanted and found is None
    if path.rpartition(".")[2] in _ORDERED:
        return wanted == found
    return sorted(map(repr, wanted)) == sorted(map(repr, found))


def _same(wanted: object, found: object) -> bool:
    numbers = isinstance(wanted, int | float) and isinstance(found, int | float)
    if numbers and not isinstance(wanted, bool):
        return abs(float(wanted) - float(found)) <= 1e-9 * max(1.0, abs(float(wanted)))  # type: ignore[arg-type]
    return wanted == found


def _records(path: str, wanted: list[Json], found: list[Json]) -> Iterator[Checked]:
    """Records are paired so that as many fields as possible agree; one that is missing or too many is one fault."""
    left = list(found)
    for n, item in enumerate(wanted):
        if not left:
            yield Checked(path=f"{path}.{n}", fault=f"expected {item}, got nothing")
            continue
        best = min(left, key=lambda other: sum(bool(c.fault) for c in _compare("", item, other)))
        left.remove(best)
        yield from _compare(f"{path}.{n}", item, best)
    for extra in left:
        yield Checked(path=f"{path}.extra", fault=f"not expected: {extra}")


def language(text: str) -> str:
    """`zh` if the text has Han characters, else `en`."""
    return "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"
