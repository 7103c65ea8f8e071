"""Rollouts on a simulated world: a shadow, server by server, early ends, more servers, and back again."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated import ACCURACY, ERRORS, LATENCY, Stage, classify, clause, verdicts

from agent.contract import Clause, Contract, Prepare, Rollout
from agent.documents import RunDocument
from tools.backends.sim.world import World, load_world
from tools.ports import EndpointState

STEADY, BAD = load_world("steady"), load_world("bad-canary")
NO_WORSE = Clause.model_validate(
    {"id": "beside", "metric": "latency_p95_ms", "op": "<=", "value": None, "where": "live", "relative": {}}
)


def goal(rollout: Rollout | str, *clauses: Clause) -> Contract:
    return classify(ACCURACY, *(clauses or (LATENCY, ERRORS)), rollout=rollout)


def second(stage: Stage, rollout: Rollout | str, *clauses: Clause) -> RunDocument:
    """Another model of the same goal beside the first."""
    (one,) = goal(rollout, *clauses).parts
    stage.brain.contract = Contract(parts=(one.model_copy(update={"prepare": Prepare(clean=("scale",))}),))
    return stage.ended()


def first(folder: Path, world: World = STEADY, *, replicas: int | None = None) -> tuple[Stage, str]:
    """A stage on which a version serves, and what it is called."""
    stage = Stage(folder, goal(Rollout(strategy="direct", replicas=replicas)), world=world)
    return stage, stage.ended().run.resources.kept[0].model


def state(stage: Stage) -> EndpointState:
    return stage.backend.serving.state("tumours")


def sizes(stage: Stage) -> dict[str, tuple[int, int]]:
    """Versions behind the endpoint: traffic and servers."""
    return {v.name: (v.weight, v.ready) for v in state(stage).versions}


def after(stage: Stage, since: int, *kinds: str) -> list[tuple[str, object]]:
    """What later calls changed, without their tokens."""
    found = [e for e in stage.calls() if e.sequence > since and e.kind in kinds]
    keys = {"serving.split": "weights", "serving.scale": "replicas", "serving.mirror": "version"}
    return [(e.kind.removeprefix("serving."), e.args.get(keys.get(e.kind, ""))) for e in found]


def last(stage: Stage) -> int:
    return stage.calls()[-1].sequence


CHANGES = ("serving.split", "serving.scale", "serving.mirror", "serving.withdraw", "serving.remove")


def test_a_shadow_is_promoted_once_it_has_met_every_clause_on_its_own_tally(tmp_path: Path) -> None:
    stage, old = first(tmp_path)
    since = last(stage)
    document = second(stage, Rollout(strategy="shadow"), LATENCY, ERRORS, NO_WORSE)
    new = document.run.resources.kept[0].model
    assert document.run.exit_code == 0, document.run.reason
    assert set(verdicts(document).values()) == {"MET"}
    assert after(stage, since, *CHANGES) == [
        ("mirror", new),
        ("mirror", None),
        ("split", {new: 100, old: 0}),
        ("withdraw", None),
    ]
    assert sizes(stage) == {new: (100, 1)}
    assert any("as a shadow it said the same as " + old in f for f in document.run.findings)


def test_a_bad_shadow_is_taken_away_and_its_answers_never_reached_a_caller(tmp_path: Path) -> None:
    stage, old = first(tmp_path, BAD)
    since = last(stage)
    document = second(stage, Rollout(strategy="shadow"))
    assert document.run.exit_code == 1
    assert "breached" in document.run.reason
    assert sizes(stage) == {old: (100, 1)}
    assert state(stage).shadow is None
    assert after(stage, since, "serving.split") == []


def test_a_shadow_that_stays_inconclusive_is_taken_away_unproven(tmp_path: Path) -> None:
    world = BAD.model_copy(update={"bad": STEADY.good.model_copy(update={"error_rate": 0.01})})
    stage, old = first(tmp_path, world)
    since = last(stage)
    document = second(stage, Rollout(strategy="shadow"), clause("error_rate", "<=", 0.01, "live"))
    assert document.run.exit_code == 4
    assert "stay unproven" in document.run.reason
    assert sizes(stage) == {old: (100, 1)}
    assert after(stage, since, "serving.split") == []


def test_a_shadow_that_is_slower_than_what_serves_is_not_promoted(tmp_path: Path) -> None:
    world = BAD.model_copy(update={"bad": STEADY.good.model_copy(update={"p50_ms": 12})})
    stage, old = first(tmp_path, world)
    document = second(stage, Rollout(strategy="shadow"), LATENCY, NO_WORSE)
    assert document.run.exit_code == 1
    assert {c.id: c.verdict for c in document.run.clauses}["beside"] == "NOT MET"
    assert sizes(stage) == {old: (100, 1)}


@pytest.mark.parametrize("rollout", [Rollout(strategy="canary", steps=(50.0,)), Rollout(strategy="shadow")])
def test_a_version_that_refuses_what_the_other_answers_is_taken_back_while_traffic_is_split(
    tmp_path: Path, rollout: Rollout
) -> None:
    world = BAD.model_copy(update={"bad": STEADY.good.model_copy(update={"refusal_rate": 0.3})})
    stage, old = first(tmp_path, world)
    document = second(stage, rollout, LATENCY, ERRORS)
    assert document.run.exit_code == 1
    assert "error_rate breached under live traffic after" in document.run.reason
    assert sizes(stage) == {old: (100, 1)}


def test_a_canary_that_is_like_what_serves_is_proven_to_be_no_slower(tmp_path: Path) -> None:
    stage, _ = first(tmp_path)
    document = second(stage, Rollout(strategy="canary", steps=(50.0,)), LATENCY, NO_WORSE)
    assert document.run.exit_code == 0, document.run.reason
    assert {c.id: c.verdict for c in document.run.clauses}["beside"] == "MET"
    assert "no worse is taken as at most 10% slower" in {c.id: c.note for c in document.run.clauses}["beside"]


def test_a_shadow_with_nothing_to_stand_beside_is_watched_and_handed_over_and_the_plan_says_so(tmp_path: Path) -> None:
    stage = Stage(tmp_path, goal("shadow"))
    with stage.session() as session:
        said = session.plan(stage.request()).feasibility
    assert said.verdict == "feasible"
    assert any("nothing serves at tumours" in r for r in said.reasons)
    assert stage.ended().run.exit_code == 0
    assert "serving.mirror" not in stage.kinds()


@pytest.mark.parametrize("replicas", [1, 3])
def test_a_rolling_rollout_starts_one_shifts_and_ends_one(tmp_path: Path, replicas: int) -> None:
    stage, old = first(tmp_path, replicas=replicas)
    since = last(stage)
    document = second(stage, Rollout(strategy="rolling", replicas=replicas))
    new = document.run.resources.kept[0].model
    assert document.run.exit_code == 0, document.run.reason
    assert sizes(stage) == {new: (100, replicas)}
    steps = after(stage, since, "serving.split", "serving.scale", "serving.withdraw")
    if replicas == 1:
        assert steps == [("split", {new: 100, old: 0}), ("withdraw", None)]
    else:
        assert steps == [
            ("split", {new: 33, old: 67}),
            ("scale", 2),
            ("scale", 2),
            ("split", {new: 67, old: 33}),
            ("scale", 1),
            ("scale", 3),
            ("split", {new: 100, old: 0}),
            ("withdraw", None),
        ]


def test_a_rolling_rollout_that_breaks_goes_back_to_what_it_was(tmp_path: Path) -> None:
    stage, old = first(tmp_path, BAD, replicas=2)
    document = second(stage, Rollout(strategy="rolling", replicas=2))
    assert document.run.exit_code == 1
    stage.backend.advance(10.0)
    assert sizes(stage) == {old: (100, 2)}


def test_a_rolling_rollout_that_breaks_halfway_gets_back_the_servers_that_had_ended(tmp_path: Path) -> None:
    stage, old = first(tmp_path, replicas=3)
    with stage.session() as session:
        (one,) = goal(Rollout(strategy="rolling", replicas=3)).parts
        stage.brain.contract = Contract(parts=(one.model_copy(update={"prepare": Prepare(clean=("scale",))}),))
        run = session.start(stage.request(accept=True))

        def spoil(view: object) -> None:
            versions = state(stage).versions
            new = next((v for v in versions if v.name != old), None)
            if new is not None and new.weight == 67 and not stage.kinds().count("version.spoilt"):
                stage.backend.spoil("tumours", new.name)

        document = session.drive(run, watch=spoil)
    assert document.run.exit_code == 1
    stage.backend.advance(10.0)
    assert sizes(stage) == {old: (100, 3)}


def test_green_stands_beside_blue_at_full_size_and_blue_stays_until_it_has_held(tmp_path: Path) -> None:
    stage, old = first(tmp_path, replicas=2)
    since = last(stage)
    document = second(stage, "blue_green")
    new = document.run.resources.kept[0].model
    assert after(stage, since, *CHANGES) == [("split", {new: 100, old: 0}), ("withdraw", None)]
    assert sizes(stage) == {new: (100, 2)}


def test_an_abort_condition_ends_a_long_watch_as_soon_as_it_is_beyond_doubt(tmp_path: Path) -> None:
    stage, old = first(tmp_path, BAD)
    began = stage.clock.now()
    document = second(stage, Rollout(strategy="blue_green", hold_s=3600.0))
    assert document.run.exit_code == 1
    assert stage.clock.now() - began < 600, "the watch would have taken an hour"
    assert "of a watch of 3.6e+03 s" in document.run.reason
    assert any("later tumours was back at " + old in f for f in document.run.findings)
    assert sizes(stage) == {old: (100, 1)}
    loads = [j for j in stage.backend.snapshot().jobs if j.program == "load"]
    assert {j.phase for j in loads} <= {"succeeded", "cancelled"}


def test_a_good_version_is_not_ended_early(tmp_path: Path) -> None:
    stage, _ = first(tmp_path)
    document = second(stage, Rollout(strategy="direct", hold_s=300.0))
    assert document.run.exit_code == 0, document.run.reason


def test_servers_are_added_up_to_the_goals_most_where_answers_are_slow(tmp_path: Path) -> None:
    """The world's answers do not get faster by more servers: the growth is bounded, and named."""
    slow = STEADY.model_copy(update={"good": STEADY.good.model_copy(update={"p50_ms": 90})})
    stage = Stage(tmp_path, goal(Rollout(strategy="direct", min_replicas=1, max_replicas=3), LATENCY), world=slow)
    document = stage.ended()
    assert document.run.exit_code == 1
    assert [e.args["replicas"] for e in stage.calls("serving.scale")] == [2, 3]
    assert any("got 2, then 3" in f for f in document.run.findings)
    assert stage.owned() == []


def test_somebody_elses_endpoint_is_not_deployed_to_without_a_persons_yes(tmp_path: Path) -> None:
    stage, old = first(tmp_path)
    stage.backend.serving.extend("tumours", run="other", owner="bob", lease_until=stage.clock.now() + 1e6)
    (one,) = goal("direct").parts
    stage.brain.contract = Contract(parts=(one.model_copy(update={"prepare": Prepare(clean=("scale",))}),))
    session, document = stage.run()
    session.close()
    assert document.run.status == "waiting"
    assert {"foreign"} == {p for a in document.approvals for p in a.policies} - {"destroy_foreign"}
    assert sizes(stage) == {old: (100, 1)}
