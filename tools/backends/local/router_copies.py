"""Copies of requests for the shadow: sent once the caller has its answer, compared with it, and never heard of again.

Nothing here is waited for by a caller. What is under way is bounded in number and in bytes; beyond that a copy is
dropped, and counts as one that the shadow failed: it does not keep up with what is asked of it.
"""

from __future__ import annotations

import asyncio
import time

from tools.backends.local.router import Upstream
from tools.backends.local.router_compare import Likeness, likeness
from tools.backends.local.router_forward import Carried, Courier, Sent

COPIES_MOST = 256
BYTES_MOST = 32 * 1024 * 1024
"""Of requests and answers that are kept until the shadow has answered."""
LARGE = 64 * 1024
"""Bytes of answers from which on they are compared beside the requests of others, not between them."""


class Copies:
    """What is on its way to shadows."""

    def __init__(self, courier: Courier, *, most: int = COPIES_MOST, bytes_most: int = BYTES_MOST) -> None:
        self._courier = courier
        self._most = most
        self._bytes_most = bytes_most
        self._bytes = 0
        self._going: dict[asyncio.Task[None], Upstream] = {}

    def send(self, shadow: Upstream, sent: Sent, caller: Carried) -> None:
        """Start one copy, or drop it; returns at once."""
        size = len(sent.body or b"") + len(caller.content)
        if len(self._going) >= self._most or self._bytes + size > self._bytes_most:
            shadow.tally.copied("dropped", at=time.time())
            shadow.tally.failed(at=time.time())
            return
        self._bytes += size
        shadow.tally.waiting += 1
        task = asyncio.create_task(self._copy(shadow, sent, caller))
        self._going[task] = shadow
        task.add_done_callback(lambda done: self._gone(done, size))

    def give_up(self, shadow: Upstream) -> None:
        """End what is on its way to one shadow: it counts as dropped, and no request of a caller waits behind it."""
        for task in [task for task, to in self._going.items() if to is shadow]:
            task.cancel()

    async def close(self) -> None:
        """End everything that is on its way."""
        tasks = tuple(self._going)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _gone(self, task: asyncio.Task[None], size: int) -> None:
        self._bytes -= size
        shadow = self._going.pop(task)
        shadow.tally.waiting -= 1
        if task.cancelled():
            shadow.tally.copied("dropped", at=time.time())

    async def _copy(self, shadow: Upstream, sent: Sent, caller: Carried) -> None:
        began = time.perf_counter()
        answer = await self._courier.carry(shadow, sent)
        ms = (time.perf_counter() - began) * 1000
        if answer.status < 400:
            shadow.tally.answered(at=time.time(), ms=ms)
        elif answer.status < 500 and caller.status >= 400:
            shadow.tally.refused(at=time.time())
        else:  # what another version has answered is not malformed: refusing it is the shadow's failure
            shadow.tally.failed(at=time.time())
        if caller.status < 400:
            await self._compare(shadow, caller, answer)

    async def _compare(self, shadow: Upstream, caller: Carried, answer: Carried) -> None:
        if answer.status >= 400:
            shadow.tally.copied("unanswered", at=time.time())
            return
        found = await _likeness(caller.content, answer.content)
        shadow.tally.copied("agreed" if found.agreed else "differed", at=time.time(), difference=found.difference)


async def _likeness(caller: bytes, shadow: bytes) -> Likeness:
    if len(caller) + len(shadow) < LARGE:
        return likeness(caller, shadow)
    return await asyncio.to_thread(likeness, caller, shadow)
