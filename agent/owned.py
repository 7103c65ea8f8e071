"""A run while this process owns it: claimed, its journal open, signed for, and let go however that ends."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime

from agent.audit.heads import Heads, Stand
from agent.audit.journal import Mark
from agent.audit.key import Unsignable
from agent.book import Book
from agent.clock import Clock, RunClocks
from agent.errors import Broken, Busy
from agent.record import owner
from agent.record.heartbeat import HEARTBEAT
from agent.record.ledger import Cap
from agent.record.store import RunRow, Store
from agent.state import Run, fold
from agent.telemetry.observer import SILENT, Observer
from tools.language import language_of, speaking, tr
from tools.redact import Redaction

LEASE_S = 30.0
"""How long an owner may not be heard of before another may go on with its run."""
AGAIN_S = 60.0
"""After how long a run is looked at again whose owner let it go without saying when."""


class Signing:
    """Signs where the journals of one session stand. What cannot be signed stops nothing: it is told."""

    def __init__(self, heads: Heads, clock: Clock) -> None:
        self.heads = heads
        self._clock = clock
        self.problems: dict[str, str] = {}
        """Run → what its report says of it."""

    def name(self) -> str:
        """One for a new run that none of this user has, in any home: heads are kept by it."""
        while True:
            run = f"{datetime.fromtimestamp(self._clock.now()):%Y%m%d}-{secrets.token_hex(3)}"
            if not self.heads.knows(run):
                return run

    def check(self, run: Run, hashes: Sequence[str], *, epoch: int, after: int = 0) -> None:
        """Broken when the journal, just claimed, is not the one that was signed. `after`: lines that are not given."""
        with _speaking(run):
            try:
                told = self.heads.check(run.id, hashes, epoch=epoch, after=after)
            except OSError as error:
                told = tr("the heads of the journal cannot be read: {error}", error=error)
        self.problems |= {run.id: told} if told else {}

    def sign(self, book: Book, mark: Mark) -> None:
        """Sign for what of the journal is stored."""
        run = book.run
        complete = run.report is not None and book.stored == run.seq
        stand = Stand(run=run.id, epoch=book.epoch, seq=book.stored, hash=book.head, complete=complete)
        with _speaking(run):
            try:
                self.heads.sign(stand, mark, at=self._clock.now())
            except (Unsignable, OSError) as error:
                self.problems[run.id] = tr("the head of the journal could not be signed: {error}", error=error)


@contextmanager
def owned(
    run: str,
    *,
    store: Store,
    clocks: RunClocks,
    signing: Signing,
    redaction: Redaction,
    caps: Sequence[Cap],
    lease_s: float = LEASE_S,
    observer: Observer = SILENT,
    row: RunRow | None = None,
) -> Iterator[Book]:
    """The run's journal, owned by this process as long as the block lasts. `caps` bound what it may reserve; `row`: of
    the run, where it was read just now (who owned it since then is seen by the claim).

    Its lease is renewed meanwhile; whoever does not come to that for `lease_s` seconds may lose the run to another, and
    can neither write nor act from then on. Busy when another process owns it; Broken when the journal is not the one
    that was signed.
    """
    row = row or store.row(run)
    before = row.owner
    gone = (before,) if before is not None and owner.gone(before) else ()
    epoch = store.claim(run, owner=owner.me(), gone=gone, lease_s=lease_s)
    due: float | None = clocks.now() + AGAIN_S
    try:
        with HEARTBEAT.renewing(store, run, epoch=epoch, lease_s=lease_s):
            after = min(row.chapter, signing.heads.reach(run))
            lines = store.lines(run, after=after)
            state, head = fold(run, lines[row.chapter - after :]), lines[-1].hash if lines else ""
            try:
                signing.check(state, [line.hash for line in lines], epoch=epoch, after=after)
            except Broken as error:  # what was read may be older than what another owner has signed since
                if not store.holds(run, epoch=epoch):
                    raise Busy(f"run {run} has been taken over by another process") from error
                raise
            book = Book(
                store=store,
                run=state,
                epoch=epoch,
                clock=clocks.of(run, state.last),
                caps=caps,
                head=head,
                redaction=redaction,
                observer=observer,
            )
            book.due = due
            signing.sign(book, "claimed")
            try:
                yield book
            finally:
                due = book.due
                signing.sign(book, "ended")
    finally:
        with suppress(Busy):
            store.release(run, epoch=epoch, due=due)


def _speaking(run: Run) -> AbstractContextManager[None]:
    return speaking(language_of(run.stated.goal.text if run.stated is not None else ""))
