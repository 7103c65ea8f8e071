"""What a yes reaches: the calls that were shown, as often, for as much, under the same policies, and no others."""

from __future__ import annotations

import pytest
from given import ACCURACY, ERRORS, FITTING, LATENCY, NOW, Story, contract, endpoint, part, plan, step, survey
from holding import Holding

from agent.approving.approvals import denied
from agent.plan import Plan, ref
from tools.record import Json

PRODUCTION = contract(part(ACCURACY, LATENCY, ERRORS, strategy="canary"), environment="production")
DAY = 86_400.0
DEPLOY = FITTING["deploy_model"]


def dear(seconds: float, *, version: int = 1) -> Plan:
    """A preparation that costs a dollar for each second of its limit."""
    return plan(step("prepare", limit_s=seconds), version=version)


def told(
    chosen: Plan, *, usd_per_hour: float | None = 0.0, accept: bool = False, policies: Holding | None = None
) -> Story:
    """A run with that plan, and what it asks."""
    return Story(
        PRODUCTION, chosen, seen=survey(usd_per_hour=usd_per_hour), accept=accept, policies=policies or Holding()
    )


def test_production_asks_somebody_else_with_the_role_and_says_who() -> None:
    story = told(plan(step("deploy", "deploy_model"), step("keep", "extend_lease")))
    question = story.question("plan-1.release")
    assert (question.roles, question.other_than_requester, question.who) == (("release",), True, ("bob",))
    assert (question.step, question.policies) == ("deploy, keep", ("production",))
    assert question.answer == "goalkeeper approve r plan-1.release"
    assert question.bounds is not None
    assert [(k.tool, k.target, k.count, k.usd_micro) for k in question.bounds.kinds] == [
        ("deploy_model", "tumours", 1, 0),
        ("extend_lease", "tumours", 1, 0),
    ]
    assert (question.expires, question.bounds.until) == (NOW + DAY, NOW + 2 * DAY)


def test_what_needs_a_person_is_held_until_they_say_yes_and_names_them_then() -> None:
    story = told(plan(step("deploy", "deploy_model")))
    assert story.begun("deploy") == "held"
    story = told(plan(step("deploy", "deploy_model")))
    story.answered("plan-1.release", approve=True)
    assert story.begun("deploy") == "approved"
    verdict = story.run.calls["r/deploy/1"].verdict
    assert verdict.reasons[-1] == "approved by bob"
    (grant,) = verdict.grants
    assert (grant.policy, grant.pending, grant.who) == ("production", "plan-1.release", "bob")
    assert grant.digest == story.question("plan-1.release").digest


@pytest.mark.parametrize("who", ["ada", "eve", "", "*", "root"])
def test_a_yes_of_somebody_who_may_not_say_it_reaches_nothing(who: str) -> None:
    story = told(plan(step("deploy", "deploy_model")))
    story.answered("plan-1.release", approve=True, who=who)
    assert story.begun("deploy") == "held"


def test_a_role_that_everybody_has_is_still_not_the_requesters_where_somebody_else_must_answer() -> None:
    everybody = Holding(roles={"release": ("*",)})
    story = told(plan(step("deploy", "deploy_model")), policies=everybody, accept=True)
    question = story.question("plan-1.release")
    assert question.who == ("*",)
    assert not question.may_be_answered_by("ada")
    assert question.may_be_answered_by("zoe")
    assert story.run.answers == {}
    story.answered("plan-1.release", approve=True, who="zoe")
    assert story.begun("deploy") == "approved"


def test_a_yes_beforehand_answers_what_is_the_requesters_and_leaves_the_rest() -> None:
    steps = plan(step("prepare", limit_s=25.0), step("deploy", "deploy_model", DEPLOY | {"lease_s": 1.0}))
    story = told(steps, usd_per_hour=3600.0, accept=True)
    assert story.run.answers["plan-1"].by == "flag"
    assert list(story.run.pending) == ["plan-1.release"]
    assert story.begun("prepare") == "approved"
    assert story.run.calls["r/prepare/1"].verdict.reasons[-1] == "approved by ada (--yes)"
    assert story.begun("deploy") == "held"


