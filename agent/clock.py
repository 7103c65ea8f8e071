"""Time as a dependency: the wall clock, and one that stands still for `plan` and tests."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Epoch seconds, and waiting."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class WallClock:
    """Real time."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class FixedClock:
    """Stands still until slept on."""

    def __init__(self, at: float) -> None:
        self._at = at

    def now(self) -> float:
        return self._at

    def sleep(self, seconds: float) -> None:
        self._at += seconds


def parse(text: str) -> float:
    """Epoch seconds of an RFC 3339 time; ValueError otherwise."""
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC: write e.g. 2026-03-02T09:00:00+00:00")
    return value.timestamp()


def stamp(at: float) -> str:
    """RFC 3339 in UTC with whole seconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
