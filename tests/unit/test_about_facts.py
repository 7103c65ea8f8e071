"""Facts of a run: everything that can be asked, from the record, each with its line; and the embedded answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from given import ACCURACY, NOW, contract, part, plan, step
from told_runs import GOLDEN, Journal, recorded, troubled

from agent.brain.protocol import Fact, Topic
from agent.brain.rules.answer import MOST, answer
from agent.lines import Consulted
from agent.state import Ended
from tools.inert import hidden_in
from tools.language import language_of, speaking

ASKED = yaml.safe_load((Path(__file__).parent / "asked_questions.yaml").read_text(encoding="utf-8"))
QUESTIONS = [(topic, question) for topic, questions in ASKED["topics"].items() for question in questions]
RUNS = sorted(folder.name for folder in GOLDEN.iterdir() if (folder / "journal.jsonl").exists())
BOTH = {language: (troubled(language), recorded("rolled-back", language)) for language in ("en", "zh")}


def of(facts: tuple[Fact, ...], topic: Topic) -> list[Fact]:
    return [f for f in facts if f.topic == topic]


def text(question: str, facts: tuple[Fact, ...]) -> str:
    with speaking(language_of(question)):
        found = answer(question, facts)
    assert found is not None, question
    return found.text


@pytest.mark.parametrize("name", RUNS)
def test_of_every_topic_something_is_known(name: str) -> None:
    assert {f.topic for f in recorded(name)} == set(get_args(Topic))
    assert {f.topic for f in Journal(contract(part())).facts()} == set(get_args(Topic))


@pytest.mark.parametrize("name", RUNS)
def test_every_cited_line_is_one_of_the_journal(name: str) -> None:
    lines = (GOLDEN / name / "journal.jsonl").read_text(encoding="utf-8").count("\n")
    assert all(f.seq is None or 1 <= f.seq <= lines for f in recorded(name))
    assert len({f.id for f in recorded(name)}) == len(recorded(name))


@pytest.mark.parametrize(("topic", "question"), QUESTIONS)
def test_every_question_is_answered_in_its_language_with_the_lines_it_is_from(topic: Topic, question: str) -> None:
    for facts in BOTH[language_of(question)]:
        found = answer(question, facts)
        assert found is not None
        assert found.by == "rules"
        assert topic in {f.topic for f in facts if f.id in found.facts}
        assert len(found.text.splitlines()) <= MOST + 4
    assert "[#" in text(question, BOTH[language_of(question)][1])


def test_what_cannot_be_told_is_not_answered() -> None:
    facts = troubled()
    for question in ASKED["nothing"]:
        assert answer(question, facts) is None
    assert answer("what has it cost?", ()) is None


def test_every_number_of_an_answer_stands_in_a_fact_or_is_a_line() -> None:
    facts = troubled()
    allowed = set(re.findall(r"\d+", " ".join(f"{f.says} {f.value} {f.seq}" for f in facts)))
    for _, question in QUESTIONS:
        ours = r"and \d+ more like these|还有 \d+ 条类似的|of \w+ the record says nothing|记录里没有 \w+"
        said = re.sub(ours, "", text(question, facts))
        assert set(re.findall(r"\d+", said)) <= allowed


def test_money_is_what_the_ledger_says() -> None:
    story = Journal(contract(part(ACCURACY), budget_usd=5.0))
    story.ended("prepare", {"train_rows": 1, "validation_rows": 1, "holdout_rows": 1}, settled_micro=0)
    said = {f.says: f.value for f in of(story.facts(), "cost")}
    assert said["spent so far"] == "$0.00"
    assert said["the budget"] == "$5.00"
    assert said["left of the budget"] == "$5.00"
    assert said["of that for compute"] == "$0.25"


def test_what_runs_is_said_with_how_long_it_has_run() -> None:
    story = Journal(contract(part()), plan(step("prepare"), step("next", needs=("prepare",))))
    story.begun("prepare")
    story.tell("outcome", Ended(call="r/prepare/1", phase="running", handle="h"))
    said = text("what is it doing?", story.facts(now=NOW + 90))
    assert "it is doing prepare: prepare_data, for 1 min 30 s" in said
    assert "what is still to come: next" in said


def test_a_question_that_names_a_step_is_answered_about_that_step() -> None:
    facts = recorded("rolled-back")
    said = text("how did step monitor-10 go?", facts)
    assert said.startswith("step monitor-10: ")
    assert "prepare" not in said


def test_a_question_that_names_a_metric_nobody_measured_is_told_so() -> None:
    said = text("what is the recall?", troubled())
    assert "of recall the record says nothing" in said


def test_what_was_asked_of_people_names_who_may_answer() -> None:
    story = Journal(contract(part(ACCURACY, strategy="direct"), environment="production"))
    assert story.run.pending
    said = text("who can approve this?", story.facts(status="waiting"))
    assert "bob" in said
    assert "may answer it, until" in said
    for id_ in story.run.pending:
        assert id_ in said


def test_what_was_refused_is_said_in_the_words_of_the_policies_with_the_line_of_the_verdict() -> None:
    story = Journal(
        contract(part(ACCURACY)), plan(step("leave", "release_resource", {"kind": "endpoint", "id": "else"}))
    )
    ruling = story.begun("leave")
    assert ruling in ("refused", "held")
    verdict = story.run.calls["r/leave/1"].verdict
    said = text("why was that refused?", story.facts())
    assert f"leave was {ruling}" in said
    assert all(policy in said for policy in verdict.policies)
    assert f"[#{story.run.calls['r/leave/1'].seq}]" in said


def test_what_a_model_took_is_counted() -> None:
    said = text("how many tokens did the llm use?", troubled())
    assert "321 read, 12 written" in said
    assert "$0.0042" in said


def test_a_model_without_a_price_is_never_said_to_be_free() -> None:
    story = Journal(contract(part()))
    story.tell("model", Consulted(id="a-1", purpose="answer", model="m", outcome="answered", usd_micro=None))
    assert {f.value for f in story.facts() if f.says == "what the language model cost"} == {
        "not known: its price is not"
    }


def test_the_confusion_matrix_is_shown_row_by_row() -> None:
    said = text("show me the confusion matrix", troubled())
    assert "70" in said
    assert "41" in said


def test_text_from_outside_is_marked_so_and_cannot_act_on_a_screen() -> None:
    for facts in (troubled(), troubled("zh"), troubled(status="failed")):
        for fact in facts:
            assert not hidden_in(f"{fact.says}{fact.value}")
            assert "evil.example" not in f"{fact.says}{fact.value}"
            if "IGNORE ALL RULES" in f"{fact.says}{fact.value}":
                assert fact.outside


def test_what_stands_in_a_value_is_no_place_for_another() -> None:
    facts = (
        Fact(id="f1", topic="goal", says="the goal", value="print {f2}", seq=1),
        Fact(id="f2", topic="cost", says="x", value="secret"),
    )
    assert text("what was the goal?", facts) == "the goal: print {f2} [#1]"


def test_answers_in_chinese_are_in_chinese() -> None:
    said = text("它花了多少钱？", troubled("zh"))
    assert "至今花费：$0.0042" in said
