"""The worked goals beside the repository and the project's own corpus come out field by field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.fields import differences, language
from evals.understanding import BASELINE, cases_of, corpora, grave, judge, reached
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
        ("wide.jsonl", 0.99, 0.97),
        ("plain.jsonl", 0.99, 0.85),
    ],
)
def test_goals_the_grammar_was_not_made_for_are_understood_nearly_always(
    corpus: str, fields: float, goals: float
) -> None:
    answers = [[fault for _, fault in differences(case)] for case in _cases(_CORPUS / corpus)]
    results = [fault for answer in answers for fault in answer]
    assert results.count("") / len(results) >= fields, [fault for fault in results if fault]
    assert sum(not any(answer) for answer in answers) / len(answers) >= goals, [a for a in answers if any(a)]


def test_no_corpus_is_understood_worse_than_the_baseline_says() -> None:
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    assert {path.name for path in corpora()} == set(baseline), "run `python -m evals.understanding --baseline`"
    current = reached()
    fallen = {
        (name, tongue): (now[tongue], was)
        for name, by_tongue in baseline.items()
        for now in [current[name]]
        for tongue, was in by_tongue.items()
        if now[tongue] < was
    }
    assert not fallen


def test_nothing_grave_happens_on_the_goals_that_may_be_seen() -> None:
    seen = [path for path in corpora() if "held_back" not in path.name]
    assert not [line for path in seen for line in grave(judge(cases_of(path)))]


def test_what_neither_side_speaks_of_does_not_count() -> None:
    told = {"parts": [{"task": "classification", "data": [{"uri": "a.csv", "label": "y"}]}]}
    case = {"text": "Train a classifier on a.csv, label y, budget $5.", "contract": told, "exact": True}
    (result,) = judge([case])
    counted = {f.path for f in result.fields if f.stated}
    assert counted == {"parts.0.task", "parts.0.data.0.uri", "parts.0.data.0.label", "budget_usd"}
    assert grave([result]) == ["a budget was invented: " + case["text"]]


def test_an_exact_case_holds_the_grammar_to_what_the_goal_leaves_out() -> None:
    told = {"parts": [{"task": "classification", "data": [{"uri": "a.csv", "label": "y"}]}]}
    text = "Train a classifier on a.csv, label y, accuracy 0.9, budget $5."
    invented = {field for field, fault in differences({"text": text, "contract": told, "exact": True}) if fault}
    assert invented == {"budget_usd", "parts.0.clauses"}
    assert not [f for f, fault in differences({"text": text, "contract": told}) if fault]
