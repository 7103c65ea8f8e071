"""Whole runs on a simulated world: how they end, why, and what they leave."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated import ACCURACY, ERRORS, LATENCY, Stage, classify, clause, part, priced, steps_of, verdicts

from agent.contract import Contract, Prepare, Refusal, Rollout, Search
from agent.documents import RunDocument
from tools.backends.sim.world import World, load_world

CANARY = classify(ACCURACY, LATENCY, ERRORS, rollout="canary")


def changes(document: RunDocument) -> list[str]:
    return [r.why for r in document.run.revisions]


def serving(stage: Stage) -> dict[str, int]:
    """Versions behind the endpoint and their traffic."""
    return {v.name: v.weight for v in stage.backend.serving.state("tumours").versions}


@pytest.mark.parametrize("strategy", ["direct", "blue_green", "canary", "rolling", "shadow"])
def test_a_goal_that_can_be_reached_is_met_and_its_endpoint_handed_over(tmp_path: Path, strategy: str) -> None:
    stage = Stage(tmp_path, classify(ACCURACY, LATENCY, ERRORS, rollout=strategy))
    document = stage.ended()
    assert document.run.exit_code == 0
    assert verdicts(document) == dict.fromkeys(("accuracy", "latency_p95_ms", "error_rate"), "MET")
    assert all(c.evidence is not None for c in document.run.clauses)
    (kept,) = document.run.resources.kept
    assert [(o.kind, o.id, o.owner) for o in stage.owned()] == [("endpoint", kept.id, "ada")]
    assert serving(stage) == {kept.model: 100}
    assert (tmp_path / "home" / "runs" / document.run.id / "report.md").read_text().startswith("# ")


def test_a_goal_without_deployment_leaves_nothing_running(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    assert stage.ended().run.exit_code == 0
    assert stage.owned() == []


def test_independent_steps_run_at_the_same_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    stage.ended()
    tunes = [e.at for e in stage.calls("jobs.submit") if "tune" in e.token]
    assert len(tunes) == 2
    assert len(set(tunes)) == 1


def test_when_validation_is_short_it_searches_on_and_meets_the_goal(tmp_path: Path) -> None:
    """The clause is above what the first level reaches; the holdout is opened only afterwards."""
    stage = Stage(tmp_path, classify(clause("accuracy", ">=", 0.925)), world=noisy(-0.005))
    document = stage.ended()
    assert (document.run.exit_code, document.run.holdout_looks) == (0, 1)
    assert any(why.startswith("validation accuracy") for why in changes(document))
    submitted = steps_of(stage.calls("jobs.submit"))
    assert "evaluate" not in submitted
    assert submitted[-1].startswith("evaluate-")


def noisy(gap: float) -> World:
    """A world whose holdout is that much worse than validation."""
    return load_world("steady").model_copy(update={"gap": gap, "gap_spread": 0.0})


def test_a_holdout_that_stays_short_is_opened_three_times_at_most_and_its_number_is_told_to_no_plan(
    tmp_path: Path,
) -> None:
    world = noisy(0.06).model_copy(update={"learner": load_world("steady").learner})
    stage = Stage(tmp_path, classify(clause("accuracy", ">=", 0.88)), world=world)
    session, document = stage.run(accept=True)
    assert document.run.exit_code == 1
    assert 2 <= document.run.holdout_looks <= 3
    seen = [e.body for e in session.events(document.run.id) if e.kind == "observation" and e.body["stage"] == "holdout"]
    numbers = {f"{float(str(o['value'])):.{digits}g}" for o in seen for digits in (3, 4, 6)}
    told = " ".join([*changes(document), *(str(s.args) for s in document.plan.steps)])
    assert "accuracy short on the holdout" in told
    assert not [n for n in numbers if n in told]
    session.close()


def test_a_goal_out_of_reach_ends_not_met_with_a_reason(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(clause("accuracy", ">=", 0.99), LATENCY, rollout="canary"), world="plateau")
    document = stage.ended()
    assert document.run.exit_code == 1
    assert verdicts(document) == {"accuracy": "NOT MET", "latency_p95_ms": "UNPROVEN"}
    assert "unlikely to be reachable" in document.run.reason
    assert document.run.holdout_looks == 1
    assert "serving.deploy" not in stage.kinds()
    assert stage.owned() == []


@pytest.mark.parametrize("trials", [1, 5])
def test_the_goals_number_of_trials_is_kept_to(tmp_path: Path, trials: int) -> None:
    wanted = Contract(parts=(part(clause("accuracy", ">=", 0.97), search=Search(trials=trials)),))
    stage = Stage(tmp_path, wanted)
    document = stage.ended()
    spent = [e.args["spec"]["args"]["trials"] for e in stage.calls("jobs.submit") if "tune" in e.token]
    assert sum(spent) <= trials
    assert document.run.exit_code == 1
    assert "3 rounds" not in document.run.reason


def test_a_deadline_ends_the_run_and_everything_it_started(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY, LATENCY, rollout="canary", deadline_s=30.0))
    document = stage.ended()
    assert (document.run.exit_code, document.run.reason) == (1, "the deadline of 30 s has passed")
    assert verdicts(document)["duration_s"] == "NOT MET"
    assert stage.owned() == []
    assert stage.clock.now() < stage.backend.world.start + 40


@pytest.mark.parametrize("second", [False, True])
def test_a_deadline_during_a_deployment_leaves_what_served_before(tmp_path: Path, second: bool) -> None:
    """The version takes longer to get ready than the goal has time: the run does not wait for it."""
    world = load_world("steady").model_copy(update={"ready_s": 190.0})
    stage = Stage(tmp_path, CANARY, world=world)
    before = {stage.ended().run.resources.kept[0].model: 100} if second else None
    another(stage, deadline_s=200.0)
    start = stage.clock.now()
    document = stage.ended()
    assert document.run.exit_code == 1
    assert "deadline" in document.run.reason
    assert stage.clock.now() < start + 210
    assert [o.id for o in stage.owned()] == (["tumours"] if second else [])
    assert not second or serving(stage) == before


def another(stage: Stage, **more: object) -> Stage:
    """The next goal on the same world and home: its model is another one."""
    contract = classify(ACCURACY, LATENCY, ERRORS, rollout="canary", **more)
    (one,) = contract.parts
    changed = one.model_copy(update={"prepare": Prepare(clean=("scale",))})
    stage.brain.contract = contract.model_copy(update={"parts": (changed,)})
    return stage


def test_a_second_deployment_replaces_the_first(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY)
    first = stage.ended().run.resources.kept[0].model
    second = another(stage).ended().run.resources.kept[0].model
    assert first != second
    assert serving(stage) == {second: 100}
    weights = [e.args["weights"] for e in stage.calls("serving.split")]
    assert {first: 90, second: 10} in weights
    assert len(stage.owned()) == 1


def test_the_same_model_again_stays_where_it_is(tmp_path: Path) -> None:
    """In a world as quick as expected: where work took longer, the next search is given more time, and is another."""
    sure = clause("accuracy", ">=", 0.8)  # the second goal on the same rows is judged on a stricter bound
    world = load_world("steady")
    quick = {name: d.model_copy(update={"median_s": 1.0, "per_trial_s": 0.1}) for name, d in world.durations.items()}
    world = world.model_copy(update={"durations": quick, "queue_s": 0.1})
    stage = Stage(tmp_path, classify(sure, LATENCY, ERRORS, rollout="canary"), world=world)
    first = stage.ended().run.resources.kept[0].model
    again = stage.ended()
    assert again.run.exit_code == 0
    assert serving(stage) == {first: 100}


def test_a_bad_canary_is_rolled_back_to_the_incumbent_and_withdrawn(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY, world="bad-canary")
    first = stage.ended().run.resources.kept[0].model
    document = another(stage).ended()
    assert document.run.exit_code == 1
    assert verdicts(document)["accuracy"] == "MET"
    assert "NOT MET" in (verdicts(document)["latency_p95_ms"], verdicts(document)["error_rate"])
    assert "breached under live traffic" in document.run.reason
    assert serving(stage) == {first: 100}
    shares = [e.args["weights"] for e in stage.calls("serving.split")]
    assert max(w for s in shares for v, w in s.items() if v != first) <= 50, "it never had all the traffic"
    assert document.run.resources.kept == ()


def test_a_bad_first_version_goes_with_its_endpoint(tmp_path: Path) -> None:
    world = load_world("bad-canary").model_copy(update={"bad_deploys": (1,)})
    stage = Stage(tmp_path, CANARY, world=world)
    document = stage.ended()
    assert document.run.exit_code == 1
    assert stage.owned() == []
    assert "tumours" in document.run.resources.released


def test_a_version_that_never_starts_is_taken_away_again(tmp_path: Path) -> None:
    steady = load_world("steady")
    broken = steady.model_copy(update={"bad": steady.bad.model_copy(update={"starts": False}), "bad_deploys": (2,)})
    stage = Stage(tmp_path, CANARY, world=broken)
    first = stage.ended().run.resources.kept[0].model
    document = another(stage).ended()
    assert document.run.exit_code == 5
    assert "did not become ready" in document.run.reason
    assert serving(stage) == {first: 100}


def test_what_stays_inconclusive_is_watched_longer_and_then_taken_back_unproven(tmp_path: Path) -> None:
    """One request in a hundred fails and one in a hundred may: no count of this size tells."""
    steady = load_world("steady")
    world = steady.model_copy(update={"good": steady.good.model_copy(update={"error_rate": 0.01})})
    stage = Stage(tmp_path, classify(clause("error_rate", "<=", 0.01, "live"), rollout="direct"), world=world)
    document = stage.ended()
    watches = [float(e.args["spec"]["args"]["seconds"]) for e in stage.calls("jobs.submit") if "monitor" in e.token]
    assert len(watches) == 3
    assert watches[2] == 2 * watches[1] == 4 * watches[0]
    assert verdicts(document)["error_rate"] == "UNPROVEN"
    assert "stay unproven" in document.run.reason
    assert document.run.exit_code == 4
    assert stage.owned() == []


def test_a_goal_without_a_clause_is_met_when_it_serves(tmp_path: Path) -> None:
    document = Stage(tmp_path, classify(rollout="direct")).ended()
    assert [(c.id, c.metric, c.verdict) for c in document.run.clauses] == [("default", "ready", "MET")]
    assert document.run.exit_code == 0


@pytest.mark.parametrize(
    ("contract", "code", "said"),
    [
        (Refusal(reason="the weather is not ours", rule="not_ml"), 3, "the weather is not ours"),
        (classify(clause("f1", ">=", 1.4)), 1, "f1 >= 1.4 is impossible"),
        (classify(ACCURACY, questions=({"field": "parts.0.data", "text": "which data?"},)), 4, "which data?"),
        (classify(ACCURACY, rollout=Rollout(strategy="canary", steps=(50.0, 10.0))), 1, "the steps of a canary rise"),
        (classify(ACCURACY, namespace="kube-system"), 3, "system namespace kube-system"),
        (classify(rollout="direct", constraints=("no_deploy",)), 3, "the goal says not to deploy"),
    ],
    ids=["not ours", "impossible", "a question", "steps that fall", "a system namespace", "a contradiction"],
)
def test_what_cannot_be_done_ends_before_anything_happens(
    tmp_path: Path, contract: Contract | Refusal, code: int, said: str
) -> None:
    stage = Stage(tmp_path, contract)
    document = stage.ended()
    assert document.run.exit_code == code
    assert said in document.run.reason
    assert stage.calls() == []


def test_a_rollout_that_is_too_short_to_prove_its_clause_says_so_beforehand(tmp_path: Path) -> None:
    wanted = classify(clause("error_rate", "<=", 0.001, "live"), rollout=Rollout(strategy="direct", hold_s=5.0))
    with Stage(tmp_path, wanted).session() as session:
        document = session.plan(Stage(tmp_path, wanted).request())
    assert document.feasibility.verdict == "feasible"
    assert "live clauses need about" in document.feasibility.reasons[0]


def test_a_model_of_an_earlier_run_is_deployed_without_training(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY)
    made = stage.ended().run.resources.kept[0].model
    with stage.session() as session:
        session.drive(session.stop("tumours"))
    assert stage.owned() == []
    one = part(LATENCY, task="deploy", data=(), rollout="direct", source_models=("tumours",))
    stage.brain.contract = Contract(parts=(one,))
    before = len(stage.calls("jobs.submit"))
    document = stage.ended()
    assert document.run.exit_code == 0, document.run.reason
    assert serving(stage) == {made: 100}
    assert [s for s in steps_of(stage.calls("jobs.submit")[before:]) if "monitor" not in s] == []


def test_a_price_is_reserved_and_settled_and_reported(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY, budget_usd=5.0), world=priced(usd_per_hour=3.6))
    session, document = stage.run(accept=True)
    assert document.run.exit_code == 0
    busy = document.run.spent.usd
    assert 0.02 < busy < 0.5
    (line,) = session.runs().runs
    assert line.spent_usd == pytest.approx(busy)
    assert document.run.spent.by == {"compute": pytest.approx(busy)}
    assert session.view(document.run.id).reserved_usd == 0
    session.close()
