"""When a lease has lapsed. A lease is a length, and its clock is the one since boot, which nobody can set.

Epoch time only tells people when that will be. Set forward, it ends nothing early; set back, it lets nothing live
longer; a machine that slept was still rented meanwhile. After another boot nothing of before runs any more, and epoch
time is all there is. Standard library only: the supervisor and the watchdog import it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeGuard

from tools.backends.local.disk import small
from tools.backends.local.process import boot
from tools.steady import steady, up

RECORD = 1 << 16
"""Bytes of a record that are read; ours are a hundredth of that."""


class Instant(NamedTuple):
    """One moment by both clocks."""

    wall: float
    """Epoch seconds: what may be set."""
    up: float
    """Seconds since boot, sleep included where the platform counts it."""
    boot: str
    """The kernel's id of this boot."""


Clock = Callable[[], Instant]


class Term(NamedTuple):
    """How long a resource may live, as its record says."""

    until: float
    """Epoch seconds, as it was given."""
    lapses: float | None
    """Seconds since that boot at which it has lapsed; None when nobody noted it."""
    boot: str

    def left(self, at: Instant) -> float:
        """Seconds of it that are left; 0 or less once it has lapsed."""
        if self.lapses is None or self.boot != at.boot:
            return self.until - at.wall
        return self.lapses - at.up


def instant() -> Instant:
    """This moment."""
    return Instant(wall=steady().now(), up=up(), boot=boot())


def term(until: float, at: Instant) -> Term:
    """A lease until then, given at this moment."""
    return Term(until=until, lapses=at.up + until - at.wall, boot=at.boot)


def read_object(path: Path) -> Mapping[str, object] | None:
    """The JSON object in a small plain file; None when it holds anything else. FileNotFoundError."""
    text = small(path, RECORD)
    try:
        found = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def term_of(record: Mapping[str, object]) -> Term | None:
    """What a record says of its lease; None when it says nothing that can be a time."""
    until, lapses, of = record.get("lease_until"), record.get("lapses"), record.get("boot")
    if not _time(until):
        return None
    return Term(float(until), float(lapses) if _time(lapses) else None, of if isinstance(of, str) else "")


class Held:
    """The lease in a record, read again and again: the last that could be read counts, and one that is gone has
    lapsed."""

    def __init__(self, path: Path, *, clock: Clock = instant) -> None:
        self._path = path
        self._clock = clock
        self._term = Term(0.0, None, "")
        self.read()

    def read(self) -> None:
        try:
            record = read_object(self._path)
        except FileNotFoundError:
            self._term = Term(0.0, None, "")
            return
        if record is not None:
            self._term = term_of(record) or self._term

    @property
    def lapsed(self) -> bool:
        return self._term.left(self._clock()) <= 0


def _time(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
