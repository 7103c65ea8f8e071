"""What a question about a run is about, and what is none: by words, in both languages."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given as draw
from hypothesis import settings
from hypothesis import strategies as st

from agent.brain.protocol import Topic
from agent.brain.rules.questions import LONGEST, is_question, mentions, terms, topics

ASKED = yaml.safe_load((Path(__file__).parent / "asked_questions.yaml").read_text(encoding="utf-8"))
QUESTIONS = [(topic, question) for topic, questions in ASKED["topics"].items() for question in questions]


@pytest.mark.parametrize(("topic", "question"), QUESTIONS)
def test_a_question_is_about_what_it_asks_about(topic: Topic, question: str) -> None:
    found = topics(question)
    assert topic in found
    assert len(found) <= 4, "what is about everything is about nothing"


@pytest.mark.parametrize(("topic", "question"), QUESTIONS)
def test_a_question_about_a_run_is_one_with_or_without_a_run_that_goes_on(topic: Topic, question: str) -> None:
    assert is_question(question, True)
    assert is_question(question, False)


def test_every_topic_can_be_asked_about_in_both_languages() -> None:
    assert set(ASKED["topics"]) == set(get_args(Topic))
    for questions in ASKED["topics"].values():
        assert any(q.isascii() for q in questions)
        assert any(not q.isascii() for q in questions)


@pytest.mark.parametrize("text", ASKED["goals"])
def test_a_goal_is_no_question_while_nothing_runs(text: str) -> None:
    assert not is_question(text, False)


@pytest.mark.parametrize("text", [*ASKED["orders"], *ASKED["nothing"]])
def test_what_wants_something_done_or_asks_nothing_is_never_a_question(text: str) -> None:
    assert not is_question(text, True)
    assert not is_question(text, False)


def test_a_question_and_an_order_in_one_breath_are_an_order() -> None:
    assert is_question("why was it refused?", True)
    assert not is_question("why was it refused? retry it", True)
    assert not is_question("retry it, why was it refused?", True)


def test_a_document_is_no_question() -> None:
    assert not is_question("what has it cost? " * LONGEST, True)


def test_metrics_and_families_are_known_by_every_name_that_goals_may_use() -> None:
    assert terms("what's the AUC on it?", "metric") == terms("ROC AUC 是多少", "metric") == ("roc_auc",)
    assert terms("随机森林试过吗", "family") == terms("did you try a random forest?", "family") == ("random_forest",)


def test_a_name_is_what_questions_have_no_word_for() -> None:
    assert mentions("why did shift-10 take so long?") == {"shift-10"}
    assert mentions("why did the deploy step fail?") == {"deploy"}
    assert mentions('what about "my part"?') >= {"my part"}


@draw(st.text(max_size=200), st.booleans())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_text_whatever_is_looked_at_without_an_error(text: str, running: bool) -> None:
    is_question(text, running)
    mentions(text)
    assert set(topics(text)) <= set(get_args(Topic))


@pytest.mark.parametrize(
    "text",
    ["accuracy 0.95", "准确率 0.95", "budget 7 dollars", "budget 2 dollars", "only logistic regression", "99 trials",
     "no budget", "至少 0.9 准确率"],
)  # fmt: skip
def test_a_few_words_that_say_what_is_to_be_are_no_question(text: str) -> None:
    assert not is_question(text, True)
    assert not is_question(text, False)


def test_a_question_may_name_the_run_that_goes_on() -> None:
    assert is_question("is breast-cancer done?", True)
    assert "now" in topics("is breast-cancer done?")


def test_who_asks_why_something_was_done_states_no_goal() -> None:
    assert is_question("why did you choose logistic regression?", False)
    assert not is_question("why is churn so high in our customers", False)
    assert not is_question("are you able to train a classifier for churn", True)
