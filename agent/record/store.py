"""The store: runs, journal lines, money and inbox in one SQLite database. It stores JSON and knows no stage.

One transaction a round: the outcomes of one round and the intents of the next are one commit, chained
by hash, fenced by the run's epoch, and held to the budget by the database itself.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from agent.errors import Broken, Busy, NoSuchRun
from agent.record import ledger
from agent.record.chained import Line, chain, chained
from agent.record.ledger import LARGEST, Account, Burn, Cap, Crossing, Drawn, Entry, Movement, Purse, Resource
from agent.record.spoken import Spoken
from agent.record.versions import SCHEMA
from tools.record import Json, Record
from tools.redact import Redaction

Tell = Callable[[Crossing], tuple[str, str]]
"""The journal line, as (kind, JSON body), that says that a threshold was crossed."""


class RunRow(Record):
    """One run as the list shows it."""

    id: str
    goal: str
    status: str
    started: float
    owner: str | None
    epoch: int
    settled: int = 0
    reserved: int = 0
    budget: int | None = None
    overrun: int = 0


class Message(Record):
    """Something another process wants of a run's owner."""

    id: int
    run: str
    kind: Literal["approve", "deny", "cancel", "amend"]
    body: Json
    at: float


class Store(Spoken):
    """The embedded store. Every method is one short transaction."""

    def __init__(self, path: Path, *, redaction: Redaction | None = None) -> None:
        """Open or create. Broken when the file is not ours, not writable, or from a newer version."""
        super().__init__(path, redaction=redaction)
        self._heads: dict[str, tuple[int, int, str]] = {}
        self._drawn: dict[str, list[Drawn]] = {}

    def create(
        self,
        *,
        run: str,
        goal: str,
        started: float,
        requester: str = "",
        standing: Sequence[str] = (),
        bounds: Mapping[Resource, int] | None = None,
    ) -> None:
        """A new run and the accounts it draws on.

        `standing`: what it works on that goes on after it, by name. `bounds`: what the goal itself allows it.
        """
        with self._transaction() as db:
            db.execute(
                "INSERT INTO runs (id, goal, status, started, schema) VALUES (?, ?, 'planning', ?, ?)",
                (run, self._redaction.text(goal), started, SCHEMA),
            )
            _draw(db, run, requester, standing)
            db.executemany(_RUN_BOUND, [(run, resource, most) for resource, most in (bounds or {}).items()])

    def enter(self, run: str, *, requester: str, at: float, money: Sequence[Entry], caps: Sequence[Cap] = ()) -> None:
        """Move money of a run outside its journal: what asking a model costs, also before there is a journal.

        A run that is never made keeps what was moved: it was spent. OverLimit when an account does not allow it.
        """
        with self._transaction() as db:
            _draw(db, run, requester)
            ledger.move(db, run, at, money, caps)

    def bound(self, run: str, bounds: Mapping[Resource, int]) -> None:
        """What the goal allows its run from now on. OverLimit when more than that is committed already."""
        with self._transaction() as db:
            db.executemany(_RUN_BOUND, [(run, resource, most) for resource, most in bounds.items()])

    def claim(self, run: str, *, owner: str, gone: Sequence[str]) -> int:
        """Become the run's owner: one conditional update that raises the epoch; Busy when another owns it.

        `gone` lists owners that are known to be dead.
        """
        with self._transaction() as db:
            row = db.execute("SELECT owner, epoch FROM runs WHERE id = ?", (run,)).fetchone()
            if row is None:
                raise NoSuchRun(f"there is no run {run}")
            if row[0] is not None and row[0] != owner and row[0] not in gone:
                raise Busy(f"run {run} is driven by another process ({row[0]})")
            db.execute("UPDATE runs SET owner = ?, epoch = epoch + 1 WHERE id = ?", (owner, run))
            return int(row[1]) + 1

    def release(self, run: str, *, epoch: int) -> None:
        """Stop owning the run."""
        with self._transaction() as db:
            db.execute("UPDATE runs SET owner = NULL WHERE id = ? AND epoch = ?", (run, epoch))

    def append(
        self,
        run: str,
        *,
        epoch: int,
        at: float,
        lines: Sequence[tuple[str, str]],
        money: Sequence[Entry] = (),
        caps: Sequence[Cap] = (),
        tell: Tell | None = None,
        status: str | None = None,
        folded: Sequence[int] = (),
    ) -> list[tuple[int, str]]:
        """Append (kind, JSON body) lines and move money, all or nothing; their (sequence, hash).

        `caps` bound the accounts outside the run. `tell` gives a line more for each threshold that is crossed by then
        and that no journal has said. Busy when the epoch is old; OverLimit when an account does not allow it; Broken
        when the disk does not.
        """
        with self._transaction() as db:
            before, head = self._head(run, epoch)
            seq, marks = before, []
            try:
                ledger.move(db, run, at, money, caps)
                if tell is not None:
                    lines = [*lines, *(tell(c) for c in _told(db, run, at))]
                rows = []
                for kind, body in lines:
                    seq += 1
                    head = chain(head, seq, at, kind, body)
                    rows.append((run, seq, at, kind, body, head))
                    marks.append((seq, head))
                db.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", rows)
                moved = db.execute(_ADVANCE, (seq, head, status, run, epoch, before))
            except (sqlite3.IntegrityError, Broken):
                self._fence(run, epoch)
                raise
            if moved.rowcount != 1:
                raise Busy(f"run {run} has been taken over by another process")
            if folded:
                db.executemany("UPDATE inbox SET folded = 1 WHERE id = ?", [(i,) for i in folded])
        self._heads[run] = (epoch, seq, head)
        return marks

    def _head(self, run: str, epoch: int) -> tuple[int, str]:
        """Where the journal ends: as this process left it, else as the store says. The update checks it."""
        known = self._heads.get(run)
        if known is not None and known[0] == epoch:
            return known[1], known[2]
        return self._fence(run, epoch)

    def _fence(self, run: str, epoch: int) -> tuple[int, str]:
        """Where the store says that the journal ends; Busy when the epoch is old."""
        row = self._db.execute(
            "SELECT head_seq, head_hash FROM runs WHERE id = ? AND epoch = ?", (run, epoch)
        ).fetchone()
        if row is None:
            raise Busy(f"run {run} has been taken over by another process")
        return int(row[0]), str(row[1])

    def lines(self, run: str, *, after: int = 0) -> list[Line]:
        """The journal in order. Broken when the chain does not hold: the state is not trusted."""
        previous = ""
        if after:
            found = self._db.execute("SELECT hash FROM journal WHERE run = ? AND seq = ?", (run, after)).fetchone()
            previous = found[0] if found else ""
        rows = self._db.execute(
            "SELECT seq, at, kind, body, hash FROM journal WHERE run = ? AND seq > ? ORDER BY seq", (run, after)
        )
        result = chained(run, rows, previous, after=after, what="journal")
        self._check_head(run, result[-1].hash if result else previous, after)
        return result

    def _check_head(self, run: str, last: str, after: int) -> None:
        row = self._db.execute("SELECT head_hash, head_seq FROM runs WHERE id = ?", (run,)).fetchone()
        if row is not None and row[1] > after and row[0] != last:
            raise Broken(f"the journal of {run} does not end where its run says: lines are missing")

    def looks(self, holdout: str, *, but: str) -> int:
        """How often the runs of this home, all but one, have opened the holdout with this digest: once a part and
        round, however many models were asked. The journals say so."""
        row = self._db.execute(_LOOKS, (but, holdout)).fetchone()
        return int(row[0])

    def rows(self) -> list[RunRow]:
        """Every run, newest first. One whose process ended before its first line was begun by nobody."""
        return [
            RunRow(**dict(zip(_ROW, row, strict=True)))
            for row in self._db.execute(f"{_SELECT} WHERE r.head_seq > 0 ORDER BY r.started DESC, r.rowid DESC")
        ]

    def row(self, run: str) -> RunRow:
        """NoSuchRun when there is none."""
        found = self._db.execute(f"{_SELECT} WHERE r.id = ?", (run,)).fetchone()
        if found is None:
            raise NoSuchRun(f"there is no run {run}")
        return RunRow(**dict(zip(_ROW, found, strict=True)))

    def post(self, *, run: str, kind: str, body: Json, at: float, dedupe: str) -> bool:
        """Leave a message for the owner; False when the same one was left before."""
        with self._transaction() as db:
            cursor = db.execute(
                "INSERT OR IGNORE INTO inbox (run, kind, body, at, dedupe) VALUES (?, ?, ?, ?, ?)",
                (run, kind, json.dumps(self._redaction.value(body)), at, dedupe),
            )
            return cursor.rowcount == 1

    def messages(self, run: str) -> list[Message]:
        """What has not been folded yet: denials and cancellations before approvals, then in order."""
        rows = self._db.execute(
            "SELECT id, run, kind, body, at FROM inbox WHERE run = ? AND folded = 0 ORDER BY kind = 'approve', id",
            (run,),
        )
        return [Message(id=i, run=r, kind=k, body=json.loads(b), at=at) for i, r, k, b, at in rows]

    def purse(self, run: str | None = None, *, at: float, requester: str = "", caps: Sequence[Cap] = ()) -> Purse:
        """What the accounts that a run draws on still allow under these caps, and what goes on in this home.

        Without a run: what a new one of that requester would be allowed.
        """
        draws: list[Drawn] = [("month", ""), ("requester", requester)]
        return ledger.purse(self._db, draws if run is None else self._draws(run), at, caps)

    def _draws(self, run: str) -> list[Drawn]:
        if run not in self._drawn:
            self._drawn[run] = ledger.drawn(self._db, run)
        return self._drawn[run]

    def crossed(self, run: str, *, at: float) -> bool:
        """Whether accrued cost has crossed a threshold that no journal has said."""
        return bool(ledger.crossings(self._db, run, at))

    def burn(self, run: str, *, at: float) -> Burn:
        """What runs now costs an hour, and what this month comes to."""
        return ledger.burn(self._db, run, at)

    def accounts(self, run: str) -> list[Account]:
        """Every account that the run draws on, of every month and resource."""
        return ledger.accounts(self._db, self._draws(run))

    def movements(self, run: str) -> list[Movement]:
        """The run's ledger, in the order in which it was reserved."""
        return ledger.movements(self._db, run)

    def money(self, run: str) -> dict[str, int]:
        """Settled micro-USD by source."""
        found: dict[str, int] = {}
        for one in self.movements(run):
            if one.resource == "usd_micro":
                found[one.source] = found.get(one.source, 0) + (one.settled or 0) + one.overrun
        return found


