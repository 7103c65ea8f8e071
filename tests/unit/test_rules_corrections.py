"""Corrections of a contract by the embedded brain: one value is replaced, or it asks; nothing is guessed."""

from __future__ import annotations

import re
from random import Random

import pytest

from agent.amend import diff
from agent.brain.protocol import Context
from agent.brain.rules.brain import Rules
from agent.contract import Clause, Contract, Data, Part
from agent.goal import Goal

GOAL = (
    "Predict species from penguins.csv with at least 0.9 accuracy, deploy as a canary with p95 below 100 ms, "
    "spend at most $5."
)
ACCURACY = "accuracy >= 0.9 on holdout"
P95 = "latency_p95_ms <= 100 on live traffic"


def understood(text: str, before: Contract | None = None, said: tuple[str, ...] = ()) -> Contract:
    found = Rules().understand(Goal.of(text, source="test"), Context(now=1.7e9, before=before, said=said))
    assert isinstance(found, Contract)
    return found


BEFORE = understood(GOAL)


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("make it 0.92 instead", [f"demand: {ACCURACY} → accuracy >= 0.92 on holdout"]),
        ("95%", [f"demand: {ACCURACY} → accuracy >= 0.95 on holdout"]),
        ("改成0.92", [f"demand: {ACCURACY} → accuracy >= 0.92 on holdout"]),
        ("准确率至少0.95", [f"demand: {ACCURACY} → accuracy >= 0.95 on holdout"]),
        ("stop the canary at 50 ms", [f"demand: {P95} → latency_p95_ms <= 50 on live traffic"]),
        ("金丝雀50毫秒就停", [f"demand: {P95} → latency_p95_ms <= 50 on live traffic"]),
        ("p95 under 80 ms", [f"demand: {P95} → latency_p95_ms <= 80 on live traffic"]),
        ("p99 under 80 ms", ["demand: none → latency_p99_ms <= 80 on live traffic"]),
        ("error rate below 1%", ["demand: none → error_rate <= 0.01 on live traffic"]),
        ("spend at most $20", ["the budget: $5.00 → $20.00 (more may be spent than before)"]),
        ("预算改为20美元", ["the budget: $5.00 → $20.00 (more may be spent than before)"]),
        ("$3", ["the budget: $5.00 → $3.00"]),
        ("forget the budget", ["the budget: $5.00 → none (there is no limit to what may be spent)"]),
        ("取消预算", ["the budget: $5.00 → none (there is no limit to what may be spent)"]),
        ("drop the latency demand", [f"demand: {P95} → none (this is not demanded any more)"]),
        ("within 3 hours", ["the deadline: none → 3 h"]),
        ("use iris.csv instead", ["the data: penguins.csv (species) → iris.csv (species)"]),
        ("use iris.csv as well", ["the data: penguins.csv (species) → penguins.csv (species), iris.csv"]),
        ("label is island", ["the data: penguins.csv (species) → penguins.csv (island)"]),
        ("use only xgboost", ["the models: those that suit the task → gradient_boosting (only these are tried)"]),
        ("do not use GPUs", ["ruled out: none → gpu"]),
        ("try 50 trials", ["the search, trials: none → 50"]),
        ("use 3 replicas", ["replicas: none → 3"]),
        ("canary steps 5, 25, 100", ["the steps of the rollout: none → 5, 25, 100"]),
        ("deploy it blue/green instead", ["the rollout: canary → blue_green"]),
        (
            "deploy directly",
            ["the rollout: canary → direct (all traffic goes to it at once, before it was measured)"],
        ),
        (
            "make it 0.92 and spend at most $20",
            [
                f"demand: {ACCURACY} → accuracy >= 0.92 on holdout",
                "the budget: $5.00 → $20.00 (more may be spent than before)",
            ],
        ),
        (
            "f1 at least 0.8 instead",
            [f"demand: {ACCURACY} → none (this is not demanded any more)", "demand: none → f1 >= 0.8 on holdout"],
        ),
    ],
)
def test_a_correction_changes_the_field_it_can_mean_and_no_other(text: str, changes: list[str]) -> None:
    after = understood(text, BEFORE)
    assert [str(c) for c in diff(BEFORE, after)] == changes
    assert not after.questions


@pytest.mark.parametrize(
    "text",
    [
        "20", "make it 7", "make it faster", "hello", "forget it", "do not drop the latency demand", "不要去掉延迟要求",
        "0.1 0.2 0.3", "10 minutes", "???", "make it 1e400", "-3",
    ],
)  # fmt: skip
def test_what_could_mean_several_things_or_none_is_asked_and_changes_nothing(text: str) -> None:
    after = understood(text, BEFORE)
    assert after.questions
    assert not diff(BEFORE, after)


