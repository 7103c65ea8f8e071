"""Formulas of the goal's own: checked before anything starts, asked for where they are missing."""

from __future__ import annotations

from given import ACCURACY, clause, contract, part

from agent.contract import Objective
from agent.formulas import faults, settled

RATE = clause("custom:rate", ">=", 0.2, "live")


def test_every_fault_of_a_formula_is_named_with_its_place() -> None:
    wanted = contract(part(RATE, metrics={"custom:rate": "mean(prediction ==", "cost": "median(x) +"}))
    found = faults(wanted, {"parts.0.metrics": "goal.yaml:4:3 metrics"})
    assert len(found) == 2
    assert all(f.place.startswith("goal.yaml:4:3 metrics, formula, character") for f in found)
    assert all(f.fix for f in found)
    assert faults(wanted, {})[0].place.startswith("parts.0.metrics.rate")
    assert faults(contract(part(RATE, metrics={"rate": "mean(prediction == 1)"})), {}) == ()


def test_a_metric_with_a_formula_is_measured_on_the_holdout() -> None:
    (one,) = settled(contract(part(RATE, metrics={"rate": "mean(prediction == 1)"}))).parts
    assert [c.where for c in one.clauses] == ["holdout"]


def test_a_metric_without_a_formula_is_a_question_that_says_where_to_answer() -> None:
    asked = settled(contract(part(ACCURACY), part(RATE, RATE, name="b"))).questions
    assert [q.field for q in asked] == ["parts.1.metrics.rate"]
    assert "metrics: {rate:" in asked[0].text
    by = part(objective=Objective(metric="custom:cost", direction="min"))
    assert [q.field for q in settled(contract(by)).questions] == ["parts.0.metrics.cost"]


def test_a_goal_without_metrics_of_its_own_stays_as_it_is() -> None:
    wanted = contract(part(ACCURACY))
    assert settled(wanted) == wanted
    assert settled(settled(contract(part(RATE)))) == settled(contract(part(RATE)))
