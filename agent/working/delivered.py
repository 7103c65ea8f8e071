"""Delivery where several workers share a store: what is wanted goes to the queue, and what comes from it to the hands.

One of the workers of a backend watches, hears and puts; the others look at the rows every few seconds, in case it has
stopped. All take from the queue.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from agent.errors import Broken, GoalkeeperError
from agent.stopping import Stopping
from agent.telemetry.observer import WakeCause
from agent.working.bell import Bell
from agent.working.hands import Hands
from agent.working.lead import Lead
from agent.working.queue import Queue
from agent.working.works import Looked, Works
from tools.language import tr

ROOM = 1000
"""Runs that one look at the rows puts at most."""
AGAIN_S = 2.0
"""How long a run that was put is not put again without a new reason: by then its message may have been lost."""
OUTAGE_S = 5.0


class Delivered:
    """The queue, the threads at both ends of it, and whether this process is the one who watches."""

    def __init__(
        self, works: Works, hands: Hands, *, bell: Bell, stopping: Stopping, most: int, tell: Callable[[str], None]
    ) -> None:
        assert works.address is not None
        self._works, self._hands, self._bell, self._stopping, self._tell = works, hands, bell, stopping, tell
        self._most = most
        self._queue = Queue(works.address, works.place)
        self._lead = Lead(works.address, works.place)
        self._put: dict[str, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._threads = [
            threading.Thread(target=deed, name=name, daemon=True)
            for name, deed in (("serving", self._serve), ("listening", self._listen))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def room(self) -> int:
        return ROOM

    @property
    def watches(self) -> bool:
        return self._lead.held()

    def takes(self, run: str) -> bool:
        return self._hands.takes(run)

    def hand(self, run: str, cause: WakeCause) -> bool:
        """Put a message, unless one was put just now and nothing new is known. Broken."""
        now = time.monotonic()
        if cause == "due" and now - self._put.get(run, -AGAIN_S) < AGAIN_S:
            return False
        if len(self._put) > 2 * ROOM:
            self._put = {name: at for name, at in self._put.items() if now - at < AGAIN_S}
        self._put[run] = now
        return self._queue.put(run, cause)

    def over(self, looked: Looked) -> None:
        """A look here is over: what is due then is no repetition. One that is far off is left to the queue as well."""
        self._put.pop(looked.run, None)
        if (ahead := self._works.far(looked.due)) is not None:
            with suppress(Broken):  # the row says it as well
                self._queue.put(looked.run, "due", in_s=ahead)

    def leave(self) -> None:
        """Take nothing more from the queue."""
        if self._loop is not None and self._stopped is not None:
            with suppress(RuntimeError):  # it is closed already
                self._loop.call_soon_threadsafe(self._stopped.set)

    def close(self) -> None:
        """Once nothing is under way."""
        for thread in self._threads:
            thread.join(2.0)
        self._lead.close()
        self._queue.close()

    def _serve(self) -> None:
        for attempt in self._attempts(tr("wake-ups")):
            with attempt:
                asyncio.run(self._serving())

    async def _serving(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        if self._stopping.asked:
            return
        await self._queue.serve(self._hands, most=self._most, under_way=self._under_way, stopped=self._stopped)

    def _under_way(self, run: str) -> None:
        """It is looked at here and now: whatever the message is about may have come too late for that look."""
        with suppress(GoalkeeperError):  # then the rows cannot be asked either
            self._works.rows.wake(run, at=self._works.clock.now())

    def _listen(self) -> None:
        for attempt in self._attempts(tr("notifications")):
            with attempt:
                for run in self._works.rows.listen(lambda: self._stopping.asked, every_s=0.5):
                    if not self._works.noted(run):
                        self._bell.ring(run)

    def _attempts(self, what: str) -> Iterator[AbstractContextManager[None]]:
        """Again and again until the worker is to stop, less and less often while the database does not answer."""
        wait = 0.0
        while not self._stopping.wait(wait):
            wait = min(OUTAGE_S, max(0.2, wait * 2))
            yield self._attempt(what)

    @contextmanager
    def _attempt(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever ends it, the rows are looked at and it is tried again
            self._tell(tr("no {what} from the database for now: {error}", what=what, error=error))
