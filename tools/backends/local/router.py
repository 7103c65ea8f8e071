"""Which version answers the next request. Decides by weight alone; knows no HTTP and no process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
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
"""Requests one server works on at a time; the others wait here. A server predicts one after the other anyway."""


class Flights:
    """Requests that are on their way, so that whoever ends their server can wait for them."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def one(self) -> Iterator[None]:
        self._count += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()

    async def landed(self, *, within_s: float) -> bool:
        """Wait until nothing is on its way; False when the time ran out first."""
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


class Replica:
    """One server of a version that is ready: where it answers, and what is in flight there."""

    def __init__(self, address: str) -> None:
        self.address = address
        """Base URL."""
        self.gate = asyncio.Semaphore(AT_ONCE)
        self.flights = Flights()


class Upstream:
    """One version as the router sees it: where it answers, what is in flight, what was measured."""

    def __init__(self, name: str, tally: Tally) -> None:
        self.name = name
        self.tally = tally
        self._replicas: tuple[Replica, ...] = ()
        self._flights = Flights()
        self._turn = 0

    def at(self, addresses: Sequence[str]) -> None:
        """From now on requests go to the servers at these base URLs; what is in flight elsewhere goes on there."""
        known = {replica.address: replica for replica in self._replicas}
        self._replicas = tuple(known.get(address) or Replica(address) for address in addresses)

    @contextmanager
    def taken(self) -> Iterator[Replica | None]:
        """The server whose turn it is, with one more request in flight there; None when none is ready."""
        with self._flights.one():
            replica = self._next()
            if replica is None:
                yield None
                return
            with replica.flights.one():
                yield replica

    def flights(self, address: str | None) -> Flights:
        """What is in flight at one server; nothing where no server is."""
        return next((replica.flights for replica in self._replicas if replica.address == address), Flights())

    async def drained(self, *, within_s: float) -> bool:
        """Wait until nothing is in flight; False when the time ran out first."""
        return await self._flights.landed(within_s=within_s)

    def _next(self) -> Replica | None:
        if not self._replicas:
            return None
        self._turn = (self._turn + 1) % len(self._replicas)
        return self._replicas[self._turn]


class Routes:
    """The versions of one endpoint, their weights, and which of them is the shadow."""

    def __init__(self) -> None:
        self._upstreams: dict[str, Upstream] = {}
        self._rotation = Rotation()
        self._shadow: str | None = None

    def add(self, upstream: Upstream) -> None:
        self._upstreams[upstream.name] = upstream

    def drop(self, name: str) -> None:
        self._upstreams.pop(name, None)

    def weigh(self, weights: Mapping[str, int]) -> None:
        self._rotation.set(weights)

    def mirror(self, name: str | None) -> None:
        """The version that gets a copy of every request; None for none."""
        self._shadow = name

    def shadow(self) -> Upstream | None:
        return self._known(self._shadow)

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
