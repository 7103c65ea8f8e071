"""Virtual time: stands still until told to go on. Knows nothing of what happens meanwhile."""

from __future__ import annotations

import math
import threading

START = 1_767_225_600.0
"""2026-01-01T00:00:00Z, where a world begins unless it says otherwise."""


class VirtualClock:
    """Epoch seconds that pass only when somebody waits. Satisfies the agent's clock."""

    def __init__(self, start: float = START) -> None:
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
