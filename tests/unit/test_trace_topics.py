"""What the words around a name or a number make of it: ruled out, counted, left out, taken back; in both languages."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from answering_asker import AnsweringAsker

from agent.brain.llm.understanding.kinds import AMOUNTS, TOPICS
from agent.brain.llm.understanding.said import said_of
from agent.brain.llm.understanding.trace import Tracing
from agent.brain.llm.understanding.understand import understand
from agent.brain.llm.understanding.words import Name, Words
from agent.brain.protocol import Context, Open
from agent.brain.rules.brain import Rules
from agent.contract import Clause, Contract, Part, Prepare
from agent.goal import Goal
from tools.record import Json

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC).timestamp()


def _rules(text: str) -> Contract:
    answer = Rules().understand(Goal.of(text, source="cli:tests"), Context(now=NOW))
    assert isinstance(answer, Contract), answer
    return answer


def _read(text: str, stated: Contract, earlier: str | None = None) -> Contract:
    context = Context(now=NOW)
    if earlier is not None:
        context = Context(now=NOW, before=_rules(earlier), said=(earlier,))
    asker = AnsweringAsker(said_of(stated), heedless=True)
    answer = understand(asker, Goal.of(text, source="cli:tests"), context)
    answer = answer.contract if isinstance(answer, Open) else answer
    assert isinstance(answer, Contract)
    return answer


def _changed(contract: Contract, whole: Json | None = None, part: Json | None = None) -> Contract:
    raw = contract.model_dump(by_alias=True)
    for changes, record in ((whole or {}, raw), (part or {}, raw["parts"][0])):
        for path, value in changes.items():
            place, (*above, name) = record, path.split(".")
            for step in above:
                place[step] = place.get(step) or {}
                place = place[step]
            place[name] = value
    return Contract.model_validate(raw)


# What is ruled out


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("Watch churn. Leave ranking alone.", "name", "ranking"),
        ("Watch churn. Do not watch ranking.", "name", "ranking"),
        ("Watch churn. Ranking belongs to Bob, do not touch ranking.", "name", "ranking"),
        ("Train on a.csv. Avoid us-east-1.", "place", "us-east-1"),
        ("Train on a.csv. Do not run python wipe.py.", "command", "python wipe.py"),
        ("Train on a.csv, do not read b.csv.", "address", "b.csv"),
        ("监控 churn。别动 ranking。", "name", "ranking"),
        ("监控 churn。ranking 属于小王，不要碰 ranking。", "name", "ranking"),
        ("用 a.csv 训练，不要用 us-east-1。", "place", "us-east-1"),
        ("用 a.csv 训练，不要运行 python wipe.py。", "command", "python wipe.py"),
    ],
)
def test_a_name_that_is_only_ruled_out_vouches_for_nothing(text: str, kind: Name, name: str) -> None:
    assert not Words([text]).names(kind, name)
    assert not Words(["Train a model.", text]).names(kind, name)


@pytest.mark.parametrize(
    ("texts", "kind", "name"),
    [
        (["Watch ranking, but do not retrain ranking."], "name", "ranking"),
        (["Watch churn.", "And watch ranking, do not let it go down."], "name", "ranking"),
        (["Do not watch ranking.", "On second thought: watch ranking."], "name", "ranking"),
        (["Train in us-east-1, not in us-west-2."], "place", "us-east-1"),
        (["Run python train.py, do not run python wipe.py."], "command", "python train.py"),
        (["监控 ranking，不要重训 ranking。"], "name", "ranking"),
    ],
)
def test_a_name_that_is_also_asked_for_vouches(texts: list[str], kind: Name, name: str) -> None:
    assert Words(texts).names(kind, name)


@pytest.mark.parametrize("spared", ["Leave ranking alone.", "Do not watch ranking.", "别动 ranking。"])
def test_no_work_is_done_on_what_is_to_be_left_alone(spared: str) -> None:
    text = f"Watch churn, p95 below 100 ms. {spared}"
    told = _rules(text)
    ghost = Part(name="ranking", task="watch", target="ranking")
    found = _read(text, told.model_copy(update={"parts": (*told.parts, ghost)}))
    assert [p.target for p in found.parts] == ["churn"]
    assert "parts" in {q.field for q in found.questions}


# Columns that are left out


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("drop the column ssn, keep age", {"ssn"}),
        ("drop ssn and keep age", {"ssn"}),
        ("drop ssn, zip and age", {"ssn", "zip", "age"}),
        ("drop ssn, zip, and age", {"ssn", "zip", "age"}),
        ("ignore ssn; age matters", {"ssn"}),
        ("do not drop age, drop ssn", {"ssn"}),
        ("everything without ssn", {"ssn"}),
        ("去掉 ssn 列，保留 age", {"ssn"}),
        ("把 ssn 和 zip 两列去掉", {"ssn", "zip"}),
        ("不要用 ssn，age 留着", {"ssn"}),
        ("columns are ssn, zip and age", set()),
    ],
)
def test_a_column_is_left_out_under_a_word_of_its_own_clause(text: str, left_out: set[str]) -> None:
    words = Words([f"Train a classifier on a.csv, label y. {text}."])
    assert {name for name in ("ssn", "zip", "age") if words.names("dropped", name)} == left_out


def test_the_label_is_never_left_out() -> None:
    text = "Train a classifier on a.csv, label y. Drop ssn and y."
    told = _rules(text)
    part = told.parts[0].model_copy(update={"prepare": Prepare(drop_columns=("ssn", "y"))})
    for owned in ((told,), ()):
        bare = told.model_copy(update={"questions": (), "parts": (part,)})
        tracing = Tracing(Words([text]), tuple(t.model_copy(update={"parts": ()}) for t in owned))
        prepare = tracing.contract(bare).parts[0].prepare
        assert prepare is not None
        assert prepare.drop_columns == ("ssn",)


# What a bare number is a number of

_EVERY = sorted(TOPICS)


def _fields(text: str, value: float) -> set[str]:
    """Fields that a number of a text vouches for, one tracing each."""
    found = set()
    for path in _EVERY:
        for metric in ("latency_p95_ms", "mae", "accuracy"):
            clause = Clause.model_validate({"id": "c", "metric": metric, "op": "<=", "value": 0, "where": "live"})
            if Tracing(Words([text]), ()).vouches(value, path, clause) and not path.endswith("delta"):
                found.add(path.rpartition(".")[2])
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Train on a.csv, accuracy at least 80%. See ticket 4711.", 4711),
        ("Train on a.csv, accuracy at least 80%, see ticket 4711.", 4711),
        ("Train on a.csv, the budget is in ticket 4711", 4711),
        ("Watch eta. Issue 250.", 250),
        ("Deploy eta with the replicas of PR 812", 812),
        ("Deploy eta. We sit in Room 90.", 90),
        ("Deploy eta as a canary. Room 90.", 0.9),
        ("Watch eta, p95 matters. Room 900", 900),
        ("the ticket number is 400", 400),
        ("we have 8 people", 8),
        ("用 a.csv 训练。工单 4711", 4711),
        ("用 a.csv 训练，工单 4711。", 4711),
        ("用 a.csv 训练。我们有 500 家门店。", 500),
        ("我们有 8 个人", 8),
        ("房间 900", 900),
        ("the budget of cost centre 4711", 4711),
        ("accuracy matters on store 4711", 4711),
        ("our budget in 2024 was fine", 2024),
        ("项目 4711 的预算", 4711),
        ("see #250, p95 matters", 250),
        ("eta serves 500 stores", 500),
    ],
)
def test_a_number_that_nothing_of_a_contract_is_about_vouches_for_nothing(text: str, value: float) -> None:
    assert not _fields(text, value)


@pytest.mark.parametrize(
    ("text", "value", "fields"),
    [
        ("spend at most 400", 400, {"budget_usd"}),
        ("400 trials", 400, {"trials"}),
        ("try 400 trials for the lowest MAE", 400, {"trials"}),
        ("budget: 50", 50, {"budget_usd"}),
        ("the budget is tight, at most 50", 50, {"budget_usd"}),
        ("replicas: at most 3", 3, {"replicas", "min_replicas", "max_replicas"}),
        ("three copies of eta", 3, {"replicas", "min_replicas", "max_replicas"}),
        ("p95 below 400, ticket 4711", 400, {"value"}),
        ("MAE under 12, 8 people", 12, {"value"}),
        ("take the lowest MAE; it has to be under 12", 12, {"value"}),
        ("with confidence 95", 0.95, {"confidence"}),
        ("accuracy of at least 0.9 with 99% confidence", 0.9, {"value"}),
        ("precision of 0.7 while catching 0.6 of them (accuracy)", 0.6, {"value"}),
        ("with 95 % confidence", 0.95, {"confidence"}),
        ("hold out 0.2 of the rows", 0.2, {"holdout"}),
        ("canary 10/50", 10, {"steps"}),
        ("hold each step 900", 900, {"hold_s"}),
        ("window 900", 900, {"window_s"}),
        ("预算 400", 400, {"budget_usd"}),
        ("花费不超过 400", 400, {"budget_usd"}),
        ("400 次试验", 400, {"trials"}),
        ("副本数 3，工单 4711", 3, {"replicas", "min_replicas", "max_replicas"}),
        ("置信度 95", 0.95, {"confidence"}),
    ],
)
def test_a_bare_number_is_one_of_what_the_nearest_word_speaks_of(text: str, value: float, fields: set[str]) -> None:
    assert _fields(text, value) == fields, _fields(text, value)


@pytest.mark.parametrize(
    "text", ["half the replicas of eta", "eta 的副本减到一半", "half of the traffic", "50 % of the users"]
)
def test_a_share_of_something_else_is_no_confidence(text: str) -> None:
    assert not _fields(text, 0.5) & {"confidence", "holdout"}


def test_every_amount_of_a_contract_has_a_topic() -> None:
    assert set(TOPICS) == set(AMOUNTS)


def test_one_figure_serves_one_field_unless_it_is_repeated() -> None:
    clause = Clause.model_validate({"id": "c", "metric": "accuracy", "op": ">=", "value": 0, "where": "holdout"})
    once = Tracing(Words(["keep it alive for 15 minutes"]), ())
    assert once.vouches(900, "parts.rollout.lease_s", clause)
    assert not once.vouches(900, "deadline_s", clause)
    assert once.vouches(900, "parts.rollout.lease_s", clause)
    twice = Tracing(Words(["keep it alive for 15 minutes, finish in 15 minutes"]), ())
    assert twice.vouches(900, "parts.rollout.lease_s", clause)
    assert twice.vouches(900, "deadline_s", clause)


# Corrections

_BASE = "Deploy eta to staging, p95 below 100 ms, at most 3 replicas, budget $5."


@pytest.mark.parametrize(
    "text",
    ["the ticket number is 400", "we have 400 people", "工单号是 400", "我们有 400 人", "400 it is, see room 400"],
)
def test_a_number_of_something_else_changes_nothing_and_answers_no_question(text: str) -> None:
    before = _rules(_BASE)
    told = Rules().understand(Goal.of(text, source="cli:tests"), Context(now=NOW, before=before, said=(_BASE,)))
    assert isinstance(told, Contract)
    clauses = [{**c.model_dump(by_alias=True), "value": 400} for c in before.parts[0].clauses]
    for whole, part in (
        ({"budget_usd": 400}, {}),
        ({}, {"clauses": clauses}),
        ({}, {"rollout.max_replicas": 400, "rollout.replicas": 400}),
        ({"budget_usd": 400}, {"clauses": clauses, "rollout.max_replicas": 400}),
    ):
        found = _read(text, _changed(before, whole, part), _BASE)
        assert (found.budget_usd, found.parts) == (told.budget_usd, told.parts)
        assert set(told.questions) <= set(found.questions)


@pytest.mark.parametrize(
    ("text", "whole", "part"),
    [
        ("spend at most 400", {"budget_usd": 400}, {}),
        ("at most 4 replicas", {}, {"rollout.max_replicas": 4}),
        ("预算改成 400", {"budget_usd": 400}, {}),
        ("I could live with a bill of 400 dollars", {"budget_usd": 400}, {}),
    ],
)
def test_a_number_of_a_field_changes_that_field(text: str, whole: Json, part: Json) -> None:
    stated = _changed(_rules(_BASE), whole, part)
    found = _read(text, stated, _BASE)
    assert (found.budget_usd, found.parts) == (stated.budget_usd, stated.parts)
    assert not found.questions


def test_a_change_answers_no_question_about_another_number_of_the_message() -> None:
    """Whatever the grammar asks about the whole stays open while a figure of the message is not taken up."""
    text = "spend at most 400 and make the other thing 250"
    before = _rules(_BASE)
    told = Rules().understand(Goal.of(text, source="cli:tests"), Context(now=NOW, before=before, said=(_BASE,)))
    assert isinstance(told, Contract)
    assert told.questions
    found = _read(text, _changed(before, {"budget_usd": 400}), _BASE)
    assert {q.field for q in told.questions} <= {q.field for q in found.questions}


def test_what_the_grammar_finds_open_stays_open_where_the_model_is_silent() -> None:
    text = "why is the ranking service slow, fix it"
    goal, context = Goal.of(text, source="cli:tests"), Context(now=NOW)
    ruled = Rules().understand(goal, context)
    assert isinstance(ruled, Open)
    assert isinstance(understand(AnsweringAsker(said_of(ruled.contract)), goal, context), Open)


# Demands that are taken back


@pytest.mark.parametrize(
    "text",
    [
        "p95 of 100 ms must not be exceeded",
        "don't forget p95",
        "do not drop the p95 clause",
        "never ignore p95, please",
        "别忘了 p95 延迟",
        "不要取消 p95 的要求",
        "make sure p95 does not get worse",
        "I do not see the p95 in your summary",
        "why did you drop p95?",
        "without a drop in p95",
        "drop the budget, p95 is not negotiable",
        "skip the tests, watch p95",
        "ignore the noise in p95",
        "p95 不能变差",
        "nobody should drop p95",
        "drop rows where p95 is missing",
        "p95 不要去掉",
        "可以取消 p95 吗",
    ],
)
def test_a_demand_is_not_dropped_by_silence_and_a_no(text: str) -> None:
    assert not Words([text]).takes_back("latency_p95_ms")
    before = _rules(_BASE)
    told = Rules().understand(Goal.of(text, source="cli:tests"), Context(now=NOW, before=before, said=(_BASE,)))
    assert isinstance(told, Contract)
    found = _read(text, _changed(before, part={"clauses": ()}), _BASE)
    assert [p.clauses for p in found.parts] == [p.clauses for p in told.parts]


@pytest.mark.parametrize(
    "text",
    [
        "drop the latency clause",
        "remove the p95",
        "forget about p95",
        "ignore the limit on p95",
        "skip p95",
        "no longer require p95",
        "go on without the p95 requirement",
        "drop both the accuracy and p95",
        "p95 is no longer needed",
        "drop p95, not the accuracy",
        "取消 p95 的要求",
        "把 p95 去掉",
        "不要求 p95 了",
        "不再要求 p95",
        "p95 的要求取消",
        "p95 就算了",
        "scrap the p95 limit",
    ],
)
def test_a_demand_is_dropped_by_a_word_that_governs_it(text: str) -> None:
    assert Words([text]).takes_back("latency_p95_ms")
    assert not Words([text]).takes_back("error_rate")
