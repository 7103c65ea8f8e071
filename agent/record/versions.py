"""Opening a store: made anew, brought from an older version in one transaction, or refused when it is newer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from agent.errors import Broken

SCHEMA = 4
"""Version of the tables and the journal's lines; a store written by a newer version is refused."""


_SCRIPTS = {
    0: ("schema",),
    1: ("from_1_aside", "schema", "from_1_over"),
    2: ("from_3", "schema"),  # beside that it only lacks tables
    3: ("from_3", "schema"),
    SCHEMA: (),
}
"""Version found → what makes it this one."""


def prepare(db: sqlite3.Connection, path: Path) -> None:
    """Make the tables what this version works with. Broken when a newer version wrote them; nothing is changed then."""
    if _version(db, path) == SCHEMA:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        scripts = _SCRIPTS[_version(db, path)]
        for statement in (s for name in scripts for s in _statements(name)):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection, path: Path) -> int:
    """0 for an empty file. The first version told it in its runs alone."""
    told = int(db.execute("PRAGMA user_version").fetchone()[0])
    runs = db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'runs'").fetchone()
    newest = int(db.execute("SELECT coalesce(max(schema), 1) FROM runs").fetchone()[0]) if runs else 0
    if max(told, newest) > SCHEMA:
        raise newer(path)
    return told or min(newest, 1)


def newer(where: object) -> Broken:
    return Broken(f"the store {where} was written by a newer version of goalkeeper")


def script(name: str) -> str:
    return files("agent.record").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def _statements(name: str) -> Iterator[str]:
    """The statements of a script one by one, so that they run inside the transaction that is open."""
    statement = ""
    for line in script(name).splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
