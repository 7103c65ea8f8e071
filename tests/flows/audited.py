"""A finished run in a home of its own, to be copied and tampered with as somebody without the key can."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from agent.audit.examine import Audit, examine, told
from agent.audit.heads import Heads
from agent.record.chained import chain


@dataclass(frozen=True)
class Kept:
    """One run, its home and its heads."""

    folder: Path
    run: str

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def heads(self) -> Heads:
        return Heads(self.folder / "runtime" / "audit")

    @property
    def log(self) -> Path:
        return self.heads.path(self.run)

    def copied(self, to: Path) -> Kept:
        shutil.copytree(self.folder, to)
        return Kept(to, self.run)

    def audit(self, *, given: bytes | None = None) -> Audit:
        return told(examine(self.run, self.home, self.heads, given=given), "folder")

    def sql(self, statement: str, *values: object) -> None:
        """Somebody changes the store behind everybody's back. `:run` is the run."""
        with closing(sqlite3.connect(self.home / "goalkeeper.db")) as db, db:
            changed = db.execute(statement.replace(":run", f"'{self.run}'"), values)
            assert changed.rowcount != 0, statement

    def lines(self) -> list[tuple[int, float, str, str, str]]:
        with closing(sqlite3.connect(self.home / "goalkeeper.db")) as db:
            query = "SELECT seq, at, kind, body, hash FROM journal WHERE run = ? ORDER BY seq"
            return db.execute(query, (self.run,)).fetchall()

    def rewrite(self, lines: list[tuple[int, float, str, str, str]]) -> None:
        """These lines instead, numbered and hashed anew to the end, as the store itself would have them."""
        head = ""
        with closing(sqlite3.connect(self.home / "goalkeeper.db")) as db, db:
            db.execute("DELETE FROM journal WHERE run = ?", (self.run,))
            for seq, (_, at, kind, body, _) in enumerate(lines, start=1):
                head = chain(head, seq, at, kind, body)
                db.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", (self.run, seq, at, kind, body, head))
            db.execute("UPDATE runs SET head_seq = ?, head_hash = ? WHERE id = ?", (len(lines), head, self.run))
