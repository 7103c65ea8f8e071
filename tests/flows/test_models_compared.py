"""Goals about models that exist, and demands relative to them, on the simulated world."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated import ACCURACY, Stage, classify, clause, part, priced, verdicts

from agent.contract import Clause, Contract, Data, Objective, Part, Placement, Prepare
from agent.documents import RunDocument
from agent.errors import InvalidRequest

HELD = Data(uri="sklearn:breast_cancer", label="target", role="holdout", format="bundled")
SERVED = classify(ACCURACY, rollout="direct")


def relative(to: str, delta: float = 0.0) -> Clause:
    return clause("accuracy", ">=", 0.0, relative={"to": to, "delta": delta})


def about(*clauses: Clause, task: str = "evaluate", models: tuple[str, ...] = (), **more: object) -> Contract:
    one = part(*clauses, task=task, source_models=models, data=(HELD,), **more)
    return Contract(parts=(one,))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A home where a model is registered and serves as `tumours`."""
    made = Stage(tmp_path, SERVED)
    made.ended()
    return made


def next_goal(stage: Stage, contract: Contract) -> RunDocument:
    stage.brain.contract = contract
    return stage.ended()


def with_another(stage: Stage) -> tuple[str, str]:
    """Two models in the registry, as `name:version`, the older first."""
    (kept,) = stage.backend.serving.state("tumours").versions
    (one,) = SERVED.parts
    changed = one.model_copy(update={"prepare": Prepare(clean=("scale",))})
    document = next_goal(stage, Contract(parts=(changed,)))
    return f"tumours:{kept.name}", f"tumours:{document.run.resources.kept[0].model}"


def test_a_registered_model_is_measured_without_being_trained_or_served(stage: Stage) -> None:
    before = len(stage.calls("serving.deploy"))
    document = next_goal(stage, about(ACCURACY))
    assert (document.run.exit_code, verdicts(document)) == (0, {"accuracy": "MET"})
    assert [s.tool for s in document.plan.steps] == ["prepare_data", "find_model", "evaluate_model"]
    assert len(stage.calls("serving.deploy")) == before
    assert next_goal(stage, about(clause("accuracy", ">=", 0.999))).run.exit_code == 1


def test_a_model_that_is_not_there_is_said_before_anything_starts(stage: Stage) -> None:
    with pytest.raises(InvalidRequest, match=r"no such model in the registry"):
        next_goal(stage, about(ACCURACY, models=("tumours:v-none",)))


def test_two_models_are_compared_and_nothing_is_deployed(stage: Stage) -> None:
    before = stage.backend.serving.state("tumours")
    old, new = with_another(stage)
    wanted = about(task="compare", models=(old, new), objective=Objective(metric="accuracy", direction="max"))
    document = next_goal(stage, wanted)
    assert document.run.exit_code == 0
    assert document.run.reason.startswith("by accuracy ")
    assert old in document.run.reason
    assert new in document.run.reason
    assert stage.backend.serving.state("tumours").name == before.name
    assert document.run.holdout_looks == 1


def test_a_model_beside_itself_shows_no_difference(stage: Stage) -> None:
    old, new = with_another(stage)
    document = next_goal(stage, about(task="compare", models=(old, old, new)))
    assert f"no difference is shown between {old} and {old}" in document.run.reason or new in document.run.reason


def test_a_new_model_is_held_against_the_one_that_serves(stage: Stage) -> None:
    (serving,) = stage.backend.serving.state("tumours").versions
    document = next_goal(stage, classify(relative("incumbent", -0.1)))
    (verdict,) = [c for c in document.run.clauses if c.metric == "accuracy"]
    assert verdict.verdict == "MET"
    assert f"tumours:{serving.name} (the incumbent)" in verdict.note
    short = next_goal(stage, classify(relative("incumbent", 0.3)))
    assert verdicts(short)["accuracy"] == "NOT MET"
    assert short.run.exit_code == 1


