"""What is done about what a look found: once, by a closed table, within bounds, and only where it was asked for."""

from __future__ import annotations

import pytest
from given import NOW, TERMS, Story, contract, endpoint, part, survey

from agent import remedy, validate
from agent.brain.protocol import Change
from agent.brain.rules.planning import propose as embedded
from agent.contract import Contract, Rollout
from agent.decide import decide
from agent.guard import preview
from agent.judged.scope import departures
from agent.plan import Plan
from agent.state import Decided, Diagnosed, Planned
from agent.survey import Survey
from tools.errors import Cause
from tools.ports import EndpointState, VersionState

SLOW = contract(part(task="diagnose", data=()))
(PART,) = SLOW.parts


def served(replicas: int = 4) -> EndpointState:
    one = VersionState(
        name="v1", state="ready", weight=100, model="models/tumours/v1", digest="d", replicas=replicas, ready=replicas
    )
    old = one.model_copy(update={"name": "v0", "weight": 0, "model": "models/tumours/v0"})
    return endpoint().model_copy(update={"versions": (one, old)})


def seen(replicas: int = 4) -> Survey:
    return survey(served(replicas)).model_copy(update={"previous": {"tumours": "tumours:v0"}})


def looked(cause: Cause | None = "capacity", *, wanted: Contract = SLOW, opened: bool = True) -> Story:
    """A run whose look at the endpoint is over."""
    there = seen()
    story = Story(wanted, embedded.propose(wanted, there, TERMS), seen=there)
    story.run.opened = opened
    for id_ in ("inspect", "measure"):
        story.ended(id_)
    if cause is not None:
        story.tell("diagnosis", Diagnosed(part="model", step="measure", cause=cause, text="it is slow"))
    return story


def test_what_is_to_be_fixed_is_mended_once() -> None:
    story = looked()
    found = remedy.wanted(PART, story.run)
    assert found == Decided(action="revise", part="model", change="remedy", why="it is slow")
    assert decide(story.run, now=NOW) == found
    story.tell("decision", found)
    again = remedy.wanted(PART, story.run)
    assert again is not None
    assert (again.change, again.why) == ("stop", "it is slow; nothing was done about it")
    story.tell("decision", again)
    assert getattr(decide(story.run, now=NOW), "action", "") == "finish"


@pytest.mark.parametrize("cause", [None, "capacity"])
def test_who_only_asks_why_gets_an_answer_and_no_change(cause: Cause | None) -> None:
    assert remedy.wanted(PART, looked(cause, opened=False).run) is None
    assert remedy.meant(PART, looked(cause, opened=False).run) == PART


def test_where_nothing_was_found_nothing_follows() -> None:
    assert remedy.wanted(PART, looked(None).run) is None


@pytest.mark.parametrize("cause", ["unknown", "data_missing", "drift", "quota"])
def test_a_cause_that_nothing_here_mends_ends_it_and_says_so(cause: Cause) -> None:
    found = remedy.wanted(PART, looked(cause).run)
    assert found is not None
    assert (found.change, "nothing was done" in found.why) == ("stop", True)


def test_why_a_look_failed_is_no_cause_of_the_endpoints() -> None:
    there = seen()
    story = Story(SLOW, embedded.propose(SLOW, there, TERMS), seen=there)
    story.run.opened = True
    story.ended("inspect")
    story.failed("measure", "node_lost")
    story.tell("diagnosis", Diagnosed(part="model", step="measure", cause="node_lost", text="the process went away"))
    story.tell("decision", Decided(action="revise", part="model", change="retry:measure", why="again"))
    story.ended("measure", attempt=2)
    assert remedy.diagnosed(PART, story.run) is None
    assert remedy.wanted(PART, story.run) is None


def test_while_something_is_still_under_way_nothing_is_mended() -> None:
    there = seen()
    story = Story(SLOW, embedded.propose(SLOW, there, TERMS), seen=there)
    story.run.opened = True
    story.ended("inspect")
    story.tell("diagnosis", Diagnosed(part="model", step="measure", cause="capacity", text="it is slow"))
    assert remedy.wanted(PART, story.run) is None


@pytest.mark.parametrize(
    ("cause", "task"),
    [("capacity", "scale"), ("slo_breach", "rollback"), ("unknown", "diagnose"), ("drift", "diagnose")],
)
def test_calls_are_judged_by_what_the_cause_allows_and_only_once_it_was_decided(cause: Cause, task: str) -> None:
    story = looked(cause)
    assert remedy.meant(PART, story.run) == PART
    story.tell("decision", Decided(action="revise", part="model", change="remedy", why="it is slow"))
    assert remedy.meant(PART, story.run).task == task