@pytest.mark.parametrize(
    "text",
    [
        "It is for ticket 900", "这是给 80 家门店用的", "有 80 个用户",
        "请改给 80 家门店", "let 80 customers test it", "see PR 77",
        "our team has 400 ms of patience for meetings", "our p95 is 400 ms today", "Why is there no p95 in the plan?",
        "Why 3 replicas?", "What if p95 were 400 ms?", "why not 0.95?", "no budget limit of $50",
        "do not set the budget to $50", "不要把预算改成 50 美元", "without hurting accuracy", "不要降低准确率",
        'The ticket says "make p95 400 ms"', "drop the latency demand and make it 0.95", "the accuracy is fine",
    ],
)  # fmt: skip
def test_talk_questions_and_denials_change_nothing(text: str) -> None:
    after = understood(text, BEFORE)
    assert after.questions
    assert not diff(BEFORE, after)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("for issue 900 make it 0.95", ["accuracy"]),
        ("Can you make it 0.95?", ["accuracy"]),
        ("把准确率改成 0.95 可以吗？", ["accuracy"]),
        ("it must answer in 80 ms", ["latency_p95_ms"]),
        ("80 毫秒", ["latency_p95_ms"]),
        ("$20 please", ["budget_usd"]),
        ("drop latency, accuracy and the budget", ["accuracy", "budget_usd", "latency_p95_ms"]),
        ("drop the latency demand, accuracy matters", ["latency_p95_ms"]),
        ("no budget limit", ["budget_usd"]),
        ("预算不要了", ["budget_usd"]),
    ],
)
def test_what_is_phrased_as_a_correction_changes_just_that(text: str, fields: list[str]) -> None:
    assert sorted(c.field.rpartition(".")[2] for c in diff(BEFORE, understood(text, BEFORE))) == fields


def test_no_deployment_lifts_no_demand_that_is_named_behind() -> None:
    after = understood("no deployment please; accuracy matters", BEFORE)
    assert after.parts[0].clauses == BEFORE.parts[0].clauses
    assert "no_deploy" in after.constraints


def test_a_goal_with_a_subject_of_its_own_takes_the_place_of_the_whole() -> None:
    text = "Predict Survived from titanic.csv with 0.8 accuracy"
    assert understood(text, BEFORE) == understood(text)


TWO = Contract(
    parts=(
        Part(
            name="churn",
            task="classification",
            data=(Data(uri="churn.csv", label="left"),),
            clauses=(Clause(id="accuracy", metric="accuracy", op=">=", value=0.9, where="holdout"),),
        ),
        Part(
            name="price",
            task="regression",
            data=(Data(uri="price.csv", label="usd"),),
            clauses=(Clause(id="rmse", metric="rmse", op="<=", value=3, where="holdout"),),
        ),
    )
)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("make it 0.92 instead", ["parts.churn.clauses.accuracy"]),
        ("rmse below 2", ["parts.price.clauses.rmse"]),
        ("use new.csv for price", ["parts.price.data"]),
        ("spend at most $20", ["budget_usd"]),
    ],
)
def test_of_several_parts_the_one_that_is_named_or_demands_such_a_thing_is_meant(text: str, fields: list[str]) -> None:
    assert [c.field for c in diff(TWO, understood(text, TWO))] == fields


def test_where_every_part_could_be_meant_it_is_asked() -> None:
    after = understood("use new.csv", TWO)
    assert [q.text for q in after.questions] == ["Which part is meant: churn or price?"]
    assert not diff(TWO, after)


WORDS = re.split(
    " ",
    "make it 0.92 95 % 50 ms $ 20 10 minutes hours instead also drop forget the budget deadline accuracy f1 rmse p95 "
    "latency use iris.csv label is species deploy canary direct production no GPUs not only xgboost trials 30 replicas "
    "3 steps , . ? stop at below above least most spend within for 改成 预算 准确率 不要 毫秒 取消 用 至少 美元 三 "
    "churn price / ' \" -1 1e9 ∞ ½ 0",
)


@pytest.mark.parametrize("before", [BEFORE, TWO, understood("Scale the endpoint ranking to 4 replicas.")])
def test_any_row_of_words_gives_a_contract_or_a_question(before: Contract) -> None:
    words = Random(7)
    for _ in range(60):
        text = " ".join(words.choice(WORDS) for _ in range(words.randint(1, 9)))
        found = Rules().understand(Goal.of(text, source="test"), Context(now=1.7e9, before=before))
        if isinstance(found, Contract):
            assert Contract.model_validate(found.model_dump(by_alias=True)) == found
            assert all(str(change) for change in diff(before, found))


def test_an_empty_quotation_is_nothing() -> None:
    assert understood('species 不要 only \' 100% " " price ,', BEFORE)
