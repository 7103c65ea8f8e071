"""The guard: what is approved, for exactly which call, and what a person's yes reaches."""

from __future__ import annotations

import dataclasses

import pytest
from given import ACCURACY, ERRORS, FITTING, LATENCY, LIMITS, NOW, Story, contract, endpoint, part, plan, step, survey

from agent import guard
from agent.contract import Contract
from agent.plan import Plan, ref
from agent.state import Planned
from tools.record import Json

PRODUCTION = contract(part(ACCURACY, LATENCY, ERRORS, strategy="canary"), environment="production")
PREPARED = {
    "key": "jobs/1",
    "label": "target",
    "classes": ["no", "yes"],
    "positive": "yes",
    "roles": {},
}


def asked(story: Story) -> list[str]:
    return [a.step for a in story.run.plans[-1].approvals]


def test_a_call_is_approved_with_the_arguments_it_will_be_made_with() -> None:
    story = Story(contract(part(ACCURACY)))
    story.ended("prepare", PREPARED)
    tune = next(s for s in story.run.plan.steps if s.tool == "tune_model")
    verdict, approved = guard.review(tune, story.run, LIMITS)
    assert approved is not None
    assert approved.call.args["data"] == "jobs/1"
    assert approved.call.sealed
    assert not approved.call.model_copy(update={"limit_s": 1e8}).sealed
    assert approved.call.id == f"r/{tune.id}/1"
    assert verdict.facts["tool"] == "tune_model"


def test_only_results_that_a_step_waits_for_reach_its_arguments() -> None:
    reads = plan(
        step("a", "find_model"),
        step("b", "find_model", {"name": ref("a", "version")}),
        step("c", "find_model", {"name": ref("b", "version")}, needs=("b",)),
    )
    story = Story(contract(part()), reads)
    story.ended("a", {"version": "v1"})
    with pytest.raises(KeyError):
        story.begun("b")


def test_an_approval_cannot_be_changed() -> None:
    story = Story(contract(part()))
    _, approved = guard.review(story.run.plan.steps[0], story.run, LIMITS)
    assert approved is not None
    with pytest.raises(dataclasses.FrozenInstanceError):
        approved.verdict = approved.verdict  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        approved.call.digest = "x"  # type: ignore[misc]


@pytest.mark.parametrize("ruling", ["held", "refused"])
def test_after_a_restart_only_an_approved_verdict_is_an_approval(ruling: str) -> None:
    story = Story(contract(part()))
    verdict, _ = guard.review(story.run.plan.steps[0], story.run, LIMITS)
    assert guard.readmit(verdict).call == verdict.call
    with pytest.raises(ValueError, match=ruling):
        guard.readmit(verdict.model_copy(update={"ruling": ruling}))


def test_what_needs_a_person_is_held_until_somebody_says_yes() -> None:
    story = Story(PRODUCTION, plan(step("deploy", "deploy_model"), step("keep", "extend_lease")))
    assert asked(story) == ["deploy", "keep"]
    assert guard.review(story.run.plan.steps[0], story.run, LIMITS)[1] is None
    story.answered("plan-1", approve=True)
    verdict, approved = guard.review(story.run.plan.steps[0], story.run, LIMITS)
    assert approved is not None
    assert verdict.policies == ("production",)
    assert verdict.reasons[-1] == "approved by bob"


def test_a_no_is_no_and_names_who_said_it() -> None:
    story = Story(PRODUCTION, plan(step("deploy", "deploy_model")))
    story.answered("plan-1", approve=False)
    assert story.begun("deploy") == "held"
    assert guard.denied(story.run) == "bob"


def test_a_yes_to_one_plan_is_none_to_the_next_that_needs_another_kind_of_call() -> None:
    story = Story(PRODUCTION, plan(step("deploy", "deploy_model")))
    story.answered("plan-1", approve=True)
    story.planned(plan(step("deploy", "deploy_model"), step("keep", "extend_lease"), version=2))
    assert story.begun("deploy") == "held"
    question = guard.question(story.run, now=NOW, limits=LIMITS)
    assert question is not None
    assert (question.id, question.step, question.tool) == ("plan-2", "deploy, keep", "deploy_model, extend_lease")


