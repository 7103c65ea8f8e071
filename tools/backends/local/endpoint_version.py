"""One version behind an endpoint: how many servers it is to have, those it has, and those that are on their way out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

from tools.backends.local.endpoint_records import Deployment, Held
from tools.backends.local.endpoint_server import ModelServer
from tools.backends.local.router import Flights, Upstream
from tools.language import speaking, tr
from tools.ports import VersionState

RETIRE_WITHIN_S = 40.0
"""How long a server that is no longer needed is waited for: above what any answer may take."""


class Version:
    """Every change is absolute. It must be told to `follow` whenever one of its servers has changed."""

    def __init__(
        self, *, name: str, deployment: Deployment, upstream: Upstream, server: Callable[[int], ModelServer]
    ) -> None:
        """`server` makes the server with that number."""
        self.name = name
        self.call = deployment.call
        self.upstream = upstream
        self.weight = 0
        self._model = deployment.model
        self._language = deployment.language
        self._make = server
        self._servers: dict[int, ModelServer] = {}
        self._leaving: dict[int, tuple[ModelServer, asyncio.Task[None]]] = {}
        self._digest: str | None = None
        self._settled = False
        """Whether all its servers have been ready at once since it last had none."""
        self._scaled_by = ""
        self._grow(deployment.replicas)

    def state(self) -> VersionState:
        servers = self._servers.values()
        return VersionState(
            name=self.name,
            state=self._state(),
            weight=self.weight,
            model=self._model,
            digest=self._digest,
            replicas=len(servers),
            ready=self._ready,
            detail=self._detail(),
        )

    def _detail(self) -> str:
        servers = self._servers.values()
        details = [server.detail for server in servers if server.detail]
        with speaking(self._language):
            if not servers:
                return tr("it is to have no server")
            if self._ready < len(servers) > 1:
                details.insert(0, tr("{ready} of {n} servers ready", ready=self._ready, n=len(servers)))
            return tr("; ").join(details)

    def held(self) -> Held:
        return Held(state=self.state(), call=self.call, scaled_by=self._scaled_by)

    def scale(self, replicas: int, *, call: str) -> None:
        """Have that many servers. New ones get requests once they are ready, those that go answer what they have."""
        self._scaled_by = call
        for number in [n for n, server in self._servers.items() if server.state == "failed"]:
            self._retire(number)  # a server that has failed does not come back by itself
        for number in self._order()[replicas:]:
            self._retire(number)
        self._grow(replicas - len(self._servers))
        self.follow()

    def follow(self) -> None:
        """Let requests go to the servers that are ready, and to no other."""
        ready = [server for server in self._servers.values() if server.state == "ready"]
        self.upstream.at([server.address for server in ready if server.address is not None])
        self._digest = next((server.digest for server in ready), self._digest)
        self._settled = bool(self._servers) and (self._settled or len(ready) == len(self._servers))

    async def stop(self) -> None:
        """End every server at once."""
        leaving = tuple(self._leaving.values())
        for _, task in leaving:
            task.cancel()
        await _stopped([*self._servers.values(), *(server for server, _ in leaving)])

    @property
    def _ready(self) -> int:
        return sum(server.state == "ready" for server in self._servers.values())

    def _state(self) -> Literal["starting", "ready", "failed"]:
        states = {server.state for server in self._servers.values()}
        if "failed" in states:
            return "failed"
        return "ready" if states <= {"ready"} or (self._settled and self._ready) else "starting"

    def _order(self) -> Sequence[int]:
        """Numbers of its servers, those first that are to stay longest: ready ones, and older ones."""
        return sorted(self._servers, key=lambda n: (self._servers[n].state != "ready", n))

    def _grow(self, more: int) -> None:
        for _ in range(more):
            taken = self._servers.keys() | self._leaving.keys()
            number = next(n for n in range(len(taken) + 1) if n not in taken)
            server = self._servers[number] = self._make(number)
            server.digest = self._digest
            server.start()

    def _retire(self, number: int) -> None:
        """No new request for one server; it ends when those in flight there are answered."""
        server = self._servers.pop(number)
        task = asyncio.create_task(_ended(server, self.upstream.flights(server.address)))
        self._leaving[number] = (server, task)
        task.add_done_callback(lambda _: self._leaving.pop(number))


async def _ended(server: ModelServer, flights: Flights) -> None:
    await flights.landed(within_s=RETIRE_WITHIN_S)
    await server.stop()


async def _stopped(servers: Sequence[ModelServer]) -> None:
    await asyncio.gather(*(server.stop() for server in servers))
