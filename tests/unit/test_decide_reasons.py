"""Decisions: go on, revise or finish, and why. Everything is bounded."""

from __future__ import annotations

import pytest
from given import ACCURACY, ERRORS, LATENCY, NOW, TERMS, Story, clause, contract, part, plan, step, survey

from agent.brain.protocol import Change
from agent.brain.rules.planning.propose import propose
from agent.contract import Contract, Search
from agent.decide import Continue, decide, unlikely
from agent.judge import Judgement
from agent.observe import Observation
from agent.search import EXTENSIONS
from agent.sentences import sentence
from agent.state import Decided, Ended
from tools.errors import Cause
from tools.record import Json

LEARNING = contract(part(ACCURACY))
SERVING = contract(part(ACCURACY, LATENCY, ERRORS, strategy="canary"))
DEPLOYED: Json = {"version": "v1", "incumbent": None, "url": "u", "digest": "d", "endpoint": "tumours"}


def decided(story: Story, *, at: float = NOW) -> Decided:
    found = decide(story.run, now=at)
    assert isinstance(found, Decided), "nothing was decided"
    return found


def goes_on(story: Story, *, at: float = NOW) -> bool:
    return isinstance(decide(story.run, now=at), Continue)


def saw(story: Story, step_id: str, stage: str, metric: str, value: float, **more: object) -> None:
    fields: dict[str, object] = {"part": "model", "step": step_id, "stage": stage, "metric": metric, "value": value}
    story.tell("observation", Observation.model_validate(fields | more))


def trained(story: Story, accuracy: float, *, level: int = 0, curve: list[list[float]] | None = None) -> None:
    """Everything up to the choice of a level was done, and validation gave that."""
    nth = "" if level == 0 else f"-{level + 1}"
    for found in story.run.plan.steps:
        mine = found.id == "prepare" or (found.tool == "tune_model" and found.round == level)
        if mine and not story.run.done(found.id):
            result: Json = {"key": "k", "label": "target", "roles": {}, "classes": [], "positive": None}
            story.ended(found.id, result)
    story.ended(f"select{nth}", {"key": "k", "curve": curve or []})
    saw(story, f"select{nth}", "validation", "accuracy", accuracy, low=accuracy - 0.02, high=accuracy + 0.02)


def searched_on(story: Story, decision: Decided, wanted: Contract, level: int) -> None:
    """The decision was taken and the next level planned."""
    story.tell("decision", decision)
    before, started = story.run.plan, frozenset(story.run.by_step)
    results = {id_: result for id_ in started if (result := story.run.result(id_)) is not None}
    again = (Change(part="model", what="search"),)
    assert story.run.survey is not None
    story.planned(
        propose(wanted, story.run.survey, TERMS, before=before, started=started, results=results, changes=again)
    )
    assert any(s.round == level for s in story.run.plan.steps)


def test_a_run_goes_on_while_there_is_something_to_start_or_to_wait_for() -> None:
    story = Story(LEARNING)
    assert goes_on(story)
    story.begun("prepare")
    story.tell("outcome", Ended(call="r/prepare/1", phase="running", handle="h"))
    assert goes_on(story)


def test_when_validation_meets_the_clause_the_holdout_is_opened() -> None:
    story = Story(LEARNING)
    trained(story, 0.91)
    assert goes_on(story)
    assert [s.id for s in story.run.ready()] == ["evaluate"]


def test_when_validation_is_short_it_searches_on_before_the_holdout_is_opened() -> None:
    story = Story(LEARNING)
    trained(story, 0.85)
    found = decided(story)
    assert (found.action, found.change) == ("revise", "search")
    assert found.why == "validation accuracy 0.85, >= 0.9 is demanded"


def test_when_the_search_is_exhausted_the_holdout_is_opened_once_and_the_part_stops() -> None:
    story = Story(LEARNING)
    for level in range(3):
        trained(story, 0.85, level=level)
        found = decided(story)
        if level < 2:
            assert found.change == "search"
            searched_on(story, found, LEARNING, level + 1)
    assert found.change == "exhausted"
    assert "exhausted after 3 rounds" in found.why
    story.tell("decision", found)
    assert goes_on(story)
    story.ended("evaluate-3", {"key": "k"})
    saw(story, "evaluate-3", "holdout", "accuracy", 0.84)
    stopped = decided(story)
    assert (stopped.change, stopped.why) == ("stop", found.why)


