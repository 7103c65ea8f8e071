"""What is wrong with an input: every fault with its place and the way out, and the typed failure they make."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from tools.errors import Cause, Invalid
from tools.language import tr
from tools.ports import Failure
from tools.record import Record


class Fault(Record):
    """One thing that is wrong."""

    place: str
    """Where: a file, a column, a row."""
    problem: str
    fix: str
    """What the caller can do."""

    def __str__(self) -> str:
        return tr("{place}: {problem}; {fix}", place=tr(self.place), problem=self.problem, fix=self.fix)


class BadInput(Invalid):
    """The program cannot work with what it was given."""

    def __init__(self, faults: Iterable[Fault], *, cause: Cause = "data_invalid") -> None:
        self.found = tuple(faults)
        self.cause: Cause = cause
        super().__init__(*map(str, self.found))

    def failure(self) -> Failure:
        return Failure(cause=self.cause, message=str(self), faults=self.faults)


def refuse(faults: Sequence[Fault], *, cause: Cause = "data_invalid") -> None:
    """Raise `BadInput` with all faults, if there are any."""
    if faults:
        raise BadInput(faults, cause=cause)


def near(name: str, names: Iterable[str]) -> str:
    """The names that `name` may have meant, as a phrase for a fix; all names when there are few."""
    known = {n.casefold(): n for n in names}
    close = [known[n] for n in difflib.get_close_matches(name.casefold(), known, n=3, cutoff=0.6)]
    if close:
        return tr("did you mean {names}?", names=tr(" or ").join(repr(n) for n in close))
    shown = ", ".join(repr(n) for n in list(known.values())[:12])
    return tr("the names are {shown}", shown=shown) + (" ..." if len(known) > 12 else "")
