"""What a plan says it would ask is what its run asks, and what is planned from a goal is within it: for every goal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from carried import carry, seen
from given import LATENCY, TERMS, Story, contract, part

from agent import validate
from agent.brain.protocol import Context
from agent.brain.rules.grammar.understand import Rules
from agent.brain.rules.planning.honoured import unsupported
from agent.brain.rules.planning.propose import propose
from agent.contract import Contract, Refusal
from agent.doors.goalfile import load
from agent.goal import Goal
from agent.plan import Plan
from agent.stated import merge
from agent.survey import Survey

_HERE = Path(__file__).resolve().parents[2]
_WORKED = _HERE.parent / "shared" / "goals" / "examples.jsonl"
_CORPUS = _HERE / "evals" / "corpus"
_MONDAY_NINE = 1772442000.0


def _texts(path: Path) -> list[str]:
    return [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _understood(text: str) -> Contract | None:
    answer = Rules().understand(Goal.of(text, source="cli:ada"), Context(now=_MONDAY_NINE))
    return None if isinstance(answer, Refusal) or answer.questions or unsupported(answer) else answer


@cache
def _goals() -> dict[str, Contract]:
    """Every worked goal, every goal of the project's own corpus, and every goal file of the project."""
    found: dict[str, Contract] = {}
    for path in (_WORKED, _CORPUS / "goals.jsonl", _CORPUS / "judged.jsonl"):
        for text in _texts(path) if path.exists() else []:
            if (wanted := _understood(text)) is not None:
                found[text] = wanted
    for path in sorted((_HERE / "evals" / "goals").glob("*.yaml")):
        file = load(path, _HERE)
        answer = Rules().understand(Goal.of(file.text, source="file:x"), Context(now=_MONDAY_NINE))
        assert isinstance(answer, Contract)
        merged, faults = merge(answer, file.stated)
        assert not faults
        found[path.name] = merged
    return found


def _planned(wanted: Contract) -> Iterator[tuple[Survey, Plan]]:
    """Plans for a world with nothing of it and for one where its endpoints serve."""
    for serves in (False, True):
        there = seen(wanted, serves=serves)
        plan = propose(wanted, there, TERMS)
        if not validate.faults(plan, wanted):
            yield there, plan


def _shard(goals: dict[str, Contract], shard: int) -> list[tuple[str, Contract]]:
    return [pair for index, pair in enumerate(goals.items()) if index % 4 == shard]


@pytest.mark.parametrize("shard", range(4))
@pytest.mark.parametrize("brain", ["rules", "somebody's"])
def test_what_is_foreseen_is_what_is_held_and_nothing_departs_from_the_goal(brain: str, shard: int) -> None:
    """Whoever planned it: a brain that proposes what the embedded one would is not held up either."""
    for text, wanted in _shard(_goals(), shard):
        for there, plan in _planned(wanted):
            story = Story(wanted, plan, seen=there, brain=brain)
            foreseen = {a.step: set(a.policies) for a in story.run.plans[-1].approvals}
            verdicts = carry(story)
            refused = [v for v in verdicts if v.ruling == "refused"]
            if not refused:
                held = {v.call.step: set(v.policies) for v in verdicts if v.policies}
                assert (held, len(verdicts)) == (foreseen, len(plan.steps)), text
            departed = [(v.call.step, v.facts) for v in verdicts if {"scope", "tainted"} & set(v.facts)]
            assert not departed, text
            assert all(set(v.policies) <= {"read_only", "locations"} for v in refused), (text, refused)


@pytest.mark.parametrize("version", ["v1", "v9"])
def test_which_version_will_be_replaced_is_foreseen(version: str) -> None:
    """The model that serves already replaces nothing, and so nothing is asked about its end."""
    wanted = contract(part(LATENCY, task="deploy", data=(), source_models=(f"tumours:{version}",), strategy="direct"))
    there = seen(wanted, serves=True)
    story = Story(wanted, propose(wanted, there, TERMS), seen=there)
    foreseen = [(a.step, a.policies) for a in story.run.plans[-1].approvals]
    assert foreseen == ([] if version == "v1" else [("withdraw", ("destroy_owned",))])
    verdicts = carry(story)
    assert [(v.call.step, v.policies) for v in verdicts if v.policies] == foreseen
    assert verdicts[-1].call.args["version"] == (None if version == "v1" else "v1")


def test_the_goals_are_many_and_of_every_kind() -> None:
    tasks = {part.task for wanted in _goals().values() for part in wanted.parts}
    assert len(_goals()) > 50
    assert {"deploy", "rollback", "scale", "watch", "evaluate", "compare", "estimate", "cleanup"} <= tasks


@pytest.mark.slow
@pytest.mark.parametrize("corpus", sorted(p.name for p in _CORPUS.glob("*.jsonl")))
def test_the_same_holds_for_every_goal_that_was_ever_written_down_here(corpus: str) -> None:
    for text in _texts(_CORPUS / corpus):
        wanted = _understood(text)
        for there, plan in _planned(wanted) if wanted is not None else ():
            story = Story(wanted, plan, seen=there, brain="somebody's")  # type: ignore[arg-type]
            foreseen = {a.step: set(a.policies) for a in story.run.plans[-1].approvals}
            verdicts = carry(story)
            if not any(v.ruling == "refused" for v in verdicts):
                assert {v.call.step: set(v.policies) for v in verdicts if v.policies} == foreseen, text
            assert not [v for v in verdicts if {"scope", "tainted"} & set(v.facts)], text
