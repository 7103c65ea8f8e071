"""What a model says, put on the wire as a server does it: whole, or as a stream of events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from evals.model_server.asked import Asked
from evals.model_server.line import Line
from evals.model_server.tokens import tokens_in, tokens_of
from evals.model_server.wire import Body

Finish = Literal["stop", "length", "content_filter", "tool_calls"]
CREATED = 1_700_000_000
_PIECES = 12
"""A streamed text comes in about so many pieces."""


class Reply(Protocol):
    """What becomes of a request."""

    def send(self, line: Line, asked: Asked) -> None: ...


Model = Callable[[Asked], Reply]


@dataclass(frozen=True)
class Message:
    """What the assistant says: a text, a call or a refusal."""

    content: str | None = None
    refusal: str | None = None
    call: tuple[str, str] | None = None
    """Name and arguments of a function."""
    finish: Finish = "stop"

    @property
    def tokens(self) -> int:
        return tokens_of((self.content or "") + (self.refusal or "") + "".join(self.call or ()))

    def send(self, line: Line, asked: Asked) -> None:
        """As the request wants it."""
        if asked.body.get("stream") is not True:
            line.whole(200, _encoded(completion(self, asked)))
            return
        line.opened()
        for event in events(self, asked):
            if not line.piece(event):
                return
        line.ended()


@dataclass(frozen=True)
class Answers:
    """A JSON value, in the form that the request asks for."""

    value: Any

    def send(self, line: Line, asked: Asked) -> None:
        said(json.dumps(self.value, ensure_ascii=False), asked).send(line, asked)


def written_in(reply: Reply, asked: Asked) -> int:
    """Tokens of what a model says; 0 of what is none."""
    match reply:
        case Message():
            return reply.tokens
        case Answers():
            return said(json.dumps(reply.value, ensure_ascii=False), asked).tokens
        case _:
            return 0


def said(text: str, asked: Asked) -> Message:
    """The text as content, or as the arguments of the function that is to be called."""
    if asked.form == "tool":
        return Message(call=(asked.name, text), finish="tool_calls")
    return Message(content=text)


def completion(message: Message, asked: Asked) -> Body:
    """The answer as one document."""
    told: dict[str, Any] = {"role": "assistant", "content": message.content, "refusal": message.refusal}
    if message.call is not None:
        told["tool_calls"] = [{"id": _call_id(asked), "type": "function", "function": _function(message)}]
    choice = {"index": 0, "message": told, "logprobs": None, "finish_reason": message.finish}
    return _envelope("chat.completion", asked) | {"choices": [choice], "usage": usage(message, asked)}


def usage(message: Message, asked: Asked) -> Body:
    read = tokens_in(asked.body)
    return {"prompt_tokens": read, "completion_tokens": message.tokens, "total_tokens": read + message.tokens}


def events(message: Message, asked: Asked) -> Iterator[bytes]:
    """The answer as server-sent events, the last of which says that it is done."""
    with_usage = (asked.body.get("stream_options") or {}).get("include_usage") is True
    more: dict[str, Any] = {"usage": None} if with_usage else {}
    envelope = _envelope("chat.completion.chunk", asked) | more
    for delta, finish in _deltas(message, asked):
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        yield event(envelope | {"choices": [choice]})
    if with_usage:
        yield event(envelope | {"choices": [], "usage": usage(message, asked)})
    yield b"data: [DONE]\n\n"


def event(told: Body) -> bytes:
    return b"data: " + _encoded(told) + b"\n\n"


def _deltas(message: Message, asked: Asked) -> Iterator[tuple[Body, Finish | None]]:
    yield {"role": "assistant", "content": None if message.call else "", "refusal": None}, None
    if message.call is not None:
        name, arguments = message.call
        first = {"index": 0, "id": _call_id(asked), "type": "function", "function": {"name": name, "arguments": ""}}
        yield {"tool_calls": [first]}, None
        for piece in _pieces(arguments):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}, None
    for kind, text in (("content", message.content), ("refusal", message.refusal)):
        for piece in _pieces(text or ""):
            yield {kind: piece}, None
    yield {}, message.finish


def _pieces(text: str) -> Iterator[str]:
    step = max(1, -(-len(text) // _PIECES))
    return (text[at : at + step] for at in range(0, len(text), step))


def _envelope(kind: str, asked: Asked) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{asked.number}",
        "object": kind,
        "created": CREATED,
        "model": asked.body["model"],
        "system_fingerprint": "fp_scripted",
    }


def _call_id(asked: Asked) -> str:
    return f"call_{asked.number}"


def _function(message: Message) -> Body:
    name, arguments = message.call or ("", "")
    return {"name": name, "arguments": arguments}


def _encoded(told: Body) -> bytes:
    """Lone surrogates go as escapes, as a careless server sends them."""
    try:
        return json.dumps(told, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(told).encode()
