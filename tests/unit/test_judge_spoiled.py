"""What a holdout number proves where its rows were known before, or could have been looked up."""

from __future__ import annotations

import pytest
from given import clause, part

from agent import judge
from agent.contract import Clause, Contract
from agent.observe import Observation, observe
from agent.plan import Step

ACCURACY = clause("accuracy", ">=", 0.8)
BETTER = clause("accuracy", ">=", 0.0, relative={"to": "other", "delta": 0.0})


def measured(**more: object) -> Observation:
    fields: dict[str, object] = {"part": "m", "step": "s", "stage": "holdout", "metric": "accuracy", "value": 0.9}
    fields |= {"low": 0.85, "high": 0.95, "bound_low": 0.86, "bound_high": 0.94, "n": 100}
    return Observation.model_validate(fields | more)


def beside(**more: object) -> Observation:
    return measured(to="other", name="o", other=0.7, difference=0.2, low=0.1, high=0.3, bound_low=0.12, **more)


@pytest.mark.parametrize(("rows", "verdict"), [(0, "MET"), (2, "MET"), (3, "UNPROVEN"), (100, "UNPROVEN")])
@pytest.mark.parametrize(("wanted", "seen"), [(ACCURACY, measured), (BETTER, beside)])
def test_more_than_two_in_a_hundred_rows_that_were_trained_on_prove_nothing(
    rows: int, verdict: str, wanted: Clause, seen: object
) -> None:
    assert callable(seen)
    found = judge.holdout(wanted, seen(seen_rows=rows))
    assert found.verdict == verdict
    assert ("trained on" in found.note) == (verdict == "UNPROVEN")


def test_a_number_that_is_short_on_known_rows_is_unproven_too() -> None:
    found = judge.holdout(clause("accuracy", ">=", 0.99), measured(seen_rows=50))
    assert (found.verdict, found.measured) == ("UNPROVEN", 0.9)
    assert found.note == "the model was trained on 50 of these 100 rows"


def test_what_could_have_looked_for_the_labels_proves_nothing() -> None:
    found = judge.holdout(ACCURACY, measured(confined=False))
    assert (found.verdict, found.measured) == ("UNPROVEN", 0.9)
    assert "could have looked for the labels" in found.note


def test_from_the_second_look_on_the_stricter_bound_counts_and_earlier_looks_are_said() -> None:
    seen = measured(strict_low=0.79, strict_high=0.97, looks=4)
    assert judge.holdout(ACCURACY, seen, look=1).verdict == "MET"
    found = judge.holdout(ACCURACY, seen, look=5)
    assert (found.verdict, found.measured) == ("NOT MET", 0.9)
    said = "judged on the 0.9833 bound 0.79; other goals or parts opened the same rows 4 times before"
    assert found.note == said
    relative = judge.holdout(BETTER, beside(strict_low=-0.01, strict_high=0.4, looks=1), look=2)
    assert (relative.verdict, "1 times before" in relative.note) == ("NOT MET", True)


def test_what_an_evaluation_says_of_known_rows_is_observed() -> None:
    number = {"metric": "accuracy", "value": 0.9, "strict_low": 0.8, "strict_high": 0.95}
    compared = {"metric": "accuracy", "to": "other", "value": 0.9, "other": 0.8, "difference": 0.1}
    result = {
        "key": "jobs/e",
        "measured": [number],
        "compared": [compared | {"name": "a"}, compared | {"name": "b"}],
        "rows": 100,
        "digests": {"holdout": "h"},
        "seen_rows": {"model": 3, "a": 7},
        "confined": False,
    }
    wanted = part(ACCURACY, BETTER, name="m")
    step = Step.model_validate(
        {
            "id": "evaluate",
            "tool": "evaluate_model",
            "part": "m",
            "effect": "creates",
            "args": {},
            "estimate": {"usd": {"low": 0, "high": 0}, "seconds": {"low": 0, "high": 0}},
            "limit_s": 60,
            "round": 2,
        }
    )
    mine, first, second = observe(step, result, Contract(parts=(wanted,)))
    assert (mine.seen_rows, first.seen_rows, second.seen_rows) == (3, 7, 3)
    assert {(o.round, o.confined, o.opens("h"), o.opens("g")) for o in (mine, first, second)} == {
        (2, False, True, False)
    }
    assert (mine.strict_low, mine.strict_high) == (0.8, 0.95)