def test_a_step_that_two_audiences_hold_needs_both() -> None:
    both = step("deploy", "deploy_model", DEPLOY | {"lease_s": 30.0}, limit_s=30.0)
    for answered in (("plan-1",), ("plan-1.release",), ("plan-1", "plan-1.release")):
        story = told(plan(both), usd_per_hour=3600.0)
        assert list(story.run.pending) == ["plan-1", "plan-1.release"]
        for name in answered:
            story.answered(name, approve=True, who="ada" if name == "plan-1" else "bob")
        assert story.begun("deploy") == ("approved" if len(answered) == 2 else "held")


def test_a_later_plan_asks_only_about_what_no_yes_reaches() -> None:
    story = told(plan(step("deploy", "deploy_model"))).agreed()
    story.planned(plan(step("deploy", "deploy_model"), step("keep", "extend_lease"), version=2))
    assert story.question("plan-2.release").step == "keep"
    assert story.begun("deploy") == "approved"
    assert story.begun("keep") == "held"


def test_a_yes_reaches_a_later_plan_with_the_same_calls_under_other_names() -> None:
    story = told(plan(step("deploy", "deploy_model"), step("keep", "extend_lease"))).agreed()
    story.planned(plan(step("deploy-2", "deploy_model"), step("keep-2", "extend_lease"), version=2))
    assert story.run.pending == {}
    assert story.begun("deploy-2") == "approved"


def test_a_yes_is_used_up_by_as_many_calls_as_were_shown() -> None:
    story = told(plan(step("deploy", "deploy_model"))).agreed()
    story.ended("deploy", {"endpoint": "tumours"})
    story.planned(plan(step("deploy", "deploy_model"), step("deploy-2", "deploy_model"), version=2))
    assert "is used up" in story.question("plan-2.release").again
    assert story.begun("deploy-2") == "held"


def test_two_calls_of_a_kind_are_two_of_that_kind() -> None:
    story = told(plan(step("a", "deploy_model"), step("b", "deploy_model"))).agreed()
    question = story.question("plan-1.release")
    assert question.bounds is not None
    assert [k.count for k in question.bounds.kinds] == [2]
    assert [story.begun(i) for i in ("a", "b")] == ["approved", "approved"]
    story.planned(plan(step("a", "deploy_model"), step("b", "deploy_model"), step("c", "deploy_model"), version=2))
    assert story.begun("c") == "held"


def test_an_attempt_repeated_after_a_known_failure_uses_up_no_second_one() -> None:
    """Law 3: a further attempt means that the last one left nothing behind."""
    story = told(plan(step("deploy", "deploy_model"))).agreed()
    story.failed("deploy", "capacity")
    assert story.begun("deploy", attempt=2) == "approved"


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "tills"},
        {"version": "v2"},
        {"model": "models/other"},
        {"lease_s": 601.0},
        {"replicas": 2},
        {"model": ref("find", "key")},
    ],
    ids=lambda c: "-".join(map(str, c)),
)
def test_a_call_with_any_other_argument_is_not_the_one_that_was_shown(change: Json) -> None:
    story = told(plan(step("deploy", "deploy_model"))).agreed()
    find = step("find", "find_model")
    story.planned(plan(find, step("deploy-2", "deploy_model", DEPLOY | change, needs=("find",)), version=2))
    assert story.question("plan-2.release").step == "deploy-2"


def test_what_another_step_gives_is_the_same_whatever_that_step_is_called() -> None:
    shown = DEPLOY | {"model": ref("find", "key")}
    first = plan(step("find", "find_model"), step("deploy", "deploy_model", shown, needs=("find",)))
    story = told(first).agreed()
    again = DEPLOY | {"model": ref("find-2", "key")}
    second = plan(step("find-2", "find_model"), step("deploy-2", "deploy_model", again, needs=("find-2",)), version=2)
    story.planned(second)
    assert story.run.pending == {}
    other = DEPLOY | {"model": ref("prepare", "key")}
    third = plan(step("prepare"), step("deploy-3", "deploy_model", other, needs=("prepare",)), version=3)
    story.planned(third)
    assert story.question("plan-3.release").step == "deploy-3"


