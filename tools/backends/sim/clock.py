"""Virtual time: stands still until told to go on, or passes by itself. Knows nothing of what happens meanwhile."""

from __future__ import annotations

import math
import threading
import time
from typing import NamedTuple

START = 1_767_225_600.0
"""2026-01-01T00:00:00Z, where a world begins unless it says otherwise."""


class VirtualClock:
    """Epoch seconds that pass only when somebody waits. Satisfies the agent's clock."""

    passes = False

    def __init__(self, start: float = START) -> None:
        self.start = start
        """When it began."""
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> float:
        """Let time pass; the time it is then. ValueError when it would go back."""
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(f"time cannot pass by {seconds!r} s: give a finite number >= 0")
        with self._lock:
            self._now += seconds
            return self._now

    def sleep(self, seconds: float, interrupt: object = None) -> None:
        """Jump ahead; nothing can interrupt a wait that takes no real time."""
        del interrupt
        self.advance(max(0.0, seconds))

    def sleep_until(self, at: float) -> None:
        """Jump to that time; no effect when it has passed."""
        self.advance(max(0.0, at - self._now))


class Pace(NamedTuple):
    """How time passes by itself: the same on every process of a machine, whose monotonic clock is one."""

    start: float
    """Epoch seconds when the clock began."""
    began: float
    """When that was, on the monotonic clock."""
    rate: float
    """Virtual seconds in a real one."""

    def now(self) -> float:
        return self.start + (time.monotonic() - self.began) * self.rate


class PassingClock(VirtualClock):
    """Epoch seconds that pass by themselves: whoever waits really waits, and nobody can hurry them."""

    passes = True

    def __init__(self, start: float = START, *, rate: float = 1.0) -> None:
        """ValueError for a rate that is not above 0."""
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError(f"time cannot pass {rate!r} times as fast: give a finite number > 0")
        super().__init__(start)
        self.pace = Pace(start, time.monotonic(), rate)

    def now(self) -> float:
        return self.pace.now()

    def advance(self, seconds: float) -> float:
        """The time it is: a call that took longer has taken no time here."""
        super().advance(seconds)
        return self.now()

    def sleep(self, seconds: float, interrupt: object = None) -> None:
        del interrupt
        time.sleep(max(0.0, seconds) / self.pace.rate)

    def sleep_until(self, at: float) -> None:
        self.sleep(at - self.now())
