"""What a report says beside the clauses: which model is better, what is not beaten, what was asked of no one."""

from __future__ import annotations

import pytest
from given import ACCURACY, Story, clause, contract, part

from agent.contract import Contract, Data, Objective, Part
from agent.findings import answers, findings
from agent.observe import Observation, observe
from agent.report import clause_verdicts
from tools.recipes.records import Compared
from tools.record import Json

HELD = Data(uri="sklearn:breast_cancer", label="target", role="holdout")
LOG_LOSS = Objective(metric="log_loss", direction="min")


def comparison(*models: str, objective: Objective | None = LOG_LOSS) -> Part:
    return part(task="compare", source_models=models, objective=objective, data=(HELD,))


def compared(name: str, value: float | None, other: float | None, spread: float = 0.01, **more: object) -> Json:
    off = None if value is None or other is None else value - other
    fields: dict[str, object] = {"metric": "log_loss", "to": "other", "name": name, "value": value, "other": other}
    fields["difference"] = off
    if off is not None:
        fields |= {"low": off - spread, "high": off + spread, "bound_low": off - spread, "bound_high": off + spread}
        fields["p_value"] = 0.5 if abs(off) < spread else 0.001
    return Compared.model_validate(fields | more).model_dump(mode="json")


def told(wanted: Contract, evaluations: dict[str, list[Json]], measured: list[Json] | None = None) -> Story:
    """A run whose evaluations came to this."""
    story = Story(wanted)
    for step in story.run.plan.steps:
        if step.tool not in ("evaluate_model",):
            story.ended(step.id, _made(step.tool))
            continue
        result = {
            "key": "jobs/e",
            "measured": measured or [],
            "compared": evaluations.get(step.id, []),
            "rows": 100,
            "digests": {},
        }
        story.ended(step.id, result)
        for seen in observe(step, result, wanted):
            story.tell("observation", seen)
    return story


def _made(tool: str) -> Json:
    made: Json = {"key": "k", "label": "target", "roles": {}, "classes": [], "positive": None}
    return made | {"family": "svm", "rivals": {}, "duplicates_removed": 0}


@pytest.mark.parametrize(
    ("value", "other", "said"),
    [
        (0.35, 0.31, "by log_loss m:v4 is better: m:v3 0.35 against 0.31 of m:v4, difference +0.04 [+0.03, +0.05]"),
        (0.31, 0.35, "by log_loss m:v3 is better"),
        (0.31, 0.315, "by log_loss no difference is shown between m:v3 and m:v4"),
    ],
)
def test_a_comparison_names_the_better_model_or_that_no_difference_is_shown(
    value: float, other: float, said: str
) -> None:
    story = told(contract(comparison("m:v3", "m:v4")), {"evaluate": [compared("m:v4", value, other)]})
    (sentence,) = answers(story.run)
    assert sentence.startswith(said)
    assert findings(story.run)[0] == sentence


def test_of_three_models_the_best_must_be_ahead_of_both() -> None:
    wanted = contract(comparison("a:v1", "b:v1", "c:v1"))
    pairs = {
        "evaluate": [compared("b:v1", 0.5, 0.3), compared("c:v1", 0.5, 0.4)],
        "evaluate-model2": [compared("c:v1", 0.3, 0.4)],
    }
    (sentence,) = answers(told(wanted, pairs).run)
    assert sentence.startswith("by log_loss b:v1 is better")
    pairs["evaluate-model2"] = [compared("c:v1", 0.3, 0.305)]
    (sentence,) = answers(told(wanted, pairs).run)
    assert sentence.startswith("by log_loss no difference is shown between b:v1 and c:v1")


def test_of_several_pairs_each_must_be_surer() -> None:
    wanted = contract(comparison("a:v1", "b:v1", "c:v1"))
    weak = {"p_value": 0.03}
    pairs = {
        "evaluate": [compared("b:v1", 0.5, 0.3, **weak), compared("c:v1", 0.5, 0.4, **weak)],
        "evaluate-model2": [compared("c:v1", 0.3, 0.4, **weak)],
    }
    assert "no difference is shown" in answers(told(wanted, pairs).run)[0]


def test_a_metric_that_is_not_defined_decides_nothing() -> None:
    story = told(contract(comparison("m:v3", "m:v4")), {"evaluate": [compared("m:v4", None, None)]})
    assert answers(story.run) == ("log_loss is not defined on these rows for any of m:v3, m:v4",)


def test_a_formula_is_compared_in_the_direction_that_the_goal_says() -> None:
    wanted = contract(
        comparison("m:v3", "m:v4", objective=Objective(metric="custom:cost", direction="min")).model_copy(
            update={"metrics": {"cost": "mean(prediction)"}}
        )
    )
    story = told(wanted, {"evaluate": [compared("m:v4", 5.0, 4.0, metric="custom:cost")]})
    assert answers(story.run)[0].startswith("by custom:cost m:v4 is better")


def test_a_baseline_that_is_not_beaten_is_a_finding_and_one_that_is_beaten_is_none() -> None:
    sales = Data(uri="sklearn:breast_cancer", label="target", time="week")
    wanted = contract(part(task="forecasting", data=(sales,)))

    def said(value: float, other: float) -> list[str]:
        against = compared("baseline", value, other, metric="smape", to="baseline")
        return [f for f in findings(told(wanted, {"evaluate": [against]}).run) if "baseline" in f]

    assert said(0.1, 0.2) == []
    for value in (0.2, 0.3, 0.195):
        (sentence,) = said(value, 0.2)
        assert "not shown to beat the baseline (the seasonal naive forecast)" in sentence.replace("by smape ", "")


