"""The conversation in which a brain proposes: bounded whatever it does, believed in nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from given import ACCURACY, NOW, TERMS, contract, part, plan, proposed, step, survey

from agent import validate
from agent.brain.protocol import Known, ReadCall, Reads
from agent.plan import Plan
from agent.proposing import MOST_CALLS, MOST_PLANS, MOST_ROUNDS, Proposal, proposal
from tools.errors import NotFound
from tools.record import Json

WANTED = contract(part(ACCURACY))
SEEN = survey()
OURS = proposed(WANTED, SEEN)
THEIRS = OURS.model_copy(update={"why": "theirs"})
FAULTY = plan(step("x", "launch_missiles"), step("y", needs=("nobody",)))
LOOK = ReadCall(tool="list_offers", args={})


class Talking:
    """A brain that answers in turn; the last answer is every later one as well."""

    name = "talking"

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def propose(self, *given: Any, **asked: Any) -> Any:
        self.asked.append(asked | {"given": given})
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(*given, **asked) if callable(answer) else answer


class Looks:
    """Performs reads and remembers them."""

    def __init__(self, answer: Callable[[str, Json], Json] = lambda tool, args: {"offers": []}) -> None:
        self.made: list[tuple[str, Json]] = []
        self._answer = answer

    def __call__(self, tool: str, args: Json) -> Json:
        self.made.append((tool, args))
        return self._answer(tool, args)


def talked(
    *answers: Any, look: Looks | None = None, allowed: Callable[[ReadCall], str] = lambda call: "", **more: Any
) -> tuple[Proposal, Talking]:
    brain: Any = Talking(*answers)
    arguments: dict[str, Any] = {
        "contract": WANTED,
        "survey": SEEN,
        "terms": TERMS,
        "goal": "the goal",
        "open_": True,
        "read": look or Looks(),
        "allowed": allowed,
        "validate": lambda found: validate.faults(found, WANTED),
        "fallback": lambda: OURS,
    }
    return proposal(brain, **arguments | more), brain


def told(*calls: ReadCall) -> Reads:
    return Reads(calls=calls)


def test_a_plan_that_can_be_run_is_taken() -> None:
    found, brain = talked(THEIRS)
    assert (found.plan, found.faults, found.why) == (THEIRS, (), "")
    assert len(brain.asked) == 1


def test_what_was_read_is_known_at_the_next_question() -> None:
    look = Looks()
    found, brain = talked(told(LOOK), THEIRS, look=look)
    assert found.plan == THEIRS
    assert brain.asked[1]["known"] == found.known == (Known(tool="list_offers", args={}, result={"offers": []}),)
    assert look.made == [("list_offers", {})]


def test_the_same_read_is_answered_from_memory() -> None:
    look = Looks()
    found, _ = talked(told(LOOK, LOOK), told(LOOK), THEIRS, look=look)
    assert len(look.made) == 1
    assert len(found.known) == 1


def test_a_brain_that_reads_for_ever_ends_and_the_embedded_one_plans() -> None:
    look = Looks()
    found, brain = talked(told(LOOK), look=look)
    assert (found.plan, "asked to read 4 times" in found.why) == (OURS, True)
    assert len(brain.asked) == MOST_ROUNDS + 1
    assert len(look.made) == 1


def test_only_so_many_reads_of_a_round_are_made() -> None:
    look = Looks()
    many = [ReadCall(tool="find_model", args={"name": f"m{n}"}) for n in range(1000)]
    talked(told(*many), THEIRS, look=look)
    assert len(look.made) == MOST_CALLS


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (ReadCall(tool="scale_endpoint", args={"endpoint": "e", "version": None, "replicas": 1}), "does not only read"),
        (ReadCall(tool="launch_missiles", args={}), "there is no tool"),
        (ReadCall(tool="find_model", args={"name": "../../etc"}), "name"),
        (ReadCall(tool="find_model", args={"name": 7}), "name"),
        (ReadCall(tool="find_model", args={"name": "m", "more": 1}), "more"),
        (ReadCall(tool="find_model", args={"name": "\ud800"}), "half a character"),
    ],
)
def test_a_read_that_is_none_is_not_made_and_says_why(call: ReadCall, why: str) -> None:
    look = Looks()
    found, _ = talked(told(call), THEIRS, look=look)
    assert look.made == []
    (known,) = found.known
    assert (known.result, why in known.why) == (None, True)


def test_a_read_is_judged_and_one_that_is_refused_is_not_made() -> None:
    look = Looks()
    found, _ = talked(told(LOOK), THEIRS, look=look, allowed=lambda call: f"{call.tool} is none of yours")
    assert look.made == []
    assert found.known == (Known(tool="list_offers", args={}, why="list_offers is none of yours"),)


@pytest.mark.parametrize("error", [NotFound("gone"), ZeroDivisionError(), RecursionError()])
def test_a_read_that_fails_says_nothing_but_that(error: Exception) -> None:
    def fails(tool: str, args: Json) -> Json:
        raise error

    found, _ = talked(told(LOOK), THEIRS, look=Looks(fails))
    assert found.plan == THEIRS
    assert (found.known[0].result, bool(found.known[0].why)) == (None, True)


def test_faults_go_back_once_and_all_together() -> None:
    found, brain = talked(FAULTY, THEIRS)
    assert (found.plan, found.why) == (THEIRS, "")
    assert brain.asked[0]["faults"] == ()
    assert brain.asked[1]["faults"] == validate.faults(FAULTY, WANTED)
    assert len(brain.asked[1]["faults"]) >= 3


def test_a_second_failure_leaves_it_to_the_embedded_brain_which_says_why() -> None:
    found, brain = talked(FAULTY)
    assert (found.plan, found.faults) == (OURS, ())
    assert "launch_missiles" in found.why
    assert len(brain.asked) == MOST_PLANS


def test_a_plan_that_is_the_embedded_one_cannot_be_mended_by_asking_again() -> None:
    found, brain = talked(FAULTY, fallback=lambda: FAULTY)
    assert (found.plan, found.why) == (None, "")
    assert found.faults == validate.faults(FAULTY, WANTED)
    assert len(brain.asked) == 1


def _cyclic(*given: Any, **asked: Any) -> Plan:
    args: Json = {}
    args["self"] = args
    return Plan.model_construct(version=1, steps=(step("x").model_copy(update={"args": args}),), why="")


def _raises(*given: Any, **asked: Any) -> Plan:
    raise ZeroDivisionError


HOSTILE: dict[str, Any] = {
    "an error": _raises,
    "nothing": None,
    "a text": "scale everything down",
    "a number": 7,
    "its own type": Plan,
    "a plan of no steps": Plan.model_construct(version=1, steps=None, why=""),
    "a plan of numbers": Plan.model_construct(version=1, steps=(7,), why=""),
    "a plan that is its own argument": _cyclic,
    "ten thousand steps": Plan(version=1, steps=tuple(step(f"s{n}") for n in range(10_000))),
    "reads that are no list": Reads.model_construct(calls=7),
    "reads that are no reads": Reads.model_construct(calls=(7, None, "x", ReadCall.model_construct(tool=7, args=[]))),
    "reads of the deepest": Reads.model_construct(calls=(ReadCall.model_construct(tool="find_model", args=_raises),)),
    "a million reads": Reads(calls=(LOOK,) * 1_000_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_brain_answers_ends_here(name: str) -> None:
    answer = HOSTILE[name]
    found, brain = talked(answer if callable(answer) and answer is not Plan else lambda *given, **asked: answer)
    assert (found.plan, bool(found.why)) == (OURS, True)
    assert len(brain.asked) <= MOST_ROUNDS + MOST_PLANS


def test_what_a_brain_does_to_what_it_is_given_changes_nothing() -> None:
    def spoils(wanted: Any, seen: Any, terms: Any, **asked: Any) -> Any:
        object.__setattr__(wanted, "parts", ())
        seen.data.clear()
        for one in asked["known"]:
            one.result.clear()
        asked["results"].clear()
        return told(LOOK) if not asked["known"] else THEIRS

    results: dict[str, Json] = {"a": {"b": 1}}
    found, _ = talked(spoils, results=results)
    assert found.plan == THEIRS
    assert found.known[0].result == {"offers": []}
    assert (WANTED.parts != (), SEEN.data != {}, results) == (True, True, {"a": {"b": 1}})
    assert SEEN.at == NOW


def test_where_nobody_has_a_plan_there_is_none_and_every_fault_is_told() -> None:
    found, _ = talked(FAULTY, validate=lambda found: ("too dear",))
    assert (found.plan, found.faults) == (None, ("too dear",))
