"""Everything of ours on this machine that is not over: from the records, and from the processes where a record says
nothing. A record may be damaged or forged, so nothing is ended or removed on its word alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tools.backends.local import process as here
from tools.backends.local.disk import remove
from tools.backends.local.launch import Launch
from tools.backends.local.lease import Clock, instant
from tools.backends.local.leftovers import MODULES, forget
from tools.backends.local.process import Process, Processes
from tools.backends.local.registry import OVER, TAGS, Folder, Registration, folders, registration
from tools.language import tr
from tools.ports import Kind, Owned

KINDS: Mapping[Folder, Kind] = {"jobs": "job", "endpoints": "endpoint"}
MARKS = (TAGS, "launch.json", "start.json")
"""Files that only we write: a folder without any of them is none of ours, and left alone."""
STARTING_S = 120.0
"""A resource without a process is still being made when it is younger than this."""
DRAFT_S = 3600.0
"""A draft older than this was left by a starter that died."""
GRACE_S = 2.0
LATEST = 253_402_300_799.0
"""The last second that a date can tell: a lease beyond it is shown as that."""


class Item(NamedTuple):
    """One resource that is there, or what is left of it."""

    folder: Path
    owned: Owned
    alive: bool
    unowned: bool
    """Its lease has lapsed, its process is gone, or nobody can say whose it is."""
    processes: tuple[Process, ...]
    """Those that provably are its own."""
    debris: tuple[str, ...]


class Inventory:
    """What is in one runtime folder, and the end of it."""

    def __init__(self, runtime: Path, *, clock: Clock = instant, machine: Processes = here) -> None:
        self._runtime = runtime
        self._clock = clock
        self._machine = machine

    def items(self) -> tuple[Item, ...]:
        """All that is there, jobs first, by name."""
        found: list[Item] = []
        for kind in KINDS:
            leaders = self._leaders(kind)
            for folder in folders(self._runtime, kind):
                if (item := self._item(folder, kind, leaders.pop(folder.name, ()))) is not None:
                    found.append(item)
            found += [_unrecorded(self._runtime / kind / name, kind, left) for name, left in sorted(leaders.items())]
        return tuple(found)

    def again(self, item: Item) -> Item | None:
        """The same resource as it is by now; None when it is over or gone."""
        return next((each for each in self.items() if each.folder == item.folder), None)

    def finish(self, item: Item) -> None:
        """End it and remove what it left. OSError, with the reason, when it does not end or something cannot go."""
        for one in item.processes:
            self._machine.finish(one, grace_s=GRACE_S)
        if left := [str(one.pid) for one in item.processes if self._machine.running(one)]:
            raise OSError(tr("process {pids} does not end", pids=", ".join(left)))
        if os.path.lexists(item.folder):
            forget(item.folder, item.debris)

    def tidy(self) -> None:
        """Remove the records of what has ended by itself and whose lease is over, and drafts that nobody finishes."""
        now = self._clock()
        for kind in KINDS:
            for folder in folders(self._runtime, kind):
                tags = registration(folder) if (folder / OVER).exists() else None
                if tags is not None and tags.term.left(now) <= 0:
                    forget(folder, tags.debris)
            drafts = (self._runtime / kind).glob(".draft-*") if (self._runtime / kind).is_dir() else ()
            for draft in drafts:
                if self._age(draft) > DRAFT_S and draft.is_dir() and not draft.is_symlink():
                    remove(draft)

    def _item(self, folder: Path, kind: Folder, leaders: tuple[Process, ...]) -> Item | None:
        if (folder / OVER).exists():
            return None
        tags = registration(folder)
        if tags is None:
            return self._damaged(folder, kind, leaders)
        now, named = self._clock(), Process(tags.process.pid, tags.process.ticks)
        same_boot = tags.process.boot in ("", now.boot)
        lives = same_boot and self._machine.proven(named, MODULES[kind], folder)
        starting = tags.process.pid == 0 and now.wall < tags.started + STARTING_S
        gone = not (lives or leaders or starting)
        another = same_boot and self._machine.running(named)
        why = tr("the process it names is not its own" if another else "its process is gone")
        return Item(
            folder=folder,
            owned=_shown(tags, why if gone else tags.detail),
            alive=lives or bool(leaders),
            unowned=gone or tags.term.left(now) <= 0,
            processes=tuple(dict.fromkeys((*((named,) if lives else ()), *leaders))),
            debris=tags.debris,
        )

    def _damaged(self, folder: Path, kind: Folder, leaders: tuple[Process, ...]) -> Item | None:
        """A folder that does not say whose it is. None when it is none of ours."""
        if not leaders and not any(os.path.lexists(folder / name) for name in MARKS):
            return None
        making = not leaders and not os.path.lexists(folder / TAGS) and self._age(folder) < STARTING_S
        owned = _nobodys(folder, kind, tr("its record cannot be read"))
        return Item(folder, owned, bool(leaders), not making, leaders, _box(folder))

    def _leaders(self, kind: Folder) -> dict[str, tuple[Process, ...]]:
        """Processes of ours that run something of this runtime folder, by the name of the resource's folder."""
        place, found = os.path.realpath(self._runtime / kind), dict[str, tuple[Process, ...]]()
        for folder, one in self._machine.serving(MODULES[kind]):
            if os.path.realpath(folder.parent) == place:
                found[folder.name] = (*found.get(folder.name, ()), one)
        return found

    def _age(self, path: Path) -> float:
        try:
            return self._clock().wall - path.lstat().st_mtime
        except OSError:
            return 0.0


def _unrecorded(folder: Path, kind: Folder, leaders: tuple[Process, ...]) -> Item:
    return Item(folder, _nobodys(folder, kind, tr("its record is gone")), True, True, leaders, ())


def _nobodys(folder: Path, kind: Folder, detail: str) -> Owned:
    return Owned(
        kind=KINDS[kind], id=folder.name, run="", call="", owner="", lease_until=0.0, started=0.0, detail=detail
    )


def _shown(tags: Registration, detail: str) -> Owned:
    shown = tags.owned()
    return shown.model_copy(update={"lease_until": max(0.0, min(shown.lease_until, LATEST)), "detail": detail})


def _box(folder: Path) -> tuple[str, ...]:
    try:
        return (Launch.read(folder).box,)
    except (OSError, ValueError, TypeError, AttributeError):
        return ()
