"""Which of the workers of one backend watches it: whoever holds a lock of the database's, as long as it holds it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    import psycopg

_LOCKS = 0x676F6177
"""The first half of the lock's name; the second is the backend's."""
EVERY_S = 2.0
"""How often it is tried for, and asked whether it still is there."""


class Lead:
    """Tried for now and then. The lock goes with the connection: whoever dies, or loses it, has let go."""

    def __init__(self, address: str, place: str, *, every_s: float = EVERY_S) -> None:
        self._address = address
        self._name = crc32(place.encode()) - (1 << 31)
        self._every_s = every_s
        self._link: psycopg.Connection | None = None
        self._held = False
        self._next = 0.0

    def held(self) -> bool:
        """Whether this process is the one; asked of the database every few seconds."""
        if time.monotonic() >= self._next:
            self._held = self._try()
            self._next = time.monotonic() + self._every_s
        return self._held

    def _try(self) -> bool:
        import psycopg

        try:
            if self._link is None:
                self._link = psycopg.connect(self._address, autocommit=True, connect_timeout=5)
            if self._held:
                self._link.execute("SELECT 1")
                return True
            found = self._link.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCKS, self._name)).fetchone()
            return found is not None and bool(found[0])
        except psycopg.Error:
            self.close()
            return False

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
        self._held = False
