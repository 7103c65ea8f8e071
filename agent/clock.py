"""Time as a dependency: real time that nobody can set, a run's own, and one that stands still for `plan` and tests.

The rule when the machine's clock is set: while a process lives, nothing moves (`tools.steady`). The next process takes
the new time over, but a run's time goes on from the last line of its journal and never back: what has expired by then
stays expired, and what remains of a deadline is what remained of it at that line. Time that seems to have passed while
nobody drove the run counts as passed: an approval expires rather than lives on, and only work that is seen running gets
its whole limit again. What a resource is told of its lease is the process's time, since it knows no journal.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

from tools.steady import steady


class Clock(Protocol):
    """Epoch seconds, and waiting."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class SteadyClock:
    """Real time, the same for the whole process."""

    def now(self) -> float:
        return steady().now()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class RunClock:
    """The time of a run that this process has taken over: never before what its journal says, and from there on as the
    clock goes."""

    def __init__(self, clock: Clock, ahead: float) -> None:
        """`ahead`: seconds by which the run's time is ahead of the process's, since the machine's clock went back."""
        self._clock = clock
        self.ahead = ahead

    def now(self) -> float:
        return self._clock.now() + self.ahead

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


class RunClocks:
    """The clocks of the runs that a process takes over: how far one is ahead is kept as long as the process lives, so
    that the time of a run that is suspended passes as well."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: dict[str, float] = {}

    def now(self) -> float:
        """The process's own time."""
        return self._clock.now()

    def of(self, run: str, last: float) -> RunClock:
        """`last`: epoch seconds of the journal's last line."""
        ahead = max(self._ahead.get(run, 0.0), last - self._clock.now())
        if ahead > 0:
            self._ahead[run] = ahead
        return RunClock(self._clock, max(0.0, ahead))


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
