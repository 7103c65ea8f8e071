"""Finds out which runs want to be looked at, and hands them on: one loop for all of them, however many wait.

The truth is the runs' rows. A nudge, a notification or a change that the watcher saw only says when to look there, and
they are looked at anyhow every second: what was lost costs a little time, what came twice nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Protocol

from agent.telemetry.observer import WakeCause
from agent.working.backoff import Backoff
from agent.working.works import Works
from tools.errors import ToolError

LOOK_S = 0.05
"""How often the watcher is asked."""
RECONCILE_S = 1.0
"""How often the rows are looked at without a reason."""
FOLLOW_S = 5.0
"""The same where another worker watches."""


class Delivery(Protocol):
    """Whoever has the runs looked at."""

    @property
    def room(self) -> int:
        """How many more it takes now."""

    @property
    def watches(self) -> bool:
        """Whether it is for this process to watch and to hear."""

    def takes(self, run: str) -> bool:
        """It is not under way there already."""

    def hand(self, run: str, cause: WakeCause) -> bool: ...


class Keeper:
    """Keeps the due times of a store's runs, and hands on what is wanted."""

    def __init__(self, works: Works, delivery: Delivery, backoff: Backoff) -> None:
        self._works = works
        self._delivery = delivery
        self._backoff = backoff
        self._cursor = ""
        self.soonest: float | None = None
        """When the next run is due, on the clock of the backend."""
        self.overdue = False
        """Some run is due and could not be taken: when the others are is not known."""
        self._reconciled = 0.0
        self._left = False
        """More were wanted than there was room for."""

    def look(self, named: Iterable[str] = ()) -> int:
        """Ask the watcher, look at the rows where there is a reason, hand on; how many runs. Unreachable."""
        if not self._delivery.watches:
            return self._reconcile({}, every_s=FOLLOW_S)
        causes: dict[str, WakeCause] = dict.fromkeys(named, "message")
        causes |= dict.fromkeys(self._changed(), "job")
        return self._reconcile(causes, every_s=RECONCILE_S)

    def _changed(self) -> list[str]:
        """What the watcher tells, noted in the rows: the look that told it counts as heard only then."""
        try:
            seen = self._works.watch.since(self._cursor)
        except ToolError:
            return []  # a run whose work goes on is due by itself before long
        now = self._works.clock.now()
        for run in seen.runs:
            self._works.note(run, at=now)
        self._cursor = seen.cursor
        return list(seen.runs)

    def _reconcile(self, causes: dict[str, WakeCause], *, every_s: float) -> int:
        now, at = self._works.clock.now(), time.monotonic()
        due = self.soonest is not None and self.soonest <= now
        room = self._delivery.room
        if not (causes or due or at >= self._reconciled + every_s or (self._left and room)):
            return 0
        if room <= 0:
            self._left = True
            return 0
        wanted = self._works.rows.wanted(now=now, most=room + len(self._backoff) + _MORE)
        handed = sum(self._hand(run, causes.get(run, "due")) for run in wanted)
        self._left = handed > 0 and len(wanted) > room
        soonest = self._works.rows.soonest()
        # What is due and was not taken is looked at every second: it must not keep this loop busy.
        self.soonest = soonest if soonest is not None and soonest > now else None
        self.overdue = soonest is not None and self.soonest is None
        self._reconciled = at
        return handed

    def _hand(self, run: str, cause: WakeCause) -> bool:
        return self._backoff.allows(run) and self._delivery.takes(run) and self._delivery.hand(run, cause)


_MORE = 64
"""Rows read beyond what there is room for: some may be under way already."""