@pytest.mark.parametrize("trials", [1, 6])
def test_a_search_that_the_goal_bounds_is_not_said_to_have_gone_further(trials: int) -> None:
    story = Story(contract(part(ACCURACY, search=Search(trials=trials))))
    trained(story, 0.85)
    found = decided(story)
    assert found.change == "exhausted"
    assert f"after the {trials} trials that the goal allows" in found.why


def test_after_the_holdout_was_short_the_next_search_learns_no_number() -> None:
    story = Story(LEARNING)
    trained(story, 0.91)
    story.ended("evaluate", {"key": "k"})
    saw(story, "evaluate", "holdout", "accuracy", 0.8765)
    found = decided(story)
    assert (found.change, found.why) == ("search", "accuracy short on the holdout")


def test_the_holdout_is_opened_three_times_at_most() -> None:
    story = Story(LEARNING)
    changes = []
    for level in range(3):
        nth = "" if level == 0 else f"-{level + 1}"
        trained(story, 0.95, level=level)
        story.ended(f"evaluate{nth}", {"key": "k"})
        saw(story, f"evaluate{nth}", "holdout", "accuracy", 0.85, bound_low=0.83, bound_high=0.87)
        found = decided(story)
        changes.append(found.change)
        if found.change == "search":
            searched_on(story, found, LEARNING, level + 1)
    assert changes == ["search", "search", "stop"]
    assert story.run.looks("model") == 3


def test_a_second_look_needs_the_corrected_bound() -> None:
    for bound, change in ((0.905, None), (0.895, "search")):
        story = Story(LEARNING)
        trained(story, 0.95)
        story.ended("evaluate", {"key": "k"})
        saw(story, "evaluate", "holdout", "accuracy", 0.89)
        searched_on(story, decided(story), LEARNING, 1)
        trained(story, 0.95, level=1)
        story.ended("evaluate-2", {"key": "k"})
        saw(story, "evaluate-2", "holdout", "accuracy", 0.95, bound_low=bound, bound_high=0.97)
        found = decided(story)
        assert found.change == (change or "")
        assert found.action == ("revise" if change else "finish")


FLAT = [[250.0, 0.795], [500.0, 0.8]]


@pytest.mark.parametrize(
    ("wanted", "value", "curve", "said"),
    [
        (0.99, 0.80, FLAT, True),
        (0.99, 0.80, [[250.0, 0.70], [500.0, 0.80]], False),
        (0.83, 0.80, FLAT, False),
        (0.99, 0.80, [], False),
        (0.99, 0.80, [[250.0, 0.82], [500.0, 0.80]], True),
    ],
    ids=["flat", "steep", "near", "unknown", "falling"],
)
def test_what_the_learning_curve_does_not_promise_is_said_to_be_unlikely(
    wanted: float, value: float, curve: list[list[float]], said: bool
) -> None:
    judged = Judgement(verdict="NOT MET", measured=value, interval=(value - 0.02, value + 0.02))
    assert bool(unlikely(clause("accuracy", ">=", wanted), judged, curve)) == said


def test_for_an_error_the_curve_is_read_downwards() -> None:
    judged = Judgement(verdict="NOT MET", measured=5.0, interval=(4.9, 5.1))
    wanted = clause("rmse", "<=", 1.0)
    assert unlikely(wanted, judged, [[250.0, 5.1], [500.0, 5.0]])
    assert not unlikely(wanted, judged, [[250.0, 9.0], [500.0, 5.0]])


def deployed(wanted: Contract = SERVING) -> Story:
    """A run whose version has all the traffic and is watched at last."""
    story = Story(wanted)
    trained(story, 0.95)
    story.ended("evaluate", {"key": "k"})
    saw(story, "evaluate", "holdout", "accuracy", 0.95)
    story.ended("register", {"version": "v1", "key": "m", "digest": "d"})
    story.ended("deploy", DEPLOYED)
    for percent in (10, 50, 100):
        story.ended(f"shift-{percent}", {"at": NOW})
        if percent < 100:
            story.ended(f"monitor-{percent}", {})
    return story


