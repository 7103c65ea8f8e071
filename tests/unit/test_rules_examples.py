"""The worked goals beside the repository and the project's own corpus come out field by field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.understanding import differences, language
from tools.record import Json

_HERE = Path(__file__).resolve().parents[2]
_WORKED = _HERE.parent / "shared" / "goals" / "examples.jsonl"
_CORPUS = _HERE / "evals" / "corpus"


def _cases(path: Path) -> list[Json]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _faults(cases: list[Json], *, strict: bool) -> list[str]:
    return [
        f"{case['text']}\n    {field}: {fault}"
        for case in cases
        for field, fault in differences(case, strict=strict)
        if fault
    ]


def test_every_worked_goal_comes_out_as_its_example_says() -> None:
    if not _WORKED.exists():
        pytest.skip(f"no worked goals at {_WORKED}; they are not part of the project")
    cases = _cases(_WORKED)
    assert cases
    faults = _faults([c for c in cases if c.get("feasibility") != "infeasible" or "contract" in c], strict=True)
    assert not faults, "\n".join(faults)


def test_every_goal_of_the_corpus_comes_out_in_both_languages() -> None:
    cases = _cases(_CORPUS / "goals.jsonl")
    assert {language(c["text"]) for c in cases} == {"en", "zh"}
    faults = _faults(cases, strict=True)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("corpus", "fields", "goals"),
    [
        ("held_back.jsonl", 0.99, 0.95),
        ("outside.jsonl", 0.995, 0.97),
        ("outside_blind.jsonl", 0.995, 0.97),
        ("outside_held_back.jsonl", 0.995, 0.97),
    ],
)
def test_goals_the_grammar_was_not_made_for_are_understood_nearly_always(
    corpus: str, fields: float, goals: float
) -> None:
    answers = [[fault for _, fault in differences(case)] for case in _cases(_CORPUS / corpus)]
    results = [fault for answer in answers for fault in answer]
    assert results.count("") / len(results) >= fields, [fault for fault in results if fault]
    assert sum(not any(answer) for answer in answers) / len(answers) >= goals, [a for a in answers if any(a)]


def test_an_exact_case_holds_the_grammar_to_what_the_goal_leaves_out() -> None:
    told = {"parts": [{"task": "classification", "data": [{"uri": "a.csv", "label": "y"}]}]}
    text = "Train a classifier on a.csv, label y, accuracy 0.9, budget $5."
    invented = {field for field, fault in differences({"text": text, "contract": told, "exact": True}) if fault}
    assert invented == {"budget_usd", "parts.0.clauses"}
    assert not [f for f, fault in differences({"text": text, "contract": told}) if fault]
