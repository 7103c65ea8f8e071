"""The store: runs, journal lines, money and inbox in one database. It stores JSON and knows no stage.

One transaction a round: the outcomes of one round and the intents of the next are one commit, chained
by hash, fenced by the run's epoch, and held to the budget by the database itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Final

from agent.errors import Broken, Busy
from agent.record import ledger, rows
from agent.record.chained import Line, chain, chained
from agent.record.claims import Claims, a_time
from agent.record.engine import Statements, Unreachable
from agent.record.ledger import Cap, Crossing, Entry, Resource
from agent.record.posted import Message as Message
from agent.record.posted import Posted
from agent.record.rows import RunKind
from agent.record.rows import RunRow as RunRow
from agent.record.spoken import Spoken
from agent.record.versions import SCHEMA
from agent.record.wallet import Wallet, draw, tell_once
from tools.redact import Redaction

Tell = Callable[[Crossing], tuple[str, str]]
"""The journal line, as (kind, JSON body), that says that a threshold was crossed. Asked again in the same order where a
commit had to be tried again: what was told last is what is stored."""


class Unset(Enum):
    """Nothing was said: it stays as it is."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class Store(Claims, Posted, Spoken, Wallet):
    """The store of a home, or the one that many workers share.

    Every method is one short transaction, and any thread may call it.
    """

    def __init__(self, where: Path | str, *, redaction: Redaction | None = None) -> None:
        """Open or create. `where`: a file, or `postgresql://...`. Broken when it is not ours, not writable, or from a
        newer version."""
        super().__init__(where, redaction=redaction)
        self._heads: dict[str, tuple[int, int, str]] = {}

    def create(
        self,
        *,
        run: str,
        goal: str,
        started: float,
        requester: str = "",
        standing: Sequence[str] = (),
        bounds: Mapping[Resource, int] | None = None,
        kind: RunKind = "goal",
        due: float | None = None,
    ) -> bool:
        """A new run and the accounts it draws on. False when there is one of that id: nothing changes.

        `standing`: what it works on that goes on after it, by name. `bounds`: what the goal itself allows it.
        `due`: when somebody is to drive it, epoch seconds; None where its maker does.
        """
        told = (run, self._redaction.text(goal), started, SCHEMA, kind, a_time(due))

        def body(db: Statements) -> bool:
            if db.execute(_CREATE, told).rowcount != 1:
                return False
            draw(db, run, requester, standing)
            self._bound(db, run, bounds or {})
            return True

        def stored(db: Statements) -> bool | None:
            return True if db.execute(_CREATED, told).fetchone() is not None else None

        return self._db.write(body, stored=stored)

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
        due: float | Unset | None = UNSET,
        chapter: int | None = None,
    ) -> list[tuple[int, str]]:
        """Append (kind, JSON body) lines and move money, all or nothing; their (sequence, hash).

        `caps` bound the accounts outside the run. `tell` gives a line more for each threshold that is crossed by then
        and that no journal has said. `due`: when the run is to be looked at once nobody drives it. `chapter`: the
        sequence after which the lines say all that it has to know.

        Busy when the epoch is old; OverLimit when an account does not allow it; Broken when the disk does not.
        """
        marks: list[tuple[int, str]] = []

        def body(db: Statements) -> list[tuple[int, str]]:
            before, head = self._head(db, run, epoch)
            marks.clear()
            marks.extend(_written(db, run, at, lines, before, head))
            seq, head = marks[-1] if marks else (before, head)
            _advance(db, run, epoch, status, before, (seq, head))
            _note(db, run, folded, due, chapter)
            # Last: others wait for what is held from here to the commit.
            told = self._moved(db, run, at, money, caps, tell) if money or tell is not None else []
            if told:
                marks.extend(_written(db, run, at, told, seq, head))
                _advance(db, run, epoch, None, seq, marks[-1])
            return marks

        def stored(db: Statements) -> list[tuple[int, str]] | None:
            head = self._fence(db, run, epoch)
            known = marks[-1] == head if marks else bool(money) and ledger.entered(db, run, money)
            return marks if known else None

        try:
            written = self._db.write(body, stored=stored)
        except BaseException as error:
            self._heads.pop(run, None)
            if isinstance(error, Broken) and not isinstance(error, Unreachable):
                self._db.read(lambda db: self._fence(db, run, epoch))  # who is not the owner any more hears that
            raise
        if written:
            self._heads[run] = (epoch, *written[-1])
        return written

    def _moved(
        self, db: Statements, run: str, at: float, money: Sequence[Entry], caps: Sequence[Cap], tell: Tell | None
    ) -> list[tuple[str, str]]:
        """Move money; the lines that say what has been crossed by then."""
        self._db.hold(db, self._draws_in(db, run))
        ledger.move(db, run, at, money, caps)
        return [tell(crossing) for crossing in tell_once(db, run, at)] if tell is not None else []

    def _head(self, db: Statements, run: str, epoch: int) -> tuple[int, str]:
        """Where the journal ends: as this process left it, else as the store says. The update checks it."""
        known = self._heads.get(run)
        if known is not None and known[0] == epoch:
            return known[1], known[2]
        return self._fence(db, run, epoch)

    def _fence(self, db: Statements, run: str, epoch: int) -> tuple[int, str]:
        """Where the store says that the journal ends; Busy when the epoch is old."""
        row = db.execute("SELECT head_seq, head_hash FROM runs WHERE id = ? AND epoch = ?", (run, epoch)).fetchone()
        if row is None:
            raise Busy(_TAKEN.format(run=run))
        return int(row[0]), str(row[1])

    def lines(self, run: str, *, after: int = 0) -> list[Line]:
        """The journal in order. Broken when the chain does not hold: the state is not trusted."""
        previous, found, head = self._db.read(lambda db: _journal(db, run, after))
        result = chained(run, found, previous, after=after, what="journal")
        last = result[-1].hash if result else previous
        if head is not None and head[0] > after and head[1] != last:
            raise Broken(f"the journal of {run} does not end where its run says: lines are missing")
        return result

    def looks(self, holdout: str, *, but: str) -> int:
        """How often the runs of this home, all but one, have opened the holdout with this digest: once a part and
        round, however many models were asked. The journals say so."""
        return int(self._db.execute(_LOOKS, (but, holdout))[0][0])

    def rows(self, kind: RunKind | None = "goal") -> list[RunRow]:
        """Every run of that kind, or with None of every kind, newest first.

        One whose process ended before its first line was begun by nobody.
        """
        return self._db.read(lambda db: rows.every(db, kind))

    def row(self, run: str) -> RunRow:
        """NoSuchRun when there is none."""
        return self._db.read(lambda db: rows.one(db, run))