def _draw(db: sqlite3.Connection, run: str, requester: str, standing: Sequence[str] = ()) -> None:
    """The accounts that a run draws on, as far as they are not known yet."""
    draws = [("run", run), ("month", ""), ("requester", requester), *(("standing", name) for name in standing)]
    db.executemany("INSERT OR IGNORE INTO draws VALUES (?, ?, ?)", [(run, *one) for one in draws])


_RUN_BOUND = (
    "INSERT INTO account (kind, name, month, resource, bound) VALUES ('run', ?, '', ?, ?)"
    " ON CONFLICT DO UPDATE SET bound = excluded.bound"
)


def _told(db: sqlite3.Connection, run: str, at: float) -> list[Crossing]:
    """The crossings that this commit says; none is said twice."""
    found = ledger.crossings(db, run, at)
    for one in found:
        ledger.told(db, one)
    return found


_ROW = tuple(RunRow.model_fields)
_SELECT = (
    "SELECT r.id, r.goal, r.status, r.started, r.owner, r.epoch, coalesce(a.settled, 0), coalesce(a.reserved, 0),"
    f" nullif(a.bound, {LARGEST}), coalesce(a.overrun, 0) FROM runs r LEFT JOIN account a"
    " ON a.kind = 'run' AND a.name = r.id AND a.month = '' AND a.resource = 'usd_micro'"
)
_LOOKS = (
    "SELECT count(*) FROM (SELECT DISTINCT run, json_extract(body, '$.part'),"
    " coalesce(json_extract(body, '$.round'), 0) FROM journal WHERE kind = 'observation' AND run != ?"
    " AND json_extract(body, '$.stage') = 'holdout'"
    " AND json_extract(body, '$.digests.holdout') = ?)"
)
_ADVANCE = (
    "UPDATE runs SET head_seq = ?, head_hash = ?, status = coalesce(?, status)"
    " WHERE id = ? AND epoch = ? AND head_seq = ?"
)
