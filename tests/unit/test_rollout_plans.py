"""Rollouts as plans: what each strategy does in which order, when a watch ends early, and what goes back."""

from __future__ import annotations

import pytest
from given import ACCURACY, ERRORS, LATENCY, NOW, TERMS, Story, clause, contract, endpoint, part, proposed, survey
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import bounds, rollout
from agent.brain.protocol import Change
from agent.brain.rules.planning.honoured import unsupported
from agent.brain.rules.planning.propose import propose
from agent.contract import Clause, Contract, Part
from agent.decide import decide
from agent.diagnose import examine
from agent.observe import observe
from agent.plan import Plan, resolve
from agent.state import Decided
from agent.survey import Survey
from agent.validate import faults
from tools.deploy import Inspected
from tools.monitor import MonitorEndpoint, Reading, monitor_endpoint
from tools.ports import EndpointState, Traffic, VersionState
from tools.record import Json

ABORT = clause("error_rate", "<=", 0.01, "live", abort=True)
NO_WORSE = Clause.model_validate(
    {"id": "beside", "metric": "latency_p95_ms", "op": "<=", "value": None, "where": "live", "relative": {}}
)


def there(replicas: int = 1, *, name: str = "v0") -> EndpointState:
    version = VersionState(
        name=name, state="ready", weight=100, model=f"models/tumours/{name}", replicas=replicas, ready=replicas
    )
    return endpoint((name, 100)).model_copy(update={"versions": (version,)})


def wanted(*clauses: Clause, **more: object) -> Contract:
    return contract(part(ACCURACY, *(clauses or (LATENCY,)), **more))


def tail(plan: Plan) -> list[str]:
    """The steps from the deployment on."""
    ids = [s.id for s in plan.steps]
    return ids[ids.index("deploy") :]


def args(plan: Plan, id_: str) -> Json:
    step = plan.step(id_)
    assert step is not None, id_
    return step.args


def test_a_shadow_is_watched_before_anything_is_shifted() -> None:
    plan = proposed(wanted(strategy="shadow", hold_s=600.0), survey(there()))
    watches = ["mirror", "monitor-shadow", "end-mirror", "shift-100", "monitor-100", "keep", "withdraw"]
    assert tail(plan) == ["deploy", *watches]
    shadow = args(plan, "monitor-shadow")
    assert (shadow["seconds"], shadow["shadow"], shadow["whole"]) == (600.0, True, False)
    assert args(plan, "monitor-100")["seconds"] < 600.0, "what was held is not held again"
    assert faults(plan, wanted(strategy="shadow", hold_s=600.0)) == ()


@pytest.mark.parametrize("strategy", ["shadow", "rolling"])
def test_where_nothing_serves_nothing_is_shadowed_or_replaced(strategy: str) -> None:
    plan = proposed(wanted(strategy=strategy, replicas=2))
    assert tail(plan) == ["deploy", "shift-100", "monitor-100", "keep"]
    assert args(plan, "deploy")["replicas"] == 2
    one = part(LATENCY, strategy=strategy)
    assert f"nothing serves at tumours that a {strategy} rollout" in rollout.remark(one, None)
    assert rollout.remark(one, there()) == ""


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_a_rolling_rollout_never_has_more_than_one_server_over_and_never_fewer_than_wanted(replicas: int) -> None:
    goal = wanted(strategy="rolling", replicas=replicas)
    plan = proposed(goal, survey(there(replicas)))
    assert faults(plan, goal) == ()
    new, old = 1, replicas
    for id_ in tail(plan)[1:]:
        step = plan.step(id_)
        assert step is not None
        if step.tool == "scale_endpoint":
            mine = step.args["version"] == {"$ref": "deploy.version"}
            new, old = (step.args["replicas"], old) if mine else (new, step.args["replicas"])
        assert replicas <= new + old <= replicas + 1
        assert old >= 1, "there is always something to go back to"
    assert new == replicas


