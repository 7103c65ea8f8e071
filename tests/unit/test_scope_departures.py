"""In which fields of the goal a call departs from it: every way of departing, beside the call as it was planned."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from carried import carry, seen
from given import ACCURACY, ERRORS, LATENCY, NOW, TERMS, Story, clause, contract, part, proposed

from agent.contract import Contract, Data, Prepare, Search, Split, Train
from agent.judged.scope import departures
from agent.plan import Step
from tools.record import Json

CANARY = contract(part(ACCURACY, LATENCY, ERRORS, strategy="canary", steps=(10, 50, 100), lease_s=7200.0))
TABLE = Data(uri="shop.csv", label="bought", format="csv")
LEARNT = contract(
    part(
        clause("f1", ">=", 0.8, confidence=0.95),
        data=(TABLE,),
        models=("ridge",),
        search=Search(trials=5, method="random"),
        prepare=Prepare(drop_columns=("phone",), clean=("impute",)),
        split=Split(by="random", holdout=0.25),
    )
)
OWN = contract(
    part(ACCURACY, data=(TABLE,), train=Train(kind="command", value="python train.py --fast", predict="python p.py"))
)
GOALS: dict[str, tuple[Contract, bool]] = {
    "canary": (CANARY, True),
    "alone": (CANARY, False),
    "learnt": (LEARNT, False),
    "own": (OWN, False),
    "shadow": (contract(part(ACCURACY, LATENCY, strategy="shadow")), True),
    "rolling": (contract(part(ACCURACY, LATENCY, strategy="rolling", replicas=3)), True),
    "scale": (contract(part(task="scale", data=(), replicas=4)), True),
    "rollback": (contract(part(task="rollback", data=(), source_models=("tumours:v0",))), True),
    "cleanup": (contract(part(task="cleanup", data=())), True),
    "watch": (contract(part(LATENCY, task="watch", data=())), True),
    "compare": (contract(part(ACCURACY, task="compare", source_models=("a:v1", "b:v2"))), False),
}


@cache
def told(goal: str) -> Story:
    """The goal carried out to its end."""
    wanted, serves = GOALS[goal]
    there = seen(wanted, serves=serves)
    story = Story(wanted, proposed(wanted, there), seen=there)
    assert story.run.stated is not None
    story.run.stated = story.run.stated.model_copy(update={"load_rps": TERMS.load_rps, "lease_s": TERMS.lease_s})
    carry(story)
    assert all(story.run.done(s.id) for s in story.run.plan.steps)
    return story


def asked(goal: str, step: str, **changes: Any) -> tuple[str, ...]:
    """The departures of a step of the goal with these arguments instead; `None_` leaves one out."""
    story = told(goal)
    found = story.run.plan.step(step)
    assert found is not None, [s.id for s in story.run.plan.steps]
    args = story.run.calls[f"r/{step}/1"].call.args | changes
    args = {k: v for k, v in args.items() if v is not LEFT_OUT}
    return departures(found.model_copy(update={"args": args}), args, story.run)


LEFT_OUT = "left out"


@pytest.mark.parametrize("goal", GOALS)
def test_nothing_that_is_planned_departs(goal: str) -> None:
    for step in told(goal).run.plan.steps:
        assert asked(goal, step.id) == (), step.id


def _table(**changes: object) -> list[Json]:
    return [{"name": "shop.csv", "source": "/work/shop.csv", "format": "csv", "role": "train"} | changes]


DATA: list[tuple[str, str, Json]] = [
    ("learnt", "prepare", {"tables": _table(source="/etc/passwd")}),
    ("learnt", "prepare", {"tables": _table(name="other.csv", source="/work/other.csv")}),
    ("learnt", "prepare", {"tables": [*_table(), *_table(name="wages.csv", source="/work/wages.csv")]}),
    ("learnt", "prepare", {"tables": []}),
    ("learnt", "prepare", {"tables": "shop.csv"}),
    ("learnt", "prepare", {"tables": [["shop.csv"]]}),
    ("learnt", "prepare", {"tables": _table(role="holdout")}),
    ("learnt", "prepare", {"label": "price"}),
    ("learnt", "prepare", {"label": None}),
    ("learnt", "prepare", {"task": "regression"}),
    ("learnt", "prepare", {"drop_columns": []}),
    ("learnt", "prepare", {"drop_columns": ["phone", "bought"]}),
    ("learnt", "prepare", {"clean": []}),
    ("learnt", "prepare", {"clean": ["impute", "drop_missing"]}),
    ("learnt", "prepare", {"time": "when"}),
    ("learnt", "prepare", {"group": "who"}),
    ("learnt", "prepare", {"joins": [{"left": "shop.csv", "right": "x.csv", "on": ["id"]}]}),
    ("learnt", "prepare", {"split": {"by": "random", "holdout": 0.01}}),
    ("learnt", "prepare", {"split": {"by": "random", "holdout": 0.25, "validation": 0.9}}),
    ("learnt", "prepare", {"split": {"by": "time", "column": "when", "holdout": 0.25}}),
    ("learnt", "prepare", {"split": "random"}),
    ("canary", "prepare", {"split": {"by": "stratified", "holdout": 0.05}}),
    ("own", "train", {"command": ["python", "evil.py"]}),
    ("own", "train", {"command": ["python", "train.py", "--fast", "--epochs", "9"]}),
    ("own", "train", {"command": ["python", "--fast", "train.py"]}),
    ("own", "train", {"folder": "/tmp"}),
    ("own", "train", {"hide": []}),
    ("own", "train", {"hyperparameters": {"lr": 1}}),
    ("own", "evaluate", {"predict": "python evil.py"}),
    ("own", "evaluate", {"predict": None}),
    ("own", "evaluate", {"hide": []}),
    ("own", "evaluate", {"folder": "/"}),
    ("learnt", "evaluate", {"predict": "python p.py"}),
    ("learnt", "evaluate", {"formulas": {"custom": "1"}}),
    ("learnt", "evaluate", {"formulas": 7}),
    ("learnt", "evaluate", {"task": "regression"}),
]
OTHERS: list[tuple[str, str, Json, str]] = [
    ("learnt", "tune-ridge", {"family": "mlp"}, "models"),
    ("learnt", "tune-ridge", {"trials": 6}, "search"),
    ("learnt", "tune-ridge", {"method": "tpe"}, "search"),
    ("learnt", "tune-ridge", {"trials": "5"}, "search"),
    ("canary", "tune-logistic-regression", {"trials": 10_000}, "search"),
    ("learnt", "evaluate", {"measures": [{"metric": "f1", "confidence": 0.01}]}, "clauses"),
    ("learnt", "evaluate", {"measures": [{"metric": "recall", "confidence": 0.5}]}, "clauses"),
    ("learnt", "evaluate", {"measures": ["f1"]}, "clauses"),
    ("canary", "register", {"name": "payments"}, "models"),
    ("compare", "find-1", {"name": "payments"}, "models"),
    ("compare", "find-1", {"version": "v9"}, "models"),
    ("compare", "find-1", {"name": ["a"]}, "models"),
    ("canary", "deploy", {"endpoint": "payments"}, "endpoint"),
    ("canary", "shift-10", {"endpoint": "payments"}, "endpoint"),
    ("canary", "keep", {"endpoint": "payments"}, "endpoint"),
    ("canary", "withdraw", {"endpoint": "payments"}, "endpoint"),
    ("canary", "monitor-10", {"endpoint": "payments"}, "endpoint"),
    ("scale", "inspect", {"endpoint": "payments"}, "endpoint"),
    ("cleanup", "release-1", {"id": "payments"}, "endpoint"),
    ("cleanup", "release-1", {"kind": "machine"}, "endpoint"),
    ("canary", "keep", {"owner": "eve"}, "owner"),
    ("canary", "keep", {"for_s": 7201.0}, "time"),
    ("canary", "deploy", {"lease_s": 1e7}, "time"),
    ("rollback", "roll-back", {"to": "v7"}, "rollout"),
    ("rollback", "roll-back", {"withdraw": "v1"}, "rollout"),
    ("rollback", "roll-back", {"replicas": 9}, "rollout"),
    ("scale", "scale", {"replicas": 5}, "rollout"),
    ("scale", "scale", {"replicas": 0}, "rollout"),
    ("scale", "scale", {"version": "v0"}, "rollout"),
    ("canary", "deploy", {"replicas": 9}, "rollout"),
    ("canary", "deploy", {"replicas": 0}, "rollout"),
    ("canary", "shift-10", {"percent": 20}, "rollout"),
    ("canary", "shift-10", {"percent": 0}, "rollout"),
    ("canary", "shift-10", {"percent": 50}, "rollout"),
    ("canary", "shift-10", {"percent": 100}, "rollout"),
    ("canary", "shift-10", {"incumbent": None}, "rollout"),
    ("canary", "shift-10", {"incumbent": "v-1"}, "rollout"),
    ("canary", "shift-10", {"version": "v7"}, "rollout"),
    ("canary", "withdraw", {"version": "v7"}, "rollout"),
    ("canary", "keep", {"replicas": 9}, "rollout"),
    ("canary", "monitor-100", {"version": "v1"}, "rollout"),
    ("canary", "monitor-100", {"stops": []}, "rollout"),
    ("canary", "monitor-100", {"rate_rps": 101.0}, "rollout"),
    ("canary", "monitor-100", {"seconds": 1e6}, "rollout"),
    ("shadow", "mirror", {"version": "v1"}, "rollout"),
    ("shadow", "shift-100", {"percent": 50}, "rollout"),
    ("watch", "monitor", {"version": "v7"}, "rollout"),
    ("rolling", "start-2", {"replicas": 8}, "rollout"),
    ("canary", "evaluate", {"model": "models/payments/v1"}, "evidence"),
    ("canary", "evaluate", {"data": "jobs/bobs"}, "evidence"),
    ("canary", "evaluate", {"positive": "no"}, "evidence"),
    ("canary", "evaluate", {"classes": ["yes", "no"]}, "evidence"),
    ("canary", "evaluate", {"label": "other"}, "evidence"),
    ("canary", "evaluate", {"others": {"x": "models/payments/v1"}}, "evidence"),
    ("canary", "tune-logistic-regression", {"data": "jobs/bobs"}, "evidence"),
    ("canary", "select", {"candidates": [{"key": "jobs/x/model", "family": "ridge", "value": 1.0}]}, "evidence"),
    ("canary", "register", {"model": "jobs/tune-gradient-boosting/model"}, "evidence"),
    ("canary", "register", {"data": "jobs/bobs"}, "evidence"),
    ("canary", "register", {"label": "other"}, "evidence"),
    ("canary", "deploy", {"model": "jobs/tune-gradient-boosting/model"}, "evidence"),
    ("canary", "deploy", {"digest": LEFT_OUT}, "evidence"),
    ("canary", "deploy", {"digest": "0" * 64}, "evidence"),
    ("canary", "deploy", {"version": "v-2"}, "evidence"),
    ("canary", "monitor-100", {"url": "http://169.254.169.254/"}, "evidence"),
    ("canary", "monitor-100", {"data": "jobs/bobs"}, "evidence"),
    ("canary", "monitor-100", {"since": NOW - 1e6}, "evidence"),
    ("watch", "monitor", {"data": "requests/payments/v1"}, "evidence"),
]


@pytest.mark.parametrize(("goal", "step", "changes"), DATA, ids=str)
def test_other_data_or_another_program_than_the_goals(goal: str, step: str, changes: Json) -> None:
    assert "data" in asked(goal, step, **changes)


@pytest.mark.parametrize(("goal", "step", "changes", "field"), OTHERS, ids=str)
def test_every_other_departure_is_named(goal: str, step: str, changes: Json, field: str) -> None:
    assert field in asked(goal, step, **changes)


def added(goal: str, tool: str, args: Json, *, needs: tuple[str, ...] = (), part: str | None = "model") -> Json:
    """A step that somebody put beside those of the goal, with its departures."""
    story = told(goal)
    fields = {"id": "more", "tool": tool, "part": part, "effect": "creates", "needs": needs, "args": args}
    step = Step.model_validate(fields | {"estimate": {}, "limit_s": 120.0})
    return {"departs": departures(step, args, story.run)}


def test_where_the_goal_wants_nothing_served_nothing_is() -> None:
    serving: dict[str, Json] = {
        "deploy_model": {"endpoint": "tumours", "version": "v", "model": "m", "lease_s": 60.0},
        "shift_traffic": {"endpoint": "tumours", "version": "v", "percent": 100},
        "mirror_traffic": {"endpoint": "tumours", "version": "v"},
        "scale_endpoint": {"endpoint": "tumours", "version": "v", "replicas": 2},
        "extend_lease": {"endpoint": "tumours", "owner": "ada", "for_s": 60.0},
        "withdraw_version": {"endpoint": "tumours", "version": "v"},
        "rollback_endpoint": {"endpoint": "tumours", "to": "v"},
        "register_model": {"name": "tumours", "model": "m", "data": "d", "label": None},
        "monitor_endpoint": {"endpoint": "tumours"},
    }
    for tool, args in serving.items():
        assert "rollout" in added("learnt", tool, args)["departs"], tool


def test_nothing_is_served_that_was_not_measured_and_nothing_kept_that_was_not_watched() -> None:
    story = told("canary")
    deploy, keep = (story.run.calls[f"r/{id_}/1"].call.args for id_ in ("deploy", "keep"))
    assert added("canary", "deploy_model", deploy, needs=("evaluate",))["departs"] == ()
    assert added("canary", "deploy_model", deploy, needs=("select",))["departs"] == ("rollout",)
    assert added("canary", "extend_lease", keep, needs=("monitor-100",))["departs"] == ()
    assert added("canary", "extend_lease", keep, needs=("shift-100",))["departs"] == ()
    assert added("canary", "extend_lease", keep, needs=("deploy",))["departs"] == ("rollout",)


def test_a_share_needs_a_watch_of_every_smaller_one() -> None:
    shift = told("canary").run.calls["r/shift-100/1"].call.args
    assert added("canary", "shift_traffic", shift, needs=("monitor-50",))["departs"] == ()
    assert added("canary", "shift_traffic", shift, needs=("shift-50",))["departs"] == ("rollout",)
    assert added("canary", "shift_traffic", shift, needs=("monitor-10",))["departs"] == ("rollout",)


def test_a_step_for_no_part_of_the_goal_departs() -> None:
    assert added("canary", "list_offers", {}, part="model")["departs"] == ()
    assert added("canary", "list_offers", {}, part="other")["departs"] == ("part",)
    assert added("canary", "list_offers", {}, part=None)["departs"] == ("part",)
