"""The one place where a run's journal is written: lines are folded as they are added, and stored together.

The lines of one round are one commit. Nothing may be performed before the commit that holds its intent.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.clock import Clock
from agent.documents import Status
from agent.errors import Broken
from agent.record.store import Entry, Store
from agent.state import LINES, Ended, Intent, Run, Settled
from tools.record import Record

_KIND = {record: kind for kind, record in LINES.items()}


class Book:
    """The open journal of one run, for its owner."""

    def __init__(self, *, store: Store, run: Run, epoch: int, clock: Clock) -> None:
        self.run = run
        self._store = store
        self._epoch = epoch
        self._clock = clock
        self._lines: list[tuple[str, str]] = []
        self._money: list[Entry] = []
        self._folded: list[int] = []
        self._status: Status | None = None
        self.stored = run.seq
        """Sequence of the last line that is committed."""
        self.watch: Callable[[Run], None] | None = None

    @property
    def open(self) -> bool:
        """Lines were added that are not committed."""
        return bool(self._lines or self._folded)

    def add(self, record: Record) -> None:
        """Fold the record into the run and hold its line for the next commit."""
        kind = _KIND[type(record)]
        self._lines.append((kind, record.model_dump_json()))
        self.run.apply(self.run.seq + 1, self._clock.now(), kind, record)
        if isinstance(record, Intent):
            amount = self.run.calls[record.call].verdict.reserve_micro
            self._money.append(Entry(call=record.call, kind="reserve", usd_micro=amount))
        elif isinstance(record, Ended) and record.phase != "running" and not record.holds:
            self._money.append(Entry(call=record.call, kind="settle", usd_micro=record.settled_micro))
        elif isinstance(record, Settled):
            self._money.append(Entry(call=record.call, kind="settle", usd_micro=record.usd_micro))

    def fold_in(self, message: int) -> None:
        """The inbox message has been taken into account by the lines of this round."""
        self._folded.append(message)

    def status(self, status: Status) -> None:
        self._status = status

    def commit(self) -> None:
        """Store everything added since the last commit, all or nothing. Broken when the disk does not allow it."""
        if not self.open and self._status is None:
            return
        marks = self._store.append(
            self.run.id,
            epoch=self._epoch,
            at=self.run.last or self._clock.now(),
            lines=self._lines,
            money=self._money,
            status=self._status,
            folded=self._folded,
        )
        if marks and marks[-1][0] != self.run.seq:
            raise Broken(f"the journal of {self.run.id} is at {marks[-1][0]}, its state at {self.run.seq}")
        self._lines, self._money, self._folded, self._status = [], [], [], None
        self.stored = self.run.seq
        if self.watch is not None:
            self.watch(self.run)