def test_a_baseline_that_is_beaten_on_too_few_rows_is_not_called_unbeaten() -> None:
    sales = Data(uri="sklearn:breast_cancer", label="target", time="week")
    wanted = contract(part(task="forecasting", data=(sales,)))
    against = compared("baseline", 0.01, 0.2, metric="smape", to="baseline", low=None, high=None, p_value=None)
    (sentence,) = (f for f in findings(told(wanted, {"evaluate": [against]}).run) if "baseline" in f)
    assert "is better than the baseline (the seasonal naive forecast), on too little to be sure" in sentence


def test_named_candidates_are_reported_beside_the_chosen_one() -> None:
    wanted = contract(part(ACCURACY, models=("svm", "mlp")))
    pairs = [compared("mlp", 0.92, 0.90, metric="accuracy"), compared("knn", 0.92, 0.919, metric="accuracy")]
    said = findings(told(wanted, {"evaluate": pairs}).run)
    assert any(f.startswith("by accuracy svm is better than mlp on the holdout: 0.92 against 0.9 of mlp") for f in said)
    assert any(f.startswith("by accuracy no difference is shown between svm and knn") for f in said)


def test_a_comparison_that_a_clause_asks_for_is_a_verdict_and_no_finding() -> None:
    asked = clause("accuracy", ">=", 0.0, relative={"to": "baseline", "delta": 0.2})
    wanted = contract(part(asked))
    against = compared("baseline", 0.92, 0.62, metric="accuracy", to="baseline")
    story = told(wanted, {"evaluate": [against]})
    (verdict,) = clause_verdicts(story.run)
    assert (verdict.verdict, verdict.measured) == ("MET", pytest.approx(0.3))
    assert verdict.note == "0.92 against 0.62 of the baseline"
    assert verdict.evidence is not None
    assert verdict.evidence.path == "jobs/e/holdout_rows.csv"
    assert not any("baseline" in f for f in findings(story.run))


QUOTE: Json = {"offer": "gpu.big", "machines": 1, "usd_micro_per_hour": 3_600_000}


@pytest.mark.parametrize(
    ("quotes", "seconds", "said"),
    [
        ([], None, "nothing that is offered here fits what model names, so its price is not known here"),
        ([QUOTE | {"usd_micro_per_hour": None}], None, "the price of gpu.big is not known"),
        ([QUOTE], None, "model costs $3.6 an hour on gpu.big; how long it takes is not known"),
        (
            [QUOTE | {"machines": 4, "usd_micro_low": 100_000, "usd_micro_high": 400_000}],
            (100.0, 400.0),
            "model is estimated at $0.1 to $0.4 for 1.67 to 6.67 min at $3.6 an hour on 4 × gpu.big",
        ),
    ],
)
def test_an_estimate_answers_with_numbers_or_says_that_the_price_is_not_known(
    quotes: list[Json], seconds: tuple[float, float] | None, said: str
) -> None:
    story = Story(contract(part(task="estimate", data=())))
    low, high = seconds or (None, None)
    story.ended("quote", {"quotes": quotes, "seconds_low": low, "seconds_high": high})
    (sentence,) = answers(story.run)
    assert sentence.startswith(said)


def test_prepared_data_is_described_with_what_joining_did() -> None:
    story = Story(contract(part(task="prepare")))
    join = {"left": "a.csv", "right": "b.csv", "on": ["id"], "rows_before": 9, "rows_after": 12}
    story.ended(
        "prepare",
        {
            "key": "jobs/p",
            "rows": 12,
            "columns": [{}, {}],
            "label": None,
            "train_rows": 6,
            "validation_rows": 3,
            "holdout_rows": 3,
            "duplicates_removed": 2,
            "joins": [join | {"unmatched": 1, "repeated": 3}],
            "findings": ["join of a.csv with b.csv on 'id': 3 rows stand more than once"],
        },
    )
    said = findings(story.run)
    assert said[0] == "model: 12 rows, 2 columns, no label, 6 train, 3 validation, 3 holdout; the data lies in jobs/p"
    assert "join of a.csv with b.csv on 'id': 3 rows stand more than once" in said
    assert not [line for line in said if "b.csv" in line and "stand more" not in line], "told once, by who joined them"


def test_a_measurement_names_the_model_that_it_is_of() -> None:
    one = part(task="evaluate", source_models=("credit:v9",), data=(HELD,), target="credit")
    seen = [{"metric": "accuracy", "value": 0.9}]
    said = findings(told(contract(one), {}, seen).run)
    assert said == ("accuracy of credit:v9 on the holdout is 0.9; no clause asks for it",)


def test_an_observation_of_a_difference_keeps_its_interval_and_evidence() -> None:
    story = told(contract(comparison("m:v3", "m:v4")), {"evaluate": [compared("m:v4", 0.3, 0.4)]})
    (seen,) = (o for o in story.run.observations if isinstance(o, Observation))
    assert (seen.to, seen.name, seen.called) == ("other", "m:v4", "m:v3")
    assert (seen.low, seen.high) == (pytest.approx(-0.11), pytest.approx(-0.09))
