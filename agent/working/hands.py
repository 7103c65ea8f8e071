"""Threads that look at runs: one for each look under way, none while there is none, and no more than allowed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from agent.telemetry.observer import WakeCause
from agent.working.works import Looked

Look = Callable[[str, WakeCause], Looked]
Then = Callable[[Looked], None]


class Hands:
    """How many looks are under way is how many calls are in flight: nothing below limits them further."""

    watches = True

    def __init__(self, look: Look, *, most: int, told: Then) -> None:
        """`told` hears of every look when it is over, on its thread."""
        self._look = look
        self._most = most
        self._told = told
        self._busy: set[str] = set()
        self._changed = threading.Condition()

    @property
    def busy(self) -> int:
        return len(self._busy)

    @property
    def room(self) -> int:
        return self._most - len(self._busy)

    def takes(self, run: str) -> bool:
        """Nobody looks at it here."""
        return run not in self._busy

    def hand(self, run: str, cause: WakeCause, then: Then | None = None) -> bool:
        """Look at the run on a thread of its own; False when that goes on here already, or no hand is free."""
        with self._changed:
            if run in self._busy or not self.room:
                return False
            self._busy.add(run)
        threading.Thread(target=self._carry, args=(run, cause, then), name=f"run {run}", daemon=True).start()
        return True

    def _carry(self, run: str, cause: WakeCause, then: Then | None) -> None:
        looked = Looked(run=run, came="failed", problem="the look did not come back")
        try:
            looked = self._look(run, cause)
        finally:
            with self._changed:
                self._busy.discard(run)
                self._changed.notify_all()
            self._told(looked)
            if then is not None:
                then(looked)

    def rest(self, within_s: float) -> frozenset[str]:
        """Wait for what is under way; what is not over by then."""
        until = time.monotonic() + within_s
        with self._changed:
            while self._busy and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            return frozenset(self._busy)
