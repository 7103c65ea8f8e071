"""Lines that are chained by hash, so that a dropped or altered one shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from agent.errors import Broken
from tools.collected import uncollected
from tools.record import Json, Record


class Line(Record):
    """One journal line as it is stored."""

    run: str
    seq: int
    at: float
    kind: str
    body: Json
    hash: str


def chain(previous: str, seq: int, at: float, kind: str, body: str) -> str:
    """The hash of a line: sha256 over the previous hash and every stored column."""
    return hashlib.sha256(f"{previous}\n{seq}\n{at!r}\n{kind}\n{body}".encode()).hexdigest()


def chained(
    of: str, rows: Iterable[tuple[int, float, str, str, str]], previous: str = "", *, after: int = 0, what: str
) -> list[Line]:
    """The lines, each checked against the one before it."""
    result = []
    with uncollected():
        for expected, (seq, at, kind, body, stored) in enumerate(rows, start=after + 1):
            if seq != expected or chain(previous, seq, at, kind, body) != stored:
                raise Broken(f"the {what} of {of} has been altered at line {expected}")
            previous = stored
            result.append(Line(run=of, seq=seq, at=at, kind=kind, body=json.loads(body), hash=stored))
    return result
