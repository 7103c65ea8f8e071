"""SQLite as the engine: one file, one writer at a time, every commit on the disk before it is said to be."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

from agent.errors import Broken, GoalkeeperError, OverLimit
from agent.record.engine import Statements, Unreachable, Word
from agent.record.lease import BootClock
from agent.record.versions import prepare
from tools.language import tr

T = TypeVar("T")
BUSY_S = 10.0
"""How long it waits for another process that writes."""


class Embedded:
    """The database file, opened by this process. Its threads take turns."""

    def __init__(self, path: Path, *, clock: BootClock | None = None) -> None:
        """Open or create. Broken when the file is not ours, not writable, or from a newer version."""
        self._path = path
        self._turn = RLock()
        clock = clock or BootClock()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _shared(path)
            self._db = sqlite3.connect(
                path, isolation_level=None, timeout=BUSY_S, check_same_thread=False, cached_statements=256
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.create_function("lease_now", 0, clock.now)
            self._db.create_function("lease_boot", 0, clock.boot)
            prepare(self._db, path)
            self._inode = _inode(path)
        except (sqlite3.Error, OSError) as error:
            raise Broken(f"the store {path} cannot be opened: {error}") from error

    def close(self) -> None:
        self._db.close()

    def execute(self, statement: str, words: Sequence[Word] = ()) -> list[Any]:
        return self.read(lambda db: db.execute(statement, words).fetchall())

    def read(self, body: Callable[[Statements], T]) -> T:
        with self._turn:
            try:
                return body(self._db)
            except sqlite3.Error as error:
                raise self._said(error) from error

    def write(
        self,
        body: Callable[[Statements], T],
        *,
        stored: Callable[[Statements], T | None] | None = None,
        alone: bool = False,
    ) -> T:
        with self._turn:
            self._still_there()
            try:
                self._db.execute("BEGIN IMMEDIATE")
                done = body(self._db)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                self._rollback()
                raise self._said(error) from error
            except BaseException:
                self._rollback()
                raise
            return done

    def hold(self, db: Statements, names: Sequence[tuple[str, str]]) -> None:
        """Nothing to do: of all transactions that write, one is open."""

    def notify(self, db: Statements, run: str) -> None:
        """Nobody listens to a file."""

    def listen(self, stop: Callable[[], bool], every_s: float) -> Iterator[str]:
        return iter(())

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def _still_there(self) -> None:
        """A file that somebody removed would go on being written, and nobody could read it."""
        if _inode(self._path) != self._inode:
            what = tr("the store {path} has been removed or replaced while it was open", path=self._path)
            raise Unreachable(tr("{what}: {way_out}", what=what, way_out=tr("put it back, then resume")))

    def _said(self, error: sqlite3.Error) -> GoalkeeperError:
        """What the database's refusal means, with the way out where there is one."""
        if any(sign in str(error) for sign in _NO_ROOM):
            return OverLimit("an account has no room left for what was to be reserved")
        told = tr("the store refused to write: {error}", error=f"{error} ({self._path})")
        name = getattr(error, "sqlite_errorname", "") or ""
        for sign, way_out in _WAYS_OUT.items():
            if name.startswith(sign):
                return Unreachable(tr("{what}: {way_out}", what=told, way_out=way_out()))
        return Broken(told)


_NO_ROOM = ("within_bound", "cannot store REAL value in INTEGER column account.")
"""What the database says when an account's bound, or what 64 bits hold, would be passed."""
_WAYS_OUT: Mapping[str, Callable[[], str]] = {
    "SQLITE_FULL": lambda: tr("free space on its disk, then resume"),
    "SQLITE_READONLY": lambda: tr("make the file and its folder writable, then resume"),
    "SQLITE_IOERR": lambda: tr("free space on its disk or repair it, then resume"),
    "SQLITE_CANTOPEN": lambda: tr("make its folder readable and writable, then resume"),
    "SQLITE_BUSY": lambda: tr("another process has been writing for long; resume once it is done"),
    "SQLITE_CORRUPT": lambda: tr("bring it back from a copy, then resume"),
    "SQLITE_NOTADB": lambda: tr("bring it back from a copy, then resume"),
}


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _shared(path: Path) -> None:
    """Where the folder was opened to a group, the group may answer: a new database is its to write as well.

    SQLite gives the files beside it the same mode, and would make it the owner's alone to write.
    """
    if path.parent.stat().st_mode & stat.S_IWGRP and not path.exists():
        path.touch()
        path.chmod(0o660)
