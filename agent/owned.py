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
from agent.clock import Clock
from agent.errors import Busy
from agent.record import owner
from agent.record.ledger import Cap
from agent.record.store import Store
from agent.state import Run, fold
from tools.language import language_of, speaking, tr
from tools.redact import Redaction


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

    def check(self, run: Run, hashes: Sequence[str], *, epoch: int) -> None:
        """Broken when the journal, just claimed, is not the one that was signed."""
        with _speaking(run):
            try:
                told = self.heads.check(run.id, hashes, epoch=epoch)
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
    run: str, *, store: Store, clock: Clock, signing: Signing, redaction: Redaction, caps: Sequence[Cap]
) -> Iterator[Book]:
    """The run's journal, owned by this process as long as the block lasts. `caps` bound what it may reserve.

    Busy when another process owns it; Broken when the journal is not the one that was signed.
    """
    before = store.row(run).owner
    gone = (before,) if before is not None and owner.gone(before) else ()
    epoch = store.claim(run, owner=owner.me(), gone=gone)
    try:
        lines = store.lines(run)
        state, head = fold(run, lines), lines[-1].hash if lines else ""
        signing.check(state, [line.hash for line in lines], epoch=epoch)
        book = Book(store=store, run=state, epoch=epoch, clock=clock, caps=caps, head=head, redaction=redaction)
        signing.sign(book, "claimed")
        try:
            yield book
        finally:
            signing.sign(book, "ended")
    finally:
        with suppress(Busy):
            store.release(run, epoch=epoch)


def _speaking(run: Run) -> AbstractContextManager[None]:
    return speaking(language_of(run.stated.goal.text if run.stated is not None else ""))
