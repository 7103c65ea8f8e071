"""Epoch seconds that nobody can set while this process lives. Standard library only.

The wall clock is read when time is first asked for; from then on time goes on as the clock since boot does, which
counts the machine's sleep and cannot be set. What the wall clock drifts is followed, by `RATE` of the time that passes
and no faster. A jump of more than `NEAR_S` is told and followed by nothing: no deadline, expiry, limit or lease that
this process knows moves because of it. A clock that was set right is taken over by the next process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

NEAR_S = 1.0
"""How far apart the clocks may drift before that is a jump."""
RATE = 0.001
"""Seconds a second by which a drift is followed: twice what NTP slews by, and never backwards."""
LOOK_EVERY_S = 1.0


def up() -> float:
    """Seconds since boot, the machine's sleep included where the platform counts it."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class _Anchor(NamedTuple):
    """Where both clocks stood when they were last compared."""

    at: float
    """Epoch seconds, ours."""
    up: float
    told: float
    """The jump that was told last, by which the wall clock is ahead of ours."""


class Steady:
    """The time of a process."""

    def __init__(self, *, wall: Callable[[], float] = time.time, up: Callable[[], float] = up) -> None:
        self._wall = wall
        self._up = up
        self._anchor = _Anchor(wall(), up(), 0.0)
        self._lock = threading.Lock()
        self.jumped: Callable[[float], None] = lambda _: None
        """Told how far the wall clock is ahead of ours after each jump; it must not raise."""

    def now(self) -> float:
        """Epoch seconds; never less than before."""
        at, since, _ = self._anchor
        passed = self._up() - since
        return at + passed if passed < LOOK_EVERY_S else self._compared()

    def _compared(self) -> float:
        with self._lock:
            at, since, told = self._anchor
            up = self._up()
            passed = max(0.0, up - since)
            now = at + passed
            ahead = self._wall() - now
            if abs(ahead) <= NEAR_S:
                now += max(-RATE * passed, min(RATE * passed, ahead))
                ahead = 0.0
            self._anchor = _Anchor(now, up, ahead if abs(ahead - told) > NEAR_S else told)
            fresh = self._anchor.told != told
        if fresh:
            self.jumped(ahead - told)
        return now


@cache
def steady() -> Steady:
    """The one of this process."""
    return Steady()
