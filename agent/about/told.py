"""What is told of a run is taken from here: its fold, its lines with their numbers, its report, and the time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from agent.brain.protocol import Topic
from agent.documents import RunReport
from agent.record.chained import Line
from agent.state import Run, parse
from tools.ports import Progress
from tools.record import Record

R = TypeVar("R", bound=Record)
MICRO = 1_000_000
LONGEST = 600
"""Characters of one value."""


class Written(NamedTuple):
    """One line of the journal, parsed."""

    seq: int
    at: float
    record: Record


class Row(NamedTuple):
    """A fact before it has a number."""

    topic: Topic
    says: str
    value: str
    seq: int | None = None
    outside: bool = False


@dataclass(frozen=True, kw_only=True)
class Told:
    """A run at one instant."""

    run: Run
    report: RunReport
    journal: tuple[Written, ...]
    now: float
    progress: Mapping[str, Progress | None]
    """By call id."""

    def lines(self, kind: type[R]) -> Iterator[tuple[int, R]]:
        """The lines of one kind with their numbers, in order."""
        return ((line.seq, line.record) for line in self.journal if isinstance(line.record, kind))

    def first(self, kind: type[Record]) -> int | None:
        return next((seq for seq, _ in self.lines(kind)), None)

    def last(self, kind: type[Record]) -> int | None:
        return max((seq for seq, _ in self.lines(kind)), default=None)

    @property
    def end(self) -> int | None:
        """The line up to which all this is."""
        return self.run.seq or None


def written(lines: Iterable[Line]) -> tuple[Written, ...]:
    """A journal's lines, parsed."""
    return tuple(Written(seq=line.seq, at=line.at, record=parse(line)) for line in lines)