def watched(story: Story, errors: int, n: int, step_id: str = "monitor-100") -> None:
    story.ended(step_id, {})
    saw(story, step_id, "live", "error_rate", errors / n, count=errors, n=n)
    saw(story, step_id, "live", "latency_p95_ms", 5.0, count=0, n=n, threshold=80.0)


def test_what_was_proven_live_is_handed_over() -> None:
    story = deployed()
    watched(story, 0, 400)
    assert goes_on(story)
    assert [s.id for s in story.run.ready()] == ["keep"]


def test_a_breach_rolls_back_at_whatever_stage_it_shows() -> None:
    story = deployed()
    watched(story, 60, 400)
    found = decided(story)
    assert (found.change, found.part) == ("roll_back", "model")
    assert found.why == "error_rate breached under live traffic: 60 of 400 requests missed it; at most 0.01 may"


def test_an_inconclusive_watch_is_extended_twice_and_then_taken_back() -> None:
    story = deployed()
    watched(story, 2, 400)
    for round_ in range(1, EXTENSIONS + 1):
        found = decided(story)
        assert (found.change, "inconclusive" in found.why) == ("extend", True)
        story.tell("decision", found)
        again = {"round": round_, "needs": ("shift-100",), "measures": ("model/latency_p95_ms", "model/error_rate")}
        longer = step(f"monitor-100-longer{round_}", "monitor_endpoint", {}, **again)
        started = tuple(s for s in story.run.plan.steps if s.id in story.run.by_step)
        story.planned(plan(*started, longer, version=story.run.plan.version + 1))
        assert goes_on(story)
        watched(story, 4, 500, longer.id)
    found = decided(story)
    assert (found.change, found.why[:29]) == ("roll_back", "live clauses stay unproven: e")


@pytest.mark.parametrize("cause", ["node_lost", "preempted", "network", "capacity"])
def test_what_may_pass_is_tried_once_more_and_not_again(cause: Cause) -> None:
    story = Story(LEARNING)
    story.failed("prepare", cause)
    found = decided(story)
    assert found.change == "retry:prepare"
    story.tell("decision", found)
    assert goes_on(story)
    story.failed("prepare", cause, attempt=2)
    assert decided(story).change == "stop"


@pytest.mark.parametrize("cause", ["user_code_error", "data_invalid", "permission", "timeout", "unknown", "disk_full"])
def test_what_will_not_pass_is_never_tried_again(cause: Cause) -> None:
    story = Story(LEARNING)
    story.failed("prepare", cause)
    found = decided(story)
    assert (found.change, found.why) == ("stop", f"prepare failed ({cause}): it failed: {cause}")


def test_the_holdout_is_not_opened_again_because_its_job_was_lost() -> None:
    story = Story(LEARNING)
    trained(story, 0.95)
    story.failed("evaluate", "node_lost")
    assert decided(story).change == "stop"


def test_a_failure_after_the_deployment_takes_it_back() -> None:
    story = deployed()
    story.failed("monitor-100", "user_code_error")
    assert decided(story).change == "roll_back"


@pytest.mark.parametrize(("tool_cause", "code"), [("data_invalid", 2), ("data_missing", 2), ("user_code_error", 5)])
def test_bad_data_is_the_requests_fault_and_any_other_failure_the_works(tool_cause: Cause, code: int) -> None:
    story = Story(LEARNING)
    story.failed("prepare", tool_cause)
    story.tell("decision", decided(story))
    found = decided(story)
    assert (found.action, found.code) == ("finish", code)


def test_data_that_do_not_suit_the_model_are_the_requests_fault_as_well() -> None:
    story = Story(LEARNING)
    trained(story, 0.91)
    story.failed("evaluate", "data_invalid")
    story.tell("decision", decided(story))
    assert (decided(story).action, decided(story).code) == ("finish", 2)
    unlearnable = Story(LEARNING)
    unlearnable.ended("prepare", {"key": "k", "label": "target", "roles": {}, "classes": [], "positive": None})
    for found in unlearnable.run.plan.steps:
        if found.tool == "tune_model":
            unlearnable.failed(found.id, "data_invalid")
    unlearnable.tell("decision", decided(unlearnable))
    assert (decided(unlearnable).action, decided(unlearnable).code) == ("finish", 2)


