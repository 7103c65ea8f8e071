"""A worker: looks at whatever run of its store is wanted, until it is asked to stop. It is nobody's owner but while it
looks: a worker that dies loses nothing, another goes on where it was.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

from agent.errors import Broken
from agent.record.claims import ENDED
from agent.record.nudge import Listener
from agent.stopping import GRACE_S, Stopping
from agent.working.backoff import Backoff
from agent.working.bell import Bell
from agent.working.delivered import Delivered
from agent.working.hands import Hands
from agent.working.keeper import LOOK_S, Delivery, Keeper
from agent.working.works import Looked, Works
from tools.language import tr
from tools.record import Record

CALLS = 256
"""Looks at once: each has at most a few calls in flight, and waits for them."""
LEAVE_S = GRACE_S - 2.0
"""How long what is under way may take once the worker was asked to stop; its intents are stored, and others go on."""
LONGEST_STEP_S = 5.0
"""Longest jump of a clock that stands still until somebody waits."""
SHORTEST_S = 0.005
"""Between two looks, however long the first took."""
OUTAGE_S = 5.0
"""Longest pause between two tries to reach a store that does not answer."""
Until = Literal["stopped", "idle", "once"]


class Worked(Record):
    """What a worker has done."""

    looked: int
    """Looks at runs."""
    ended: int
    """Runs that ended in them."""
    failed: int
    """Looks that failed."""
    under_way: tuple[str, ...]
    """Runs whose look was not over when it left; others go on with them."""


class Worker:
    """One process of them. `tell` hears one sentence whenever something is wrong, or right again."""

    def __init__(self, works: Works, *, stopping: Stopping, most: int = CALLS, tell: Callable[[str], None]) -> None:
        self._works = works
        self._stopping = stopping
        self._tell = tell
        self._count: Counter[str] = Counter()
        self._backoff = Backoff()
        self._bell = Bell()
        self.hands = Hands(works.look, most=most, told=self._told)
        self._delivered: Delivered | None = None
        if works.address is not None:
            self._delivered = Delivered(works, self.hands, bell=self._bell, stopping=stopping, most=most, tell=tell)
        delivery: Delivery = self.hands if self._delivered is None else self._delivered
        self.keeper = Keeper(works, delivery, self._backoff)
        self._outage_s = 0.0
        self._pause_s = LOOK_S
        self._looked_s = 0.0
        """How long the last look took: a backend that answers late is not asked more seldom for it."""

    def work(self, until: Until = "stopped", *, shown: Callable[[], None] = lambda: None) -> Worked:
        """Look at what is wanted until then. `shown` is called now and then."""
        try:
            with Listener(self._works.home, worker=True) as nudged:
                self._round(frozenset())
                while not self._over(until):
                    self._round(self._wait(nudged))
                    shown()
        finally:
            if self._delivered is not None:
                self._delivered.leave()
            left = self.hands.rest(LEAVE_S)
            if self._delivered is not None:
                self._delivered.close()
        return Worked(
            looked=sum(self._count.values()),
            ended=self._count["ended"],
            failed=self._count["failed"] + self._count["elsewhere"],
            under_way=tuple(sorted(left)),
        )

    def _round(self, named: frozenset[str]) -> None:
        """One look at the rows; where the store does not answer, a longer pause each time."""
        began = time.monotonic()
        try:
            handed = self.keeper.look(named)
            self._looked_s = time.monotonic() - began
        except Broken as error:
            if not self._outage_s:
                self._tell(tr("the store does not answer, and is waited for: {error}", error=error))
            self._outage_s = min(OUTAGE_S, max(0.2, self._outage_s * 2))
            return
        if self._outage_s:
            self._tell(tr("the store answers again"))
            self._outage_s = 0.0
        self._pause_s = LOOK_S if handed else min(LONGEST_STEP_S, self._pause_s * 2)

    def _wait(self, nudged: Listener) -> frozenset[str]:
        """Until somebody says that a run is wanted, a look is over, or it is time to ask the watcher again."""
        pause = self._outage_s or max(SHORTEST_S, LOOK_S - self._looked_s)
        if self._works.stands_still and not self.hands.busy and not self._outage_s:
            pause = self._pass_time()
        named = nudged.wait(pause, self._bell, self._stopping) | self._bell.heard()
        return named - {""}

    def _pass_time(self) -> float:
        """Let the time pass that nobody else lets pass; how long to wait really."""
        soonest = self.keeper.soonest
        if soonest is not None:
            self._works.clock.sleep(min(self._pause_s, max(0.001, soonest - self._works.clock.now())))
            return 0.0
        if self.keeper.overdue:
            self._works.clock.sleep(self._pause_s)
        return LOOK_S / 10

    def _over(self, until: Until) -> bool:
        if self._stopping.asked or until == "once":
            return True
        return until == "idle" and not self.hands.busy and not self._outage_s and not self._going_on()

    def suspended(self) -> int:
        """Runs that go on and that nobody drives now; 0 where the store cannot tell."""
        try:
            rows = self._works.rows.rows(None)
        except Broken:
            return 0
        counts = Counter("suspended" if r.owner is None and r.status not in ENDED else r.status for r in rows)
        self._works.observer.standing(counts)
        return counts["suspended"]

    def _going_on(self) -> bool:
        """A run of this store has work under way that no other process looks after."""
        try:
            rows = self._works.rows.rows()
        except Broken:
            return True
        return any(
            row.status in ("planning", "running") and self._backoff.allows(row.id) and not self._works.driven(row)
            for row in rows
        )

    def _told(self, looked: Looked) -> None:
        """A look is over, on its thread."""
        self._count[looked.came] += 1
        if looked.came in ("failed", "elsewhere"):
            wait = self._backoff.failed(looked.run, elsewhere=looked.came == "elsewhere")
            self._tell(
                tr(
                    "run {run} is looked at again in {wait:.0f} s: {problem}",
                    run=looked.run,
                    wait=wait,
                    problem=looked.problem,
                )
            )
        elif looked.came != "unreachable":
            self._backoff.went_well(looked.run)
            if self._delivered is not None:
                self._delivered.over(looked)
        if self._delivered is None or looked.came == "ended":
            self._bell.ring()
