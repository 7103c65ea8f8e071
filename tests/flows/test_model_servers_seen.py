"""Habits of real model servers that differ from OpenAI's, replayed as they were seen on the wire."""

from __future__ import annotations

import json

import pytest
from model_desk import GOOD, Verdict, asked_for_a_verdict, asker, in_turn, serving

from evals.model_server.misbehaviour import Events, Status
from evals.model_server.replies import Answers, Reply
from tools.record import Json


def event(delta: Json, finish: str | None = None) -> bytes:
    choice = {"index": 0, "finish_reason": finish, "logprobs": None, "delta": delta}
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"


def called(piece: str, name: str = "answer") -> Json:
    """One piece of a call as llama-cpp-python streams it: whole names and ids every time, and the older field too."""
    function = {"name": name, "arguments": piece}
    call = {"index": 0, "id": "call__0_answer_cmpl-1", "type": "function", "function": function}
    return {"role": None, "content": None, "function_call": function, "tool_calls": [call]}


def test_a_name_that_comes_with_every_piece_of_a_call_is_one_name() -> None:
    text = json.dumps(GOOD)
    said = b"".join(event(called(text[at : at + 3])) for at in range(0, len(text), 3))
    stream = event({"role": "assistant", "content": None, "function_call": None, "tool_calls": None}) + said
    with serving(lambda _: Events(stream + event({}, "tool_calls") + b"data: [DONE]\n\n")) as server:
        assert asked_for_a_verdict(asker(server.url, form="tool")) == Verdict.model_validate(GOOD)
        assert len(server.recorded) == 1


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_server_that_fails_over_a_schema_it_does_not_know_is_asked_in_another_form(status: int) -> None:
    refused = Status(status, message="Input should be 'text' or 'json_object'")
    with serving(in_turn([refused, Answers(GOOD)])) as server:
        one = asker(server.url, form="auto")
        assert asked_for_a_verdict(one) == Verdict.model_validate(GOOD)
        assert len(server.recorded) == 2
    assert [line.outcome for line in one.consulted()] == ["answered"]


def test_a_call_that_is_sent_back_has_no_text_where_there_was_none() -> None:
    """llama-cpp-python refuses `null`, others an empty text."""
    wrong = json.dumps(GOOD | {"verdict": "perhaps"})
    replies: list[Reply] = [Events(event(called(wrong)) + event({}, "tool_calls") + b"data: [DONE]\n\n"), Answers(GOOD)]
    with serving(in_turn(replies)) as server:
        assert asked_for_a_verdict(asker(server.url, form="tool")) == Verdict.model_validate(GOOD)
        body = server.recorded[1].body
    assert body is not None
    sent_back = next(m for m in body["messages"] if m["role"] == "assistant")
    assert "content" not in sent_back
    assert sent_back["tool_calls"]