def test_green_is_as_large_as_blue_when_the_goal_does_not_say() -> None:
    plan = proposed(wanted(strategy="blue_green"), survey(there(4)))
    assert args(plan, "deploy")["replicas"] == 4
    assert tail(plan) == ["deploy", "shift-100", "monitor-100", "keep", "withdraw"]


def test_it_begins_with_the_smallest_size_that_the_goal_allows() -> None:
    goal = wanted(strategy="direct", min_replicas=2, max_replicas=6)
    assert args(proposed(goal), "deploy")["replicas"] == 2


def _revised(goal: Contract, until: str, what: str, seen: Survey) -> Plan:
    before = propose(goal, seen, TERMS)
    ids = [s.id for s in before.steps]
    started = frozenset(ids[: ids.index(until) + 1])
    results: dict[str, Json] = {id_: {"key": "k", "at": NOW} for id_ in started}
    results["register"] = {"version": "v1", "key": "models/m/v1", "digest": "d", "data": "requests/m", "label": "y"}
    if "deploy" in started:
        results["deploy"] = {"version": "v1", "endpoint": "tumours", "incumbent": "v0", "url": "u"}
    change = Change.model_validate({"part": "model", "what": what})
    return propose(goal, seen, TERMS, before=before, started=started, results=results, changes=(change,))


def test_an_inconclusive_shadow_is_watched_longer_before_it_may_be_promoted() -> None:
    goal = wanted(strategy="shadow")
    plan = _revised(goal, "monitor-shadow", "extend", survey(there()))
    assert tail(plan)[2:5] == ["monitor-shadow", "monitor-shadow-longer1", "end-mirror"]
    assert args(plan, "monitor-shadow-longer1")["seconds"] == 2 * args(plan, "monitor-shadow")["seconds"]
    end = plan.step("end-mirror")
    assert end is not None
    assert "monitor-shadow-longer1" in end.needs
    assert faults(plan, goal) == ()


def test_a_shadow_goes_back_without_touching_the_weights_by_name() -> None:
    plan = _revised(wanted(strategy="shadow"), "monitor-shadow", "roll_back", survey(there()))
    assert plan.steps[-1].args == {"endpoint": "tumours", "to": "v0", "withdraw": "v1"}


def test_a_rolling_rollout_goes_back_to_its_former_size() -> None:
    plan = _revised(wanted(strategy="rolling", replicas=3), "shift-67", "roll_back", survey(there(3)))
    assert plan.steps[-1].args == {"endpoint": "tumours", "to": "v0", "withdraw": "v1", "replicas": 3, "added": 0}


def test_a_server_is_only_added_and_never_ended_by_starting_the_next() -> None:
    """The version may turn out to be the one that serves: its content is known only when it is registered."""
    plan = proposed(wanted(strategy="rolling", replicas=3), survey(there(3)))
    assert [args(plan, f"start-{n}")["fewest"] for n in (2, 3)] == [True, True]
    assert "fewest" not in args(plan, "end-1")


IDLE = there().model_copy(update={"versions": (there().versions[0].model_copy(update={"weight": 0}),)})
EMPTY = there().model_copy(update={"versions": ()})


