"""The database file: opened or refused, and one short transaction at a time."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import Broken, OverLimit
from agent.record.versions import prepare
from tools.redact import Redaction


def _shared(path: Path) -> None:
    """Where the folder was opened to a group, the group may answer: a new database is its to write as well.

    SQLite gives the files beside it the same mode, and would make it the owner's alone to write.
    """
    if path.parent.stat().st_mode & stat.S_IWGRP and not path.exists():
        path.touch()
        path.chmod(0o660)


class Database:
    """The embedded store's connection."""

    def __init__(self, path: Path, *, redaction: Redaction | None = None) -> None:
        """Open or create. Broken when the file is not ours, not writable, or from a newer version."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _shared(path)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            prepare(self._db, path)
        except (sqlite3.Error, OSError) as error:
            raise Broken(f"the store {path} cannot be opened: {error}") from error
        self._redaction = redaction or Redaction()

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            if any(sign in str(error) for sign in _NO_ROOM):
                raise OverLimit("an account has no room left for what was to be reserved") from error
            raise Broken(f"the store refused to write: {error}") from error
        except BaseException:
            self._rollback()
            raise

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


_NO_ROOM = ("within_bound", "cannot store REAL value in INTEGER column account.")
"""What the database says when an account's bound, or what 64 bits hold, would be passed."""
