"""The one place where a run's journal is written: lines are folded as they are added, and stored together.

The lines of one round are one commit. Nothing may be performed before the commit that holds its intent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

from pydantic_core import PydanticSerializationError

from agent import accounts
from agent.clock import Clock
from agent.documents import Status
from agent.errors import Broken
from agent.record.ledger import LARGEST, Cap, Crossing, Entry, Purse, Resource
from agent.record.store import Store
from agent.service_state import Chapter
from agent.state import LINES, Ended, Intent, Run, Settled, fold
from agent.telemetry.observer import SILENT, Observer
from tools.inert import whole
from tools.record import Record
from tools.redact import Redaction

_KIND = {record: kind for kind, record in LINES.items()}


class Book:
    """The open journal of one run, for its owner."""

    def __init__(
        self,
        *,
        store: Store,
        run: Run,
        epoch: int,
        clock: Clock,
        caps: Sequence[Cap] = (),
        head: str = "",
        redaction: Redaction | None = None,
        observer: Observer = SILENT,
    ) -> None:
        """`caps`: what the operator allows the accounts that the run draws on."""
        self.run = run
        self.head = head
        """Hash of the last line that is committed, as this process knows it."""
        self._store = store
        self.epoch = epoch
        self.clock = clock
        """The run's own time."""
        self.taken = clock.now()
        """When this process took it over, on that clock."""
        self._caps = caps
        self._redaction = redaction or Redaction()
        self.observer = observer
        self._records: list[Record] = []
        """What the lines say, for whoever is told once they are stored."""
        self._lines: list[tuple[str, str]] = []
        self._money: list[Entry] = []
        self._folded: list[int] = []
        self._status: Status | None = None
        self.stored = run.seq
        """Sequence of the last line that is committed."""
        self.watch: Callable[[Run], None] | None = None
        self.due: float | None = None
        """When the run is to be looked at again once nobody owns it, epoch seconds; None: only a message wakes it."""

    @property
    def open(self) -> bool:
        """Lines were added that are not committed."""
        return bool(self._lines or self._folded)

    def add(self, record: Record) -> None:
        """Fold the record into the run and hold its line for the next commit, both without secrets."""
        kind = _KIND[type(record)]
        record, text = self._without_secrets(kind, record)
        self._lines.append((kind, text))
        self._records.append(record)
        now = self.clock.now()
        self.run.apply(self.run.seq + 1, now, kind, record)
        if isinstance(record, Intent):
            self._money += accounts.reservations(self.run.calls[record.call], self.run, now)
        elif isinstance(record, Settled) or (
            isinstance(record, Ended) and record.phase != "running" and not record.holds
        ):
            self._money += accounts.settlements(self.run.calls[record.call], self.run, record, now)

    def _without_secrets(self, kind: str, record: Record) -> tuple[Record, str]:
        try:
            return self._redaction.line(record)
        except PydanticSerializationError:  # somebody else's answer held half a character
            return self._without_secrets(kind, type(record).model_validate(whole(record.model_dump())))
        except ValueError as error:
            raise Broken(f"a secret stands in the {kind} of {self.run.id} where only a known word can stand") from error

    def fold_in(self, message: int) -> None:
        """The inbox message has been taken into account by the lines of this round."""
        self._folded.append(message)

    def status(self, status: Status) -> None:
        self._status = status

    def purse(self) -> Purse:
        """What the accounts of the run allow now: what was moved since the last commit counts already."""
        stored = self._store.purse(self.run.id, at=self.clock.now(), caps=self._caps)
        if not self._money:
            return stored
        money, gpu = self._held("usd_micro"), self._held("gpu_ms")
        begun = sum(1 for e in self._money if e.kind == "reserve" and e.until is not None and e.source == "compute")
        return Purse(
            left_requester_micro=_less(stored.left_requester_micro, money),
            left_month_micro=_less(stored.left_month_micro, money),
            left_standing_micro=_less(stored.left_standing_micro, money),
            left_gpu_ms=_less(stored.left_gpu_ms, gpu),
            frozen=stored.frozen or self.run.overrun is not None,
            rate_micro_per_hour=min(LARGEST, stored.rate_micro_per_hour + sum(e.rate for e in self._money)),
            jobs=stored.jobs + begun,
        )

    def _held(self, resource: Resource) -> int:
        """What the movements that are not committed add to what accounts hold."""
        moved = (e for e in self._money if e.resource == resource)
        return sum(e.amount if e.kind == "reserve" else e.amount - e.reserved for e in moved)

    def commit(self) -> None:
        """Store everything added since the last commit, all or nothing, and what accrued cost has crossed by then.

        OverLimit when another run has used up what was to be reserved; Broken when the disk does not allow it.
        """
        at = self.run.last if self._lines else max(self.run.last, self.clock.now())
        costs = bool(self._money) or self.run.reserved_micro > 0
        if not self.open and self._status is None and not (costs and self._store.crossed(self.run.id, at=at)):
            return
        told: list[Crossing] = []
        began = perf_counter()
        marks = self._store.append(
            self.run.id,
            epoch=self.epoch,
            at=at,
            lines=self._lines,
            money=self._money,
            caps=self._caps,
            tell=(lambda crossing: self._told(crossing, told)) if costs else None,
            status=self._status,
            folded=self._folded,
            chapter=self._chapter(),
        )
        for crossing in told[len(told) - (len(marks) - len(self._lines)) :]:  # a commit tried again tells them again
            self.run.apply(self.run.seq + 1, at, _KIND[Crossing], crossing)
        if marks and marks[-1][0] != self.run.seq:
            raise Broken(f"the journal of {self.run.id} is at {marks[-1][0]}, its state at {self.run.seq}")
        stored, self._records = self._records, []
        self._lines, self._money, self._folded, self._status = [], [], [], None
        self.stored = self.run.seq
        self.head = marks[-1][1] if marks else self.head
        self.observer.committed(self.run, stored, epoch=self.epoch, seconds=perf_counter() - began)
        if self.watch is not None:
            self.watch(self.run)

    def _chapter(self) -> int | None:
        """After which line the next fold may begin, when this commit says all."""
        says_all = bool(self._records) and isinstance(self._records[-1], Chapter)
        return self.run.seq - 1 if says_all else None

    def _told(self, crossing: Crossing, told: list[Crossing]) -> tuple[str, str]:
        """The line that says so, folded once it is stored."""
        told.append(crossing)
        return _KIND[Crossing], crossing.model_dump_json()

    def reload(self) -> None:
        """Forget what was not stored: the run is what its journal says."""
        self.run = fold(self.run.id, self._store.lines(self.run.id))
        self._lines, self._records, self._money, self._folded = [], [], [], []
        self.stored = self.run.seq


def _less(left: int | None, held: int) -> int | None:
    return None if left is None else left - held
