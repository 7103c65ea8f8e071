"""Plans by chaining: the same goal gives the same plan, every combination gives a plan that can be run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from given import (
    ACCURACY,
    ERRORS,
    LATENCY,
    TERMS,
    URI,
    clause,
    contract,
    endpoint,
    part,
    proposed,
    survey,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.brain.protocol import Change
from agent.brain.rules.planning.honoured import unsupported
from agent.brain.rules.planning.propose import propose
from agent.contract import Clause, Contract, Part, Prepare, Search, Split, Train
from agent.plan import Plan
from agent.search import FAMILIES
from agent.survey import Survey
from agent.validate import faults
from tools.record import Json

HOLDOUT = {
    "classification": (ACCURACY, clause("f1", ">=", 0.8), clause("recall", ">=", 0.7, **{"class": "yes"})),
    "regression": (clause("rmse", "<=", 3.0), clause("r2", ">=", 0.5, confidence=0.9)),
}
LIVE = (LATENCY, ERRORS, clause("throughput_rps", ">=", 10, "live"), clause("latency_p99_ms", "<=", 300, "live"))
NAMES = st.sampled_from(["model", "Fraud Model", "模型", "fraud-model", "9lives", "a2", "a"])


@st.composite
def parts(draw: st.DrawFn, index: int = 0) -> Part:
    task = draw(st.sampled_from(sorted(HOLDOUT)))
    families = sorted(f for f, tasks in FAMILIES.items() if task in tasks)
    strategy = draw(st.sampled_from(["none", "direct", "blue_green", "canary", "rolling", "shadow"]))
    live = draw(st.lists(st.sampled_from(LIVE), unique_by=lambda c: c.id, max_size=3)) if strategy != "none" else []
    measured = draw(st.lists(st.sampled_from(HOLDOUT[task]), unique_by=lambda c: c.id, max_size=2))
    more: dict[str, object] = {
        "task": task,
        "models": tuple(draw(st.lists(st.sampled_from(families), unique=True, max_size=2))),
        "search": draw(
            st.none()
            | st.builds(Search, method=st.sampled_from([None, "random"]), trials=st.sampled_from([None, 1, 2, 5, 40]))
        ),
        "prepare": draw(st.none() | st.just(Prepare(clean=("impute", "scale"), drop_columns=("id",)))),
        "split": draw(st.none() | st.just(Split(by="random", holdout=0.3))),
        "strategy": strategy,
    }
    if strategy == "canary":
        more["steps"] = tuple(sorted(draw(st.lists(st.floats(0.01, 100), max_size=4))))
    if strategy != "none":
        more["hold_s"] = draw(st.sampled_from([None, 5.0, 600.0]))
        more["replicas"] = draw(st.sampled_from([None, 1, 3]))
        more["max_replicas"] = draw(st.sampled_from([None, 3, 8]))
    return part(*measured, *live, name=draw(NAMES), target=f"target{index}", **more)


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    wanted = [draw(parts(i)) for i in range(draw(st.integers(1, 3)))]
    named = [p.model_copy(update={"name": f"{p.name}-{i}" if i else p.name}) for i, p in enumerate(wanted)]
    return contract(*named, deadline_s=draw(st.sampled_from([None, 60.0])))


SEEN = st.sampled_from([survey(), survey(usd_per_hour=0.1), survey(endpoint(("v0", 100), name="target0"))])


@given(contracts(), SEEN)
@settings(max_examples=70, deadline=None)
def test_every_supported_contract_gives_a_plan_without_a_fault(wanted: Contract, seen: Survey) -> None:
    assert unsupported(wanted) == ()
    plan = propose(wanted, seen, TERMS)
    assert faults(plan, wanted) == ()
    assert plan == propose(wanted, seen, TERMS)
    assert plan.version == 1


@given(contracts(), SEEN, st.sampled_from(["search", "extend", "grow", "roll_back", "stop"]), st.data())
@settings(max_examples=60, deadline=None)
def test_a_revised_plan_carries_what_was_started_unchanged_and_has_no_fault(
    wanted: Contract, seen: Survey, what: str, data: st.DataObject
) -> None:
    before = propose(wanted, seen, TERMS)
    chosen = data.draw(st.sampled_from(wanted.parts))
    mine = before.of_part(chosen.name)
    far = [i for i, s in enumerate(mine, start=1) if _may_follow(what, [t.tool for t in mine[:i]])]
    if not far:
        return
    until = data.draw(st.sampled_from(far))
    started = frozenset(s.id for s in mine[:until])
    after = propose(
        wanted,
        seen,
        TERMS,
        before=before,
        started=started,
        results={id_: _result(before, id_) for id_ in started},
        changes=(Change.model_validate({"part": chosen.name, "what": what}),),
    )
    assert after.version == 2
    kept = {s.id: s for s in after.steps}
    assert [kept.get(i) for i in started] == [before.step(i) for i in started]
    others = [s for p in wanted.parts if p.name != chosen.name for s in before.of_part(p.name)]
    assert [kept.get(s.id) for s in others] == others
    found = faults(after, wanted)
    if what in ("search", "extend", "grow"):
        assert found == ()
    else:
        assert [f for f in found if "no step measures" not in f and "nothing hands over" not in f] == []


def _may_follow(what: str, started: list[str]) -> bool:
    """Whether that change can be decided when these tools were the last to start."""
    match what:
        case "search":
            return "select_model" in started and "register_model" not in started
        case "extend":
            return started[-1] == "monitor_endpoint"
        case "grow":
            return started[-1] == "monitor_endpoint" and started[-2] == "shift_traffic"
        case "stop":
            return "deploy_model" not in started
        case _:
            return "deploy_model" in started


def _result(plan: Plan, id_: str) -> Json:
    step = plan.step(id_)
    assert step is not None
    made: dict[str, Json] = {
        "register_model": {"version": "v1", "key": "models/m/v1", "digest": "d", "data": "requests/m", "label": "y"},
        "deploy_model": {"version": "v1", "endpoint": step.args.get("endpoint"), "incumbent": None, "url": "u"},
    }
    return made.get(step.tool, {"key": "k"})


def ids(plan: Plan) -> list[str]:
    return [s.id for s in plan.steps]


def test_a_goal_without_a_clause_is_measured_on_the_holdout_all_the_same() -> None:
    plan = proposed(contract(part(strategy="direct")))
    evaluate, register = plan.step("evaluate"), plan.step("register")
    assert evaluate is not None
    assert [m["metric"] for m in evaluate.args["measures"]] == ["accuracy"]
    assert register is not None
    assert "evaluate" in register.needs


def test_nothing_is_served_that_was_not_measured() -> None:
    plan = proposed(contract(part(ACCURACY, strategy="direct")))
    register = plan.step("register")
    assert register is not None
    assert "evaluate" in register.needs


def test_nothing_is_handed_over_that_was_not_watched() -> None:
    plan = proposed(contract(part(ACCURACY, LATENCY, strategy="canary")))
    keep = plan.step("keep")
    assert keep is not None
    assert keep.needs == ("monitor-100", "deploy")


def test_every_stage_waits_for_the_watch_before_it() -> None:
    plan = proposed(contract(part(LATENCY, strategy="canary")))
    needs = {s.id: s.needs for s in plan.steps}
    assert needs["shift-50"] == ("monitor-10",)
    assert needs["shift-100"] == ("monitor-50",)


def test_only_the_last_watch_proves_a_live_clause() -> None:
    plan = proposed(contract(part(LATENCY, strategy="canary")))
    assert [s.id for s in plan.steps if s.measures] == ["monitor-100"]


@pytest.mark.parametrize("there", [True, False])
def test_the_replaced_version_is_withdrawn_after_the_new_one_was_handed_over(there: bool) -> None:
    seen = survey(endpoint(("v0", 100))) if there else survey()
    plan = proposed(contract(part(LATENCY, strategy="canary")), seen)
    withdraw = plan.step("withdraw")
    assert (withdraw is not None) == there
    assert withdraw is None or "keep" in withdraw.needs


def test_the_evaluation_uses_the_same_data_as_the_training() -> None:
    plan = proposed(contract(part(ACCURACY)))
    used = {str(s.args.get("data")) for s in plan.steps if s.tool in ("tune_model", "evaluate_model")}
    assert used == {str({"$ref": "prepare.key"})}


@pytest.mark.parametrize("trials", [1, 2, 5, 9])
def test_a_plan_spends_no_more_trials_than_the_goal_allows(trials: int) -> None:
    plan = proposed(contract(part(ACCURACY, search=Search(trials=trials))))
    assert sum(s.args["trials"] for s in plan.steps if s.tool == "tune_model") <= trials


def test_the_goal_of_the_search_is_the_first_measured_clause() -> None:
    wanted = contract(part(clause("recall", ">=", 0.9, **{"class": "yes"}), ACCURACY))
    tune = next(s for s in proposed(wanted).steps if s.tool == "tune_model")
    assert (tune.args["metric"], tune.args["metric_class"]) == ("recall", "yes")
    select = proposed(contract(part(clause("rmse", "<=", 1.0), task="regression"))).step("select")
    assert select is not None
    assert (select.args["metric"], select.args["direction"]) == ("rmse", "min")


def test_a_search_that_goes_on_measures_the_choice_among_all_candidates_at_the_same_level() -> None:
    wanted = contract(part(ACCURACY))
    before = proposed(wanted)
    started = frozenset(ids(before))
    after = propose(
        wanted,
        survey(),
        TERMS,
        before=before,
        started=started,
        results={i: _result(before, i) for i in started},
        changes=(Change(part="model", what="search"),),
    )
    levels = [s.args["measures"][0]["confidence"] for s in after.steps if s.tool == "evaluate_model"]
    assert levels == [0.95, 0.95]  # the correction for looks is in the strict bounds that every evaluation leaves
    select = after.step("select-2")
    assert select is not None
    assert len(select.args["candidates"]) == 3


def test_parts_with_names_alike_have_steps_of_their_own() -> None:
    wanted = contract(*(part(ACCURACY, name=n, target=f"t{i}") for i, n in enumerate(["A b", "a-b", "a-b1", "模型"])))
    assert faults(proposed(wanted), wanted) == ()


SERVING = contract(part(ACCURACY, LATENCY, strategy="canary"))


def revised(what: str, results: dict[str, Json], seen: Survey) -> Plan:
    """The plan after that change, when the version is being watched."""
    before = propose(SERVING, seen, TERMS)
    started = ids(before)[: ids(before).index("monitor-10") + 1]
    made = {i: _result(before, i) for i in started if i != "deploy"} | results
    change = Change.model_validate({"part": "model", "what": what})
    return propose(SERVING, seen, TERMS, before=before, started=frozenset(started), results=made, changes=(change,))


def test_without_an_incumbent_a_bad_version_goes_with_its_endpoint() -> None:
    after = revised("roll_back", {"deploy": {"version": "v1", "incumbent": None}}, survey())
    assert after.steps[-1].tool == "release_resource"
    assert after.steps[-1].args == {"kind": "endpoint", "id": "tumours"}


@pytest.mark.parametrize("result", [{"deploy": {"version": "v1", "incumbent": "v0"}}, {}])
def test_with_an_incumbent_traffic_goes_back_to_it_and_the_bad_version_goes(result: dict[str, Json]) -> None:
    """Also when the deployment has no result, because it failed or still runs."""
    after = revised("roll_back", result, survey(endpoint(("old", 0), ("v0", 100))))
    assert after.steps[-1].tool == "rollback_endpoint"
    assert after.steps[-1].args == {"endpoint": "tumours", "to": "v0", "withdraw": "v1"}


def test_a_version_that_was_there_already_is_not_taken_back() -> None:
    after = revised("roll_back", {}, survey(endpoint(("v1", 100))))
    assert after.steps[-1].id == "monitor-10"


def test_an_endpoint_that_appeared_meanwhile_is_rolled_back_and_not_released() -> None:
    after = revised("roll_back", {"deploy": {"version": "v1", "incumbent": "v9"}}, survey())
    assert after.steps[-1].args == {"endpoint": "tumours", "to": "v9", "withdraw": "v1"}


def test_a_stopped_part_keeps_only_what_was_started() -> None:
    before = propose(SERVING, survey(), TERMS)
    after = revised("stop", {}, survey())
    assert ids(after) == ids(before)[: ids(before).index("monitor-10") + 1]


UNSUPPORTED: dict[str, tuple[Callable[[], Part], str]] = {
    "a task": (lambda: part(task="causal-lm"), "no tool here does causal-lm"),
    "a family": (lambda: part(models=("ridge",)), "no recipe here trains ridge for classification"),
    "a metric": (lambda: part(clause("rmse", "<=", 1.0)), "rmse is not defined for classification"),
    "a formula": (lambda: part(clause("custom:profit", ">=", 1.0)), "custom:profit has no formula"),
    "an image": (lambda: part(train=Train(kind="image", value="x")), "no backend here runs a training image"),
    "probabilities of a program that gives predictions": (
        lambda: part(clause("roc_auc", ">=", 0.8), train=Train(kind="command", value="python t.py", predict="p")),
        "roc_auc needs probabilities, and `predict` gives one prediction a row",
    ),
    "serving a program's model": (
        lambda: part(train=Train(kind="command", value="python train.py", predict="p"), strategy="direct"),
        "no tool here serves the model of a user's own program",
    ),
}


@pytest.mark.parametrize("what", UNSUPPORTED)
def test_what_no_tool_provides_is_said_beforehand(what: str) -> None:
    made, said = UNSUPPORTED[what]
    assert any(said in reason for reason in unsupported(contract(made())))


def test_a_users_own_program_may_leave_a_model_file_instead_of_a_predict_command() -> None:
    own = part(clause("roc_auc", ">=", 0.8), train=Train(kind="command", value="python train.py"))
    assert unsupported(contract(own)) == ()
    (judging,) = (s for s in proposed(contract(own), survey()).steps if s.tool == "evaluate_model")
    assert judging.args["predict"] is None


def test_a_users_own_program_is_started_as_written_and_the_source_is_hidden_from_it() -> None:
    own = part(ACCURACY, train=Train(kind="command", value="python 'my train.py' --fast", predict="python p.py"))
    seen = survey().model_copy(update={"data": {URI: survey().data[URI].model_copy(update={"source": "/data/x.csv"})}})
    plan = proposed(contract(own), seen)
    train = plan.step("train")
    assert train is not None
    assert train.args["command"] == ["python", "my train.py", "--fast"]
    assert train.args["hide"] == ["/data/x.csv"]
    assert faults(plan, contract(own)) == ()


@pytest.mark.parametrize(
    ("named", "to"), [((), "v1"), (("tumours:v7",), "v7")], ids=["the version before", "the version that is named"]
)
def test_a_roll_back_goal_goes_to_the_version_that_is_meant(named: tuple[str, ...], to: str) -> None:
    wanted = contract(part(task="rollback", data=(), source_models=named))
    seen = survey(endpoint(("v1", 0), ("v2", 100), ("v7", 0)))
    plan = proposed(wanted, seen.model_copy(update={"previous": {"tumours": "tumours:v1"}}))
    assert (plan.steps[-1].tool, plan.steps[-1].args["to"]) == ("rollback_endpoint", to)
    assert faults(plan, wanted) == ()


def test_a_model_that_exists_is_found_and_not_trained() -> None:
    wanted = contract(part(LATENCY, task="deploy", data=(), strategy="direct"))
    plan = proposed(wanted)
    assert {"prepare_data", "tune_model"} & {s.tool for s in plan.steps} == set()
    assert plan.steps[0].tool == "find_model"
    assert faults(plan, wanted) == ()


def test_clauses_of_one_part_are_not_measured_by_another() -> None:
    clauses: tuple[Clause, ...] = (ACCURACY,)
    wanted = contract(part(*clauses, name="a", target="a"), part(*clauses, name="b", target="b"))
    plan = proposed(wanted)
    assert {m for s in plan.steps for m in s.measures} == {"a/accuracy", "b/accuracy"}
