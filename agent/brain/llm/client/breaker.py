"""A circuit breaker: a server that failed several times in a row is left alone for a while, and then tried once."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

FAILURES = 3
REST_S = 60.0


class Breaker:
    """Closed: asked as usual. Open: left alone. After the rest one trial decides. Safe to use from several threads."""

    def __init__(self, now: Callable[[], float], *, failures: int = FAILURES, rest_s: float = REST_S) -> None:
        self._now, self._most, self._rest_s = now, failures, rest_s
        self._lock = Lock()
        self._failed = 0
        self._open_since: float | None = None
        self._trying = False

    def rests(self) -> float | None:
        """None: go on, and say how it ended. Else the seconds for which it is left alone."""
        with self._lock:
            if self._open_since is None:
                return None
            left = self._open_since + self._rest_s - self._now()
            if left > 0 or self._trying:
                return max(left, 0.0)
            self._trying = True
            return None

    def worked(self) -> None:
        with self._lock:
            self._failed, self._open_since, self._trying = 0, None, False

    def failed(self) -> None:
        with self._lock:
            self._failed += 1
            if self._trying or self._failed >= self._most:
                self._open_since, self._trying = self._now(), False

    def undecided(self) -> None:
        """It was not the server that ended the attempt: another may be the trial."""
        with self._lock:
            self._trying = False