def test_one_part_that_stops_does_not_stop_the_other() -> None:
    wanted = contract(part(name="a", target="a"), part(name="b", target="b"))
    story = Story(wanted)
    story.failed("a.prepare", "user_code_error")
    found = decided(story)
    assert (found.part, found.change) == ("a", "stop")
    story.tell("decision", found)
    assert goes_on(story)


def test_a_cancelled_run_ends_what_runs_before_it_finishes() -> None:
    story = Story(LEARNING)
    story.begun("prepare")
    story.tell("outcome", Ended(call="r/prepare/1", phase="running", handle="h"))
    story.tell("decision", Decided(action="cancel", why="bob cancelled the run", code=4))
    found = decided(story)
    assert (found.action, found.change, found.code) == ("revise", "wind_down", 4)
    story.tell("decision", found)
    assert goes_on(story)
    story.tell("outcome", Ended(call="r/prepare/1", phase="failed", cause="unknown", message="cancelled"))
    story.run.plans[-1] = story.run.plans[-1].model_copy(update={"plan": plan(story.run.plan.steps[0])})
    last = decided(story)
    assert (last.action, last.why, last.code) == ("finish", "bob cancelled the run", 4)


def test_a_deadline_that_has_passed_ends_the_run() -> None:
    story = Story(contract(part(ACCURACY), deadline_s=60.0))
    assert goes_on(story, at=NOW + 60.0)
    found = decided(story, at=NOW + 60.1)
    assert (found.action, found.code, found.why) == ("finish", 1, "the deadline of 60 s has passed")


def test_what_was_deployed_and_not_handed_over_is_taken_back_before_the_end() -> None:
    story = deployed()
    watched(story, 0, 400)
    story.tell("decision", Decided(action="cancel", why="bob cancelled the run", code=4))
    assert decided(story).change == "wind_down"
    story.ended("keep", {"endpoint": "tumours", "version": "v1", "lease_until": NOW, "url": "u"})
    assert decided(story).change == ""


def test_a_refused_hand_over_does_not_keep_the_endpoint_from_being_released() -> None:
    wanted = SERVING.model_copy(update={"budget_usd": 0.001})
    story = deployed(wanted)
    watched(story, 0, 400)
    story.run.survey = survey(usd_per_hour=1.0)
    assert story.begun("keep") == "refused"
    found = decided(story)
    assert (found.change, found.code) == ("wind_down", 1)
    story.tell("decision", found)
    started = tuple(s for s in story.run.plan.steps if s.id in story.run.by_step)
    story.planned(plan(*started, step("release", "release_resource"), version=2))
    assert goes_on(story), "the release is still to be made"
    story.ended("release", {"id": "tumours", "existed": True})
    assert decided(story).action == "finish"


@pytest.mark.parametrize(("policy", "code"), [("budget", 1), ("spend", 3)])
def test_a_refusal_ends_the_run_and_money_that_is_not_there_is_no_refusal_by_policy(policy: str, code: int) -> None:
    seen = survey(usd_per_hour=100.0 if policy == "budget" else 3600.0 * 1000)
    wanted = contract(part(ACCURACY), budget_usd=1.0 if policy == "budget" else None)
    story = Story(wanted, plan(step("prepare")), seen=seen)
    assert story.begun("prepare") == "refused"
    assert (decided(story).action, decided(story).code) == ("finish", code)


def test_a_plan_that_is_done_is_the_end() -> None:
    story = Story(contract(part(ACCURACY)))
    trained(story, 0.95)
    story.ended("evaluate", {})
    saw(story, "evaluate", "holdout", "accuracy", 0.95)
    assert decided(story) == Decided(action="finish", why="", code=0)


def test_a_decision_without_a_reason_is_said_without_a_colon() -> None:
    assert sentence(Decided(action="finish", why="", code=0)) == "decided to finish"
    assert sentence(Decided(action="finish", why="x", code=0)) == "decided to finish: x"
