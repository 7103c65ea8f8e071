"""Ends what has outlived its lease on this machine: `python -I -m tools.backends.local.watchdog RUNTIME`.

A supervisor or host ends itself in time, unless it is stopped, hangs or lost its record. One watchdog for each runtime
folder looks after them all, started with the first resource and by any later command, and ends when nothing is left to
look after. It ends what has lapsed a while ago and is provably ours, and nothing else. Standard library only.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.backends.local import process as here
from tools.backends.local.disk import write_once
from tools.backends.local.launch import Launch
from tools.backends.local.lease import Clock, Instant, Term, instant, read_object, term_of
from tools.backends.local.leftovers import MODULES, clear, forget
from tools.backends.local.process import Process, Processes
from tools.language import Language, speaking, tr

LOCK = "watchdog.lock"
PERIOD_S = 1.0
"""How often it looks."""
MARGIN_S = 15.0
"""How long after its lease a resource may take to end itself: what it does then is in better order."""
GRACE_S = 2.0


class Charge(NamedTuple):
    """One resource that is looked after."""

    process: Process
    boot: str
    term: Term
    started: float
    debris: tuple[str, ...]


class Watchdog:
    """What one look does; the next one knows what the last one read."""

    def __init__(self, runtime: Path, *, clock: Clock = instant, machine: Processes = here) -> None:
        self._runtime = runtime
        self._clock = clock
        self._machine = machine
        self._known: dict[Path, Charge] = {}

    def look(self) -> bool:
        """End what has lapsed; whether anything is left to look after."""
        at = self._clock()
        for folder in _folders(self._runtime):
            self._read(folder, at)
        for folder, charge in tuple(self._known.items()):
            if not self._ours(folder, charge, at):
                del self._known[folder]  # what it left on the disk is the sweeper's
            elif charge.term.left(at) < -MARGIN_S:
                self._machine.finish(charge.process, grace_s=GRACE_S)
                _settle(folder, charge)
        return bool(self._known)

    def _ours(self, folder: Path, charge: Charge, at: Instant) -> bool:
        same_boot = charge.boot in ("", at.boot)
        return same_boot and self._machine.proven(charge.process, MODULES[folder.parent.name], folder)

    def _read(self, folder: Path, at: Instant) -> None:
        """Note what a record says; one that cannot be read any more, or names another, says what it said last."""
        try:
            if (folder / "status.json").exists():
                self._known.pop(folder, None)
                return
            record = read_object(folder / "tags.json")
        except OSError:
            return
        said, known = None if record is None else _charge(record), self._known.get(folder)
        if said is not None and (known is None or said.process == known.process or not self._ours(folder, known, at)):
            self._known[folder] = said


def attend(runtime: Path) -> None:
    """See to it that a watchdog looks after a runtime folder in which something may run. It waits for none to look."""
    if not any(not (folder / "status.json").exists() for folder in _folders(runtime)):
        return
    handle = _locked(runtime)
    if handle is None:
        return
    os.close(handle)  # whoever is first takes it; a second one ends at once
    command = [sys.executable, "-I", "-m", "tools.backends.local.watchdog", str(runtime)]
    quiet = subprocess.DEVNULL
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8"}
    subprocess.run(
        command, stdin=quiet, stdout=quiet, stderr=quiet, cwd="/", env=environment, start_new_session=True, check=False
    )


def main(argv: Sequence[str]) -> int:
    """Detach, and look until nothing is left."""
    runtime = Path(argv[1])
    if os.fork():
        return 0
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    watchdog = Watchdog(runtime)
    # Let go of the lock first, and look once more: whoever registers something now finds the lock free or is seen.
    while (handle := _locked(runtime)) is not None:
        while watchdog.look():
            time.sleep(PERIOD_S)
        os.close(handle)
        if not watchdog.look():
            break
    return 0


def _folders(runtime: Path) -> Iterator[Path]:
    for kind in MODULES:
        try:
            with os.scandir(runtime / kind) as entries:
                found = [e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith(".")]
        except OSError:
            continue
        yield from (runtime / kind / name for name in found)


def _charge(record: Mapping[str, object]) -> Charge | None:
    """What a record says, as far as it can be acted upon."""
    said, lease, debris = record.get("process"), term_of(record), record.get("debris")
    started = record.get("started")
    if not isinstance(said, dict) or lease is None or not isinstance(started, int | float):
        return None
    pid, ticks, boot = said.get("pid"), said.get("ticks"), said.get("boot")
    if not (isinstance(pid, int) and isinstance(ticks, int) and isinstance(boot, str)):
        return None
    named = tuple(path for path in debris if isinstance(path, str)) if isinstance(debris, list) else ()
    return Charge(Process(pid, ticks), boot, lease, float(started), named)


def _settle(folder: Path, charge: Charge) -> None:
    """Say how a job ended and remove its box; of an endpoint nothing is left."""
    try:
        if folder.parent.name == "endpoints":
            forget(folder, charge.debris)
            return
        with speaking(_language(folder)):
            told = tr("It was ended from outside after its lease had lapsed, since its supervisor did not do so.")
        failure = {"cause": "timeout", "message": told}
        status = {"phase": "failed", "started": charge.started, "ended": time.time(), "failure": failure}
        write_once(folder / "status.json", status)
        clear(charge.debris, folder)
    except OSError:
        return  # the folder is gone, or cannot be written: the process has ended, and that was what mattered


def _language(folder: Path) -> Language:
    try:
        return Launch.read(folder).language
    except (OSError, ValueError, TypeError, AttributeError):
        return "en"


def _locked(runtime: Path) -> int | None:
    """The lock of the folder's one watchdog; None when another holds it or the folder is not there."""
    try:
        handle = os.open(runtime / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


if __name__ == "__main__":
    sys.exit(main(sys.argv))
