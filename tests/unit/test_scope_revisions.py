"""Every next version of a plan is within the goal, and what only takes back is never held up."""

from __future__ import annotations

from typing import Literal

import pytest
from carried import carry, seen
from given import ACCURACY, ERRORS, LATENCY, TERMS, Story, contract, part, proposed

from agent.brain.protocol import Change
from agent.brain.rules.planning.propose import propose
from agent.judged.scope import departures
from agent.plan import Plan

What = Literal["search", "settle", "without", "extend", "grow", "roll_back", "stop"]


def begun(strategy: str, *, serves: bool, until: str, environment: str | None = None, **more: object) -> Story:
    """A rollout that has been carried out up to a step of that tool."""
    wanted = contract(part(ACCURACY, LATENCY, ERRORS, strategy=strategy, **more), environment=environment)
    there = seen(wanted, serves=serves)
    story = Story(wanted, proposed(wanted, there), seen=there)
    carry(story, until=until)
    return story


def revised(story: Story, what: What, step: str | None = None) -> Plan:
    run = story.run
    assert run.contract is not None
    assert run.survey is not None
    results = {id_: result for id_ in run.by_step if (result := run.result(id_)) is not None}
    return propose(
        run.contract,
        run.survey,
        TERMS,
        before=run.plan,
        started=frozenset(run.by_step),
        results=results,
        changes=(Change(part="model", what=what, step=step),),
    )


@pytest.mark.parametrize("serves", [False, True])
@pytest.mark.parametrize("strategy", ["direct", "blue_green", "canary", "rolling", "shadow"])
@pytest.mark.parametrize(
    ("until", "what"),
    [
        ("evaluate_model", "search"),
        ("evaluate_model", "settle"),
        ("register_model", "search"),
        ("extend_lease", "extend"),
        ("extend_lease", "grow"),
    ],
)
def test_a_next_version_is_within_the_goal_to_its_end(strategy: str, serves: bool, until: str, what: What) -> None:
    story = begun(strategy, serves=serves, until=until, max_replicas=8)
    started = set(story.run.by_step)
    story.planned(revised(story, what))
    verdicts = carry(story)
    assert {v.call.step for v in verdicts} == {s.id for s in story.run.plan.steps} - started
    assert [(v.call.step, v.facts["scope"]) for v in verdicts if "scope" in v.facts] == []
    assert {v.ruling for v in verdicts} == {"approved"}


@pytest.mark.parametrize("environment", [None, "production"])
@pytest.mark.parametrize("serves", [False, True])
@pytest.mark.parametrize("strategy", ["direct", "canary", "rolling", "shadow"])
@pytest.mark.parametrize("until", ["shift_traffic", "monitor_endpoint", "extend_lease"])
def test_going_back_asks_nobody(strategy: str, serves: bool, until: str, environment: str | None) -> None:
    story = begun(strategy, serves=serves, until=until, environment=environment)
    started = set(story.run.by_step)
    story.planned(revised(story, "roll_back"))
    new = [s for s in story.run.plan.steps if s.id not in started]
    assert new, "something has to be taken back"
    assert story.run.plans[-1].approvals == ()
    for step in new:
        assert departures(step, step.args, story.run) == ()
        assert story.begun(step.id) == "approved"
        assert story.run.calls[f"r/{step.id}/1"].verdict.facts["undoes"] is True
