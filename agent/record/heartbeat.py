"""Renews the leases of the runs that this process drives: one thread for all, and none while nothing is driven."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from agent.errors import Busy
from agent.record.store import Store

BEATS = 3
"""Renewals within one lease: two may be lost."""


@dataclass
class _Held:
    store: Store
    run: str
    epoch: int
    lease_s: float
    next: float
    """When it is renewed, on the monotonic clock."""


class Heartbeat:
    """The leases of one process."""

    def __init__(self) -> None:
        self._held: dict[object, _Held] = {}
        self._changed = threading.Condition()
        self._until = math.inf
        """When the thread looks at them again."""
        self._process = 0

    @contextmanager
    def renewing(self, store: Store, run: str, *, epoch: int, lease_s: float) -> Iterator[None]:
        """Renew that lease while the block lasts. What is lost is not renewed again: the epoch refuses its owner."""
        key, first = object(), time.monotonic() + lease_s / BEATS
        with self._changed:
            self._begin()
            self._held[key] = _Held(store, run, epoch, lease_s, first)
            if first < self._until:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._held.pop(key, None)

    def _begin(self) -> None:
        """The thread, once a process: a forked one has none of its parent's threads, and drives none of its runs."""
        if self._process != os.getpid():
            self._held, self._until = {}, math.inf
            threading.Thread(target=self._beat, name="leases", daemon=True).start()
            self._process = os.getpid()  # last: where no thread could be started, the next run tries again

    def _beat(self) -> None:
        while True:
            for key, one in self._due():
                self._renew(key, one)

    def _due(self) -> list[tuple[object, _Held]]:
        """Those whose time it is; waits until there is one."""
        with self._changed:
            while (wait := self._next() - time.monotonic()) > 0:
                self._until = time.monotonic() + wait
                self._changed.wait(None if math.isinf(wait) else wait)
            now = time.monotonic()
            due = [(key, one) for key, one in self._held.items() if one.next <= now]
            for _, one in due:
                one.next = now + one.lease_s / BEATS
            return due

    def _next(self) -> float:
        return min((one.next for one in self._held.values()), default=math.inf)

    def _renew(self, key: object, one: _Held) -> None:
        # The store is not there, or has a defect: the next beat tries again, and that lease lapses meanwhile; those of
        # other runs must not lapse with it.
        with suppress(Exception):
            try:
                one.store.renew(one.run, epoch=one.epoch, lease_s=one.lease_s)
            except Busy:
                with self._changed:
                    self._held.pop(key, None)


HEARTBEAT = Heartbeat()
"""Of this process."""
