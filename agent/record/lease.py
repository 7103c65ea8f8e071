"""The time that leases are measured in on one machine: since it was started, so that nobody's clock can change it.

A wall clock that is set forward or back neither ends nor lengthens a lease. Once the machine has been started again
every lease of before has lapsed: another boot is another time.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class BootClock:
    """Seconds since the machine was started, those it slept included where the system counts them."""

    def now(self) -> float:
        return time.clock_gettime(_CLOCK)

    def boot(self) -> str:
        """Which start of the machine that is; the same word for every one where the system does not say."""
        return _boot()


@cache
def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