def test_a_yes_reaches_a_later_plan_with_the_same_kinds_of_call() -> None:
    story = Story(PRODUCTION, plan(step("deploy", "deploy_model"), step("keep", "extend_lease")))
    story.answered("plan-1", approve=True)
    story.planned(plan(step("deploy-2", "deploy_model"), step("keep-2", "extend_lease"), version=2))
    assert guard.question(story.run, now=NOW, limits=LIMITS) is None
    assert story.begun("deploy-2") == "approved"


def test_a_yes_for_one_endpoint_is_none_for_another() -> None:
    story = Story(PRODUCTION, plan(step("deploy", "deploy_model")), accept=True)
    other = FITTING["deploy_model"] | {"endpoint": "tills"}
    story.planned(plan(step("deploy", "deploy_model", other), version=2))
    assert story.begun("deploy") == "held"
    assert guard.question(story.run, now=NOW, limits=LIMITS) is not None


def dear(seconds: float, *, version: int = 1) -> Plan:
    """A preparation that costs a dollar for each second of its limit."""
    return plan(step("prepare", limit_s=seconds), version=version)


@pytest.mark.parametrize(("seconds", "ruling"), [(25.0, "approved"), (24.0, "approved"), (26.0, "held")])
def test_a_yes_to_an_amount_is_none_to_a_larger_one(seconds: float, ruling: str) -> None:
    wanted = contract(part())
    story = Story(wanted, dear(25.0), seen=survey(usd_per_hour=3600.0), accept=True)
    assert asked(story) == ["prepare"]
    story.planned(dear(seconds, version=2))
    assert story.begun("prepare") == ruling
    assert (guard.question(story.run, now=NOW, limits=LIMITS) is None) == (ruling == "approved")


def test_a_yes_beforehand_covers_the_first_plan_and_turns_no_refusal() -> None:
    refused = contract(part(ACCURACY, strategy="canary"), environment="production", constraints=("no_production",))
    for accept in (False, True):
        story = Story(refused, plan(step("deploy", "deploy_model")), accept=accept)
        assert story.begun("deploy") == "refused"
    story = Story(PRODUCTION, plan(step("deploy", "deploy_model")), accept=True)
    assert story.begun("deploy") == "approved"
    assert story.run.calls["r/deploy/1"].verdict.reasons[-1] == "approved by ada (--yes)"


def test_a_yes_beforehand_does_not_reach_a_step_that_was_not_foreseen() -> None:
    story = Story(PRODUCTION, plan(step("deploy", "deploy_model"), step("keep", "extend_lease")), accept=True)
    narrow = Planned(
        plan=story.run.plan,
        approvals=story.run.plans[-1].approvals[:1],
        feasibility=story.run.plans[-1].feasibility,
    )
    story.run.plans[-1] = narrow
    assert story.begun("deploy") == "approved"
    assert story.begun("keep") == "held"


def test_a_yes_does_not_reach_what_is_refused_meanwhile() -> None:
    """The hand-over was agreed to; what was spent since leaves too little for it."""
    wanted = PRODUCTION.model_copy(update={"budget_usd": 1.5})
    steps = plan(step("prepare"), step("keep", "extend_lease"))
    story = Story(wanted, steps, seen=survey(usd_per_hour=1.0), accept=True)
    assert asked(story) == ["keep"]
    story.ended("prepare", {"key": "k"}, settled_micro=600_000)
    assert story.begun("keep") == "refused"


@pytest.mark.parametrize("accept", [False, True])
def test_what_costs_more_than_the_budget_allows_is_refused(accept: bool) -> None:
    wanted = contract(part(), budget_usd=1.0)
    story = Story(wanted, dear(1.1), seen=survey(usd_per_hour=3600.0), accept=accept)
    assert story.begun("prepare") == "refused"
    assert story.run.calls["r/prepare/1"].verdict.policies == ("budget",)


def test_what_is_reserved_and_settled_is_no_longer_left() -> None:
    wanted = contract(part(), budget_usd=3.0)
    seconds = {"a": 1.0, "b": 1.0, "c": 1.5}
    story = Story(wanted, plan(*(step(i, limit_s=s) for i, s in seconds.items())), seen=survey(usd_per_hour=3600.0))
    assert story.begun("a") == "approved"
    story.ended("b", {"key": "k"}, settled_micro=600_000)
    assert story.run.reserved_micro == 1_000_000
    assert story.begun("c") == "refused"
    assert story.run.calls["r/c/1"].verdict.facts["left_micro"] == 1_400_000


