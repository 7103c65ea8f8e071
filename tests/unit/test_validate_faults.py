"""The validator finds every fault of a plan, and all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from given import ACCURACY, ERRORS, LATENCY, contract, part, plan, proposed, step
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract import Contract
from agent.plan import Estimate, Plan, Range, Step, ref
from agent.validate import faults
from agent.validate import proposed as proposed_by
from tools.tool import Effect

WANTED = contract(part(ACCURACY, LATENCY, ERRORS, strategy="canary"), budget_usd=10.0)
GOOD = proposed(WANTED)


def changed(id_: str, **more: object) -> Callable[[Plan], Plan]:
    """The plan with fields of one step replaced; `args` are merged into what is there."""

    def change(old: Plan) -> Plan:
        return old.model_copy(update={"steps": tuple(_with(s, more) if s.id == id_ else s for s in old.steps)})

    return change


def _with(old: Step, more: dict[str, object]) -> Step:
    args = more.get("args")
    merged = {**old.args, **args} if isinstance(args, dict) else old.args
    return Step.model_validate({**dict(old), **more, "args": merged})


def without(id_: str) -> Callable[[Plan], Plan]:
    return lambda old: old.model_copy(update={"steps": tuple(s for s in old.steps if s.id != id_)})


def twice(id_: str) -> Callable[[Plan], Plan]:
    return lambda old: old.model_copy(update={"steps": (*old.steps, old.step(id_))})


FAULTS: dict[str, tuple[Callable[[Plan], Plan], str]] = {
    "no steps": (lambda _: plan(), "the plan has no steps"),
    "unknown tool": (changed("select", tool="launch_missiles"), "select: there is no tool 'launch_missiles'"),
    "unknown argument": (changed("evaluate", args={"wat": 1}), "evaluate: evaluate_model has no argument 'wat'"),
    "wrong type": (changed("shift-10", args={"percent": "many"}), "shift-10: percent: Input should be a valid integer"),
    "value out of range": (changed("shift-10", args={"percent": 101}), "shift-10: percent: Input should be less than"),
    "missing argument": (
        lambda p: changed("shift-10", args={})(
            p.model_copy(update={"steps": tuple(_less(s, "percent") if s.id == "shift-10" else s for s in p.steps)})
        ),
        "shift-10: percent: Field required",
    ),
    "dangling reference": (
        changed("evaluate", args={"model": ref("nobody", "key")}),
        "evaluate: refers to nobody.key, and 'nobody' is not a step",
    ),
    "reference to a later step": (
        changed("prepare", args={"seed": ref("evaluate", "rows")}),
        "prepare: refers to evaluate, which does not come before it",
    ),
    "reference to no result": (
        changed("evaluate", args={"model": ref("select", "password")}),
        "evaluate: select_model has no result 'password'",
    ),
    "dangling need": (changed("select", needs=("ghost",)), "select: needs 'ghost', which is not a step"),
    "cycle": (changed("prepare", needs=("evaluate",)), "prepare: needs itself, directly or through others"),
    "holdout clause without a step": (changed("evaluate", measures=()), "no step measures accuracy of model"),
    "live clause without a step": (changed("monitor-100", measures=()), "no step measures error_rate of model"),
    "clause claimed by a step that measures nothing": (
        lambda p: changed("prepare", measures=("model/accuracy",))(changed("evaluate", measures=())(p)),
        "no step measures accuracy of model",
    ),
    "endpoint without hand-over": (without("keep"), "deploy: nothing hands over or releases endpoint tumours"),
    "hand-over of another endpoint": (
        changed("keep", args={"endpoint": "other"}),
        "deploy: nothing hands over or releases endpoint tumours",
    ),
    "over budget": (
        changed("prepare", estimate=Estimate(usd=Range(low=0.0, high=10.01))),
        "the plan may cost up to $",
    ),
    "effect mismatch": (changed("deploy", effect=Effect.READS), "deploy: deploy_model creates, the step says reads"),
    "duplicate id": (twice("prepare"), "step id prepare is used twice"),
    "no part of the goal": (changed("select", part="other"), "select: works for 'other', which is no part of the goal"),
    "no clause of the goal": (
        changed("prepare", measures=("model/profit",)),
        "prepare: measures 'model/profit', which is no clause of the goal",
    ),
    "estimate that ends before it begins": (
        changed("prepare", estimate=Estimate(usd=Range(low=2.0, high=1.0))),
        "prepare: its estimate ends before it begins",
    ),
    "arguments that cannot be written": (
        changed("prepare", args={"label": float("nan")}),
        "prepare: a number in its arguments is none",
    ),
    "half a character": (changed("prepare", args={"label": "\ud800"}), "prepare: half a character stands in"),
    "a reference that is none": (changed("prepare", args={"label": {"$ref": 7}}), "prepare: a reference in its"),
    "a circle of two": (
        lambda p: changed("prepare", needs=("select",))(p),
        "select: needs itself, directly or through others",
    ),
}


def _less(old: Step, name: str) -> Step:
    return old.model_copy(update={"args": {k: v for k, v in old.args.items() if k != name}})


def test_the_plan_that_the_faults_are_planted_in_has_none() -> None:
    assert faults(GOOD, WANTED) == ()


@pytest.mark.parametrize("name", FAULTS)
def test_every_planted_fault_is_found_and_named(name: str) -> None:
    plant, said = FAULTS[name]
    assert any(f.startswith(said) for f in faults(plant(GOOD), WANTED)), faults(plant(GOOD), WANTED)


def test_all_faults_are_listed_at_once() -> None:
    together = ("unknown argument", "effect mismatch", "duplicate id", "over budget", "endpoint without hand-over")
    broken = GOOD
    for name in together:
        broken = FAULTS[name][0](broken)
    found = faults(broken, WANTED)
    assert [n for n in together if not any(f.startswith(FAULTS[n][1]) for f in found)] == []


def test_a_reference_stands_for_a_value_of_any_type_but_not_for_its_neighbours() -> None:
    broken = changed("select", args={"candidates": [ref("tune-gradient-boosting", "result"), 7]})(GOOD)
    assert [f for f in faults(broken, WANTED) if f.startswith("select: candidates")] == [
        "select: candidates.1: Input should be a valid dictionary"
    ]


def test_a_plan_of_a_literal_release_needs_no_hand_over() -> None:
    wanted: Contract = contract(part())
    released = plan(step("deploy", "deploy_model"), step("release", "release_resource", needs=("deploy",)))
    assert faults(released, wanted) == ()


def test_a_plan_of_thousands_of_steps_is_one_fault_and_takes_no_time() -> None:
    many = plan(*(step(f"s{n}", needs=(f"s{n - 1}",) if n else ()) for n in range(10_000)))
    assert faults(many, WANTED) == ("the plan has 10000 steps, and at most 400 are carried out",)
    assert proposed_by(lambda: many)[0] is None
    most = plan(*(step(f"s{n}", needs=tuple(f"s{m}" for m in range(max(0, n - 9), n))) for n in range(400)))
    assert not [f for f in faults(most, WANTED) if "400" in f]


def test_at_most_so_many_faults_are_told() -> None:
    wrong = plan(*(step(f"s{n}", "launch_missiles") for n in range(300)))
    assert len(faults(wrong, WANTED)) == 50


def _raised() -> Plan:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    "make",
    [
        _raised,
        lambda: None,
        lambda: "a plan",
        lambda: Plan.model_construct(version=1, steps=("deploy",), why=""),
        lambda: Plan.model_construct(version=1, steps=(Step.model_construct(id="../x", tool="y"),), why=""),
        lambda: plan(step("s").model_copy(update={"limit_s": float("inf")})),
        lambda: plan(step("s").model_copy(update={"limit_s": -1.0})),
        lambda: plan(step("s").model_copy(update={"id": "r/../x"})),
        lambda: plan(step("s").model_copy(update={"estimate": Estimate.model_construct(usd=-1)})),
        lambda: plan(step("s").model_copy(update={"effect": "harmless"})),
        lambda: plan(step("s").model_copy(update={"args": None})),
    ],
)
def test_what_a_brain_hands_over_is_a_plan_or_a_fault(make: Callable[[], Plan]) -> None:
    """Records can be made without their checks: they are read anew."""
    read, found = proposed_by(make)
    assert read is None
    assert found


def test_a_plan_that_is_one_is_taken_as_it_is() -> None:
    assert proposed_by(lambda: GOOD) == (GOOD, ())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    args=st.dictionaries(st.text(max_size=5), st.recursive(st.none() | st.text() | st.floats(), st.lists), max_size=4)
)
def test_whatever_stands_in_arguments_is_a_fault_and_no_traceback(args: dict[str, Any]) -> None:
    broken = GOOD.model_copy(update={"steps": (GOOD.steps[0].model_copy(update={"args": args}), *GOOD.steps[1:])})
    assert faults(broken, WANTED)
