"""Pieces of an answer from bytes, however they are cut; and what is no answer, by kind."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.brain.llm.client.errors import NoAnswer, Nonsense, Unavailable
from agent.brain.llm.client.streamed import MOST_CHARACTERS, Piece, Reader, Usage


def chunk(text: str | None, finish: str | None = None) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


BILL = json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
STREAM = "".join(f"data: {e}\n\n" for e in (chunk("Grü"), chunk("ße"), chunk(None, "stop"), BILL, "[DONE]")).encode()


def pieces(body: bytes, *, size: int = 10**6, streamed: bool | None = None) -> list[Piece]:
    reader = Reader(streamed=streamed)
    found = [p for start in range(0, len(body), size) for p in reader.feed(body[start : start + size])]
    return found if reader.done else [*found, *reader.end()]


def text(found: list[Piece]) -> str:
    return "".join(piece.text for piece in found)


@given(st.integers(1, 60), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_however_the_bytes_are_cut_the_answer_is_the_same(size: int, ending: bytes) -> None:
    found = pieces(STREAM.replace(b"\n", ending), size=size)
    assert text(found) == "Grüße"
    assert [piece.usage for piece in found if piece.usage] == [Usage(read=3, written=2)]
    assert [piece.finish for piece in found if piece.finish] == ["stop"]


@given(st.integers(1, len(STREAM) - 1))
def test_a_stream_that_is_cut_is_an_answer_only_if_the_model_had_finished(length: int) -> None:
    try:
        found = pieces(STREAM[:length])
    except (Unavailable, Nonsense):
        assert length <= len(STREAM)
    else:
        assert text(found) == "Grüße"


@given(st.binary(max_size=300), st.sampled_from([True, None]))
def test_bytes_of_any_kind_are_pieces_or_no_answer(body: bytes, streamed: bool | None) -> None:
    try:
        found = pieces(body, streamed=streamed)
    except NoAnswer:
        return
    assert all(isinstance(piece, Piece) for piece in found)


def test_comments_and_events_of_other_names_are_passed_over() -> None:
    body = f': wait\n\nevent: ping\ndata: {{"a": 1}}\n\n{STREAM.decode()}'.encode()
    assert text(pieces(body)) == "Grüße"


def test_an_answer_in_one_piece_is_read_as_well() -> None:
    message = {"content": "hi", "refusal": None, "tool_calls": None}
    body = json.dumps({"choices": [{"message": message, "finish_reason": None}], "usage": None}).encode()
    assert pieces(body, size=7) == [Piece(text="hi", finish="stop")]


def test_a_text_in_parts_is_one_text() -> None:
    content = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    assert text(pieces(json.dumps({"choices": [{"message": {"content": content}}]}).encode())) == "ab"


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html>Sign in</html>",
        b"{}",
        b"[]",
        b"null",
        b'"text"',
        b'{"choices": null}',
        b'{"choices": []}',
        b'{"choices": [1]}',
        b'{"choices": {"a": 1}}',
        b'{"choices": [{"message": "text"}]}',
        b'{"choices": [{"message": {"content": 7}}]}',
        b'{"choices": [{"message": {"tool_calls": [1]}}]}',
        b'{"choices": [{"message": {"tool_calls": [{"function": {"name": 7}}]}}]}',
        b'{"choices": [{"message": {"tool_calls": [{"function": 3}]}}]}',
        b'{"choices": [{"message": {"tool_calls": [{"index": -1}]}}]}',
        b"data: {}\n\n",
        b"data: {bad json}\n\ndata: [DONE]\n\n",
        b"data: [1]\n\ndata: [DONE]\n\n",
        b"data: [DONE]\n\n",
        b"data: \xff\xfe\n\n",
        b"event: x\n\n",
        b"",
        b'{"choices": [{"message": {"content": "\xff"}}]}',
        b'{"a": ' * 50_000,
    ],
)
def test_what_is_no_answer_is_no_answer(body: bytes) -> None:
    with pytest.raises(NoAnswer):
        pieces(body)


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"error": {"message": "overloaded"}}\n\n',
        b'event: error\ndata: {"message": "overloaded"}\n\n',
        f"data: {chunk('a')}\n\n".encode(),
        f'data: {chunk("a")}\n\ndata: {{"choi'.encode(),
        b'{"choices": [{"message": {"content": "a',
        b'{"error": {"message": "overloaded"}}',
    ],
)
def test_what_breaks_off_may_be_asked_again(body: bytes) -> None:
    with pytest.raises(Unavailable) as raised:
        pieces(body)
    assert raised.value.worked


@pytest.mark.parametrize("pieced", [True, False])
def test_an_answer_without_end_is_not_read_to_its_end(pieced: bool) -> None:
    reader, fed = Reader(streamed=True), 0
    body = f"data: {chunk('x' * 1000)}\n\n".encode() if pieced else b"data: " + b"x" * 10_000
    with pytest.raises(Nonsense):  # noqa: PT012 - how far it came counts
        for _ in range(10_000):
            fed += len(body)
            list(reader.feed(body))
    assert fed < 6 * MOST_CHARACTERS


def test_what_follows_the_end_is_not_looked_at() -> None:
    assert text(pieces(STREAM + b"data: {bad\n\n")) == "Grüße"


@pytest.mark.parametrize(
    "said",
    [None, [], {}, {"prompt_tokens": -1, "completion_tokens": 1}, {"prompt_tokens": True, "completion_tokens": 1},
     {"prompt_tokens": "3", "completion_tokens": 1}, {"prompt_tokens": 10**12, "completion_tokens": 1}],
)  # fmt: skip
def test_a_bill_that_cannot_be_is_none(said: object) -> None:
    body = json.dumps({"choices": [{"message": {"content": "hi"}}], "usage": said}).encode()
    assert pieces(body)[0].usage is None
