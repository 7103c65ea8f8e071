"""Counts in bins, by the time at which they were counted. Bounded in memory: older ones are told apart less finely.

Knows no request and no model; how many bins there are is all that it is told.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import add

SLOT_S = 10.0
"""After how long a slot is closed, unless somebody reads: a span can be cut where slots meet."""
CELLS_MOST = 250_000
"""Bins of all slots of a version together, 8 bytes each."""
SLOTS_LEAST = 16


@dataclass(slots=True, kw_only=True)
class Slot:
    """What was counted between two times."""

    began: float
    ended: float = math.inf
    cut: bool = False
    """Somebody has read up to its end, and goes on from there."""
    requests: int = 0
    unread: int = 0
    rows: int = 0
    unbinned: int = 0
    cells: array[int] = field(default_factory=lambda: array("q"))

    def add(self, other: Slot) -> None:
        self.requests += other.requests
        self.unread += other.unread
        self.rows += other.rows
        self.unbinned += other.unbinned
        self.cells = array("q", map(add, self.cells, other.cells))


class Slots:
    """The slots of one version, the open one last. Times that go back count as the latest one before."""

    def __init__(self, cells: int, *, began: float, slot_s: float = SLOT_S, cells_most: int = CELLS_MOST) -> None:
        self._cells = cells
        self._slot_s = slot_s
        self._most = max(SLOTS_LEAST, cells_most // max(1, cells))
        self._closed: list[Slot] = []
        self._open = self._new(began)

    def at(self, time: float) -> Slot:
        """The slot to count into at that time. It begins with the first request in it."""
        if time - self._open.began >= self._slot_s and self._open.requests:
            self._close(time, cut=False)
        if not self._open.requests:
            self._open.began = max(self._open.began, time)
        return self._open

    def span(self, since: float, until: float) -> tuple[float, Sequence[Slot]]:
        """(when the span begins, its closed slots): those that lie within the two times."""
        inside = [slot for slot in self._closed if slot.began >= since and slot.ended <= until]
        begins = max((slot.ended for slot in self._closed if slot.began < since < slot.ended), default=since)
        return begins, inside

    def cut(self, time: float) -> float:
        """Close the open slot, so that a span can end now; when that is."""
        if self._open.requests:
            self._close(time, cut=True)
        else:
            self._open.began = max(self._open.began, time)
            if self._closed:
                self._closed[-1].cut = True
        return self._open.began

    def _close(self, time: float, *, cut: bool) -> None:
        # never empty: a slot without length would lie on both sides of its own end
        self._open.ended, self._open.cut = max(time, math.nextafter(self._open.began, math.inf)), cut
        self._closed.append(self._open)
        self._open = self._new(self._open.ended)
        if len(self._closed) > self._most:
            self._merge()

    def _merge(self) -> None:
        """Put the older half together, two and two; not where somebody reads from, unless nothing else helps."""
        older, newer = self._closed[: self._most // 2], self._closed[self._most // 2 :]
        kept = _paired(older, across=False)
        if len(kept) > len(older) * 3 // 4:
            kept = _paired(kept, across=True)
        self._closed = [*kept, *newer]

    def _new(self, began: float) -> Slot:
        return Slot(began=began, cells=array("q", bytes(8 * self._cells)))


def total(slots: Sequence[Slot], cells: int) -> Slot:
    """The sum of slots."""
    whole = Slot(began=0.0, cells=array("q", bytes(8 * cells)))
    for slot in slots:
        whole.add(slot)
    return whole


def _paired(slots: Sequence[Slot], *, across: bool) -> list[Slot]:
    made: list[Slot] = []
    last_is_pair = False
    for slot in slots:
        if made and not last_is_pair and (across or not made[-1].cut):
            made[-1].add(slot)
            made[-1].ended, made[-1].cut = slot.ended, slot.cut
            last_is_pair = True
        else:
            made.append(slot)
            last_is_pair = False
    return made
