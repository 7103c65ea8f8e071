"""Wakes a thread that waits in `select`."""

from __future__ import annotations

import os
import threading
from contextlib import suppress


class Bell:
    """Rung from any thread; what was said meanwhile is heard once."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def ring(self, run: str = "") -> None:
        """Ring, and name a run where there is one to name."""
        with self._lock:
            self._said.add(run)
        with suppress(BlockingIOError, OSError):  # full: it rings already; closed: nobody waits any more
            os.write(self._write, b".")

    def heard(self) -> frozenset[str]:
        """What was said since the last time; empty when it did not ring."""
        with suppress(BlockingIOError):
            while os.read(self._read, 4096):
                pass
        with self._lock:
            said, self._said = frozenset(self._said), set()
        return said

    def fileno(self) -> int:
        return self._read

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)
