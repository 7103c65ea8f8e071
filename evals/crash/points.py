"""Where a driver of a run can be struck: around each commit of its store and each call of its backend."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

T = TypeVar("T")

Blow = Literal["kill", "stop", "full", "read-only"]
"""What strikes: SIGKILL, SIGSTOP, a disk without room for this one commit, a database that may not be written."""


@dataclass(frozen=True)
class Point:
    """One instant of a run."""

    boundary: str
    """What it lies beside: `commit` or another transaction of the store, or an operation of a port, `jobs.submit`;
    `any` for whatever is the next."""
    number: int
    """Counted from 1."""
    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.boundary} {self.number}"


@dataclass
class Reaper:
    """Counts boundaries, and strikes the process at the point it was given."""

    point: Point | None
    marks: Path | None = None
    """Every boundary that was reached is a line of this file."""
    blow: Blow = "kill"
    heir: bool = False
    """Whoever owns the run has not been heard of for its lease."""
    spoil: Callable[[Blow], None] | None = None
    """Makes the disk what the blow says."""
    counts: Counter[str] = field(default_factory=Counter)
    _one: threading.Lock = field(default_factory=threading.Lock)

    def around(self, boundary: str, deed: Callable[[], T]) -> T:
        with self._one:
            self.counts[boundary] += 1
            here, overall = self.counts[boundary], self.counts.total()
            if self.marks is not None:
                with self.marks.open("a") as file:
                    file.write(f"{boundary}\n")
        self._strike(boundary, here, overall, after=False)
        try:
            return deed()
        finally:
            self._strike(boundary, here, overall, after=True)

    def _strike(self, boundary: str, here: int, overall: int, *, after: bool) -> None:
        if self.point not in (Point(boundary, here, after=after), Point("any", overall, after=after)):
            return
        if self.blow in ("kill", "stop"):
            os.kill(os.getpid(), signal.SIGKILL if self.blow == "kill" else signal.SIGSTOP)
        elif self.spoil is not None:
            self.spoil(self.blow)


def points(reached: Sequence[str]) -> list[Point]:
    """Both sides of every boundary that was reached, in order."""
    seen, found = Counter[str](), list[Point]()
    for boundary in reached:
        seen[boundary] += 1
        found += [Point(boundary, seen[boundary], after=side) for side in (False, True)]
    return found
