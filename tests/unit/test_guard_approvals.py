"""The guard: what is approved, and for exactly which call."""

from __future__ import annotations

import dataclasses

import pytest
from given import (
    ACCURACY,
    ERRORS,
    LATENCY,
    NOW,
    POLICIES,
    Story,
    contract,
    part,
    plan,
    step,
    survey,
)

from agent import guard
from agent.plan import Plan, ref

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
    verdict, approved = story.judged(tune)
    assert approved is not None
    assert approved.call.args["data"] == "jobs/1"
    assert approved.call.sealed
    assert not approved.call.model_copy(update={"limit_s": 1e8}).sealed
    assert approved.call.id == f"r/{tune.id}/1"
    assert (verdict.facts["digest"], verdict.policies_digest) == (verdict.call.digest, POLICIES.digest)
    assert verdict.taint["data"] == "tool"


def test_only_results_that_a_step_waits_for_reach_its_arguments() -> None:
    reads = plan(
        step("a", "find_model"),
        step("b", "find_model", {"name": ref("a", "version")}),
        step("c", "find_model", {"name": ref("b", "version")}, needs=("b",)),
    )
    story = Story(contract(part()), reads)
    story.ended("a", {"version": "v1"})
    assert story.begun("b") == "refused"
    verdict = story.run.calls["r/b/1"].verdict
    assert verdict.policies == ("arguments",)
    assert "it refers to 'a', which no step before it gives" in verdict.reasons[0]


def test_an_approval_cannot_be_changed() -> None:
    story = Story(contract(part()))
    _, approved = story.judged(story.run.plan.steps[0])
    assert approved is not None
    with pytest.raises(dataclasses.FrozenInstanceError):
        approved.verdict = approved.verdict  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        approved.call.digest = "x"  # type: ignore[misc]


@pytest.mark.parametrize("ruling", ["held", "refused"])
def test_after_a_restart_only_an_approved_verdict_is_an_approval(ruling: str) -> None:
    story = Story(contract(part()))
    verdict, _ = story.judged(story.run.plan.steps[0])
    assert guard.readmit(verdict).call == verdict.call
    with pytest.raises(ValueError, match=ruling):
        guard.readmit(verdict.model_copy(update={"ruling": ruling}))


def dear(seconds: float, *, version: int = 1) -> Plan:
    """A preparation that costs a dollar for each second of its limit."""
    return plan(step("prepare", limit_s=seconds), version=version)


def test_a_yes_does_not_reach_what_is_refused_meanwhile() -> None:
    """The hand-over was agreed to; what was spent since leaves too little for it."""
    wanted = PRODUCTION.model_copy(update={"budget_usd": 1.5})
    steps = plan(step("prepare"), step("keep", "extend_lease"))
    story = Story(wanted, steps, seen=survey(usd_per_hour=1.0)).agreed()
    assert asked(story) == ["keep"]
    story.ended("prepare", {"key": "k"}, settled_micro=600_000)
    assert story.begun("keep") == "refused"


@pytest.mark.parametrize("accept", [False, True])
def test_what_costs_more_than_the_budget_allows_is_refused(accept: bool) -> None:
    wanted = contract(part(), budget_usd=1.0)
    story = Story(wanted, plan(step("prepare", limit_s=110.0)), seen=survey(usd_per_hour=36.0), accept=accept)
    assert story.begun("prepare") == "refused"
    assert story.run.calls["r/prepare/1"].verdict.policies == ("budget",)


def test_what_is_reserved_and_settled_is_no_longer_left() -> None:
    wanted = contract(part(), budget_usd=3.0)
    seconds = {"a": 100.0, "b": 100.0, "c": 150.0}
    story = Story(wanted, plan(*(step(i, limit_s=s) for i, s in seconds.items())), seen=survey(usd_per_hour=36.0))
    assert story.begun("a") == "approved"
    story.ended("b", {"key": "k"}, settled_micro=600_000)
    assert story.run.reserved_micro == 1_000_000
    assert story.begun("c") == "refused"
    assert story.run.calls["r/c/1"].verdict.facts["left_micro"] == 1_400_000


def test_the_reservation_is_the_price_times_the_hard_limit_rounded_up() -> None:
    story = Story(contract(part()), dear(1.0), seen=survey(usd_per_hour=0.0001))
    verdict, _ = story.judged(story.run.plan.steps[0])
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
    reserved = {s.id: story.judged(s)[0].reserve_micro for s in steps.steps}
    assert reserved == {"keep": 2_000_000, "shift": 0, "back": 0, "release": 0, "find": 0}


def test_until_when_a_lease_holds_is_settled_when_the_call_is_made() -> None:
    keep = step("keep", "extend_lease")
    story = Story(contract(part(strategy="direct")), plan(keep))
    verdict, approved = story.judged(keep, now=NOW + 5.0)
    assert approved is not None
    assert approved.call.args["until"] == NOW + 3605.0
    assert verdict.call.sealed


def test_a_tool_that_nobody_declared_is_judged_as_if_it_destroyed_at_an_unknown_price() -> None:
    story = Story(contract(part(), constraints=("read_only",)), plan(step("x", "launch_missiles", {"id": "a"})))
    verdict, approved = story.judged(story.run.plan.steps[0])
    assert approved is None
    assert verdict.policies == ("default_deny",)
    assert "cost_micro" not in verdict.facts