@pytest.mark.parametrize(
    ("seen", "environment", "tool"),
    [
        (IDLE, None, "withdraw_version"),
        (IDLE.model_copy(update={"owner": "eve"}), None, "withdraw_version"),
        (EMPTY, None, "withdraw_version"),
        (EMPTY, "production", "withdraw_version"),
        (EMPTY.model_copy(update={"owner": "eve"}), None, "withdraw_version"),
    ],
    ids=["another version", "somebody else's", "empty and ours", "empty in production", "empty and somebody else's"],
)
def test_where_nothing_had_traffic_the_version_goes_or_the_endpoint_with_it(
    seen: EndpointState, environment: str | None, tool: str
) -> None:
    goal = wanted(strategy="direct").model_copy(update={"environment": environment})
    before = propose(goal, survey(seen), TERMS)
    started = frozenset(s.id for s in before.steps if s.id not in ("keep", "withdraw"))
    results: dict[str, Json] = {id_: {"key": "k", "at": NOW} for id_ in started}
    results["register"] = {"version": "v1", "key": "models/m/v1", "digest": "d", "data": "requests/m", "label": "y"}
    results["deploy"] = {"version": "v1", "endpoint": "tumours", "incumbent": None, "url": "u"}
    change = Change.model_validate({"part": "model", "what": "roll_back"})
    plan = propose(goal, survey(seen), TERMS, before=before, started=started, results=results, changes=(change,))
    assert plan.steps[-1].tool == tool
    if tool == "withdraw_version":
        assert plan.steps[-1].args == {"endpoint": "tumours", "version": "v1"}


def test_more_servers_are_watched_like_the_fewer_before() -> None:
    goal = wanted(strategy="direct", min_replicas=2, max_replicas=5)
    plan = _revised(goal, "monitor-100", "grow", survey())
    assert tail(plan)[3:] == ["grow-4", "monitor-100-longer1", "keep-longer1"]
    assert (args(plan, "grow-4")["added"], args(plan, "keep-longer1")["replicas"]) == (2, 4)
    assert args(plan, "monitor-100-longer1")["seconds"] == args(plan, "monitor-100")["seconds"]
    assert faults(plan, goal) == ()


def test_a_canary_is_compared_while_both_have_traffic() -> None:
    goal = wanted(LATENCY, NO_WORSE, strategy="canary", steps=(20.0, 50.0))
    assert unsupported(goal) == ()
    plan = proposed(goal, survey(there()))
    assert {s.id: s.measures for s in plan.steps if s.measures and s.tool == "monitor_endpoint"} == {
        "monitor-50": ("model/beside",),
        "monitor-100": ("model/latency_p95_ms",),
    }
    assert args(plan, "monitor-50")["compared"] == ["p95"]
    assert faults(plan, goal) == ()
    longer = _revised(goal, "monitor-50", "extend", survey(there()))
    assert tail(longer)[-6:] == [
        "monitor-50",
        "monitor-50-longer1",
        "shift-100",
        "monitor-100",
        "keep-longer1",
        "withdraw-longer1",
    ]


@pytest.mark.parametrize("strategy", ["direct", "rolling", "blue_green"])
def test_where_both_never_have_traffic_at_once_a_comparison_is_named(strategy: str) -> None:
    (why,) = unsupported(wanted(NO_WORSE, strategy=strategy))
    assert "by a shadow, or a canary in steps" in why


@given(st.integers(1, 400), st.sampled_from([0.001, 0.01, 0.05, 0.3]), st.sampled_from([0.05, 0.01, 0.001]))
@settings(max_examples=200, deadline=None)
def test_the_most_that_is_not_too_many_is_where_the_exact_bound_turns(n: int, share: float, alpha: float) -> None:
    most = bounds.most(n, share, alpha)
    assert most == 0 or bounds.lower(most, n, alpha) <= share + 1e-9
    assert most == n or bounds.lower(most + 1, n, alpha) > share - 1e-9


def test_false_alarms_of_early_looks_stay_below_what_they_may_spend() -> None:
    """Exact: the probability that a version exactly at the limit is ended early at any look."""
    (stop,) = [s for s in rollout.stops(part(ABORT), sent=500.0, stages=1) if s["metric"] == "error_rate"][:1]
    assert [n for n, _ in stop["most"]] == sorted(n for n, _ in stop["most"])
    union = sum(1.0 - bounds.tail(most - 1, n, 0.01) for n, most in stop["most"])
    assert union <= bounds.ALPHA / bounds.EARLY


