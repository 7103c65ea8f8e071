"""Which version answers the next request. Decides by weight alone; knows no HTTP and no process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tools.backends.local.router_tally import Tally


class Rotation:
    """Smooth weighted round robin: deterministic, and exact over every full cycle.

    After `sum(weights) / gcd(weights)` picks each version was picked in exact proportion, and no
    version is picked in a burst (the scheme nginx uses for upstreams).
    """

    def __init__(self) -> None:
        self._weights: dict[str, int] = {}
        self._credit: dict[str, int] = {}

    def set(self, weights: Mapping[str, int]) -> None:
        """The absolute weights; a version with weight 0 is never picked."""
        self._weights = {name: weight for name, weight in weights.items() if weight > 0}
        self._credit = dict.fromkeys(self._weights, 0)

    def next(self) -> str | None:
        """The version of the next request; None when no version has weight."""
        if not self._weights:
            return None
        for name, weight in self._weights.items():
            self._credit[name] += weight
        chosen = max(self._credit, key=self._credit.__getitem__)
        self._credit[chosen] -= sum(self._weights.values())
        return chosen

    def heaviest(self) -> str | None:
        """The version with most weight, the first added among equals."""
        return max(self._weights, key=self._weights.__getitem__, default=None)


AT_ONCE = 16
"""Requests one version works on at a time; the others wait here. A server predicts one after the other anyway."""


class Upstream:
    """One version as the router sees it: where it answers, what is in flight, what was measured."""

    def __init__(self, name: str, tally: Tally) -> None:
        self.name = name
        self.tally = tally
        self.addresses: tuple[str, ...] = ()
        """Base URLs of the replicas that are ready."""
        self.gate = asyncio.Semaphore(AT_ONCE)
        self._turn = 0
        self._flying = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def address(self) -> str | None:
        """The replica whose turn it is; None when none is ready."""
        if not self.addresses:
            return None
        self._turn = (self._turn + 1) % len(self.addresses)
        return self.addresses[self._turn]

    @contextmanager
    def flying(self) -> Iterator[None]:
        """Marks a request as in flight, so that a withdrawal waits for it."""
        self._flying += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._flying -= 1
            if not self._flying:
                self._idle.set()

    async def drained(self, *, within_s: float) -> bool:
        """Wait until nothing is in flight; False when the time ran out first."""
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


class Routes:
    """The versions of one endpoint and their weights."""

    def __init__(self) -> None:
        self._upstreams: dict[str, Upstream] = {}
        self._rotation = Rotation()

    def add(self, upstream: Upstream) -> None:
        self._upstreams[upstream.name] = upstream

    def drop(self, name: str) -> None:
        self._upstreams.pop(name, None)

    def weigh(self, weights: Mapping[str, int]) -> None:
        self._rotation.set(weights)

    def pick(self) -> Upstream | None:
        """The version of the next inference request."""
        return self._known(self._rotation.next())

    def main(self) -> Upstream | None:
        """The version that answers questions about the endpoint as a whole."""
        return self._known(self._rotation.heaviest())

    def named(self, name: str) -> Upstream | None:
        return self._upstreams.get(name)

    def _known(self, name: str | None) -> Upstream | None:
        return None if name is None else self._upstreams.get(name)
