"""The process behind one endpoint: holds versions, weights and the lease, and ends with the lease.

It needs no agent: what it is told comes through its control socket, what it is stands in its folder.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from tools.backends.local.endpoint_records import (
    LOCK,
    PUBLISHED,
    VERSION_NAME,
    Deployment,
    Held,
    Lease,
    Published,
    Split,
    split_faults,
)
from tools.backends.local.endpoint_server import ModelServer
from tools.backends.local.registry import TAGS, Registration, write_json
from tools.backends.local.router import Routes, Upstream
from tools.backends.local.router_tally import Samples, Tally
from tools.errors import Conflict, Invalid, NotFound, Transient
from tools.ports import VersionState

DRAIN_S = 10.0
"""How long a withdrawal waits for requests in flight."""
TALLIES = 32
"""Versions whose measurements are kept, the withdrawn ones included."""


@dataclass(kw_only=True)
class Version:
    """One version: its processes and its place in the routes."""

    name: str
    deployment: Deployment
    servers: tuple[ModelServer, ...]
    upstream: Upstream
    weight: int = 0

    def state(self) -> VersionState:
        states = {server.state for server in self.servers}
        ready = sum(server.state == "ready" for server in self.servers)
        details = [server.detail for server in self.servers if server.detail]
        if len(self.servers) > 1:
            details.insert(0, f"{ready} of {len(self.servers)} replicas ready")
        return VersionState(
            name=self.name,
            state="failed" if "failed" in states else "ready" if states == {"ready"} else "starting",
            weight=self.weight,
            model=self.deployment.model,
            digest=next((server.digest for server in self.servers if server.state == "ready"), None),
            detail="; ".join(details),
        )


class EndpointHost:
    """What can be asked of an endpoint. Every change is absolute and may be repeated."""

    def __init__(self, *, folder: Path, registration: Registration, url: str, control: str) -> None:
        self._folder = folder
        self._registration = registration
        self._url = url
        self._control = control
        self._versions: dict[str, Version] = {}
        self._split_by = ""
        self._place = os.stat(folder / LOCK).st_ino
        self._until = _monotonic(registration.lease_until)
        self.client = client()
        self.routes = Routes()
        self.tallies: dict[str, Tally] = {}
        self.closing = asyncio.Event()

    @property
    def name(self) -> str:
        return self._registration.id

    def published(self) -> Published:
        return Published(
            registration=self._registration,
            url=self._url,
            control=self._control,
            versions=tuple(Held(state=v.state(), call=v.deployment.call) for v in self._versions.values()),
            split_by=self._split_by,
        )

    def publish(self) -> Published:
        """Write what the endpoint is into its folder, and let the routes follow."""
        for version in self._versions.values():
            addresses = tuple(server.address for server in version.servers if server.address)
            version.upstream.addresses = addresses
        seen = self.published()
        if not self.closing.is_set() and self._here():
            write_json(self._folder / TAGS, self._registration)
            write_json(self._folder / PUBLISHED, seen)
        return seen

    def deploy(self, name: str, wanted: Deployment) -> Published:
        """Add a version with weight 0. The same call again changes nothing; another call is a Conflict."""
        self._open()
        if not VERSION_NAME.fullmatch(name):
            raise Invalid(
                f"version {name!r}: use letters, digits, '.', '_' and '-', at most 128, letter or digit first"
            )
        there = self._versions.get(name)
        if there is not None and there.deployment.call != wanted.call:
            raise Conflict(f"endpoint {self.name} has a version {name} already, deployed by {there.deployment.call}")
        if there is None:
            self._add(name, wanted)
        return self.publish()

    def split(self, wanted: Split) -> Published:
        """Set the absolute weights. Only a version that is ready may get traffic."""
        self._open()
        faults = split_faults(wanted.weights, set(self._versions))
        chosen = [v.state() for name, v in self._versions.items() if wanted.weights.get(name, 0) > 0]
        faults += [f"version {v.name} has failed and can get no traffic" for v in chosen if v.state == "failed"]
        if faults:
            raise Invalid(*faults)
        if waiting := [v.name for v in chosen if v.state == "starting" and v.weight == 0]:
            raise Transient(f"not ready for traffic yet: {', '.join(waiting)}")
        for name, version in self._versions.items():
            version.weight = wanted.weights.get(name, 0)
        self._split_by = wanted.call
        self._weigh()
        return self.publish()

    async def withdraw(self, name: str) -> Published:
        """Take a version out of the routes at once, and end it when its last request is answered."""
        version = self._versions.pop(name, None)
        if version is not None:
            self.routes.drop(name)
            self._weigh()
            self.publish()
            await version.upstream.drained(within_s=DRAIN_S)
            await _stopped(version.servers)
        return self.published()

    def lease(self, wanted: Lease) -> Published:
        """Set the absolute lease and whose the endpoint is."""
        self._open()
        self._registration = self._registration.model_copy(update=wanted.model_dump())
        self._until = _monotonic(wanted.lease_until)
        return self.publish()

    def samples(self, name: str, since: float) -> Samples:
        if (tally := self.tallies.get(name)) is None:
            raise NotFound(f"endpoint {self.name} has measured no version {name}")
        return tally.since(since)

    async def watch(self) -> None:
        """Return when the lease has lapsed, by either clock, or the folder is no longer this host's."""
        while not self.closing.is_set():
            left = min(self._until - time.monotonic(), self._registration.lease_until - time.time())
            if left <= 0 or not self._here():
                self.closing.set()
                return
            try:
                async with asyncio.timeout(min(left, 1.0)):
                    await self.closing.wait()
            except TimeoutError:
                continue

    async def close(self) -> None:
        """End every model server and remove the endpoint's folder."""
        self.closing.set()
        await _stopped(tuple(server for version in self._versions.values() for server in version.servers))
        await self.client.aclose()
        if self._here():
            shutil.rmtree(self._folder, ignore_errors=True)
        for path in self._registration.debris:
            shutil.rmtree(path, ignore_errors=True)

    def _add(self, name: str, wanted: Deployment) -> None:
        self.tallies.pop(name, None)
        tally = self.tallies[name] = Tally()
        while len(self.tallies) > TALLIES:  # the oldest of those that were withdrawn
            del self.tallies[next(old for old in self.tallies if old not in self._versions)]
        servers = tuple(
            ModelServer(
                endpoint=self.name,
                version=name,
                model=wanted.folder,
                log=self._folder / f"server-{name}-{replica}.log",
                client=self.client,
                changed=self._changed,
            )
            for replica in range(wanted.replicas)
        )
        version = Version(name=name, deployment=wanted, servers=servers, upstream=Upstream(name, tally))
        self._versions[name] = version
        self.routes.add(version.upstream)
        for server in servers:
            server.start()

    def _changed(self) -> None:
        self.publish()

    def _weigh(self) -> None:
        self.routes.weigh({name: version.weight for name, version in self._versions.items()})

    def _open(self) -> None:
        if self.closing.is_set():
            raise Transient(f"endpoint {self.name} is ending")

    def _here(self) -> bool:
        try:
            return os.stat(self._folder / LOCK).st_ino == self._place
        except OSError:
            return False


def client() -> httpx.AsyncClient:
    """The one client towards the model servers; no proxy of the environment comes in between.

    Few connections are kept: the pool looks at every one of them for every request.
    """
    return httpx.AsyncClient(
        timeout=httpx.Timeout(30.0, connect=2.0),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=8, keepalive_expiry=30.0),
        trust_env=False,
        follow_redirects=False,
    )


async def _stopped(servers: tuple[ModelServer, ...]) -> None:
    await asyncio.gather(*(server.stop() for server in servers))


def _monotonic(epoch: float) -> float:
    return time.monotonic() + epoch - time.time()
