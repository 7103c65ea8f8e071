"""The record a model answers with cannot drift from the contract, and its prompt names every word it may use."""

from __future__ import annotations

import json
import re
from typing import get_args

import pytest
from pydantic import ValidationError
from understood import contract

from agent.brain.llm.client.strict import schema_of
from agent.brain.llm.understanding.kinds import AMOUNTS, CLOSED, FREE, NAMES
from agent.brain.llm.understanding.said import (
    LEFT_OUT,
    SHAPES,
    GoalField,
    PartField,
    PartSetting,
    Said,
    SaidPart,
    Setting,
    drafted,
    leaves,
    said_of,
)
from agent.contract import Contract
from prompts.load import load
from tools.metrics import METRICS

LARGEST_FIXED = 2600
"""Tokens of the system text and the schema, at four characters each: what every goal pays."""


def _covered() -> set[str]:
    fields = {*get_args(GoalField), *(f"parts.{f}" for f in get_args(PartField))}
    for path in leaves(Said):
        if path.startswith("parts.") and ".settings." not in path:
            fields.add(path.replace("parts.joins.", "parts.prepare.join."))
    return fields


def test_every_field_of_a_contract_is_asked_for_or_left_out_with_a_reason() -> None:
    wanted = set(leaves(Contract))
    left_out = {p for p in wanted if any(p == out or p.startswith(f"{out}.") for out in LEFT_OUT)}
    assert _covered() | left_out == wanted
    assert not _covered() & left_out
    assert all(LEFT_OUT.values())


def test_every_field_of_a_contract_has_something_that_vouches_for_it() -> None:
    tables = [set(AMOUNTS), set(NAMES), set(CLOSED), set(FREE)]
    assert set().union(*tables) == set(leaves(Contract))
    assert sum(map(len, tables)) == len(set().union(*tables))


@pytest.mark.parametrize(("said", "meant"), SHAPES)
def test_a_field_of_an_answer_is_of_the_contracts_own_type(said: type, meant: type) -> None:
    for name, field in said.model_fields.items():
        if name in ("name", "joins", "settings", "data", "clauses"):
            continue
        assert str(meant.model_fields[name].annotation) == str(field.annotation), name


def test_the_prompt_names_every_word_of_a_closed_set_that_the_schema_does_not() -> None:
    text = load("understand").system
    schema = json.dumps(schema_of(Said))
    missing = [name for name in METRICS if not re.search(rf"\b{name}\b", text)]
    for path in (*get_args(GoalField), *(f"parts.{f}" for f in get_args(PartField))):
        missing += [word for word in _words(path) if not re.search(rf"\b{word}\b", text + schema)]
    assert not missing


def _words(path: str) -> list[str]:
    holder: object = Contract
    for step in path.split("."):
        holder = holder.model_fields[step].annotation  # type: ignore[attr-defined]
        holder = next((a for a in _types(holder) if hasattr(a, "model_fields")), holder)
    return [word for t in _types(holder) if str(t).startswith("typing.Literal") for word in get_args(t)]


def _types(annotation: object) -> list[object]:
    return [annotation, *(t for a in get_args(annotation) for t in _types(a))]


def test_prompt_and_schema_stay_small() -> None:
    fixed = len(load("understand").system) + len(json.dumps(schema_of(Said), separators=(",", ":")))
    assert fixed / 4 < LARGEST_FIXED


@pytest.mark.parametrize(
    "text",
    [
        "Predict `species` from penguins.csv, at least 95% accuracy.",
        "Deploy the current `eta` model to prod, shift 10/50/100 every 15 minutes, roll back when p99 is over 350ms.",
        "Train xray-net with `python train.py --epochs 5` on ./xrays, AUC above .88, 2x T4, region us-west-2, no spot",
        "Recommend from clicks.csv joined with items.csv on item_id, NDCG@10 two points better than what runs now.",
        "Keep `fraud` healthy for 30 days: check daily, retrain if PSI > 0.25, at most 60 USD per month.",
        "Forecast units from s3://shop/sales.parquet by week: custom metric bias = mean(prediction), bias at most 3.",
    ],
)
def test_a_contract_survives_being_said(text: str) -> None:
    before = contract(text)
    after, faults = drafted(Said.model_validate_json(said_of(before).model_dump_json()))
    assert not faults
    assert after is not None
    bare = before.model_copy(update={"assumptions": (), "questions": ()})
    assert json.loads(_without(after)) == json.loads(_without(bare))


def _without(of: Contract) -> str:
    left_out = {"parts": {"__all__": {"clauses": {"__all__": {"id", "where"}}, "data": {"__all__": {"format"}}}}}
    return of.model_dump_json(exclude=left_out)


def _said(*settings: Setting, part: tuple[PartSetting, ...] = ()) -> Said:
    parts = (SaidPart(name=None, task="deploy", target="eta", data=(), joins=(), clauses=(), settings=part),)
    return Said(kind="goal", open=False, parts=parts, settings=settings, unclear=())


@pytest.mark.parametrize(
    ("setting", "fault"),
    [
        (Setting(field="budget_usd", values=()), "takes one value"),
        (Setting(field="budget_usd", values=(1, 2)), "takes one value"),
        (Setting(field="budget_usd", values=("much",)), "budget_usd"),
        (Setting(field="budget_usd", values=(-5,)), "budget_usd"),
        (Setting(field="environment", values=("moon",)), "environment"),
        (Setting(field="placement.gpu_count", values=(2.5,)), "gpu_count"),
        (PartSetting(field="rollout.steps", values=(500,)), "steps"),
        (PartSetting(field="objective.metric", values=("accuracy",)), "direction"),
        (PartSetting(field="metrics", values=("mean(prediction)",)), "NAME = FORMULA"),
    ],
)
def test_a_setting_that_is_none_is_a_fault_and_names_its_field(setting: Setting | PartSetting, fault: str) -> None:
    said = _said(setting) if isinstance(setting, Setting) else _said(part=(setting,))
    draft, faults = drafted(said)
    assert draft is None
    assert any(fault in f for f in faults), faults


def test_all_faults_of_an_answer_are_told_at_once() -> None:
    wrong = (Setting(field="environment", values=("moon",)), Setting(field="budget_per", values=("year",)))
    _, faults = drafted(_said(*wrong))
    assert len(faults) == 2


def test_a_setting_said_twice_is_a_fault_unless_it_is_a_list() -> None:
    steps = (PartSetting(field="rollout.steps", values=(10,)), PartSetting(field="rollout.steps", values=(100,)))
    draft, _ = drafted(_said(part=steps))
    assert draft is not None
    assert draft.parts[0].rollout.steps == (10, 100)
    _, faults = drafted(_said(Setting(field="budget_usd", values=(1,)), Setting(field="budget_usd", values=(2,))))
    assert faults == ("budget_usd: takes one value",)


def test_a_metric_that_does_not_exist_is_no_answer() -> None:
    said = said_of(contract("Predict `species` from penguins.csv, at least 95% accuracy.")).model_dump_json()
    with pytest.raises(ValidationError, match="metric"):
        Said.model_validate_json(said.replace('"accuracy"', '"vibes"'))


def test_numbers_flags_and_words_keep_their_types() -> None:
    said = Said.model_validate_json(_said(Setting(field="placement.spot", values=(True,))).model_dump_json())
    assert said.settings[0].values == (True,)
    one = Setting.model_validate_json('{"field":"budget_usd","values":[1]}').values[0]
    assert one == 1
    assert not isinstance(one, bool)
