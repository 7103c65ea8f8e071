"""Who drives a run, and when somebody should: owner, epoch and lease; when it is due, and what woke it before that.

The truth is the run's row. Every claim raises the epoch, and whoever holds an older one is refused. A wake-up only says
"look at it": given twice, or lost while the run is wanted for another reason, it changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from agent.errors import Broken, Busy, NoSuchRun
from agent.record import owner as owners
from agent.record.database import Database
from agent.record.engine import Statements

ENDED = ("done", "cancelled", "failed")
"""Statuses that no run leaves."""


class Claims(Database):
    """The rows of runs, as far as driving them goes."""

    def claim(self, run: str, *, owner: str, gone: Sequence[str] = (), lease_s: float | None = None) -> int:
        """Become the run's owner: one conditional update that raises the epoch, which is given back.

        Busy when another owns it, is not among those that are known to be `gone`, and its lease has not lapsed. Without
        `lease_s` it is owned as long as the process lives.
        """
        words = (owner, lease_s, run, *gone)
        claimed: list[int] = []

        def body(db: Statements) -> int:
            row = db.execute(_claim(len(gone)), words).fetchone()
            if row is None:
                self._refuse(db, run)
            claimed[:] = [int(row[0])]
            return claimed[0]

        def stored(db: Statements) -> int | None:
            found = db.execute(_CLAIMED, (run, owner, claimed[0])).fetchone()
            return claimed[0] if found is not None else None

        return self._db.write(body, stored=stored)

    def _refuse(self, db: Statements, run: str) -> None:
        row = db.execute("SELECT owner FROM runs WHERE id = ?", (run,)).fetchone()
        if row is None:
            raise NoSuchRun(f"there is no run {run}")
        raise Busy(f"run {run} is driven by another process ({row[0]})")

    def renew(self, run: str, *, epoch: int, lease_s: float) -> None:
        """Stay its owner for so many seconds more. Busy when the epoch is old: another may have gone on with it."""

        def body(db: Statements) -> int:
            return db.execute(_RENEW, (lease_s, run, epoch)).rowcount

        if self._db.write(body, alone=True) != 1:
            raise Busy(f"run {run} has been taken over by another process")

    def holds(self, run: str, *, epoch: int) -> bool:
        """This epoch is the current one, it was not let go of, and its lease has not lapsed."""
        return bool(self._db.execute(_HOLDS, (run, epoch)))

    def release(self, run: str, *, epoch: int, due: float | None = None) -> None:
        """Stop owning the run until it is due (epoch seconds); with None only a message wakes it.

        An earlier wake-up that came meanwhile stands. Nothing happens when the epoch is old.
        """
        words = (a_time(due), run, epoch)
        self._db.write(lambda db: db.execute(_RELEASE, words).rowcount, alone=True)

    def wake(self, run: str, *, at: float) -> None:
        """The run is to be looked at then (epoch seconds) or earlier, however long it meant to wait.

        While somebody owns it, that is seen when it is let go of.
        """

        a_time(at)

        def body(db: Statements) -> None:
            db.execute(_WAKE, (at, run, at))
            self._db.notify(db, run)

        self._db.write(body)

    def wanted(self, *, now: float, most: int) -> list[str]:
        """Runs that nobody drives and somebody should, those first that have waited longest: they are due, or have a
        message, or their owner is gone or was not heard of for its lease."""

        def body(db: Statements) -> list[str]:
            gone = [name for (name,) in db.execute(_OWNERS) if owners.gone(name)]
            rows = db.execute(_wanted(len(gone)), (now, now, *gone, most))
            return [name for name, *_ in rows]

        return self._db.read(body)

    def soonest(self) -> float | None:
        """When the next run that nobody drives is due, epoch seconds."""
        found = self._db.execute(_SOONEST)[0][0]
        return None if found is None else float(found)

    def listen(self, stop: Callable[[], bool], *, every_s: float = 1.0) -> Iterator[str]:
        """The runs that other processes say are wanted, until `stop` says so. An empty name: some may have been missed,
        so look at all. An embedded store has nobody who could say so: nothing comes."""
        return self._db.listen(stop, every_s)


def a_time(at: float | None) -> float | None:
    """Broken for what is none: a database would make "never" of it."""
    if at is not None and math.isnan(at):
        raise Broken(f"the clock says {at!r}, which no calendar has: set it right and resume")
    return at


_LAPSED = "boot <> lease_boot() OR leased <= lease_now()"
_GOING_ON = f"status NOT IN {ENDED} AND head_seq > 0"
_FREE = f"owner IS NULL AND {_GOING_ON}"


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _claim(gone: int) -> str:
    known = f" OR owner IN ({_marks(gone)})" if gone else ""
    return (
        "UPDATE runs SET owner = ?, epoch = epoch + 1, boot = lease_boot(), leased = lease_now() + ?, woken = NULL"
        f" WHERE id = ? AND (owner IS NULL OR {_LAPSED}{known}) RETURNING epoch"
    )


_CLAIMED = "SELECT 1 FROM runs WHERE id = ? AND owner = ? AND epoch = ?"
_RENEW = (
    "UPDATE runs SET boot = lease_boot(), leased = lease_now() + ? WHERE id = ? AND epoch = ? AND owner IS NOT NULL"
)
_HOLDS = (
    "SELECT 1 FROM runs WHERE id = ? AND epoch = ? AND owner IS NOT NULL AND boot = lease_boot()"
    " AND (leased IS NULL OR leased > lease_now())"
)
_RELEASE = "UPDATE runs SET owner = NULL, boot = NULL, leased = NULL, due = ? WHERE id = ? AND epoch = ?"
_WAKE = "UPDATE runs SET woken = ? WHERE id = ? AND (woken IS NULL OR woken > ?)"
_OWNERS = f"SELECT DISTINCT owner FROM runs WHERE owner IS NOT NULL AND {_GOING_ON}"
_SOONEST = (
    "SELECT min(at) FROM (SELECT min(due) AS at FROM runs WHERE due IS NOT NULL"
    f" AND {_FREE} UNION ALL SELECT min(woken) FROM runs WHERE woken IS NOT NULL AND {_FREE}) AS next"
)


def _wanted(gone: int) -> str:
    known = f" OR owner IN ({_marks(gone)})" if gone else ""
    return (
        f"SELECT id, min(since) FROM (SELECT id, due AS since FROM runs WHERE due <= ? AND {_FREE}"
        f" UNION ALL SELECT id, woken FROM runs WHERE woken <= ? AND {_FREE}"
        f" UNION ALL SELECT r.id, i.at FROM inbox i JOIN runs r ON r.id = i.run WHERE i.folded = 0 AND {_FREE}"
        f" UNION ALL SELECT id, started FROM runs WHERE owner IS NOT NULL AND {_GOING_ON} AND ({_LAPSED}{known})"
        ") AS waiting GROUP BY id ORDER BY 2, 1 LIMIT ?"
    )
