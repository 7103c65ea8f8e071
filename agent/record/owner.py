"""Which process owns a run: `HOST/PID@STARTED`, so that a reused process id is never mistaken for the one before.

Only processes of this host can be looked for. Whoever runs on another one is judged by its lease alone.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path


def me() -> str:
    """This process."""
    return f"{_host()}/{os.getpid()}@{_started(os.getpid())}"


def gone(owner: str) -> bool:
    """The process that called itself this ran on this host and is no longer there."""
    host, slash, process = owner.rpartition("/")
    if slash and host != _host():
        return False
    pid, _, started = process.partition("@")  # until version 3 it was said without the host
    if not pid.isdecimal():
        return True
    return _started(int(pid)) != started


@cache
def _host() -> str:
    """The machine's name, and which of its process tables: containers that share a name do not see each other's."""
    try:
        table = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    except OSError:
        table = ""
    return f"{socket.gethostname()}:{table}" if table else socket.gethostname()


def _started(pid: int) -> str:
    """When the process started, in the kernel's own units; empty when there is none. A zombie does nothing."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "" if not _exists(pid) else "unknown"
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else rest[18]


def _exists(pid: int) -> bool:
    """Where there is no /proc: whether a process of that id is there at all."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
