"""Goals about what runs, on a simulated world: back, another size, a look, longer, and the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated import ACCURACY, ERRORS, LATENCY, Stage, classify, clause, part, priced, verdicts

from agent.contract import Clause, Contract, Part, Prepare, Rollout, Upkeep
from agent.documents import PlanDocument, RunDocument
from agent.errors import InvalidRequest
from tools.backends.sim.world import World, load_world
from tools.ports import EndpointState, ServeSpec, Tags

STEADY = load_world("steady")


def about(task: str, *clauses: Clause, **more: object) -> Contract:
    return Contract(parts=(part(*clauses, task=task, data=(), **more),))


def state(stage: Stage) -> EndpointState:
    return stage.backend.serving.state("tumours")


def sizes(stage: Stage) -> dict[str, tuple[int, int]]:
    return {v.name: (v.weight, v.ready) for v in state(stage).versions}


def carried_out(stage: Stage, wanted: Contract, **more: object) -> RunDocument:
    stage.brain.contract = wanted.model_copy(update=more)
    return stage.ended()


def planned(stage: Stage, wanted: Contract) -> PlanDocument:
    stage.brain.contract = wanted
    with stage.session() as session:
        return session.plan(stage.request())


def served(folder: Path, versions: int = 1, *, world: World = STEADY, **more: object) -> tuple[Stage, list[str]]:
    """A stage on which that many versions were handed over, one after the other."""
    wanted = classify(ACCURACY, LATENCY, rollout=Rollout.model_validate({"strategy": "direct"} | more))
    stage = Stage(folder, wanted, world=world)
    (one,) = wanted.parts
    made = []
    for number in range(versions):
        clean = (("scale",), ("impute",), ("clip_outliers",))[number]
        stage.brain.contract = Contract(
            parts=(one.model_copy(update={"prepare": Prepare.model_validate({"clean": clean})}),)
        )
        made.append(stage.ended().run.resources.kept[0].model)
    assert len(set(made)) == versions
    return stage, made


@pytest.fixture
def two(tmp_path: Path) -> tuple[Stage, list[str]]:
    return served(tmp_path, 2)


def test_a_roll_back_goes_to_what_was_handed_over_before_and_deploys_it_again(two: tuple[Stage, list[str]]) -> None:
    stage, (old, new) = two
    assert sizes(stage) == {new: (100, 1)}
    document = carried_out(stage, about("rollback"))
    assert document.run.exit_code == 0, document.run.reason
    assert sizes(stage) == {old: (100, 1)}
    assert [s.tool for s in document.plan.steps][:2] == ["find_model", "deploy_model"]


def test_a_second_roll_back_goes_further_back_and_never_to_what_was_just_left(tmp_path: Path) -> None:
    stage, (first, second, _) = served(tmp_path, 3)
    for expected in (second, first):
        assert carried_out(stage, about("rollback")).run.exit_code == 0
        assert sizes(stage) == {expected: (100, 1)}
    document = carried_out(stage, about("rollback"))
    assert (document.run.exit_code, sizes(stage)) == (4, {first: (100, 1)})
    assert "name the version to go back to" in document.run.reason


def test_a_shadow_that_was_never_promoted_is_none_to_go_back_to(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path)
    model = state(stage).versions[0].model
    tags = Tags(run="r", call="by-hand", owner="ada", lease_until=stage.clock.now() + 1e5)
    stage.backend.serving.deploy(spec=ServeSpec(endpoint="tumours", version="candidate", model=model), tags=tags)
    stage.backend.advance(10.0)
    stage.backend.serving.mirror("tumours", version="candidate", call="x")
    document = carried_out(stage, about("rollback"))
    assert document.run.exit_code == 4
    assert "name the version to go back to" in document.run.reason
    assert sizes(stage) == {name: (100, 1), "candidate": (0, 1)}


@pytest.mark.parametrize("strategy", ["rolling", "direct", "shadow"])
def test_the_version_that_serves_already_is_only_watched_and_keeps_its_size(tmp_path: Path, strategy: str) -> None:
    stage, (name,) = served(tmp_path, replicas=4)
    before = stage.kinds().count("serving.scale"), stage.kinds().count("serving.split")
    document = carried_out(
        stage, about("deploy", LATENCY, source_models=(f"tumours:{name}",), rollout=Rollout(strategy=strategy))
    )
    assert document.run.exit_code == 0, document.run.reason
    assert sizes(stage) == {name: (100, 4)}
    assert (stage.kinds().count("serving.scale"), stage.kinds().count("serving.split")) == before


def test_the_version_that_serves_already_gets_the_size_that_the_goal_names(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path, replicas=4)
    rolled = Rollout(strategy="rolling", replicas=2)
    document = carried_out(stage, about("deploy", LATENCY, source_models=(f"tumours:{name}",), rollout=rolled))
    assert document.run.exit_code == 0, document.run.reason
    assert sizes(stage) == {name: (100, 2)}


@pytest.mark.parametrize("replicas", [None, 2])
def test_the_version_that_serves_already_is_not_taken_away_when_it_breaks_its_clauses(
    tmp_path: Path, replicas: int | None
) -> None:
    stage, (name,) = served(tmp_path, replicas=4)
    stage.backend.spoil("tumours", name)
    rolled = Rollout(strategy="rolling", replicas=replicas)
    document = carried_out(stage, about("deploy", LATENCY, source_models=(f"tumours:{name}",), rollout=rolled))
    assert document.run.exit_code == 1
    assert sizes(stage) == {name: (100, 4)}


@pytest.mark.parametrize("beside", [True, False])
def test_a_breached_version_does_not_stay_where_nothing_had_traffic(tmp_path: Path, beside: bool) -> None:
    """The endpoint stands there with a version that was never used, or with none at all."""
    stage, (name,) = served(tmp_path, world=STEADY.model_copy(update={"bad_deploys": (3,)}))
    spec = ServeSpec(endpoint="idle", version=name, model=state(stage).versions[0].model)
    tags = Tags(run="r", call="by-hand", owner="ada", lease_until=stage.clock.now() + 1e5)
    stage.backend.serving.deploy(spec=spec, tags=tags)
    if not beside:
        stage.backend.serving.withdraw("idle", version=name)
    stage.backend.advance(10.0)
    (one,) = classify(ACCURACY, LATENCY, rollout="direct").parts
    other = one.model_copy(update={"target": "idle", "prepare": Prepare(clean=("impute",))})
    document = carried_out(stage, Contract(parts=(other,)))
    assert document.run.exit_code == 1, document.run.reason
    left = {o.id for o in stage.owned() if o.kind == "endpoint"}
    assert left == {"tumours", "idle"}, "an endpoint that was there before is not the run's to end"
    assert [v.name for v in stage.backend.serving.state("idle").versions] == ([name] if beside else [])


def test_longer_life_is_paid_for_every_server(tmp_path: Path) -> None:
    stage, _ = served(tmp_path, world=priced(usd_per_hour=1.0), replicas=4)
    with stage.session() as session:
        document = session.drive(session.extend("tumours", for_s=3600.0))
    assert document.run.spent.usd == pytest.approx(4.0)
    assert document.run.resources.kept[0].usd_per_hour == 4.0


def test_going_back_to_more_servers_is_paid_for_until_the_lease_ends_and_over_when_they_answer(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path, world=priced(usd_per_hour=3.6), replicas=3)
    model = state(stage).versions[0].model
    tags = Tags(run="r", call="by-hand", owner="ada", lease_until=stage.clock.now() + 1e5)
    stage.backend.serving.deploy(spec=ServeSpec(endpoint="tumours", version="beside", model=model), tags=tags)
    stage.backend.advance(10.0)
    left_h = (state(stage).lease_until - stage.clock.now()) / 3600
    document = carried_out(stage, about("rollback", source_models=("tumours:beside",)))
    assert document.run.exit_code == 0, document.run.reason
    assert sizes(stage) == {name: (0, 3), "beside": (100, 3)}, "all three answer when the run is over"
    assert document.run.spent.usd == pytest.approx(2 * 3.6 * left_h, rel=0.01)


def test_a_version_that_was_rolled_back_for_a_breach_is_none_to_go_back_to(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY, LATENCY, rollout="direct"), world="bad-canary")
    first = stage.ended().run.resources.kept[0].model
    (one,) = classify(ACCURACY, LATENCY, rollout="direct").parts
    bad = Contract(parts=(one.model_copy(update={"prepare": Prepare(clean=("scale",))}),))
    assert carried_out(stage, bad).run.exit_code == 1
    document = carried_out(stage, about("rollback"))
    assert document.run.exit_code == 4
    assert "nothing is known that tumours was left with before" in document.run.reason
    assert sizes(stage) == {first: (100, 1)}


def test_a_roll_back_names_its_version_and_only_one_that_is_known(tmp_path: Path) -> None:
    stage, (first, _, third) = served(tmp_path, 3)
    assert carried_out(stage, about("rollback", source_models=(f"tumours:{first}",))).run.exit_code == 0
    assert sizes(stage) == {first: (100, 1)}
    with pytest.raises(InvalidRequest, match="no such model"):
        carried_out(stage, about("rollback", source_models=("tumours:v41",)))
    with stage.session() as session:
        document = session.drive(session.rollback("tumours", to=third, accept=True))
    assert document.run.exit_code == 0
    assert sizes(stage) == {third: (100, 1)}


def test_a_version_that_is_still_there_gets_its_traffic_back_at_once(two: tuple[Stage, list[str]]) -> None:
    stage, (_, new) = two
    key = state(stage).versions[0].model.replace(new, two[1][0])
    spec = ServeSpec(endpoint="tumours", version="beside", model=key)
    tags = Tags(run="r", call="by-hand", owner="ada", lease_until=stage.clock.now() + 1e5)
    stage.backend.serving.deploy(spec=spec, tags=tags)
    stage.backend.advance(10.0)
    document = carried_out(stage, about("rollback", LATENCY, source_models=("tumours:beside",)))
    assert document.run.exit_code == 0, document.run.reason
    assert sizes(stage) == {new: (0, 1), "beside": (100, 1)}
    assert "deploy_model" not in {s.tool for s in document.plan.steps}
    assert verdicts(document) == {"latency_p95_ms": "MET"}


def test_scaling_sets_the_number_of_servers(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path)
    document = carried_out(stage, about("scale", rollout=Rollout(replicas=3)))
    assert document.run.exit_code == 0, document.run.reason
    assert sizes(stage) == {name: (100, 3)}
    with stage.session() as session:
        assert session.drive(session.scale("tumours", replicas=2)).run.exit_code == 0
    assert sizes(stage) == {name: (100, 2)}


def test_what_gets_too_slow_after_scaling_is_scaled_back(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path, replicas=4)
    stage.backend.spoil("tumours", name)
    document = carried_out(stage, about("scale", LATENCY, rollout=Rollout(replicas=1)))
    stage.backend.advance(10.0)
    assert document.run.exit_code == 1
    assert verdicts(document)["latency_p95_ms"] == "NOT MET"
    assert sizes(stage) == {name: (100, 4)}


def test_what_stays_fast_enough_keeps_its_new_size(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path, replicas=4)
    document = carried_out(stage, about("scale", LATENCY, rollout=Rollout(replicas=1)))
    assert (document.run.exit_code, verdicts(document)["latency_p95_ms"]) == (0, "MET")
    assert sizes(stage) == {name: (100, 1)}


def test_servers_that_are_added_are_paid_for_until_the_lease_ends(tmp_path: Path) -> None:
    stage, _ = served(tmp_path, world=priced(usd_per_hour=3.6))
    left_h = (state(stage).lease_until - stage.clock.now()) / 3600
    document = carried_out(stage, about("scale", rollout=Rollout(replicas=3)))
    assert document.run.spent.usd == pytest.approx(2 * 3.6 * left_h, rel=0.01)


@pytest.mark.parametrize("replicas", [0])
def test_no_server_at_all_is_not_a_size(tmp_path: Path, replicas: int) -> None:
    stage, _ = served(tmp_path)
    document = carried_out(stage, about("scale", rollout=Rollout(replicas=replicas)))
    assert document.run.exit_code == 1
    assert "goalkeeper stop tumours" in document.run.reason
    with stage.session() as session, pytest.raises(InvalidRequest, match="no server left"):
        session.scale("tumours", replicas=0)


def test_a_watch_is_one_check_with_the_requests_that_were_registered(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path)
    before = sizes(stage)
    document = carried_out(stage, about("watch", LATENCY, ERRORS))
    assert document.run.exit_code == 0, document.run.reason
    assert verdicts(document) == {"latency_p95_ms": "MET", "error_rate": "MET"}
    stage.backend.spoil("tumours", name)
    document = carried_out(stage, about("watch", LATENCY, ERRORS))
    assert document.run.exit_code == 1
    assert "NOT MET" in verdicts(document).values()
    assert sizes(stage) == before, "a watch changes nothing"


def test_a_watch_that_is_to_go_on_is_handed_over_to_a_standing_goal(tmp_path: Path) -> None:
    stage, _ = served(tmp_path)
    wanted = about("watch", LATENCY, upkeep=Upkeep(every_s=86_400.0))
    said = planned(stage, wanted)
    assert said.feasibility.verdict == "feasible"
    assert "a standing goal looks after tumours" in said.feasibility.reasons[0]
    document = carried_out(stage, wanted)
    assert document.run.exit_code == 0
    assert {c.id: c.verdict for c in document.run.clauses} == {"latency_p95_ms": "MET", "upkeep": "MET"}


def test_a_diagnosis_reads_and_changes_nothing(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path)
    before = len(stage.calls())
    document = carried_out(stage, about("diagnose"))
    assert document.run.exit_code == 0
    assert len(stage.calls()) == before
    assert {s.effect for s in document.plan.steps} == {"reads"}
    said = "\n".join(document.run.findings)
    assert "nothing that was measured of tumours is wrong" in said
    assert f"{name} has 100 % of the traffic; 1 of 1 servers answer" in said
    assert "p95" in said


def test_a_diagnosis_names_a_cause_and_what_could_be_done(tmp_path: Path) -> None:
    sick = STEADY.bad.model_copy(update={"error_rate": 0.5})
    stage, (name,) = served(tmp_path, world=STEADY.model_copy(update={"bad": sick}))
    stage.backend.advance(3600.0)
    stage.backend.spoil("tumours", name)
    carried_out(stage, about("watch", ERRORS))
    with stage.session() as session:
        stage.brain.contract = about("diagnose")
        document = session.drive(session.start(stage.request(accept=True)))
        kinds = [e.kind for e in session.events(document.run.id)]
    assert "diagnosis" in kinds
    assert any(f.startswith("cause slo_breach: ") and "goalkeeper rollback tumours" in f for f in document.run.findings)


def test_what_is_mine_and_named_is_ended(tmp_path: Path) -> None:
    stage, _ = served(tmp_path)
    assert carried_out(stage, about("cleanup")).run.exit_code == 0
    assert stage.owned() == []
    with pytest.raises(InvalidRequest, match="no endpoint of that name"):
        carried_out(stage, about("cleanup"))


def test_what_is_somebody_elses_is_not_ended(tmp_path: Path) -> None:
    stage, _ = served(tmp_path)
    stage.backend.serving.extend("tumours", run="x", owner="bob", lease_until=stage.clock.now() + 1e5)
    document = carried_out(stage, about("cleanup"))
    assert (document.run.exit_code, len(stage.owned())) == (3, 1)
    assert "belongs to bob" in document.run.reason


def test_what_is_only_described_is_listed_and_not_ended(tmp_path: Path) -> None:
    stage, _ = served(tmp_path)
    wanted = Contract(parts=(Part(name="model", task="cleanup"),), environment="staging")
    document = carried_out(stage, wanted)
    assert (document.run.exit_code, len(stage.owned())) == (4, 1)
    assert "name what is to end; of yours there is endpoint tumours" in document.run.reason


def test_an_endpoint_lives_longer_when_the_goal_only_says_so(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path)
    document = carried_out(stage, about("deploy", rollout=Rollout(lease_s=172_800.0)))
    assert document.run.exit_code == 0, document.run.reason
    assert [s.tool for s in document.plan.steps] == ["inspect_endpoint", "extend_lease"]
    assert state(stage).lease_until >= stage.clock.now() + 172_700
    assert sizes(stage) == {name: (100, 1)}


@pytest.mark.parametrize("task", ["rollback", "scale", "watch", "diagnose", "cleanup"])
def test_what_is_not_there_is_unknown_to_a_plan_and_a_fault_of_a_run(tmp_path: Path, task: str) -> None:
    stage = Stage(tmp_path, about(task, rollout=Rollout(replicas=2)))
    said = planned(stage, about(task, rollout=Rollout(replicas=2)))
    if task != "cleanup":
        assert (said.feasibility.verdict, bool(said.plan.steps)) == ("unknown", True), said.feasibility
    with pytest.raises(InvalidRequest, match="tumours"):
        stage.ended()


def test_load_on_production_is_asked_for_and_refused_where_the_goal_says_so(tmp_path: Path) -> None:
    stage, _ = served(tmp_path)
    stage.brain.contract = about("watch", LATENCY).model_copy(update={"environment": "production"})
    session, document = stage.run()
    session.close()
    assert document.run.status == "waiting"
    hands_off = stage.brain.contract.model_copy(update={"constraints": ("no_production",)})
    assert carried_out(stage, hands_off).run.exit_code == 3


@pytest.mark.parametrize("task", ["rollback", "scale"])
def test_in_production_a_person_is_asked(two: tuple[Stage, list[str]], task: str) -> None:
    stage, (_, new) = two
    stage.brain.contract = about(task, rollout=Rollout(replicas=2)).model_copy(update={"environment": "production"})
    session, document = stage.run()
    session.close()
    assert document.run.status == "waiting"
    assert sizes(stage) == {new: (100, 1)}


def test_throughput_of_a_watch_is_a_clause_like_any_other(tmp_path: Path) -> None:
    stage, _ = served(tmp_path)
    document = carried_out(stage, about("watch", clause("throughput_rps", ">=", 20, "live")))
    assert verdicts(document) == {"throughput_rps": "MET"}


def doubtful() -> World:
    """One request in a hundred fails: whether at most one in a hundred does no count of this size tells."""
    return STEADY.model_copy(update={"good": STEADY.good.model_copy(update={"error_rate": 0.01})})


def test_a_watch_that_stays_inconclusive_is_made_longer_twice_and_ends_unproven(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path, world=doubtful())
    document = carried_out(stage, about("watch", ERRORS))
    lengths = [s.args["seconds"] for s in document.plan.steps if s.tool == "monitor_endpoint"]
    assert document.run.exit_code == 4
    assert lengths == [lengths[0], 2 * lengths[0], 4 * lengths[0]]
    assert verdicts(document) == {"error_rate": "UNPROVEN"}
    assert sizes(stage) == {name: (100, 1)}


def test_a_size_that_stays_unproven_is_taken_back(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path, world=doubtful(), replicas=2)
    document = carried_out(stage, about("scale", ERRORS, rollout=Rollout(replicas=1)))
    stage.backend.advance(10.0)
    assert document.run.exit_code == 4
    assert sizes(stage) == {name: (100, 2)}


def test_a_scaling_that_is_cancelled_before_it_was_proven_is_taken_back(tmp_path: Path) -> None:
    stage, (name,) = served(tmp_path, replicas=2)
    stage.brain.contract = about("scale", LATENCY, rollout=Rollout(replicas=1))
    with stage.begun() as (session, run):

        def cancel(view: object) -> None:
            if stage.kinds().count("serving.scale") == 1 and session.view(run).status == "running":
                session.cancel(run, who="bob")

        document = session.drive(run, watch=cancel)
    stage.backend.advance(10.0)
    assert document.run.exit_code == 4
    assert sizes(stage) == {name: (100, 2)}