def test_answers_that_fail_end_a_watch_although_no_clause_says_so() -> None:
    found = rollout.stops(part(LATENCY), sent=300.0, stages=1)
    assert [s["metric"] for s in found] == ["error_rate"]
    with_abort = rollout.stops(part(ABORT, LATENCY.model_copy(update={"abort": True})), sent=300.0, stages=1)
    assert [(s["metric"], s["threshold_ms"]) for s in with_abort] == [
        ("error_rate", None),
        ("latency_p95_ms", 80.0),
        ("error_rate", None),
    ]
    (zero,) = rollout.stops(part(clause("error_rate", "<=", 0.0, "live", abort=True)), sent=300.0, stages=1)[:1]
    assert [most for _, most in zero["most"]] == [1]


def traffic(version: str, requests: int, errors: int, over: dict[str, int] | None = None, p95: float = 9.0) -> Json:
    quantiles = {"p50": 4.0, "p95": p95, "p99": 20.0}
    made = Traffic(
        version=version,
        since=NOW,
        until=NOW + 60,
        requests=requests,
        errors=errors,
        over=over or {},
        quantiles_ms=quantiles,
    )
    return made.model_dump(mode="json")


def told(goal: Contract, until: str, result: Json) -> Story:
    """A run whose steps were done up to a watch that came to this."""
    story = Story(goal, seen=survey(there()))
    known: dict[str, Json] = {
        "register": {"version": "v1", "key": "k", "digest": "d", "data": "requests/m", "label": "y"},
        "deploy": {"version": "v1", "incumbent": "v0", "url": "u", "digest": "d", "endpoint": "tumours"},
        "prepare": {"key": "k", "label": "y", "roles": {}, "classes": [], "positive": None},
        "find": {"version": "v1", "key": "k", "digest": "d", "data": "requests/m", "label": "y"},
        until: result,
    }
    ids = [s.id for s in story.run.plan.steps]
    for id_ in ids[: ids.index(until) + 1]:
        story.ended(id_, known.get(id_, {"key": "k", "at": NOW, "result": {}}))
    step = story.run.plan.step(until)
    assert step is not None
    for seen in observe(step, result, goal):
        story.tell("observation", seen)
    return story


LOAD: Json = {"sent": 400, "answered": 400, "failed": 0, "seconds": 4.0}


def test_a_shadow_that_met_every_clause_is_promoted_and_one_that_did_not_is_not() -> None:
    goal = contract(part(LATENCY, ERRORS, strategy="shadow", task="deploy", data=(), source_models=("tumours:v1",)))
    good: Json = {"traffic": traffic("v1", 400, 0, {"80.0": 0}), "load": LOAD, "beside": traffic("v0", 400, 0)}
    story = told(goal, "monitor-shadow", good)
    assert [s.id for s in story.run.ready()] == ["end-mirror"]
    assert not isinstance(decide(story.run, now=NOW), Decided)
    short = good | {"traffic": traffic("v1", 400, 3, {"80.0": 0})}
    found = decide(told(goal, "monitor-shadow", short).run, now=NOW)
    assert isinstance(found, Decided)
    assert found.change == "extend"
    bad = decide(told(goal, "monitor-shadow", good | {"traffic": traffic("v1", 400, 40, {"80.0": 0})}).run, now=NOW)
    assert isinstance(bad, Decided)
    assert bad.change == "roll_back"


def slow(**more: object) -> Decided:
    one = part(LATENCY, strategy="direct", task="deploy", data=(), source_models=("tumours:v1",), **more)
    result: Json = {"traffic": traffic("v1", 400, 0, {"80.0": 200}), "load": LOAD, "whole": True}
    found = decide(told(contract(one), "monitor-100", result).run, now=NOW)
    assert isinstance(found, Decided)
    return found


def test_slow_answers_get_more_servers_only_where_the_goal_allows_them() -> None:
    assert slow().change == "roll_back"
    assert slow(min_replicas=2, max_replicas=2).change == "roll_back"
    grown = slow(min_replicas=2, max_replicas=3)
    assert (grown.change, "3 servers instead of 2" in grown.why) == ("grow", True)


