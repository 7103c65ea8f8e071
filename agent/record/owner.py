"""Which process owns a run: its id and when it started, so that a reused process id is never mistaken."""

from __future__ import annotations

import os
from pathlib import Path


def me() -> str:
    """This process."""
    return f"{os.getpid()}@{_started(os.getpid())}"


def gone(owner: str) -> bool:
    """The process that called itself this is no longer there."""
    pid, _, started = owner.partition("@")
    if not pid.isdigit():
        return True
    return _started(int(pid)) != started


def _started(pid: int) -> str:
    """When the process started, in the kernel's own units; empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "" if not _exists(pid) else "unknown"
    return stat.rpartition(")")[2].split()[19]


def _exists(pid: int) -> bool:
    """Where there is no /proc: whether a process of that id is there at all."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