def open_store(where: Path | str, *, redaction: Redaction | None = None) -> Store:
    """The store there: a file, or a server by its address (`postgresql://...`). Broken when it cannot be opened."""
    return Store(where, redaction=redaction)


def _journal(
    db: Statements, run: str, after: int
) -> tuple[str, list[tuple[int, float, str, str, str]], tuple[int, str] | None]:
    """The hash of the line before, the lines after it, and where the run's row says that they end.

    One statement, so that all is of one instant.
    """
    previous, head, found = "", None, []
    for what, *line in db.execute(_LINES, (run, after, run, run, after)):
        if what == _HEAD:
            head = (line[0], line[4])
        elif what == _BEFORE:
            previous = line[4]
        else:
            found.append((line[0], line[1], line[2], line[3], line[4]))
    found.sort(key=lambda line: line[0])
    return previous, found, head


def _written(
    db: Statements, run: str, at: float, lines: Sequence[tuple[str, str]], seq: int, head: str
) -> list[tuple[int, str]]:
    """Write the lines after the one that ends the journal; their (sequence, hash)."""
    written = []
    for kind, body in lines:
        seq += 1
        head = chain(head, seq, at, kind, body)
        written.append((run, seq, at, kind, body, head))
    if written:
        db.executemany(_LINE, written)
    return [(row[1], row[5]) for row in written]


def _note(db: Statements, run: str, folded: Sequence[int], due: float | Unset | None, chapter: int | None) -> None:
    """What a commit says beside its lines."""
    for message in folded:
        db.execute("UPDATE inbox SET folded = 1 WHERE id = ?", (message,))
    if not isinstance(due, Unset):
        db.execute("UPDATE runs SET due = ? WHERE id = ?", (a_time(due), run))
    if chapter is not None:
        db.execute("UPDATE runs SET chapter = ? WHERE id = ?", (chapter, run))


def _advance(db: Statements, run: str, epoch: int, status: str | None, before: int, head: tuple[int, str]) -> None:
    """The run's row says where its journal ends. Busy when somebody else has written it."""
    if db.execute(_ADVANCE, (*head, status, run, epoch, before)).rowcount != 1:
        raise Busy(_TAKEN.format(run=run))


_TAKEN = "run {run} has been taken over by another process"
_CREATE = (
    "INSERT INTO runs (id, goal, status, started, schema, kind, due) VALUES (?, ?, 'planning', ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_CREATED = (
    "SELECT 1 FROM runs WHERE id = ? AND goal = ? AND started = ? AND schema = ? AND kind = ?"
    " AND coalesce(due, -1) = coalesce(?, -1) AND epoch = 0"
)
_LINE = "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)"
_LINE_OF, _HEAD, _BEFORE = 0, 1, 2
_LINES = (
    f"SELECT {_LINE_OF}, seq, at, kind, body, hash FROM journal WHERE run = ? AND seq > ?"
    f" UNION ALL SELECT {_HEAD}, head_seq, 0.0, '', '', head_hash FROM runs WHERE id = ?"
    f" UNION ALL SELECT {_BEFORE}, seq, 0.0, '', '', hash FROM journal WHERE run = ? AND seq = ?"
)
_ADVANCE = (
    "UPDATE runs SET head_seq = ?, head_hash = ?, status = coalesce(?, status)"
    " WHERE id = ? AND epoch = ? AND head_seq = ?"
)
_LOOKS = (
    "SELECT count(*) FROM (SELECT DISTINCT run, json_extract(body, '$.part'),"
    " coalesce(CAST(json_extract(body, '$.round') AS TEXT), '0') FROM journal WHERE kind = 'observation' AND run != ?"
    " AND json_extract(body, '$.stage') = 'holdout'"
    " AND json_extract(body, '$.digests.holdout') = ?) AS looked"
)
