"""What a line means in the state of a conversation, in both languages: nothing here has any effect."""

from __future__ import annotations

import pytest

from agent.brain.rules.questions import is_question
from agent.doors.chat.conversation import alone
from agent.doors.chat.turns import LONGEST, At, Turn, meaning, tidy

NOTHING = At()
DRAFT = At(posed="start", draft=True)
GOING = At(run="going")
OVER = At(run="over")
ASKED = At(run="going", posed="approve", question="plan-1")
PROPOSED = At(run="going", posed="amend")
GOAL = "Predict species from penguins.csv with at least 0.9 accuracy, spend at most $5."
ZH_GOAL = "用 penguins.csv 预测 species，准确率不低于百分之九十。"


def read(line: str, at: At) -> Turn:
    return meaning(line, at, asks=is_question, alone=alone)


@pytest.mark.parametrize(
    ("at", "line", "kind"),
    [
        (NOTHING, GOAL, "goal"),
        (NOTHING, ZH_GOAL, "goal"),
        (NOTHING, "hello", "goal"),
        (NOTHING, "/data/penguins.csv: predict species", "goal"),
        (NOTHING, "what has it cost?", "question"),
        (NOTHING, "花了多少钱？", "question"),
        (DRAFT, "make it 0.92 instead", "correction"),
        (DRAFT, "改成 0.92", "correction"),
        (DRAFT, "Predict Survived from titanic.csv instead, at least 0.8 accuracy.", "goal"),
        (DRAFT, "用 titanic.csv 预测 Survived，准确率至少 0.8。", "goal"),
        (DRAFT, "what will it cost?", "question"),
        (GOING, "what is it doing?", "question"),
        (GOING, "why was that refused?", "question"),
        (GOING, "what has it cost, what will it cost?", "question"),
        (GOING, "show me the confusion matrix", "question"),
        (GOING, "现在在做什么？", "question"),
        (GOING, "为什么被拒绝？", "question"),
        (GOING, "make it 0.92 instead", "amendment"),
        (GOING, "spend at most $20", "amendment"),
        (GOING, "stop the canary at 50 ms", "amendment"),
        (GOING, "预算改为 20 美元", "amendment"),
        (GOING, "approve it", "amendment"),
        (GOING, GOAL, "goal"),
        (OVER, "make it 0.92 instead", "correction"),
        (OVER, "what was the accuracy?", "question"),
        (OVER, GOAL, "goal"),
        (ASKED, "what is it doing?", "question"),
        (ASKED, "yes, but spend at most $20", "amendment"),
        (ASKED, "I approve", "question"),
    ],
)
def test_a_message_is_what_its_words_and_the_state_make_of_it(at: At, line: str, kind: str) -> None:
    assert read(line, at) == Turn(kind=kind, text=line)  # type: ignore[arg-type]


@pytest.mark.parametrize("at", [DRAFT, ASKED, PROPOSED, At(run="going", posed="resume")])
@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("y", "yes"),
        ("YES", "yes"),
        ("yes.", "yes"),
        ("是", "yes"),
        ("好的。", "yes"),
        ("n", "no"),
        ("No!", "no"),
        ("不", "no"),
    ],
)
def test_a_yes_or_a_no_answers_what_the_prompt_asks(at: At, line: str, kind: str) -> None:
    assert read(line, at).kind == kind


@pytest.mark.parametrize("at", [NOTHING, GOING, OVER])
@pytest.mark.parametrize("line", ["y", "yes", "n", "是", "否"])
def test_a_yes_or_a_no_answers_nothing_where_nothing_was_asked(at: At, line: str) -> None:
    assert read(line, at).kind == "aside"


@pytest.mark.parametrize(
    ("line", "name", "text"),
    [("/status", "status", ""), ("/approve plan-1  plan-2", "approve", "plan-1  plan-2"), ("/NEW a\nb", "new", "a\nb")],
)
def test_a_command_is_a_slash_and_a_word_in_every_state(line: str, name: str, text: str) -> None:
    for at in (NOTHING, DRAFT, GOING, OVER, ASKED):
        assert read(line, at) == Turn(kind="command", name=name, text=text)


@pytest.mark.parametrize("line", ["", "   ", "\n\n", "\u202e\u200b", "\x1b[2J\x1b[31m", "\x00\x07"])
def test_what_shows_nothing_is_nothing(line: str) -> None:
    assert read(line, ASKED).kind == "empty"


@pytest.mark.parametrize("line", ["x" * (LONGEST + 1), "y" + " " * 1_000_000, "\ud83d make it 0.9", "caf\udce9"])
def test_what_cannot_be_read_says_so_and_is_no_message(line: str) -> None:
    found = read(line, DRAFT)
    assert found.kind == "unreadable"
    assert "nothing was done" in found.text


def test_a_message_keeps_its_lines_and_loses_what_steers_a_terminal() -> None:
    assert tidy("make it\x1b[2J 0.92\r\n\u202eand\tspend $5\n\n") == "make it 0.92\nand spend $5"


def test_what_hides_in_a_yes_does_not_make_it_another_yes() -> None:
    assert read("y\u200b", ASKED).kind == "yes"
    assert read("y\nes", ASKED).kind != "yes"
