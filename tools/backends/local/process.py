"""What a process is and how it ends: by pid *and* start, so that a reused pid is never mistaken.

Standard library only: the supervisor of a job imports it and must start in milliseconds.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

PROC = Path("/proc")


class Process(NamedTuple):
    """One process of this boot of this machine."""

    pid: int
    ticks: int
    """Start in clock ticks since boot; 0 where the platform has no /proc."""


class Processes(Protocol):
    """The processes of a machine, as far as those need them who end what has lapsed. This module is one."""

    def running(self, one: Process) -> bool: ...

    def proven(self, one: Process, module: str, folder: Path) -> bool: ...

    def serving(self, module: str) -> Iterator[tuple[Path, Process]]: ...

    def finish(self, one: Process, *, grace_s: float) -> None: ...


class Stat(NamedTuple):
    """The few fields of /proc/PID/stat that are needed here."""

    state: str
    parent: int
    session: int
    ticks: int


def stat(pid: int) -> Stat | None:
    """What the kernel says of a process; None when there is none."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return Stat(state=fields[0], parent=int(fields[1]), session=int(fields[3]), ticks=int(fields[19]))


def boot() -> str:
    """The kernel's id of this boot, empty where there is none: pids start again after the next."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def process(pid: int) -> Process:
    found = stat(pid)
    return Process(pid, found.ticks if found else 0)


def running(one: Process) -> bool:
    """Whether this very process still runs; a zombie does not."""
    if one.pid <= 0:
        return False
    if not PROC.joinpath("self").exists():
        return _answers(one.pid)
    found = stat(one.pid)
    return found is not None and found.ticks == one.ticks and found.state not in "ZX"


def proven(one: Process, module: str, folder: Path) -> bool:
    """Whether this very process runs, is this user's, and was started by us to run that module for that folder.

    A record alone proves nothing: whoever can write one can write any pid. Where there is no /proc the pid is all there
    is.
    """
    if not running(one):
        return False
    if not PROC.joinpath("self").exists():
        return True
    place = serves(one.pid, module)
    same = place is not None and os.path.realpath(place) == os.path.realpath(folder)
    return same and _owner(one.pid) == os.geteuid()


def serves(pid: int, module: str) -> Path | None:
    """The folder for which a process runs a module of ours: `python -I -m MODULE FOLDER`."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes()[:8192].split(b"\0")
    except OSError:
        return None
    if len(words) != 6 or words[1:4] != [b"-I", b"-m", module.encode()]:
        return None
    return Path(os.fsdecode(words[4]))


def serving(module: str) -> Iterator[tuple[Path, Process]]:
    """Session leaders of this user that run a module of ours, and for which folder; a record is not needed."""
    for pid in _pids():
        found = stat(pid) if pid != os.getpid() else None
        if found is not None and found.session == pid and (folder := serves(pid, module)) is not None:
            one = Process(pid, found.ticks)
            if proven(one, module, folder):
                yield folder, one


def family(one: Process) -> tuple[Process, ...]:
    """The process, its descendants and whoever shares its session, the process itself first."""
    seen = {pid: found for pid in _pids() if (found := stat(pid)) is not None}
    if one.pid in seen and seen[one.pid].ticks != one.ticks:
        return ()  # the pid is somebody else's by now, so the session is gone too
    members = {one.pid} if running(one) else set()
    members |= {pid for pid, found in seen.items() if found.session == one.pid and found.ticks >= one.ticks}
    grown = True
    while grown:
        more = {pid for pid, found in seen.items() if found.parent in members} - members
        members |= more
        grown = bool(more)
    ordered = sorted(members, key=lambda pid: (pid != one.pid, pid))
    return tuple(Process(pid, seen[pid].ticks) for pid in ordered if pid in seen and pid != os.getpid())


def tell(one: Process, number: int) -> None:
    """Signal this very process. One that is gone, or is another by now, is left alone."""
    try:
        handle = os.pidfd_open(one.pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):
        handle = -1
    try:
        if running(one):
            _send(one.pid, handle, number)
    finally:
        if handle >= 0:
            os.close(handle)


def finish(one: Process, *, grace_s: float) -> None:
    """End a process, its descendants and its session: SIGTERM, then SIGKILL after the grace. Nobody waits for one that
    was stopped and cannot hear the first."""
    if one.pid <= 1:
        return
    if not PROC.joinpath("self").exists():
        _finish_group(one, grace_s)
        return
    members = family(one)
    for member in members:
        tell(member, signal.SIGTERM)
    if _gone(members, grace_s, hearing=True) and not family(one):
        return
    for _ in range(20):  # whatever was forked in between is found on the next look
        members = tuple({*members, *family(one)})
        for member in members:
            tell(member, signal.SIGKILL)
        if _gone(members, 0.5) and not family(one):
            return


def _send(pid: int, handle: int, number: int) -> None:
    """One that is somebody else's is left alone."""
    try:
        if handle >= 0:
            signal.pidfd_send_signal(handle, number)
        else:
            os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _finish_group(one: Process, grace_s: float) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(one.pid, number)
        except (ProcessLookupError, PermissionError):
            return
        if _gone((one,), grace_s):
            return


def _gone(members: Iterable[Process], within_s: float, *, hearing: bool = False) -> bool:
    """Whether all have ended by then; `hearing`: all that can hear a signal."""
    end = time.monotonic() + within_s
    while any(running(member) and not (hearing and _stopped(member)) for member in members):
        if time.monotonic() >= end:
            return False
        time.sleep(0.01)
    return True


def _owner(pid: int) -> int:
    try:
        return os.stat(PROC / str(pid)).st_uid
    except OSError:
        return -1


def _stopped(one: Process) -> bool:
    found = stat(one.pid)
    return found is not None and found.state in "Tt"


def _pids() -> Iterator[int]:
    try:
        names = os.listdir(PROC)
    except OSError:
        return
    yield from (int(name) for name in names if name.isdigit())


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
