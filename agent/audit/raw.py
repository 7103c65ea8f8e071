"""A run as the tables of its store hold it, read past the store itself: nothing is refused, nothing is believed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from agent.audit.journal import Line, line_of
from tools.record import Json

FILE = "goalkeeper.db"
_JOURNAL = "SELECT seq, at, kind, body, hash FROM journal WHERE run = ? ORDER BY seq"
_ACCOUNTS = "SELECT * FROM account WHERE kind = 'run' AND name = ? ORDER BY resource"


class Rows(NamedTuple):
    """Everything of one run."""

    lines: tuple[Line | None, ...]
    """None for a row that is no line."""
    run: Json | None
    ledger: tuple[Json, ...]
    accounts: tuple[Json, ...]
    """The run's own."""


def names(home: Path) -> tuple[str, ...]:
    """Every run of a home. sqlite3.Error when its store cannot be read."""
    with _opened(home) as db:
        if db is None:
            return ()
        found = db.execute("SELECT id FROM runs UNION SELECT run FROM journal ORDER BY 1")
        return tuple(name for (name,) in found if isinstance(name, str))


def rows(home: Path, run: str) -> Rows:
    """The run as one instant of the store has it. sqlite3.Error when it cannot be read."""
    with _opened(home) as db:
        if db is None:
            return Rows((), None, (), ())
        db.execute("BEGIN")
        lines = tuple(line_of(row) for row in db.execute(_JOURNAL, (run,)))
        of_run = _records(db, "SELECT * FROM runs WHERE id = ?", run)
        ledger = _records(db, "SELECT * FROM ledger WHERE run = ? ORDER BY 1, 2, 3", run)
        there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'account'").fetchone()
        accounts = _records(db, _ACCOUNTS, run) if there else ()
        return Rows(lines, of_run[0] if of_run else None, ledger, accounts)


def _records(db: sqlite3.Connection, query: str, run: str) -> tuple[Json, ...]:
    found = db.execute(query, (run,))
    columns = [name for name, *_ in found.description]
    return tuple(dict(zip(columns, row, strict=True)) for row in found)


@contextmanager
def _opened(home: Path) -> Iterator[sqlite3.Connection | None]:
    """The store for reading; None where there is none."""
    file = home / FILE
    if not file.exists():
        yield None
        return
    db = _connected(file)
    db.text_factory = lambda content: content.decode("utf-8", "surrogateescape")
    try:
        yield db
    finally:
        db.close()


def _connected(file: Path) -> sqlite3.Connection:
    """Read-only. Where the folder is, too, a store that nobody writes is read as it lies there."""
    db = sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, isolation_level=None, timeout=10)
    try:
        db.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.OperationalError:
        db.close()
        if file.with_name(f"{FILE}-wal").exists():
            raise
        return sqlite3.connect(f"file:{quote(str(file))}?mode=ro&immutable=1", uri=True, isolation_level=None)
    return db
