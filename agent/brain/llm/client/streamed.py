"""Pieces of an answer out of the bytes of an HTTP response, streamed or whole. Pure, and bounded in what it keeps.

Nothing is taken for granted: servers and what stands before them send pages, errors and halves of answers with a
status of success.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from agent.brain.llm.client.errors import Nonsense, Unavailable
from agent.brain.llm.client.reading import NotJson, loads
from tools.language import tr

MOST_CHARACTERS = 256 * 1024
"""Of an answer, all of its parts together."""
MOST_WIRE = 16 * 1024 * 1024
"""Bytes of a response."""
_MOST_LINE = 1024 * 1024
_MOST_CALLS = 16
_MOST_TOKENS = 100_000_000
"""More than that no server can mean."""

Finish = Literal["stop", "length", "filtered"]
_FINISHES: dict[str, Finish] = {"length": "length", "max_tokens": "length", "content_filter": "filtered"}


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens, as the server counts them."""

    read: int
    written: int


@dataclass(frozen=True, kw_only=True)
class CallPiece:
    """Some of a tool call."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some of an answer."""

    text: str = ""
    refusal: str = ""
    calls: tuple[CallPiece, ...] = ()
    finish: Finish | None = None
    usage: Usage | None = None


def cut_off() -> Unavailable:
    return Unavailable(tr("the model's server broke off in the middle of an answer"), worked=True)


def _foreign() -> Nonsense:
    return Nonsense(tr("the model's server sends something else than answers: is OPENAI_BASE_URL right?"))


def _too_long() -> Nonsense:
    return Nonsense(tr("the model's answer does not end: reading stopped at {most} characters", most=MOST_CHARACTERS))


class Reader:
    """Reads one response, as its bytes come in."""

    def __init__(self, *, streamed: bool | None) -> None:
        """`streamed`: whether its header says that it is a stream of events; None: it says neither."""
        self._streamed = streamed
        self._rest = bytearray()
        self._data: list[str] = []
        self._event = ""
        self._characters = 0
        self._seen = False
        self.done = False
        """Nothing more is to come."""
        self.finished = False
        """The model has finished, and only its bill may follow."""

    @property
    def characters(self) -> int:
        return self._characters

    def feed(self, data: bytes) -> Iterator[Piece]:
        """What the next bytes bring. Nonsense, Unavailable."""
        self._rest += data
        if self._streamed is None and (start := bytes(self._rest[:64]).lstrip()):
            self._streamed = start[:1] in b"de:i"
            if not self._streamed and start[:1] != b"{":
                raise _foreign()
        if self._streamed:
            yield from self._lines()
        if len(self._rest) > _MOST_LINE:
            raise _too_long()

    def end(self) -> Iterator[Piece]:
        """What the end of the response brings. Unavailable when that is too early."""
        if self._streamed:
            yield from self._line(bytes(self._rest))
            yield from self._dispatch(last=True)
            if not self._seen:
                raise _foreign()
            if not (self.done or self.finished):
                raise cut_off()
        else:
            yield self._counted(_whole(bytes(self._rest)))
        self.done = True

    def _lines(self) -> Iterator[Piece]:
        *lines, rest = self._rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        if self._rest.endswith(b"\r") and lines:  # its line feed may be still to come
            lines, rest = lines[:-1], lines[-1] + b"\r"
        self._rest = bytearray(rest)
        for line in lines:
            if self.done:
                return
            yield from self._line(bytes(line))

    def _line(self, line: bytes) -> Iterator[Piece]:
        try:
            field, _, value = line.decode().partition(":")
        except UnicodeDecodeError as error:
            raise _foreign() from error
        if not line.strip():
            yield from self._dispatch()
        elif field == "data":
            self._data.append(value.removeprefix(" "))
        elif field == "event":
            self._event = value.strip()

    def _dispatch(self, *, last: bool = False) -> Iterator[Piece]:
        """One event. The last one of a response may be half of one."""
        text, event = "\n".join(self._data).strip(), self._event
        self._data, self._event = [], ""
        if not text or self.done:
            return
        if text == "[DONE]":
            if not self._seen:
                raise _foreign()
            self.done = True
            return
        if event not in ("", "message", "error"):
            return
        if len(text) > MOST_CHARACTERS:
            raise _too_long()
        try:
            chunk = loads(text)
        except NotJson as error:
            raise (cut_off() if last else _foreign()) from error
        if event == "error":
            raise _broken(chunk)
        yield self._counted(_piece(chunk, "delta"))

    def _counted(self, piece: Piece) -> Piece:
        self._seen = True
        self._characters += len(piece.text) + len(piece.refusal) + sum(len(c.arguments + c.name) for c in piece.calls)
        if self._characters > MOST_CHARACTERS:
            raise _too_long()
        self.finished = self.finished or piece.finish is not None
        return piece


