"""Runs that could not be looked at are left alone for a while: they must neither spin nor stand before the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

FIRST_S = 1.0
MOST_S = 60.0
ELSEWHERE_S = 300.0
"""A run that began in another place is not looked at here more often."""


@dataclass(slots=True)
class _Left:
    until: float
    """On the monotonic clock."""
    wait_s: float


class Backoff:
    """Run → until when it is left alone; each failure in a row doubles that."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[str, _Left] = {}

    def __len__(self) -> int:
        return len(self._left)

    def allows(self, run: str) -> bool:
        left = self._left.get(run)
        return left is None or left.until <= self._clock()

    def failed(self, run: str, *, elsewhere: bool = False) -> float:
        """Leave it alone; for how many seconds."""
        before = self._left.get(run)
        wait = ELSEWHERE_S if elsewhere else FIRST_S if before is None else min(MOST_S, before.wait_s * 2)
        self._left[run] = _Left(self._clock() + wait, wait)
        return wait

    def went_well(self, run: str) -> None:
        self._left.pop(run, None)