def test_the_reservation_is_the_price_times_the_hard_limit_rounded_up() -> None:
    story = Story(contract(part()), dear(1.0), seen=survey(usd_per_hour=0.0001))
    verdict, _ = guard.review(story.run.plan.steps[0], story.run, LIMITS)
    assert verdict.reserve_micro == 1


def test_handing_over_reserves_the_whole_lease_and_moving_traffic_nothing() -> None:
    steps = plan(
        step("keep", "extend_lease"),
        step("shift", "shift_traffic"),
        step("back", "rollback_endpoint"),
        step("release", "release_resource"),
        step("find", "find_model"),
    )
    story = Story(contract(part()), steps, seen=survey(usd_per_hour=2.0))
    reserved = {s.id: guard.review(s, story.run, LIMITS)[0].reserve_micro for s in steps.steps}
    assert reserved == {"keep": 2_000_000, "shift": 0, "back": 0, "release": 0, "find": 0}


@pytest.mark.parametrize(
    ("args", "reserved"),
    [
        ({}, 0),
        ({"replicas": 8, "added": 3, "for_s": 3600.0}, 3_000_000),
        ({"replicas": 8, "added": 0}, 0),
        ({"replicas": 8}, 266_667),
    ],
    ids=["traffic alone", "three more for an hour", "its former size", "nobody says how many more: its limit for all"],
)
def test_going_back_reserves_what_the_servers_it_adds_may_cost(args: Json, reserved: int) -> None:
    back = step("back", "rollback_endpoint", {"endpoint": "tumours", "to": "v0"} | args)
    story = Story(contract(part()), plan(back), seen=survey(endpoint(("v0", 100)), usd_per_hour=1.0))
    assert guard.review(back, story.run, LIMITS)[0].reserve_micro == reserved


def test_until_when_a_lease_holds_is_settled_when_the_call_is_made() -> None:
    keep = step("keep", "extend_lease")
    story = Story(contract(part()), plan(keep))
    verdict, approved = guard.review(keep, story.run, LIMITS, now=NOW + 5.0)
    assert approved is not None
    assert approved.call.args["until"] == NOW + 3605.0
    assert verdict.call.sealed


def test_what_nobody_has_looked_at_is_somebody_elses() -> None:
    steps = plan(
        step("deploy", "deploy_model"),
        step("shift", "shift_traffic", FITTING["shift_traffic"] | {"endpoint": "unseen"}),
        step("release", "release_resource", {"kind": "endpoint", "id": "unseen"}),
    )
    story = Story(contract(part()), steps)
    assert asked(story) == ["shift", "release"]


def test_what_this_run_put_behind_an_endpoint_it_may_take_away_again() -> None:
    there = survey(endpoint(("v0", 0), owner="eve"))
    story = Story(PRODUCTION, plan(step("deploy", "deploy_model")), accept=True, seen=there)
    story.ended("deploy", {"endpoint": "tumours", "version": "v1", "incumbent": None, "url": "u", "digest": "d"})
    own = step("take-away", "withdraw_version", {"endpoint": "tumours", "version": "v1"})
    story.planned(plan(step("deploy", "deploy_model"), own, step("other", "withdraw_version"), version=2))
    assert asked(story) == ["other"]
    assert story.begun("take-away") == "approved"


def test_a_longer_watch_in_production_is_no_new_question() -> None:
    watch = {"endpoint": "tumours", "rate_rps": 10.0, "seconds": 60.0}
    story = Story(PRODUCTION, plan(step("watch", "monitor_endpoint", watch)), seen=survey(usd_per_hour=1.0))
    assert asked(story) == ["watch"]
    story.answered("plan-1", approve=True)
    longer = step("longer", "monitor_endpoint", watch | {"seconds": 120.0}, limit_s=240.0)
    story.planned(plan(step("watch", "monitor_endpoint", watch), longer, version=2))
    assert guard.question(story.run, now=NOW, limits=LIMITS) is None
    assert story.begun("longer") == "approved"


def test_a_price_that_is_not_known_asks_and_never_holds_up_a_roll_back() -> None:
    steps = plan(
        step("prepare"), step("back", "rollback_endpoint"), step("release", "release_resource"), step("f", "find_model")
    )
    story = Story(contract(part()), steps, seen=survey(usd_per_hour=None))
    assert asked(story) == ["prepare"]
    question = guard.question(story.run, now=NOW, limits=LIMITS)
    assert question is not None
    assert question.usd is None
    assert story.begun("back") == "approved"


