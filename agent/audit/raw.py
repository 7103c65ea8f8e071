"""A run as the tables of its store hold it, read past the store itself: nothing is refused, nothing is believed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from agent.audit.journal import Line, line_of
from agent.record.engine import Unreachable
from tools.record import Json

FILE = "goalkeeper.db"
_JOURNAL = "SELECT seq, at, kind, body, hash FROM journal WHERE run = ? ORDER BY seq"
_ACCOUNTS = "SELECT * FROM account WHERE kind = 'run' AND name = ? ORDER BY resource"


_INSTANT, _THEIR_INSTANT = "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

Where = Path | str
"""A home, or the address of a shared store."""


class Read(Protocol):
    """What a statement found."""

    @property
    def description(self) -> Sequence[Sequence[Any]] | None: ...

    def __iter__(self) -> Iterator[tuple[Any, ...]]: ...

    def fetchone(self) -> tuple[Any, ...] | None: ...


class Reading(Protocol):
    """A store that is open for reading."""

    def execute(self, statement: str, words: tuple[str, ...] = (), /) -> Read: ...


class Rows(NamedTuple):
    """Everything of one run."""

    lines: tuple[Line | None, ...]
    """None for a row that is no line."""
    run: Json | None
    ledger: tuple[Json, ...]
    accounts: tuple[Json, ...]
    """The run's own."""


def names(where: Where) -> tuple[str, ...]:
    """Every run of a home. Unreachable when its store cannot be read."""
    with _opened(where) as db:
        if db is None:
            return ()
        found = db.execute("SELECT id FROM runs UNION SELECT run FROM journal ORDER BY 1")
        return tuple(name for (name,) in found if isinstance(name, str))


def rows(where: Where, run: str) -> Rows:
    """The run as one instant of the store has it. Unreachable when it cannot be read."""
    with _opened(where) as db:
        if db is None:
            return Rows((), None, (), ())
        db.execute(_INSTANT if isinstance(db, sqlite3.Connection) else _THEIR_INSTANT)
        lines = tuple(line_of(row) for row in db.execute(_JOURNAL, (run,)))
        of_run = _records(db, "SELECT * FROM runs WHERE id = ?", run)
        ledger = _records(db, "SELECT * FROM ledger WHERE run = ? ORDER BY 1, 2, 3", run)
        accounts = _records(db, _ACCOUNTS, run) if _accounted(db) else ()
        return Rows(lines, of_run[0] if of_run else None, ledger, accounts)


def _accounted(db: Reading) -> bool:
    """The first version of an embedded store had no accounts."""
    there = "SELECT 1 FROM sqlite_master WHERE name = 'account'"
    return not isinstance(db, sqlite3.Connection) or db.execute(there).fetchone() is not None


def _records(db: Reading, query: str, run: str) -> tuple[Json, ...]:
    found = db.execute(query, (run,))
    columns = [name for name, *_ in found.description or ()]
    return tuple(dict(zip(columns, row, strict=True)) for row in found)


@contextmanager
def _opened(where: Where) -> Iterator[Reading | None]:
    """The store for reading; None where there is none."""
    if isinstance(where, str):
        from agent.record.server import reading  # its driver is there only where such a store is used

        with reading(where) as shared:
            yield shared
        return
    file = where / FILE
    if not file.exists():
        yield None
        return
    try:
        db = _connected(file)
        db.text_factory = lambda content: content.decode("utf-8", "surrogateescape")
        with closing(db):
            yield db
    except sqlite3.Error as error:
        raise Unreachable(str(error)) from error


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