def test_without_an_incumbent_the_goal_is_unknown_to_plan_and_faulty_to_run(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(relative("incumbent")))
    with stage.session() as session:
        document = session.plan(stage.request())
    assert document.feasibility.verdict == "unknown"
    assert any("no model tumours" in r for r in document.feasibility.reasons)
    assert document.plan.steps
    with pytest.raises(InvalidRequest):
        stage.ended()


def test_the_baseline_is_beaten_by_what_the_goal_demands_or_not(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(relative("baseline", 0.1)))
    assert verdicts(stage.ended()) == {"accuracy": "MET"}
    assert verdicts(next_goal(stage, classify(relative("baseline", 0.6)))) == {"accuracy": "NOT MET"}


def test_two_named_families_are_compared_on_the_holdout(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY, relative("other", -0.2)).model_copy(deep=True))
    (one,) = stage.brain.contract.parts  # type: ignore[union-attr]
    named = one.model_copy(update={"models": ("logistic_regression", "random_forest")})
    other = relative("other", -0.2).model_copy(update={"id": "beside"})
    document = next_goal(stage, Contract(parts=(named.model_copy(update={"clauses": (ACCURACY, other)}),)))
    assert {c.id: c.verdict for c in document.run.clauses} == {"accuracy": "MET", "beside": "MET"}
    document = next_goal(stage, Contract(parts=(named.model_copy(update={"clauses": (ACCURACY,)}),)))
    assert any(f.startswith("by accuracy ") for f in document.run.findings)


def test_a_metric_of_its_own_without_a_formula_is_asked_for(tmp_path: Path) -> None:
    document = Stage(tmp_path, classify(clause("custom:rate", ">=", 0.2))).ended()
    assert document.feasibility.verdict == "needs_input"
    assert document.run.exit_code == 4
    assert "How is rate computed" in document.run.reason


def test_a_formula_that_is_none_is_a_fault_of_the_request(tmp_path: Path) -> None:
    one: Part = part(clause("custom:rate", ">=", 0.2), metrics={"rate": "mean(prediction =="})
    with pytest.raises(InvalidRequest, match="rate"):
        Stage(tmp_path, Contract(parts=(one,))).ended()


def estimate(**place: object) -> Contract:
    one = part(task="estimate", data=())
    return Contract(parts=(one,), placement=Placement.model_validate(place), deadline_s=36_000.0)


def test_an_estimate_answers_with_money_and_starts_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, estimate(gpu="L4", gpu_count=2))
    document = stage.ended()
    assert document.run.exit_code == 0
    assert document.run.reason == "model is estimated at $16 for 10 h at $1.6 an hour on 2 × sim.gpu"
    assert stage.calls() == []


@pytest.mark.parametrize("gpu", ["H100", None])
def test_an_estimate_says_when_no_price_is_known(tmp_path: Path, gpu: str | None) -> None:
    stage = Stage(tmp_path, estimate(gpu=gpu), world=priced(usd_per_hour=None))
    document = stage.ended()
    assert document.run.exit_code == 0
    assert "not known" in document.run.reason


def test_preparing_alone_leaves_data_and_describes_it(tmp_path: Path) -> None:
    document = Stage(tmp_path, Contract(parts=(part(task="prepare"),))).ended()
    assert document.run.exit_code == 0
    assert "the data lies in jobs/" in document.run.reason


@pytest.mark.parametrize(("limit", "verdict"), [(20.0, "MET"), (10.0, "NOT MET")])
def test_a_bound_on_an_estimate_is_judged_on_the_estimate_and_not_on_what_was_spent(
    tmp_path: Path, limit: float, verdict: str
) -> None:
    wanted = estimate(gpu="L4", gpu_count=2)
    (one,) = wanted.parts
    bound = clause("cost_usd", "<=", limit, "run")
    document = Stage(
        tmp_path, wanted.model_copy(update={"parts": (one.model_copy(update={"clauses": (bound,)}),)})
    ).ended()
    assert verdicts(document)["cost_usd"] == verdict


def test_a_model_of_another_task_is_named_before_anything_starts(stage: Stage) -> None:
    wanted = about(clause("rmse", "<=", 3.0), models=("tumours",))
    document = next_goal(stage, wanted)
    assert document.feasibility.verdict == "infeasible"
    assert document.run.exit_code == 1
