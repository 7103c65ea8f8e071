"""What changed on this machine by itself, by run: the folders of jobs that are not over and of endpoints.

Nothing is listed again while no folder was made or taken away, and what is over is never looked at again: a look costs
one system call for each thing that lives.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from tools.backends.local.endpoint_records import PUBLISHED, Published
from tools.backends.local.registry import (
    OVER,
    Folder,
    Identity,
    alive,
    folders,
    read_json,
    registration,
)
from tools.fence import run_of
from tools.ports import VersionState
from tools.watching import Seen, Watch

_KINDS: tuple[Folder, ...] = ("jobs", "endpoints")
SETTLED_NS = 100_000_000
"""What changed less than that before it was listed may have changed once more in the same tick of the clock."""


@dataclass(slots=True)
class _Thing:
    """A job or an endpoint as it was seen last."""

    runs: frozenset[str]
    process: Identity | None = None
    stamp: tuple[int, int] | None = None
    """Inode and time of the file that tells how an endpoint is."""
    states: frozenset[tuple[str, str, int]] = frozenset()
    """Name, state and ready servers of its versions."""
    sign: object = None
    """Differs once it has changed by itself."""


class LocalWatch(Watch):
    """Jobs and endpoints of one runtime folder. Threads may share one; a cursor of another is unknown to it."""

    def __init__(self, runtime: Path) -> None:
        self._runtime = Path(os.path.realpath(runtime))
        self._name = secrets.token_hex(4)
        self._looks = 0
        self._changed: dict[str, int] = {}
        """Run → the look that last found it changed; in the order of the looks."""
        self._live: dict[Path, _Thing] = {}
        self._over: set[Path] = set()
        self._listed: dict[Folder, int] = {}
        self._lock = threading.Lock()

    def since(self, cursor: str) -> Seen:
        with self._lock:
            self._looks += 1
            for kind in _KINDS:
                self._list(kind)
            for folder, thing in tuple(self._live.items()):
                self._look(folder, thing)
            after = self._after(cursor)
            found = takewhile(lambda one: one[1] > after, reversed(self._changed.items()))
            return Seen(cursor=f"{self._name}:{self._looks}", runs=tuple(run for run, _ in found)[::-1])

    def _after(self, cursor: str) -> int:
        name, _, number = cursor.partition(":")
        return int(number) if name == self._name and number.isascii() and number.isdigit() else 0

    def _tell(self, runs: Iterable[str]) -> None:
        for run in runs:
            self._changed.pop(run, None)
            self._changed[run] = self._looks

    def _list(self, kind: Folder) -> None:
        """Take in what was made, and take leave of what is gone; only where the folder of all of them has changed."""
        try:
            changed = os.stat(self._runtime / kind).st_mtime_ns
        except OSError:
            changed = 0
        if changed == self._listed.get(kind):
            return
        there = set(folders(self._runtime, kind))
        gone = [folder for folder in self._live if folder.parent.name == kind and folder not in there]
        for folder in gone:
            self._tell(self._live.pop(folder).runs)
        self._over = {folder for folder in self._over if folder.parent.name != kind or folder in there}
        whole = all(self._meet(folder) for folder in there if folder not in self._live and folder not in self._over)
        if whole and abs(time.time_ns() - changed) > SETTLED_NS:
            self._listed[kind] = changed

    def _meet(self, folder: Path) -> bool:
        """Take in one that was not known; whether it could be read."""
        tags = registration(folder)
        if tags is not None:
            self._live[folder] = _Thing(runs=frozenset({tags.run} - {""}))
        return tags is not None

    def _look(self, folder: Path, thing: _Thing) -> None:
        if folder.parent.name == "jobs":
            self._look_at_job(folder, thing)
        else:
            self._look_at_endpoint(folder, thing)

    def _look_at_job(self, folder: Path, thing: _Thing) -> None:
        """Over is a job with a status, or whose supervisor is gone."""
        if not (folder / OVER).exists():
            thing.process = thing.process or read_json(folder / "process.json", Identity)
            if thing.process is None or alive(thing.process):
                return
        del self._live[folder]
        self._over.add(folder)
        self._tell(thing.runs)

    def _look_at_endpoint(self, folder: Path, thing: _Thing) -> None:
        try:
            found = os.stat(folder / PUBLISHED)
        except OSError:
            return  # it has not begun, or is ending
        stamp = (found.st_ino, found.st_mtime_ns)
        if stamp != thing.stamp and (told := read_json(folder / PUBLISHED, Published)) is not None:
            thing.stamp, thing.process = stamp, told.registration.process
            thing.runs |= {told.registration.run, *(run_of(held.call) for held in told.versions)} - {""}
            thing.states = frozenset((v.name, v.state, v.ready) for v in told.state().versions if _heard(v))
        sign = (thing.states, thing.process is not None and alive(thing.process))
        if sign != thing.sign:
            thing.sign = sign
            self._tell(thing.runs)


def _heard(version: VersionState) -> bool:
    """That a version begins, its run knows."""
    return version.state != "starting" or version.ready > 0