def mended(cause: Cause, there: Survey) -> Plan:
    first = embedded.propose(SLOW, there, TERMS)
    change = Change(part="model", what="remedy", cause=cause)
    done = frozenset(s.id for s in first.steps)
    return embedded.propose(SLOW, there, TERMS, before=first, started=done, results={}, changes=(change,))


@pytest.mark.parametrize("cause", ["capacity", "slo_breach", "user_code_error", "node_lost"])
def test_the_rules_remedy_can_be_run_departs_from_nothing_and_asks_nobody(cause: Cause) -> None:
    story = looked(cause)
    story.tell("decision", Decided(action="revise", part="model", change="remedy", why="it is slow"))
    plan = mended(cause, seen())
    assert validate.faults(plan, SLOW) == ()
    assert plan.steps[-1].tool == "read_traffic"
    story.run.plans.append(Planned(plan=plan, approvals=(), feasibility=story.run.plans[-1].feasibility))
    assert preview(plan, story.run, story.policies, purse=story.purse) == ((), ())
    scaled = [s.args["replicas"] for s in plan.steps if s.tool == "scale_endpoint"]
    assert scaled == ([8] if cause == "capacity" else [])


@pytest.mark.parametrize(("replicas", "ok"), [(1, False), (3, False), (4, True), (8, True), (9, False)])
def test_a_remedy_for_too_few_servers_adds_some_and_at_most_as_many(replicas: int, ok: bool) -> None:
    story = looked()
    story.tell("decision", Decided(action="revise", part="model", change="remedy", why="it is slow"))
    step = next(s for s in mended("capacity", seen()).steps if s.tool == "scale_endpoint")
    args = step.args | {"replicas": replicas}
    found = departures(step.model_copy(update={"args": args}), args, story.run)
    assert (found == ()) == ok, found


@pytest.mark.parametrize(
    ("now", "bounds", "expected"),
    [
        (4, {}, (2, 8)),
        (5, {}, (3, 10)),
        (1, {}, (1, 2)),
        (4, {"max_replicas": 6}, (2, 6)),
        (4, {"min_replicas": 3}, (3, 8)),
        (4, {"min_replicas": 9, "max_replicas": 5}, (9, 9)),
    ],
)
def test_a_size_that_is_left_open_is_between_half_and_twice(
    now: int, bounds: dict[str, int], expected: tuple[int, int]
) -> None:
    wanted = part(task="scale", data=()).model_copy(update={"rollout": Rollout.model_validate(bounds)})
    found = remedy.sizes(wanted, served(now))
    assert (found[0], found[-1]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Halve the replicas of tumours if p95 allows", (2, 2)),
        ("把 tumours 的副本减半", (2, 2)),
        ("Double the replicas", (8, 8)),
        ("副本翻倍", (8, 8)),
        ("Scale tumours down", (2, 4)),
        ("减少 tumours 的副本数", (2, 4)),
        ("Scale up, latency suffers", (4, 8)),
        ("It is down: scale up", (2, 8)),
        ("Find the right number of replicas", (2, 8)),
    ],
)
def test_the_way_that_the_goal_says_is_the_way_it_goes(text: str, expected: tuple[int, int]) -> None:
    found = remedy.sizes(part(task="scale", data=()), served(4), text)
    assert (found[0], found[-1]) == expected


def test_nothing_grows_past_the_goals_own_bound() -> None:
    wanted = PART.model_copy(update={"rollout": Rollout(max_replicas=4)})
    assert remedy.remedied(wanted, "capacity", seen(4)) is None
    assert remedy.remedied(wanted, "capacity", seen(3)) is not None


def test_without_a_version_before_it_or_an_endpoint_there_is_no_remedy() -> None:
    assert remedy.remedied(PART, "slo_breach", survey(served())) is None
    assert remedy.remedied(PART, "capacity", survey()) is None
    assert remedy.remedied(PART, None, seen()) is None
    assert mended("slo_breach", survey(served())).steps == embedded.propose(SLOW, survey(served()), TERMS).steps


def test_a_goal_that_leaves_its_size_open_is_checked_as_if_it_said_one() -> None:
    wanted = contract(part(task="scale", data=()), part(task="scale", data=(), name="b", target="b", replicas=3))
    first, second = remedy.as_if_said(wanted).parts
    assert (first.rollout.replicas, second.rollout.replicas) == (1, 3)