def _whole(body: bytes) -> Piece:
    """A response that is one JSON document."""
    if len(body) > MOST_CHARACTERS:
        raise _too_long()
    try:
        return _piece(loads(body.decode()), "message")
    except NotJson as error:
        unclosed = body.lstrip()[:1] == b"{" and not body.rstrip().endswith(b"}")
        raise (cut_off() if unclosed else _foreign()) from error
    except UnicodeDecodeError as error:
        raise _foreign() from error


def _broken(chunk: Any) -> Unavailable:
    del chunk  # its words are the server's
    return Unavailable(tr("the model's server reports an error in the middle of an answer"), worked=True)


def _piece(chunk: Any, part: Literal["delta", "message"]) -> Piece:
    if isinstance(chunk, dict) and chunk.get("error"):
        raise _broken(chunk)
    choices = chunk.get("choices") if isinstance(chunk, dict) else None
    usage = _usage(chunk.get("usage")) if isinstance(chunk, dict) else None
    if not isinstance(choices, list) or (not choices and (part == "message" or usage is None)):
        if usage is not None and choices is None and part == "delta":
            return Piece(usage=usage)
        raise _foreign()
    first = next((c for c in choices if isinstance(c, dict) and c.get("index", 0) in (0, None)), None)
    if first is None:
        if any(not isinstance(c, dict) for c in choices):
            raise _foreign()
        return Piece(usage=usage)
    said = first.get(part) or {}
    if not isinstance(said, dict):
        raise _foreign()
    return Piece(
        text=_text(said.get("content")),
        refusal=said["refusal"] if isinstance(said.get("refusal"), str) else "",
        calls=_calls(said.get("tool_calls")),
        finish=_finish(first.get("finish_reason"), whole=part == "message"),
        usage=usage,
    )


def _finish(word: Any, *, whole: bool) -> Finish | None:
    if isinstance(word, str) and word:
        return _FINISHES.get(word, "stop")
    return "stop" if whole else None


def _text(content: Any) -> str:
    """A text, or the texts of a list of parts."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(text for text in texts if isinstance(text, str))
    if content is None or isinstance(content, str):
        return content or ""
    raise _foreign()


def _calls(calls: Any) -> tuple[CallPiece, ...]:
    if calls is None:
        return ()
    if not isinstance(calls, list) or len(calls) > _MOST_CALLS or not all(isinstance(call, dict) for call in calls):
        raise _foreign()
    return tuple(_call(call, place) for place, call in enumerate(calls))


def _call(call: dict[str, Any], place: int) -> CallPiece:
    function, index = call.get("function") or {}, call.get("index", place)
    if not isinstance(function, dict) or not isinstance(index, int) or not 0 <= index < _MOST_CALLS:
        raise _foreign()
    words = [call.get("id") or "", function.get("name") or "", function.get("arguments") or ""]
    if not all(isinstance(word, str) for word in words):
        raise _foreign()
    identity, name, arguments = words
    return CallPiece(index=index, id=identity[:64], name=name[:64], arguments=arguments)


def _usage(said: Any) -> Usage | None:
    """None where the server says nothing, or what cannot be."""
    if not isinstance(said, dict):
        return None
    read, written = said.get("prompt_tokens"), said.get("completion_tokens")
    sound = all(
        isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) and 0 <= n <= _MOST_TOKENS
        for n in (read, written)
    )
    return Usage(read=math.ceil(read or 0), written=math.ceil(written or 0)) if sound else None