def test_a_question_says_what_the_plan_may_cost_and_when_it_lapses() -> None:
    story = Story(contract(part()), dear(25.0), seen=survey(usd_per_hour=3600.0))
    question = guard.question(story.run, now=NOW, limits=LIMITS)
    assert question is not None
    assert (question.usd, question.expires) == (25.0, NOW + 86_400)


def test_a_question_is_asked_once() -> None:
    story = Story(PRODUCTION, plan(step("deploy", "deploy_model")))
    question = guard.question(story.run, now=NOW, limits=LIMITS)
    assert question is not None
    story.tell("asked", question)
    assert guard.question(story.run, now=NOW, limits=LIMITS) is None
    story.answered("plan-1", approve=False)
    assert guard.question(story.run, now=NOW, limits=LIMITS) is None


WITHDRAW = FITTING["withdraw_version"]


@pytest.mark.parametrize(
    ("owner", "wanted", "held"),
    [("ada", contract(part()), []), ("eve", contract(part()), ["withdraw"]), ("ada", PRODUCTION, ["withdraw"])],
)
def test_ending_what_belongs_to_somebody_else_or_serves_in_production_is_asked(
    owner: str, wanted: Contract, held: list[str]
) -> None:
    there = survey(endpoint(("v0", 100), owner=owner))
    story = Story(wanted, plan(step("withdraw", "withdraw_version", WITHDRAW)), seen=there)
    assert asked(story) == held


def test_ending_what_the_run_itself_made_is_never_held_up() -> None:
    story = Story(PRODUCTION, plan(step("deploy", "deploy_model")), accept=True)
    story.ended("deploy", {"endpoint": "tumours", "version": "v1", "incumbent": None, "url": "u", "digest": "d"})
    story.planned(plan(step("deploy", "deploy_model"), step("release", "release_resource"), version=2))
    assert asked(story) == []
    assert story.begun("release") == "approved"


def test_an_endpoint_that_was_there_before_is_not_made_here() -> None:
    story = Story(
        PRODUCTION, plan(step("deploy", "deploy_model")), accept=True, seen=survey(endpoint(("v0", 100), owner="eve"))
    )
    story.ended("deploy", {"endpoint": "tumours", "version": "v1", "incumbent": "v0", "url": "u", "digest": "d"})
    story.planned(plan(step("deploy", "deploy_model"), step("release", "release_resource"), version=2))
    assert asked(story) == ["release"]


def test_a_tool_that_nobody_declared_is_judged_as_if_it_destroyed_at_an_unknown_price() -> None:
    story = Story(contract(part(), constraints=("read_only",)), plan(step("x", "launch_missiles", {"id": "a"})))
    verdict, approved = guard.review(story.run.plan.steps[0], story.run, LIMITS)
    assert approved is None
    assert verdict.facts["effect"] == "destroys"
    assert verdict.facts["cost_micro"] is None


@pytest.mark.parametrize("strategy", ["none", "direct", "blue_green", "canary"])
@pytest.mark.parametrize("environment", [None, "staging", "production"])
@pytest.mark.parametrize("price", [0.0, 400.0, None])
def test_what_is_foreseen_is_what_is_held(strategy: str, environment: str | None, price: float | None) -> None:
    """Every step of the first plan, reviewed with nobody's yes, is held exactly when the plan said it would ask."""
    wanted = contract(part(ACCURACY, LATENCY, strategy=strategy), environment=environment)
    for there in (survey(usd_per_hour=price), survey(endpoint(("v0", 100), owner="eve"), usd_per_hour=price)):
        story = Story(wanted, seen=there)
        rulings = {s.id: _ruling(story, s.id) for s in story.run.plan.steps}
        assert [i for i, ruling in rulings.items() if ruling == "held"] == asked(story)
        assert "refused" not in rulings.values()


def _ruling(story: Story, id_: str) -> str:
    """The ruling on a step as if everything before it had given results."""
    found = story.run.plan.step(id_)
    assert found is not None
    literal = found.model_copy(
        update={"args": {k: "x" if isinstance(v, dict) and "$ref" in v else v for k, v in found.args.items()}}
    )
    bare = literal.model_copy(update={"args": {k: v for k, v in literal.args.items() if k != "candidates"}})
    return guard.review(bare, story.run, LIMITS)[0].ruling
