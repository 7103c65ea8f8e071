"""What a plan says that it would ask is what its run asks, for every goal of the corpus: no more, no less, no later."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from carried import carry, seen
from given import NOW, Story, offer
from peopled import limits, policies

from agent.brain.protocol import Context
from agent.brain.rules.brain import Rules
from agent.brain.rules.planning.honoured import unsupported
from agent.contract import Contract
from agent.goal import Goal

CORPUS = Path(__file__).resolve().parents[2] / "evals" / "corpus" / "goals.jsonl"
DEAR = 400.0
"""Dollars an hour, at which several calls are held for their price."""


@cache
def contracts() -> tuple[tuple[str, Contract], ...]:
    """Every goal that can be planned without a question, in both languages."""
    found = []
    for line in CORPUS.read_text(encoding="utf-8").splitlines():
        text = json.loads(line)["text"]
        wanted = Rules().understand(Goal.of(text, source="cli:ada"), Context(now=NOW, utc_offset_s=0))
        if isinstance(wanted, Contract) and not wanted.questions and not unsupported(wanted):
            found.append((text, wanted))
    return tuple(found)


@pytest.mark.parametrize("serves", [False, True], ids=["nothing serves", "something serves"])
@pytest.mark.parametrize("place", ["as it is", "in production at a price"])
def test_a_plan_says_exactly_what_its_run_asks(place: str, serves: bool) -> None:
    rate = limits().money.model_copy(update={"rate_usd_per_hour": "any", "refuse_above_usd": 1e6})
    several = 0
    for text, wanted in contracts():
        here = wanted.model_copy(update={"environment": "production"}) if "production" in place else wanted
        looked = seen(here, serves=serves)
        if "price" in place:
            here = here.model_copy(update={"budget_usd": None})
            looked = looked.model_copy(update={"offers": (offer(DEAR),)})
        story = Story(here, seen=looked, policies=policies(limits(money=rate)))
        foreseen = {(a.step, p) for a in story.run.plans[-1].approvals for p in a.policies}
        several += len(foreseen) > 1
        carry(story)
        put = [{(s, p) for s in q.step.split(", ") for p in q.policies} & foreseen for q in story.run.asked.values()]
        assert sorted(pair for pairs in put for pair in pairs) == sorted(foreseen), text
        for question, pairs in zip(story.run.asked.values(), put, strict=True):
            assert ", ".join(dict.fromkeys(s for s in question.step.split(", "))) == question.step
            assert {s for s, _ in pairs} == set(question.step.split(", ")), text
        assert {q.kind for q in story.run.asked.values()} <= {"plan"}, text
        assert {q.plan for q in story.run.asked.values()} <= {1}, text
        held = [c.verdict for c in story.run.calls.values() if c.verdict.policies]
        assert {(v.call.step, p) for v in held for p in v.policies if v.ruling == "approved"} <= foreseen, text
        assert all(v.ruling == "approved" or "budget" in v.policies[0] for v in held), text
    assert several or place == "as it is"
