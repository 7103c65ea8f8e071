"""Arguments on their way to a call: nothing passes that cannot be written down, or that a tool reads otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from given import ACCURACY, FITTING, POLICIES, TABLE, Story, contract, part, plan, step, survey

from agent.guard import preview
from agent.judged.arguments import ready
from agent.plan import Step, ref
from agent.written import DEEPEST, digest_of_odd, unwritable
from policies.judge import CedarPolicies
from tools.record import Json


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"a": value}
    return value


ODD: dict[str, Any] = {
    "not a number": float("nan"),
    "no end": float("inf"),
    "half a character": "\ud800",
    "half a character in a name": {"\udfff": 1},
    "bytes": b"x",
    "a set": {1},
    "an object": object(),
    "too large a number": 2**63,
    "too deep": nested(DEEPEST + 2),
    "too long": "x" * 1_000_001,
    "a name that is none": {1: "x"},
    "a name that policies would read": {"__entity": {"type": "Person", "id": "root"}},
    "a reference that is none": {"$ref": 1},
    "a reference with more": {"$ref": "a.b", "x": 1},
}


@pytest.mark.parametrize("name", ODD)
def test_what_cannot_be_written_down_is_refused_and_never_raised(name: str) -> None:
    args = FITTING["prepare_data"] | {"label": ODD[name]}
    assert list(unwritable(args))
    found = Step.model_construct(**dict(step("s")) | {"args": args})
    story = Story(contract(part(ACCURACY)))
    verdict, approved = story.judged(found)
    assert approved is None
    assert (verdict.ruling, verdict.policies) == ("refused", ("arguments",))
    assert not verdict.call.sealed
    json.loads(verdict.model_dump_json())
    assert preview(plan(found), story.run, POLICIES, purse=story.purse)[1][0].policies == ("arguments",)
    assert digest_of_odd("t", args) != digest_of_odd("t", {})


def test_plain_arguments_can_be_written_down() -> None:
    assert list(unwritable({"a": [1, 2.5, True, None, "é", {"b": ref("x", "y")}], "c": nested(8)})) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"label": 7}, "label"),
        ({"wat": 1}, "wat"),
        ({"tables": []}, "tables"),
        ({"seed": "7"}, "seed is not written as what it means"),
        ({"split": {"holdout": "0.2"}}, "split is not written as what it means"),
    ],
    ids=str,
)
def test_what_a_tool_would_not_take_or_would_read_otherwise_is_refused(changes: Json, said: str) -> None:
    found = step("s", args=FITTING["prepare_data"] | changes)
    verdict, approved = Story(contract(part(ACCURACY)), plan(found)).judged(found)
    assert approved is None
    assert verdict.policies == ("arguments",)
    assert said in verdict.reasons[0]


@pytest.mark.parametrize(
    "changes", [{"seed": 7}, {"split": {"holdout": 0.2}}, {"split": {"by": "stratified"}}], ids=str
)
def test_what_means_the_same_is_taken_as_it_is_written(changes: Json) -> None:
    args = FITTING["prepare_data"] | changes
    found = step("s", args=args)
    form = ready(found, Story(contract(part(ACCURACY)), plan(found)).run)
    assert (form.problems, form.args) == ((), args)


SECRET = "AKIA" + "Q7ZB2M4XK9LD3WVN"


def holding(secret: str) -> Step:
    return step("s", args={"tables": [TABLE | {"name": f"password={secret}"}], "task": "classification", "label": None})


def test_a_call_with_a_secret_is_refused_and_the_journal_never_holds_it() -> None:
    story = Story(contract(part(ACCURACY)))
    found = holding(SECRET)
    verdict, approved = story.judged(found)
    assert approved is None
    assert verdict.ruling == "refused"
    assert "secrets" in verdict.policies
    assert SECRET not in verdict.model_dump_json()
    whole, _ = story.judged(holding("x"))
    assert verdict.call.digest != whole.call.digest
    assert not verdict.call.sealed, "under its digest nothing can be performed"
    _, refused = preview(plan(found), story.run, POLICIES, purse=story.purse)
    assert SECRET not in refused[0].model_dump_json()


def test_a_secret_is_refused_also_by_policies_that_do_not_ask_for_it() -> None:
    silent = {"all.cedar": '@id("all")\npermit (principal, action, resource);\n'}
    lax = CedarPolicies(silent, POLICIES.limits)
    story = Story(contract(part(ACCURACY)), policies=lax)
    assert story.judged(step("s"))[1] is not None
    verdict, approved = story.judged(holding(SECRET))
    assert (approved, verdict.policies) == (None, ("secrets",))
    assert SECRET not in verdict.model_dump_json()


def test_arguments_that_refer_to_what_no_step_gave_are_refused() -> None:
    found = step("b", "find_model", {"name": ref("a", "version")}, needs=("a",))
    story = Story(contract(part()), plan(step("a", "find_model"), found), seen=survey())
    story.ended("a", {"key": "k"})
    assert "refers to 'version'" in story.judged(found)[0].reasons[0]
