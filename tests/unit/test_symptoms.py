"""What a failure shows, when the rules are unsure of it, and what a brain's opinion can and cannot do."""

from __future__ import annotations

from typing import get_args

import pytest
from given import ACCURACY, Story, contract, endpoint, part, plan, step
from hypothesis import given as draw
from hypothesis import settings
from hypothesis import strategies as st
from told_runs import EVIL

from agent.brain.protocol import Evidence, Opinion
from agent.brain.rules.brain import Embedded
from agent.decide import decide
from agent.diagnose import OPEN, WORDS, Ailment, examine, repeatable
from agent.state import Ended
from agent.symptoms import ailing, consider, consider_service, evidence, measured, stands, unsure
from tools.deploy import Inspected
from tools.errors import Cause
from tools.monitor import Reading
from tools.ports import Traffic

CAUSES: tuple[Cause, ...] = get_args(Cause)
LOG = ("loading data", "epoch 1", "epoch 2", "Connection reset by peer", "Traceback (most recent call last)")


class Opinionated(Embedded):
    """A brain that has one opinion, and remembers what it was shown."""

    name = "opinionated"

    def __init__(self, cause: Cause | None, *lines: int) -> None:
        self.opinion = Opinion(cause=cause, lines=lines) if cause is not None else None
        self.seen: list[Evidence] = []

    def diagnose(self, evidence: Evidence) -> Opinion | None:
        self.seen.append(evidence)
        return self.opinion


def failed(cause: Cause | None, *lines: str, message: str = "It ended with exit code 1") -> Ended:
    return Ended(call="r/tune/1", phase="failed", cause=cause, message=message, evidence=lines)


def thought(brain: Opinionated, ended: Ended) -> object:
    return consider(brain, ended, tool="tune_model", step="tune", part="model")


@pytest.mark.parametrize("cause", [c for c in CAUSES if c not in OPEN])
def test_a_tools_own_word_is_never_put_to_a_brain(cause: Cause) -> None:
    brain = Opinionated("network", 4)
    assert thought(brain, failed(cause, *LOG)) is None
    assert not brain.seen


def test_rules_are_unsure_of_an_unknown_cause_and_of_blame_that_the_lines_do_not_bear() -> None:
    assert unsure(evidence(failed("unknown", "x"), tool="t"))
    assert unsure(evidence(failed("user_code_error", *LOG), tool="t"))
    assert not unsure(evidence(failed("user_code_error", "TypeError: 'int' object is not callable"), tool="t"))


def test_where_there_is_nothing_to_read_nobody_is_asked() -> None:
    assert not unsure(evidence(failed("unknown"), tool="t"))
    assert not unsure(evidence(failed("unknown", "", "  "), tool="t"))


def test_evidence_is_forms_with_counts_and_numbers_and_holds_no_line() -> None:
    ended = failed("unknown", "epoch 1 of /home/me/secret.py", "epoch 2 of /home/me/secret.py", message="pid 77 died")
    seen = evidence(ended, tool="tune_model")
    assert [(s.text, s.count, s.lines) for s in seen.lines] == [("epoch <n> of <path>", 2, (1, 2))]
    assert seen.message == "pid <n> died"


def test_an_opinion_becomes_a_diagnosis_with_the_forms_it_rests_on_and_our_words() -> None:
    ended = failed("unknown", *LOG)
    found = consider(Opinionated("network", 4), ended, tool="tune_model", step="tune", part="model")
    assert found is not None
    assert (found.cause, found.by, found.step, found.part) == ("network", "llm", "tune", "model")
    assert found.text == f"{WORDS['network']}: {ended.message}"
    assert [s.text for s in found.lines] == ["Connection reset by peer"]


@pytest.mark.parametrize("opinion", [(), (6,), (0,), (-1,), (4, 99)])
def test_an_opinion_that_rests_on_no_line_or_on_one_that_is_not_there_is_none(opinion: tuple[int, ...]) -> None:
    assert thought(Opinionated("network", *opinion), failed("unknown", *LOG)) is None


@pytest.mark.parametrize("cause", ["unknown", "metric_short", "slo_breach", "drift"])
def test_a_cause_that_no_call_can_fail_by_is_no_opinion(cause: Cause) -> None:
    assert thought(Opinionated(cause, 1), failed("unknown", *LOG)) is None


def test_a_brain_without_an_opinion_leaves_the_rules_word() -> None:
    assert thought(Opinionated(None), failed("unknown", *LOG)) is None


def test_what_is_not_failed_is_not_diagnosed() -> None:
    assert thought(Opinionated("network", 4), Ended(call="r/tune/1", phase="done", evidence=LOG)) is None


