"""One run as the store's row of it tells, without its journal."""

from __future__ import annotations

from typing import Literal

from agent.errors import NoSuchRun
from agent.record.engine import Statements
from agent.record.ledger import LARGEST
from tools.record import Record

RunKind = Literal["goal", "standing"]


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
    kind: RunKind = "goal"
    due: float | None = None
    """Epoch seconds at which it is to be looked at; None: only a message wakes it."""
    leased: float | None = None
    """Seconds that its owner may still go unheard, by the store's clock; 0 once that has passed. None where nobody owns
    it, or its owner counts as long as its process lives."""
    chapter: int = 0
    """Sequence after which the lines say all that a standing goal has to know."""


def every(db: Statements, kind: RunKind | None) -> list[RunRow]:
    """Newest first. A run whose process ended before its first line was begun by nobody."""
    rows = db.execute(f"{_SELECT} WHERE r.head_seq > 0 AND coalesce(?, r.kind) = r.kind {_NEWEST}", (kind,))
    return [_row(row) for row in rows]


def one(db: Statements, run: str) -> RunRow:
    """NoSuchRun when there is none."""
    found = db.execute(f"{_SELECT} WHERE r.id = ?", (run,)).fetchone()
    if found is None:
        raise NoSuchRun(f"there is no run {run}")
    return _row(found)


def _row(row: tuple[object, ...]) -> RunRow:
    return RunRow.model_validate(dict(zip(_FIELDS, row, strict=True)))


_FIELDS = tuple(RunRow.model_fields)
_NEWEST = "ORDER BY r.started DESC, r.rowid DESC"
_SELECT = (
    "SELECT r.id, r.goal, r.status, r.started, r.owner, r.epoch, coalesce(a.settled, 0), coalesce(a.reserved, 0),"
    f" nullif(a.bound, {LARGEST}), coalesce(a.overrun, 0), r.kind,"
    " CASE WHEN r.woken < coalesce(r.due, r.woken + 1) THEN r.woken ELSE r.due END,"
    " CASE WHEN r.owner IS NULL OR r.leased IS NULL THEN NULL"
    " WHEN r.boot = lease_boot() AND r.leased > lease_now() THEN r.leased - lease_now() ELSE 0 END, r.chapter"
    " FROM runs r LEFT JOIN account a"
    " ON a.kind = 'run' AND a.name = r.id AND a.month = '' AND a.resource = 'usd_micro'"
)
