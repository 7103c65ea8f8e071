"""How well the embedded brain understands goals: `python -m evals.understanding [FILE...]`.

Compares each worked goal's fields with the contract; a field that is given must come out exactly, a list that is
given is complete, its order free except for rollout steps. A case marked `exact` is held to the fields it leaves out
too: nothing may be invented there; `"*"` leaves a field free. It knows the corpus format and nothing of the grammar.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from agent.brain.protocol import Context
from agent.brain.rules.understand import Rules
from agent.contract import Contract, Refusal
from agent.goal import Goal
from tools.record import Json

_ORDERED = ("steps",)
_FREE = "*"
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


def differences(case: Json, *, strict: bool = True) -> Iterator[tuple[str, str]]:
    """Every field of the case with what is wrong about it, or an empty string.

    `strict`: questions that the case does not list are faults too.
    """
    goal = Goal.of(case["text"], source="cli:evals")
    now = datetime.fromisoformat(case.get("now", _NOW)).timestamp()
    answer = Rules().understand(goal, Context(now=now))
    refused = case.get("feasibility") == "refused"
    if refused or isinstance(answer, Refusal):
        wrong = refused != isinstance(answer, Refusal)
        yield "refused", f"expected {'a refusal' if refused else 'a contract'}, got {answer!r}" if wrong else ""
        return
    document = json.loads(answer.model_dump_json())
    wanted_all = case.get("contract", {})
    if case.get("exact") and wanted_all:
        wanted_all = _spelled_out("", wanted_all)
    for field, wanted in wanted_all.items():
        yield from _compare(field, wanted, document.get(field))
    yield from _questions(case, answer, strict=strict)


def _questions(case: Json, answer: Contract, *, strict: bool) -> Iterator[tuple[str, str]]:
    asked = {q.field for q in answer.questions}
    wanted = set(case.get("questions", ()))
    wrong = asked != wanted if strict else not wanted <= asked
    yield "questions", f"expected {sorted(wanted)}, got {sorted(asked)}" if wrong else ""


def _spelled_out(kind: str, wanted: Json) -> Json:
    """The record with what the case leaves out set to what silence means."""
    whole: Json = {**_SILENT.get(kind, {}), **wanted}
    for key, value in whole.items():
        if isinstance(value, dict):
            whole[key] = _spelled_out(key, value)
        elif isinstance(value, list):
            whole[key] = [_spelled_out(key, item) if isinstance(item, dict) else item for item in value]
    return whole


def _compare(path: str, wanted: object, found: object) -> Iterator[tuple[str, str]]:
    if wanted == _FREE:
        return
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            yield from _compare(f"{path}.{key}", value, found.get(key) if isinstance(found, dict) else None)
    elif isinstance(wanted, list) and any(isinstance(item, dict) for item in wanted):
        yield from _records(path, wanted, found if isinstance(found, list) else [])
    elif isinstance(wanted, list):
        same = wanted == found if path.rpartition(".")[2] in _ORDERED else sorted(wanted) == sorted(found or ())  # type: ignore[call-overload]
        yield path, "" if same else f"expected {wanted}, got {found}"
    else:
        yield path, "" if _same(wanted, found) else f"expected {wanted!r}, got {found!r}"


def _same(wanted: object, found: object) -> bool:
    numbers = isinstance(wanted, int | float) and isinstance(found, int | float)
    if numbers and not isinstance(wanted, bool):
        return abs(float(wanted) - float(found)) <= 1e-9 * max(1.0, abs(float(wanted)))  # type: ignore[arg-type]
    return wanted == found


def _records(path: str, wanted: list[Json], found: list[Json]) -> Iterator[tuple[str, str]]:
    """Records are paired so that as many fields as possible agree."""
    left = list(found)
    for n, item in enumerate(wanted):
        if not left:
            yield f"{path}.{n}", f"expected {item}, got nothing"
            continue
        best = min(left, key=lambda other: sum(bool(fault) for _, fault in _compare("", item, other)))
        left.remove(best)
        yield from _compare(f"{path}.{n}", item, best)
    if left or not wanted:
        yield f"{path}.length", f"not expected: {left}" if left else ""


def language(text: str) -> str:
    """`zh` if the text has Han characters, else `en`."""
    return "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"


def report(path: Path, *, verbose: bool) -> str:
    """Accuracy per field and language over one corpus file."""
    right: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    whole: Counter[str] = Counter()
    lines: list[str] = []
    cases = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    for case in cases:
        tongue = language(case["text"])
        results = list(differences(case))
        faults = [(field, fault) for field, fault in results if fault]
        whole[tongue] += not faults
        for field, fault in results:
            key = (tongue, ".".join(p for p in field.split(".") if not p.isdigit()))
            total[key] += 1
            right[key] += not fault
        if faults and verbose:
            lines += [case["text"], *(f"    {field}: {fault}" for field, fault in faults)]
    for tongue in sorted(whole):
        goals = sum(language(case["text"]) == tongue for case in cases)
        fields = sum(n for (t, _), n in total.items() if t == tongue)
        good = sum(n for (t, _), n in right.items() if t == tongue)
        lines.append(
            f"{path.name} {tongue}: {whole[tongue]}/{goals} goals whole, {good}/{fields} fields ({good / fields:.1%})"
        )
    for tongue, field in sorted(total):
        if right[tongue, field] < total[tongue, field]:
            lines.append(f"    {tongue} {field}: {right[tongue, field]}/{total[tongue, field]}")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Prints the report of each file, by default of the project's own corpus."""
    verbose = "-v" in arguments
    files = [Path(a) for a in arguments if a != "-v"]
    for path in files or sorted((Path(__file__).parent / "corpus").glob("*.jsonl")):
        print(report(path, verbose=verbose))


if __name__ == "__main__":
    main(sys.argv[1:])
