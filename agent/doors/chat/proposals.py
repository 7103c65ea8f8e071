"""What a conversation has proposed and waits for a yes to, and what became of the changes that it has left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.amend import AMENDMENT
from agent.contract import Contract
from agent.wording import outside
from tools.language import tr
from tools.record import Record

if TYPE_CHECKING:
    from agent.doors.service import Service


class Proposal(Record):
    """A change of a run's contract that waits for a yes."""

    run: str
    contract: Contract
    before: Contract
    """What it was shown as a change of."""
    text: str
    anew: bool = False
    """The run cannot take it: a yes cancels it and states the goal anew."""


class Order(Record):
    """A run about an endpoint that waits for a yes."""

    command: str
    endpoint: str
    for_s: float | None = None
    """Of `/extend`: how much longer."""


def lapsed() -> str:
    """What is said where a later yes would answer something else."""
    return tr("What was proposed is dropped: say it again if it is wanted still.")


class Awaited:
    """Changes that were left for the owners of their runs, until it is known what they did with them."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[int, int]] = {}
        """Run → its last journal line that was looked at, and how many of its changes were not heard of."""

    def left(self, run: str, since: int) -> None:
        """A change was left when the journal had that many lines."""
        seq, waiting = self._left.get(run, (since, 0))
        self._left[run] = (seq, waiting + 1)

    def heard(self, session: Service, only: str | None = None) -> Iterator[str]:
        """What became of them, of all or of one run, each once."""
        for run in [only] if only is not None else list(self._left):
            if run in self._left:
                yield from self._of(session, run)

    def _of(self, session: Service, run: str) -> Iterator[str]:
        seq, waiting = self._left[run]
        found: list[str] = []
        for event in session.events(run, after=seq):
            seq = event.seq
            if event.kind == "amended":
                found.append(tr("The goal of run {run} is changed.", run=run))
            elif event.kind == "ignored" and event.body.get("pending") == AMENDMENT:
                why = outside(str(event.body.get("why", "")))
                found.append(tr("The goal of run {run} was not changed: {why}", run=run, why=why))
        if waiting > len(found):
            self._left[run] = (seq, waiting - len(found))
        else:
            self._left.pop(run, None)
        yield from found
