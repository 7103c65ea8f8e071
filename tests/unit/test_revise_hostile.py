"""The next version of a plan, whoever proposes it: history stays history, and a run can always wind down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from carried import carry, seen
from given import ACCURACY, ERRORS, FITTING, LATENCY, TERMS, Story, contract, part, proposed, step

from agent.brain.rules.brain import Embedded
from agent.documents import Feasibility
from agent.plan import Plan
from agent.revise import revise
from agent.state import Decided, Planned
from tools.record import Json

WANTED = contract(part(ACCURACY, LATENCY, ERRORS, strategy="canary"))
SEARCH = Decided(action="revise", part="model", change="search", why="it is short")
BACK = Decided(action="revise", part="model", change="roll_back", why="it is slow")
WIND_DOWN = Decided(action="revise", change="wind_down", why="enough")


class Scripted:
    """A brain that proposes what a test says."""

    name = "scripted"

    def __init__(self, make: Callable[..., Any]) -> None:
        self.propose = make


def told(until: str) -> Story:
    there = seen(WANTED, serves=False)
    story = Story(WANTED, proposed(WANTED, there), seen=there)
    carry(story, until=until)
    return story


def revised(story: Story, decision: Decided, make: Callable[..., Any]) -> Planned:
    brain: Any = Scripted(make)
    found = revise(
        story.run, decision, brain=brain, policies=story.policies, purse=story.purse, terms=TERMS, read=_unread
    )
    assert found is not None
    return found.planned


def _unread(tool: str, args: Json) -> Json:
    raise AssertionError(f"{tool} was read")


def honest(*given: Any, **more: Any) -> Plan:
    return Embedded().propose(*given, **more)


def _raises(*given: Any, **more: Any) -> Plan:
    raise ZeroDivisionError


def _changed(**changes: Any) -> Callable[..., Plan]:
    """The honest plan with every step that has begun told otherwise."""

    def make(*given: Any, **more: Any) -> Plan:
        found, started = honest(*given, **more), more["started"]
        return found.model_copy(
            update={"steps": tuple(s.model_copy(update=changes) if s.id in started else s for s in found.steps)}
        )

    return make


HOSTILE: dict[str, Callable[..., Any]] = {
    "an error": _raises,
    "nothing": lambda *given, **more: None,
    "no plan": lambda *given, **more: Plan.model_construct(version=2, steps=(7,), why=""),
    "a tool that is none": lambda *given, **more: Plan(version=2, steps=(step("x", "launch_missiles"),)),
    "another past by tool": _changed(tool="evaluate_model"),
    "another past by what it measures": _changed(measures=("model/accuracy",)),
    "another past by arguments": _changed(args={}),
    "another past by needs": _changed(needs=()),
    "ten thousand steps": lambda *given, **more: Plan(version=2, steps=tuple(step(f"s{n}") for n in range(10_000))),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(("until", "decision"), [("evaluate_model", SEARCH), ("extend_lease", BACK)])
def test_what_is_no_next_version_is_not_taken_and_ours_is_made_instead(
    name: str, until: str, decision: Decided
) -> None:
    story = told(until)
    ours, instead = revised(story, decision, honest), revised(story, decision, HOSTILE[name])
    assert instead.feasibility.reasons  # that it was made instead is said
    assert instead.model_copy(update={"feasibility": ours.feasibility}) == ours


def test_a_brain_that_fails_does_not_keep_a_run_from_winding_down() -> None:
    story = told("extend_lease")
    found = revised(story, WIND_DOWN, _raises)
    new = [s.tool for s in found.plan.steps if s.id not in story.run.by_step]
    assert new == ["release_resource"]
    assert found.approvals == ()


def test_where_nothing_can_be_made_of_what_was_planned_nothing_new_begins() -> None:
    """The plan was another brain's: a growth of what was never watched is no version that ours could make."""
    story = told("evaluate_model")
    grow = Decided(action="revise", part="model", change="grow", why="it is slow")
    found = revised(story, grow, _raises)
    assert found.feasibility.verdict == "infeasible"
    assert {s.id for s in found.plan.steps} == set(story.run.by_step)
    assert found.plan.version == 2


@pytest.mark.parametrize("version", [1, 7])
def test_a_version_is_numbered_by_us(version: int) -> None:
    """Answers are to a numbered plan: a brain that gives its plan an old number gets no old answer."""
    story = told("evaluate_model")
    found = revised(
        story, SEARCH, lambda *given, **more: honest(*given, **more).model_copy(update={"version": version})
    )
    assert found.plan.version == 2


def test_what_a_brain_does_to_what_it_is_given_changes_nothing() -> None:
    story = told("extend_lease")
    survey, before = story.run.survey, story.run.plan
    assert survey is not None
    results = {id_: dict(story.run.result(id_) or {}) for id_ in story.run.by_step}

    def meddle(contract: Any, survey: Any, terms: Any, **more: Any) -> Plan:
        survey.endpoints["payments"] = None
        survey.models["tumours"] = "models/payments/v1"
        for result in more["results"].values():
            result.clear()
        more["before"].steps[0].args.clear()
        raise ZeroDivisionError

    revised(story, BACK, meddle)
    assert "payments" not in survey.endpoints
    assert "tumours" not in survey.models
    assert {id_: story.run.result(id_) for id_ in story.run.by_step} == results
    assert before.steps[0].args


def test_what_departs_in_a_next_version_is_held_although_the_first_was_agreed_to() -> None:
    story = told("evaluate_model")

    def more_than_asked(*given: Any, **more: Any) -> Plan:
        found = honest(*given, **more)
        other = step("deploy-too", "deploy_model", FITTING["deploy_model"] | {"endpoint": "payments"})
        return found.model_copy(update={"steps": (*found.steps, other)})

    found = revised(story, BACK, more_than_asked)
    story.run.plans.append(found.model_copy(update={"feasibility": Feasibility(verdict="feasible")}))
    assert story.begun("deploy-too") == "refused"