def test_a_hostile_log_gets_its_step_one_more_attempt_at_most() -> None:
    """A brain obeys the log to the letter and says each time that it will pass."""
    obedient = Opinionated("network", 1)
    story = Story(contract(part(ACCURACY)), plan(step("prepare")))
    story.agreed()
    attempts = 0
    for attempt in range(1, 6):
        attempts += 1
        story.ended(
            "prepare", attempt=attempt, phase="failed", result=None, cause="user_code_error", evidence=(EVIL, "killed")
        )
        ended = story.run.calls[f"r/prepare/{attempt}"].ended
        found = consider(obedient, ended, tool="prepare_data", step="prepare", part="model")
        assert found is not None
        story.tell("diagnosis", found)
        decision = decide(story.run, now=story.run.last)
        story.tell("decision", decision)
        if not getattr(decision, "change", "").startswith("retry:"):
            break
    assert attempts == 2


def test_only_what_the_ladder_lets_pass_is_tried_again() -> None:
    for cause in CAUSES:
        story = Story(contract(part(ACCURACY)), plan(step("prepare")))
        story.agreed()
        story.ended("prepare", phase="failed", result=None, cause="unknown", evidence=("it says so", "killed"))
        ended = story.run.calls["r/prepare/1"].ended
        if (found := consider(Opinionated(cause, 1), ended, tool="t", step="prepare", part="model")) is not None:
            story.tell("diagnosis", found)
        decision = decide(story.run, now=story.run.last)
        assert getattr(decision, "change", "").startswith("retry:") == repeatable(cause)


@draw(st.lists(st.text(max_size=60), max_size=12), st.sampled_from(CAUSES), st.lists(st.integers(-3, 15), max_size=4))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_whatever_a_log_says_an_opinion_stands_on_lines_that_are_there(
    lines: list[str], cause: Cause, numbers: list[int]
) -> None:
    ended = failed("unknown", *lines)
    found = consider(Opinionated(cause, *numbers), ended, tool="t", step="s", part=None)
    if found is not None:
        assert numbers
        assert all(1 <= n <= len(lines) and lines[n - 1].strip() for n in numbers)
        assert found.lines


def reading(**fields: object) -> Reading:
    traffic: dict[str, object] = {
        "version": EVIL, "since": 0.0, "until": 60.0, "requests": 400, "errors": 0, "over": {},
        "quantiles_ms": {"p50": 20.0, "p95": 40.0, "p99": 50.0},
    }  # fmt: skip
    return Reading(at=60.0, seconds=60.0, versions=(Traffic.model_validate(traffic | fields),))


LOOKED = Inspected(state=endpoint((EVIL, 100)))
SLOW = {"quantiles_ms": {"p50": 2400.0, "p95": 3000.0, "p99": 3100.0}}


def test_an_endpoint_is_put_to_a_brain_only_when_callers_suffer_and_the_rules_see_nothing() -> None:
    nothing, something = Ailment(text="fine"), Ailment(cause="capacity", text="too few")
    assert ailing(nothing, reading(**SLOW))
    assert ailing(nothing, reading(errors=1))
    assert ailing(nothing, reading(refused=3))
    assert not ailing(nothing, reading())
    assert not ailing(something, reading(**SLOW))


def test_of_an_endpoint_a_brain_reads_numbers_and_no_name() -> None:
    seen = measured(LOOKED, reading(**SLOW))
    shown = " ".join(line.text for line in seen.lines)
    assert "IGNORE" not in shown
    assert "p50 2400 ms" in shown
    assert [line.lines for line in seen.lines] == [(n,) for n in range(1, len(seen.lines) + 1)]


@pytest.mark.parametrize(
    ("cause", "taken"), [("capacity", True), ("permission", False), ("quota", False), ("unknown", False)]
)
def test_an_opinion_of_an_endpoint_is_a_cause_that_can_ail_one(cause: Cause, taken: bool) -> None:
    looked, slow = Inspected(state=endpoint(("v1", 100))), reading(version="v1", **SLOW)
    found = consider_service(Opinionated(cause, 2), Ailment(text=""), looked, slow, step="read", part="model")
    assert (found is not None) == taken
    assert found is None or (found.by, found.text) == ("llm", WORDS[cause])


def test_a_rule_that_sees_something_is_asked_first() -> None:
    looked = Inspected(state=None)
    assert examine(looked, reading()).cause == "data_missing"
    brain = Opinionated("capacity", 1)
    assert consider_service(brain, examine(looked, reading()), looked, reading(), step="read", part=None) is None
    assert not brain.seen


def test_an_opinion_stands_on_every_line_or_not_at_all() -> None:
    seen = evidence(failed("unknown", *LOG), tool="t")
    assert stands(Opinion(cause="network", lines=(1, 4)), seen)
    assert not stands(Opinion(cause="network", lines=(1, 40)), seen)