@pytest.mark.parametrize(("seconds", "ruling"), [(25.0, "approved"), (24.0, "approved"), (26.0, "held")])
def test_a_yes_to_an_amount_is_none_to_a_larger_one(seconds: float, ruling: str) -> None:
    story = told(dear(25.0), usd_per_hour=3600.0).agreed()
    story.planned(dear(seconds, version=2))
    assert story.begun("prepare") == ruling
    if ruling == "held":
        assert "more than is left of what ada approved" in story.question("plan-2").again


def test_what_an_attempt_cost_is_gone_from_the_envelope() -> None:
    story = told(dear(25.0), usd_per_hour=3600.0).agreed()
    story.ended("prepare", phase="failed", result=None, cause="capacity", message="no room", settled_micro=1_000_000)
    assert story.begun("prepare", attempt=2) == "held"


def test_a_price_that_nobody_knows_is_agreed_to_as_such() -> None:
    story = told(dear(25.0), usd_per_hour=None)
    question = story.question("plan-1")
    assert (question.usd, question.bounds and question.bounds.usd_micro) == (None, None)
    assert story.agreed().begun("prepare") == "approved"


def test_a_watch_may_be_repeated_longer_as_was_shown_and_no_oftener() -> None:
    watch = {"endpoint": "tumours", "rate_rps": 10.0, "seconds": 60.0}
    gate = ("model/accuracy",)

    def watched(*more: int) -> Plan:
        longer = (
            step(f"longer{n}", "monitor_endpoint", watch | {"seconds": 60.0 * 2**n}, limit_s=90.0 * 2**n, measures=gate)
            for n in more
        )
        first = step("watch", "monitor_endpoint", watch, limit_s=90.0, measures=gate)
        return plan(first, *longer, version=1 + len(more))

    story = told(watched(), usd_per_hour=1.0).agreed()
    story.ended("watch", {})
    for times in ((1,), (1, 2)):
        story.planned(watched(*times))
        assert story.run.pending == {}
        story.ended(f"longer{times[-1]}", {})
    story.planned(watched(1, 2, 3))
    assert story.question("plan-4.release").step == "longer3"
    faster = step("faster", "monitor_endpoint", watch | {"rate_rps": 11.0}, limit_s=90.0, measures=gate)
    story.planned(plan(faster, version=5))
    assert story.question("plan-5.release").step == "faster"


def test_a_yes_given_under_other_policies_is_none_and_the_new_question_says_why() -> None:
    story = told(plan(step("deploy", "deploy_model"))).agreed()
    story.policies = Holding(edition=1)
    assert story.begun("deploy") == "held"
    (question,) = (q for q in story.run.pending.values() if q.kind == "call")
    assert question.again == "the policies have changed since bob approved plan-1.release"


def test_a_yes_of_somebody_who_has_lost_the_role_is_none() -> None:
    story = told(plan(step("deploy", "deploy_model"))).agreed()
    story.policies = Holding(roles={"release": ("eve",)})
    assert story.begun("deploy") == "held"


@pytest.mark.parametrize(("after", "ruling"), [(2 * DAY - 1, "approved"), (2 * DAY, "held"), (2 * DAY + 1, "held")])
def test_a_yes_reaches_what_begins_before_it_lapses(after: float, ruling: str) -> None:
    story = told(plan(step("deploy", "deploy_model"))).agreed()
    assert story.begun("deploy", now=NOW + after) == ruling


def test_a_clock_that_jumps_back_revives_no_yes() -> None:
    story = told(plan(step("find", "find_model"), step("deploy", "deploy_model"))).agreed()
    story.begun("find", now=NOW + 2 * DAY)
    assert story.begun("deploy", now=NOW) == "held"


