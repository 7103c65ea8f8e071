"""The process behind one endpoint: holds versions, weights and the lease, and ends with the lease.

It needs no agent: what it is told comes through its control socket, what it is stands in its folder.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import httpx

from tools import fence
from tools.backends.local.endpoint_records import (
    LOCK,
    PUBLISHED,
    VERSION_NAME,
    Deployment,
    Lease,
    Mirror,
    Published,
    Scale,
    Split,
    split_faults,
)
from tools.backends.local.endpoint_server import ModelServer
from tools.backends.local.endpoint_version import Version
from tools.backends.local.lease import Clock, instant, term
from tools.backends.local.registry import TAGS, Registration, write_json
from tools.backends.local.router import Routes, Upstream
from tools.backends.local.router_copies import Copies
from tools.backends.local.router_forward import Courier
from tools.backends.local.router_inputs import Watched, Watching
from tools.backends.local.router_tally import Tally
from tools.errors import Conflict, Invalid, NotFound, Transient
from tools.fence import Rollout
from tools.inputs import Inputs
from tools.latency import ANSWER_WITHIN_S

DRAIN_S = 10.0
"""How long a withdrawal waits for requests in flight."""
TALLIES = 32
"""Versions whose measurements are kept, the withdrawn ones included."""


class EndpointHost:
    """What can be asked of an endpoint. Every change is absolute and may be repeated."""

    def __init__(
        self, *, folder: Path, registration: Registration, url: str, control: str, clock: Clock = instant
    ) -> None:
        self._folder = folder
        self._registration = registration
        self._url = url
        self._control = control
        self._versions: dict[str, Version] = {}
        self._shadow: str | None = None
        self._split_by = self._mirrored_by = ""
        self._place = os.stat(folder / LOCK).st_ino
        self._clock = clock
        self._rollout: Rollout | None = None
        self._held_for = term(0.0, clock())
        self.client = client()
        self._copying = client()  # of its own: a shadow that hangs takes no connection from callers
        self.copies = Copies(Courier(self._copying, within_s=ANSWER_WITHIN_S))
        self.watching = Watching()
        self.routes = Routes()
        self.tallies: dict[str, Tally] = {}
        self.closing = asyncio.Event()

    @property
    def name(self) -> str:
        return self._registration.id

    @property
    def runtime(self) -> Path:
        """The runtime folder that it stands in."""
        return self._folder.parent.parent

    def published(self) -> Published:
        return Published(
            registration=self._registration,
            url=self._url,
            control=self._control,
            versions=tuple(version.held() for version in self._versions.values()),
            split_by=self._split_by,
            shadow=self._shadow,
            mirrored_by=self._mirrored_by,
        )

    def publish(self) -> Published:
        """Write what the endpoint is into its folder, and let the routes follow."""
        for version in self._versions.values():
            version.follow()
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
        if there is not None and there.call != wanted.call:
            raise Conflict(f"endpoint {self.name} has a version {name} already, deployed by {there.call}")
        if there is None:
            rollout = fence.deployed(
                self._held(),
                endpoint=self.name,
                call=wanted.call,
                version=name,
                there=tuple(self._versions),
                until=wanted.until,
            )
            self._add(name, wanted)
            self._rollout, self._held_for = rollout, term(wanted.until, self._clock())
        return self.publish()

    def split(self, wanted: Split) -> Published:
        """Set the absolute weights. Only a version that is ready may get traffic; a shadow that gets some is none."""
        self._open()
        faults = split_faults(wanted.weights, set(self._versions))
        chosen = [version for name, version in self._versions.items() if wanted.weights.get(name, 0) > 0]
        self._check(chosen, faults)
        self._rollout = fence.weighed(self._held(), endpoint=self.name, call=wanted.call, weights=wanted.weights)
        for name, version in self._versions.items():
            version.weight = wanted.weights.get(name, 0)
        self._split_by = wanted.call
        self._weigh()
        if self._shadow is not None and self._versions[self._shadow].weight:
            self._end_shadow()
        return self.publish()

    def mirror(self, wanted: Mirror) -> Published:
        """Name the shadow, or none. Only a version that is ready and has no traffic may be one."""
        self._open()
        fence.mirrored(self._held(), endpoint=self.name, call=wanted.call, version=wanted.version)
        if wanted.version is not None and wanted.version != self._shadow:
            version = self._known(wanted.version)
            faults = [f"version {version.name} has traffic and can be no shadow"] if version.weight else []
            self._check([version], faults)
        self._shadow, self._mirrored_by = wanted.version, wanted.call
        self.routes.mirror(self._shadow)
        return self.publish()

    def scale(self, name: str, wanted: Scale) -> Published:
        """Set the absolute number of servers of a version. None at all only where no request goes."""
        self._open()
        version = self._known(name)
        if wanted.replicas == 0 and version.weight:
            raise Invalid(f"version {name} has traffic and needs a server: give its traffic to another version first")
        if wanted.replicas == 0 and name == self._shadow:
            raise Invalid(f"version {name} is the shadow and needs a server: end the shadowing first")
        version.scale(wanted.replicas, call=wanted.call)
        return self.publish()

    async def withdraw(self, name: str) -> Published:
        """Take a version out of the routes at once, and end it when its last request is answered."""
        version = self._versions.get(name)
        if version is not None:
            if name == self._shadow:
                self._end_shadow()
            del self._versions[name]
            self._rollout = fence.withdrawn(self._rollout, version=name)
            self.routes.drop(name)
            self._weigh()
            self.publish()
            await version.upstream.drained(within_s=DRAIN_S)
            await version.stop()
        return self.published()

    def lease(self, wanted: Lease) -> Published:
        """Set the absolute lease and whose the endpoint is."""
        self._open()
        named = self._registration.model_copy(update={"run": wanted.run, "owner": wanted.owner})
        self._registration = named.leased(wanted.lease_until, self._clock())
        return self.publish()

    def tally(self, name: str) -> Tally:
        """What was measured of a version, also of one that is withdrawn. NotFound."""
        if (tally := self.tallies.get(name)) is None:
            raise NotFound(f"endpoint {self.name} has measured no version {name}")
        return tally

    async def inputs(self, name: str, *, since: float, until: float | None) -> Inputs:
        """What was counted of a version's requests, also of one that is withdrawn. NotFound."""
        self.tally(name)
        return await self.watching.inputs(name, since=since, until=until)

    async def watch(self) -> None:
        """Return when the lease has lapsed, or the folder is no longer this host's."""
        while not self.closing.is_set():
            left = self._registration.term.left(self._clock())
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
        await asyncio.gather(self.copies.close(), self.watching.close())
        await asyncio.gather(*(version.stop() for version in self._versions.values()))
        await asyncio.gather(self.client.aclose(), self._copying.aclose())
        if self._here():
            shutil.rmtree(self._folder, ignore_errors=True)
        for path in self._registration.debris:
            shutil.rmtree(path, ignore_errors=True)

    def _add(self, name: str, wanted: Deployment) -> None:
        self.tallies.pop(name, None)
        tally = self.tallies[name] = Tally()
        self.watching.versions[name] = Watched(Path(wanted.folder))
        while len(self.tallies) > TALLIES:  # the oldest of those that were withdrawn
            oldest = next(old for old in self.tallies if old not in self._versions)
            del self.tallies[oldest], self.watching.versions[oldest]
        version = Version(
            name=name,
            deployment=wanted,
            upstream=Upstream(name, tally),
            server=lambda number: ModelServer(
                endpoint=self.name,
                version=name,
                model=wanted.folder,
                language=wanted.language,
                log=self._folder / f"server-{name}-{number}.log",
                client=self.client,
                changed=self._changed,
            ),
        )
        self._versions[name] = version
        self.routes.add(version.upstream)

    def _held(self) -> Rollout | None:
        """The rollout under way, unless what it was deployed with has lapsed."""
        return self._rollout if self._held_for.left(self._clock()) > 0 else None

    def _changed(self) -> None:
        self.publish()

    def _known(self, name: str) -> Version:
        if (version := self._versions.get(name)) is None:
            raise NotFound(f"endpoint {self.name} has no version {name}: deploy it first")
        return version

    def _check(self, chosen: Sequence[Version], faults: Sequence[str]) -> None:
        """That versions may get requests. Invalid with all that is wrong; Transient when one is not ready yet."""
        states = [version.state() for version in chosen]
        wrong = [*faults]
        wrong += [f"version {v.name} has failed and can get no traffic" for v in states if v.state == "failed"]
        wrong += [f"version {v.name} is to have no server: scale it first" for v in states if v.replicas == 0]
        if wrong:
            raise Invalid(*wrong)
        if waiting := [v.name for v in states if v.state == "starting" and v.weight == 0]:
            raise Transient(f"not ready for traffic yet: {', '.join(waiting)}")

    def _end_shadow(self) -> None:
        """Nothing that is still on its way to it stands before the requests of callers."""
        self.routes.mirror(None)
        if self._shadow is not None:
            self.copies.give_up(self._versions[self._shadow].upstream)
        self._shadow = None

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
