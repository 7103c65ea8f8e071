"""Why a program ended: a cause from the closed set, from its exit, its last lines and what the kernel counted.

Pure. It reads outside text as data: patterns choose a cause, and the lines go along as evidence.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from typing import NamedTuple

from tools.language import tr

EVIDENCE = 20
"""Lines of output that go along."""
WIDTH = 500
SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGXFSZ)
"""Those that a shell in between reports as an exit code."""

PATTERNS: tuple[tuple[str, str], ...] = (
    ("out_of_memory_device", r"CUDA out of memory|CUDA_ERROR_OUT_OF_MEMORY|HIP out of memory"),
    ("nccl", r"NCCL (error|failure)|ncclSystemError|ncclUnhandledCudaError"),
    ("disk_full", r"No space left on device|Disk quota exceeded|\bENOSPC\b|\bFile too large\b|\bEFBIG\b"),
    ("out_of_memory_host", r"^(\w+\.)*_?\w*MemoryError\b|std::bad_alloc|Cannot allocate memory|can't allocate memory"),
    ("out_of_memory_host", r"TerminatedWorkerError|excessive memory usage"),
    ("missing_dependency", r"^(ModuleNotFoundError|ImportError): |error while loading shared libraries"),
    ("data_missing", r"^FileNotFoundError: "),
    ("permission", r"^PermissionError: |: Permission denied( \(in .*\))?$"),
)
"""Looked for in the last lines, in this order."""


class Ending(NamedTuple):
    """How the program ended, as the supervisor saw it."""

    status: int | None
    """Wait status; None when nobody could say."""
    stopped: str | None
    """Why the supervisor itself ended it: `cancelled`, `time`, `lease`, `disk`."""
    limit_s: float
    memory_kills: int
    """Processes the kernel ended for want of memory while the program ran."""
    lines: Sequence[str]
    room: str = ""
    """What was wrong with the room it took, when it was ended for that."""


class Verdict(NamedTuple):
    cause: str
    message: str
    evidence: tuple[str, ...]


def verdict(ending: Ending) -> Verdict:
    """The cause of a program's failure."""
    cause, message = _judged(ending)
    kept = tuple(line[:WIDTH] for line in ending.lines if line.strip())[-EVIDENCE:]
    return Verdict(cause, message, kept)


def _judged(ending: Ending) -> tuple[str, str]:
    if ending.stopped == "time":
        return "timeout", tr("It was ended at its time limit of {limit:g} s.", limit=ending.limit_s)
    if ending.stopped == "lease":
        return "timeout", tr("It was ended because its lease lapsed.")
    if ending.stopped == "disk":
        return "disk_full", tr("It was ended before the disk was full. {room}", room=ending.room)
    if ending.status is None:
        return "node_lost", tr("Its processes were ended from outside.")
    number = _signal(ending.status)
    if number == signal.SIGXFSZ:
        return "disk_full", tr("It wrote a file that is larger than the disk can spare.")
    if number == signal.SIGKILL:
        if ending.memory_kills:
            return "out_of_memory_host", tr("The kernel ended it for want of memory.")
        return _from(ending.lines) or ("unknown", tr("It was killed from outside (SIGKILL)."))
    return _from(ending.lines) or _plain(ending, number)


def _plain(ending: Ending, number: int | None) -> tuple[str, str]:
    last = next((line.strip() for line in reversed(ending.lines) if line.strip()), "")
    if number is not None:
        return "user_code_error", tr("It ended by signal {signal}.", signal=signal.Signals(number).name)
    return "user_code_error", tr("It ended with exit code {code}", code=(ending.status or 0) >> 8) + (
        tr(": ") + last[:WIDTH] if last else ""
    )


def _signal(status: int) -> int | None:
    """The signal that ended it, also where a shell in between reports it as 128 + its number."""
    if status & 0x7F:
        return status & 0x7F
    code = status >> 8
    return code - 128 if code - 128 in SIGNALS else None


def _from(lines: Sequence[str]) -> tuple[str, str] | None:
    """The cause the last lines tell: the last line that matches any pattern decides."""
    for line in reversed(lines[-EVIDENCE:]):
        for cause, pattern in PATTERNS:
            if re.search(pattern, line):
                return cause, line.strip()[:WIDTH]
    return None