def test_what_is_to_be_rolled_back_gets_no_more_servers() -> None:
    one = part(LATENCY.model_copy(update={"abort": True}), strategy="direct", task="deploy", data=(), max_replicas=8)
    result: Json = {"traffic": traffic("v1", 400, 0, {"80.0": 200}), "load": LOAD, "whole": True}
    found = decide(told(contract(one), "monitor-100", result).run, now=NOW)
    assert isinstance(found, Decided)
    assert found.change == "roll_back"


def test_a_breach_of_what_only_is_watched_takes_nothing_back() -> None:
    goal = contract(part(LATENCY, task="watch", data=()))
    result: Json = {"traffic": traffic("v0", 400, 0, {"80.0": 200}), "load": LOAD, "whole": True}
    story = told(goal, "monitor", result)
    found = decide(story.run, now=NOW)
    assert isinstance(found, Decided)
    assert found.change == "stop"


def test_the_arguments_of_every_watch_fit_its_tool() -> None:
    for strategy in ("direct", "canary", "shadow", "rolling"):
        plan = proposed(wanted(LATENCY, ABORT, strategy=strategy), survey(there(2)))
        known = {
            s.id: {"key": "k", "label": "y", "at": NOW, "url": "u", "version": "v1", "incumbent": "v0"}
            for s in plan.steps
        }
        for step in plan.steps:
            if step.tool == "monitor_endpoint":
                assert isinstance(monitor_endpoint.args.model_validate(resolve(step.args, known)), MonitorEndpoint)


def reading(requests: int, errors: int = 0, p95: float = 9.0) -> Reading:
    seen = Traffic.model_validate(traffic("v0", requests, errors, p95=p95))
    return Reading(at=NOW, seconds=900.0, versions=(seen,))


def sick(**more: object) -> Inspected:
    state = there(2)
    (version,) = state.versions
    return Inspected(state=state.model_copy(update={"versions": (version.model_copy(update=more),)}))


@pytest.mark.parametrize(
    ("looked", "seen", "cause"),
    [
        (Inspected(state=None), reading(0), "data_missing"),
        (sick(weight=0), reading(0), "unknown"),
        (sick(state="failed"), reading(100), "user_code_error"),
        (sick(ready=0), reading(100), "node_lost"),
        (sick(ready=1), reading(100), "capacity"),
        (sick(), reading(100, errors=30), "slo_breach"),
        (sick(), reading(100, p95=400.0), "capacity"),
        (sick(), reading(0), None),
        (sick(), reading(100), None),
    ],
    ids=["gone", "no traffic", "failed", "no server", "a server short", "errors", "a long tail", "unused", "well"],
)
def test_what_ails_an_endpoint_has_a_cause_and_a_remedy(looked: Inspected, seen: Reading, cause: str | None) -> None:
    found = examine(looked, seen)
    assert found.cause == cause
    assert found.text
    assert found.remedy or cause is None


RUNNING = ("rollback", "scale", "watch", "diagnose")


@pytest.mark.parametrize("task", RUNNING)
@pytest.mark.parametrize(
    "seen", [survey(), survey(there()), survey(endpoint(("v0", 100), ("v1", 0)))], ids=["absent", "alone", "two"]
)
def test_every_goal_about_what_runs_gives_a_plan_without_a_fault(task: str, seen: Survey) -> None:
    clauses = () if task == "diagnose" else (LATENCY,)
    one: Part = part(*clauses, task=task, data=(), replicas=2)
    goal = contract(one)
    assert unsupported(goal) == ()
    for previous in (None, "tumours:v1", "tumours:v9"):
        known = seen.model_copy(update={"previous": {"tumours": previous}})
        assert faults(proposed(goal, known), goal) == ()
