"""A session that can be struck anywhere: its store and its backend, each call of which is a boundary."""

from __future__ import annotations

import resource
from collections.abc import Callable, Sequence
from typing import Any, cast

from agent.record.store import Store
from evals.crash.points import Blow, Reaper
from evals.given import Reading
from tools.ports import Backend

TRANSACTIONS = ("append", "bound", "claim", "create", "enter", "release", "remember")
"""What a driver writes to its store."""
PORTS = ("jobs", "serving", "objects", "telemetry", "compute")


class MortalStore:
    """A store around whose transactions the process may be struck."""

    def __init__(self, store: Store, reaper: Reaper) -> None:
        self._store = store
        self._reaper = reaper

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return _around(self._reaper, name, found) if name in TRANSACTIONS else found

    def append(self, run: str, *, lines: Sequence[tuple[str, str]], **more: Any) -> object:
        boundary = "decision" if any(kind == "decision" for kind, _ in lines) else "commit"
        return self._reaper.around(boundary, lambda: self._store.append(run, lines=lines, **more))

    def claim(self, run: str, *, gone: Sequence[str] = (), **more: Any) -> int:
        if self._reaper.heir and (owner := self._store.row(run).owner) is not None:
            gone = (*gone, owner)
        return self._reaper.around("claim", lambda: self._store.claim(run, gone=gone, **more))


class MortalBackend:
    """A backend around each of whose calls the process may be struck."""

    def __init__(self, backend: Backend, reaper: Reaper) -> None:
        self._backend = backend
        self._reaper = reaper

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._backend, name)
        return _MortalPort(name, found, self._reaper) if name in PORTS else found

    def fenced(self, *, run: str, epoch: int) -> Backend:
        fenced = self._reaper.around("fence", lambda: self._backend.fenced(run=run, epoch=epoch))
        return cast("Backend", MortalBackend(fenced, self._reaper))


class _MortalPort:
    def __init__(self, name: str, inner: object, reaper: Reaper) -> None:
        self._name = name
        self._inner = inner
        self._reaper = reaper

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return _around(self._reaper, f"{self._name}.{name}", found) if callable(found) else found


def _around(reaper: Reaper, boundary: str, deed: Callable[..., object]) -> Callable[..., object]:
    return lambda *args, **more: reaper.around(boundary, lambda: deed(*args, **more))


class MortalSession(Reading):
    """A session whose process may be struck anywhere."""

    reaper: Reaper

    @property
    def _store(self) -> Store:
        store = super()._store
        self.reaper.spoil = lambda blow: _spoil(store, blow)
        return cast("Store", MortalStore(store, self.reaper))


def _spoil(store: Store, blow: Blow) -> None:
    """From now on the disk has no room, or the database is for reading only."""
    if blow == "full":
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    else:
        store._db.execute("PRAGMA query_only = ON")


def room_again() -> None:
    """The disk takes files again."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
