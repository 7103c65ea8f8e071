"""What goes wrong between a client and a model server, each as a reply."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from evals.model_server.asked import Asked
from evals.model_server.line import Line
from evals.model_server.replies import Message, completion, events

LONG_S = 3_600.0
"""Longer than any client waits; the server's end cuts it short."""


@dataclass(frozen=True)
class Status:
    """An HTTP status with OpenAI's error, and headers of its own."""

    status: int
    message: str = "The server had an error processing your request."
    headers: dict[str, str] = field(default_factory=dict)
    code: str | None = None

    def send(self, line: Line, asked: Asked) -> None:
        kind = "rate_limit_exceeded" if self.status == 429 else "server_error"
        told = {"error": {"message": self.message, "type": kind, "param": None, "code": self.code}}
        headers = {name.replace("-", "_"): value for name, value in self.headers.items()}
        line.whole(self.status, json.dumps(told).encode(), **headers)


@dataclass(frozen=True)
class Bytes:
    """Any bytes with any status and type."""

    data: bytes
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, line: Line, asked: Asked) -> None:
        line.whole(self.status, self.data, self.kind, **{n.replace("-", "_"): v for n, v in self.headers.items()})


@dataclass(frozen=True)
class Events:
    """A stream of exactly these bytes, orderly ended unless `cut`."""

    data: bytes
    kind: str = "text/event-stream; charset=utf-8"
    cut: bool = False

    def send(self, line: Line, asked: Asked) -> None:
        line.opened(self.kind)
        line.piece(self.data)
        if self.cut:
            line.cut()
        else:
            line.ended()


class Hangs:
    """Takes the request and never answers."""

    def send(self, line: Line, asked: Asked) -> None:
        line.wait(LONG_S)
        line.cut()


class Resets:
    """Takes the request and resets the connection."""

    def send(self, line: Line, asked: Asked) -> None:
        line.reset()


@dataclass(frozen=True)
class Partly:
    """The beginning of a good answer, then something else."""

    text: str
    then: str = "cut"
    """`cut`, `reset` or `hang`."""
    share: float = 0.5

    def send(self, line: Line, asked: Asked) -> None:
        wanted = _wanted(self.text, asked)
        line.opened()
        for part in wanted[: max(1, int(len(wanted) * self.share))]:
            line.piece(part)
        if self.then == "hang":
            line.wait(LONG_S)
        if self.then == "reset":
            line.reset()
        line.cut()


@dataclass(frozen=True)
class Drips:
    """A good answer, one byte at a time."""

    text: str
    every_s: float = 1.0

    def send(self, line: Line, asked: Asked) -> None:
        line.opened()
        for byte in b"".join(_wanted(self.text, asked)):
            if not line.piece(bytes([byte])) or not line.wait(self.every_s):
                break
        line.cut()


@dataclass(frozen=True)
class Floods:
    """Words for ever: an answer that does not end."""

    chunk: str = "word " * 2_000

    def send(self, line: Line, asked: Asked) -> None:
        first = _wanted(self.chunk, asked)[1]
        line.opened()
        while line.piece(first) and line.wait(0.0):
            pass
        line.cut()


def _wanted(text: str, asked: Asked) -> list[bytes]:
    message = Message(content=text)
    if asked.body.get("stream") is True:
        return list(events(message, asked))
    told: Any = completion(message, asked)
    return [json.dumps(told).encode()]