def test_an_envelope_holds_as_long_as_the_plan_may_take() -> None:
    long = plan(step("prepare", limit_s=10 * DAY), step("deploy", "deploy_model", needs=("prepare",), limit_s=100.0))
    bounds = told(long).question("plan-1.release").bounds
    assert bounds is not None
    assert bounds.until == NOW + DAY + 10 * DAY + 100.0


def replacing(incumbent: str) -> Story:
    """Bob agreed that v1 is deployed and that v0, which serves, is ended; deploying found that serving."""
    end = step(
        "end", "withdraw_version", {"endpoint": "tumours", "version": ref("deploy", "incumbent")}, needs=("deploy",)
    )
    steps = plan(step("deploy", "deploy_model"), end)
    story = Story(PRODUCTION, steps, seen=survey(endpoint(("v0", 100))), policies=Holding()).agreed()
    story.ended("deploy", {"endpoint": "tumours", "version": "v1", "incumbent": incumbent, "url": "u", "digest": "d"})
    return story


def test_what_a_call_destroys_was_named_beforehand() -> None:
    story = replacing("v0")
    bounds = story.question("plan-1.release").bounds
    assert bounds is not None
    assert bounds.kinds[1].args == {"endpoint": "tumours", "version": "v0"}
    assert story.begun("end") == "approved"


def test_what_was_not_named_is_not_destroyed_but_asked_about_by_name() -> None:
    """Somebody has put another version there since: nobody agreed that it ends."""
    story = replacing("v9")
    assert story.begun("end") == "held"
    (question,) = story.run.pending.values()
    assert (question.id, question.kind) == ("call-end-1.release", "call")
    assert question.bounds is not None
    assert question.bounds.kinds[0].args == {"endpoint": "tumours", "version": "v9"}
    assert question.digest == story.run.calls["r/end/1"].verdict.call.digest
    story.answered(question.id, approve=True)
    assert [s.id for s in story.run.ready()] == ["end"]
    assert story.begun("end") == "approved"


def test_what_nobody_can_name_yet_is_no_part_of_a_question_about_the_plan() -> None:
    found = step("find", "find_model")
    end = step("end", "withdraw_version", {"endpoint": "tumours", "version": ref("find", "version")}, needs=("find",))
    story = Story(PRODUCTION, plan(found, end), seen=survey(endpoint(("v0", 100))), policies=Holding())
    assert [a.step for a in story.run.plans[-1].approvals] == ["end"]
    assert story.run.pending == {}
    story.ended("find", {"version": "v7"})
    assert story.begun("end") == "held"
    assert list(story.run.pending) == ["call-end-1.release"]


def test_a_call_that_two_audiences_hold_is_begun_when_both_have_said_yes() -> None:
    held = Holding({"deploy_model": ("production",)}, late={"deploy_model": ("tainted", "careful")})
    story = told(plan(step("deploy", "deploy_model")), policies=held).agreed()
    assert story.begun("deploy") == "held"
    assert list(story.run.pending) == ["call-deploy-1", "call-deploy-1.security"]
    story.answered("call-deploy-1", approve=True, who="ada")
    assert story.run.ready() == []
    story.answered("call-deploy-1.security", approve=True, who="sue")
    assert story.begun("deploy") == "approved"
    grants = {g.policy: g.who for g in story.run.calls["r/deploy/1"].verdict.grants}
    assert grants == {"production": "bob", "careful": "ada", "tainted": "sue"}


def test_a_no_to_one_of_two_is_a_no() -> None:
    held = Holding({"deploy_model": ()}, late={"deploy_model": ("tainted", "careful")})
    story = told(plan(step("deploy", "deploy_model")), policies=held)
    assert story.begun("deploy") == "held"
    story.answered("call-deploy-1.security", approve=False, who="sue")
    story.answered("call-deploy-1", approve=True, who="ada")
    assert story.run.ready() == []
    assert denied(story.run) == "sue did not approve deploy (call-deploy-1.security)"
    assert story.ask() == []
