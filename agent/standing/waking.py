"""One wake-up of a standing goal: take in what people want, what its reactions came to, look if it is time, and react.

A wake-up that comes twice, late or for nothing changes nothing. What a check found and what follows from it are one
commit; the run of a reaction is begun after the line that names it is stored, under a name made of the goal's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.book import Book
from agent.record.ledger import Purse
from agent.record.store import Store
from agent.service_state import Chapter, Standing
from agent.standing import deciding
from agent.standing.check import check
from agent.standing.reaction import Child, child
from agent.standing.seen import look
from agent.survey import Read
from agent.upkeep import Closed, Concluded, Held, Reacted
from tools.language import tr
from tools.record import Record

CHAPTER_CHECKS = 100
"""After so many checks the fold is written down whole."""
MICRO = 1_000_000
LOOK_AGAIN_S = 60.0
"""How soon a reaction whose run could not be begun is begun again."""


class Visit(Record):
    """What a wake-up came to."""

    ended: bool
    due: float | None
    """When it is to be looked at again, epoch seconds; None: never, or when somebody leaves a message."""
    waits: bool = False
    """For a person."""


class Issue(Record):
    """How the run of a reaction stands."""

    begun: bool
    """It has a journal."""
    asks: str = ""
    """What of it waits for a person, and how that is answered."""
    ended: Concluded | None = None


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What a wake-up works with."""

    now: Callable[[], float]
    read: Read
    begin: Callable[[Child], str]
    """Begins an ordinary run of that name, once; why it cannot be begun, empty when it was."""
    issue: Callable[[Reacted, Standing], Issue]
    """How the run of a reaction stands now."""
    spent: Callable[[], float]
    """USD that this month took, of all runs on the endpoint."""
    end: Callable[[str], None]
    """Cancel a run."""


def visit(book: Book, store: Store, desk: Desk) -> Visit:
    """One wake-up, by whoever owns the journal. Nothing is to be done for a goal that was never opened."""
    if book.run.standing is None:
        return Visit(ended=False, due=None)
    if _state(book).closed is None:
        _take_in(book, store, desk)
    if _state(book).closed is None:
        _conclude(book, desk)
        _look(book, desk)
        _extend(book, desk)
        _begin(book, desk)
    state = _state(book)
    if state.closed is not None:
        return Visit(ended=True, due=None)
    return Visit(ended=False, due=next_look(state), waits=state.state == "waiting")


def _state(book: Book) -> Standing:
    assert book.run.standing is not None
    return book.run.standing


def next_look(state: Standing) -> float:
    """The next check, or the extension of the lease before it."""
    lease = deciding.lease_due(state)
    return state.due if lease is None else min(state.due, lease)


def _take_in(book: Book, store: Store, desk: Desk) -> None:
    """A cancellation ends it, and what it has under way; nothing else can be answered here."""
    for message in store.messages(book.run.id):
        book.fold_in(message.id)
        if message.kind == "cancel" and _state(book).closed is None:
            state = _state(book)
            for one in (state.reaction, state.lease):
                if one is not None:
                    desk.end(one.run)
            by, instead = (str(message.body.get(key, "")) for key in ("who", "instead"))
            why = tr("{name} looks after it instead", name=instead) if instead else tr("it was cancelled")
            _close(book, Closed(at=desk.now(), by=by, why=why, instead=instead))
    if book.open:
        book.commit()


def _close(book: Book, closed: Closed) -> None:
    book.add(closed)
    book.status("cancelled" if closed.by != "time" else "done")


def _conclude(book: Book, desk: Desk) -> None:
    """What the runs of its reactions came to."""
    for one in (_state(book).reaction, _state(book).lease):
        if one is None:
            continue
        issue = desk.issue(one, _state(book))
        if issue.ended is not None:
            book.add(issue.ended)
        elif issue.asks and one.what != "extend":
            _hold(book, Held(at=desk.now(), reason="approval", why=one.why, do=issue.asks))
        elif (held := _state(book).held) is not None and held.reason == "approval" and one.what != "extend":
            book.add(Held(at=desk.now(), reason="approval", why=one.why))
    book.commit()


def _hold(book: Book, held: Held) -> None:
    before = _state(book).held
    if before is None or (before.reason, before.do) != (held.reason, held.do):
        book.add(held)


def _look(book: Book, desk: Desk) -> None:
    """The check that is due, and what follows from it, in one commit."""
    now, state = desk.now(), _state(book)
    if now < state.due <= now + state.terms.every_s * (1 + 1e-9):
        return  # where it is due later than that the clock went back
    seen = check(state, look(state, read=desk.read, at=now, usd_month=desk.spent()))
    book.add(seen)
    follows = deciding.over(_state(book), seen) or deciding.after(
        _state(book), seen, book.run.id, left_usd=left(_state(book), book.purse())
    )
    if isinstance(follows, Closed):
        _close(book, follows)
    elif follows is not None:
        book.add(follows)
    if seen.number % CHAPTER_CHECKS == 0:
        book.add(Chapter(state=_state(book)))
    book.commit()


def left(state: Standing, purse: Purse) -> float | None:
    """What money is left for a reaction: the goal's own, and what the operator allows; None: nobody bounds it."""
    terms = state.terms
    month = None if terms.month_usd is None else terms.month_usd - (state.last.usd_month if state.last else 0.0)
    total = None if terms.total_usd is None else terms.total_usd - state.usd
    micro = (purse.left_month_micro, purse.left_requester_micro, purse.left_standing_micro)
    known = [m for m in (month, total) if m is not None] + [m / MICRO for m in micro if m is not None]
    return min(known, default=None)


def _extend(book: Book, desk: Desk) -> None:
    state = _state(book)
    if state.closed is not None or deciding.lease_due(state) is None:
        return
    money = left(state, book.purse())
    if (asked := deciding.extension(state, book.run.id, desk.now(), left_usd=money)) is not None:
        book.add(asked)
        book.commit()


def _begin(book: Book, desk: Desk) -> None:
    """The runs of what is under way, as far as they are not begun: this process, or one before it, was gone."""
    for one in _under_way(_state(book)):
        if desk.issue(one, _state(book)).begun:
            continue
        if why := desk.begin(child(book.run.id, _state(book), one)):
            book.add(Concluded(at=desk.now(), run=one.run, came="failed", why=why))
            book.commit()


def _under_way(state: Standing) -> Iterator[Reacted]:
    yield from (one for one in (state.reaction, state.lease) if one is not None and state.closed is None)
