"""The ports of a simulated world that is a process of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Unpack

from pydantic import TypeAdapter

from tools.backends.sim.clock import Pace
from tools.backends.sim.content import pack
from tools.backends.sim.controls import About
from tools.backends.sim.effects import Effect, Snapshot
from tools.backends.sim.faults import Details, Fault, FaultKind, Fired, Operation, make
from tools.backends.sim.line import Line
from tools.backends.sim.objects import read_tree
from tools.epochs import Tenure
from tools.inputs import Inputs
from tools.ports import (
    Agreement,
    Capability,
    Compute,
    EndpointState,
    Jobs,
    JobSpec,
    JobState,
    Machine,
    Objects,
    Offer,
    Owned,
    Promise,
    Scope,
    ServeSpec,
    Serving,
    Tags,
    Telemetry,
    Traffic,
)
from tools.watching import Seen, Watch

_ABOUT = TypeAdapter(About)
_AGREEMENT = TypeAdapter(Agreement)
_EFFECTS = TypeAdapter(tuple[Effect, ...])
_ENDPOINT = TypeAdapter(EndpointState)
_FIRED = TypeAdapter(tuple[Fired, ...])
_FOUND_ENDPOINT: TypeAdapter[EndpointState | None] = TypeAdapter(EndpointState | None)
_FOUND_JOB: TypeAdapter[JobState | None] = TypeAdapter(JobState | None)
_FOUND_MACHINE: TypeAdapter[Machine | None] = TypeAdapter(Machine | None)
_INPUTS = TypeAdapter(Inputs)
_JOB = TypeAdapter(JobState)
_MACHINE = TypeAdapter(Machine)
_NOTHING: TypeAdapter[None] = TypeAdapter(None)
_NUMBER = TypeAdapter(float)
_OFFERS = TypeAdapter(list[Offer])
_OWNED = TypeAdapter(list[Owned])
_PATH = TypeAdapter(Path)
_SEEN = TypeAdapter(Seen)
_SNAPSHOT = TypeAdapter(Snapshot)
_TEXT = TypeAdapter(str)
_TEXTS = TypeAdapter(list[str])
_TRAFFIC = TypeAdapter(Traffic)


class SimClient:
    """A backend whose world lives behind a socket. Threads and forked processes may share one.

    Transient when no server answers; a connection that breaks under a change leaves it Unknown.
    """

    def __init__(self, socket_path: str | Path, *, latency_s: float = 0.0) -> None:
        """`latency_s`: how long every call of a port takes to get there, in real seconds."""
        line = Line(Path(socket_path), latency_s=latency_s)
        self._about = line.ask(_ABOUT, "control.about")
        self._speak(line)

    def _speak(self, line: Line) -> None:
        """Ask everything over that line from now on."""
        self._line, about = line, self._about
        self.name = about.name
        self.can: frozenset[Capability] = frozenset(about.can)
        self.jobs: Jobs = _Jobs(line, about.promises["jobs"])
        self.serving: Serving = _Serving(line, about.promises["serving"])
        self.objects: Objects = _Objects(line)
        self.telemetry: Telemetry = _Telemetry(line)
        self.compute: Compute = _Compute(line, about.promises["compute"])
        self.watch: Watch = _Watch(line)
        self.clock: RemoteClock = RemoteClock(line) if about.pace is None else PassingRemotely(line, about.pace)
        self.faults = RemoteFaults(line)

    def fenced(self, *, run: str, epoch: int) -> SimClient:
        """The same world in the hands of that owner of the run. Superseded when it has heard of a later one."""
        tenure = Tenure(run=run, epoch=epoch)
        self._line.ask(_NOTHING, "control.fence", tenure=tenure)
        seen = copy(self)
        seen._speak(self._line.fenced(tenure))
        return seen

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Every change of the world so far, in order."""
        return self._line.ask(_EFFECTS, "control.effects")

    def advance(self, seconds: float) -> float:
        """Let virtual time pass; the time it is then."""
        return self.clock.advance(seconds)

    def snapshot(self) -> Snapshot:
        """Everything that is there now."""
        return self._line.ask(_SNAPSHOT, "control.snapshot")

    def spoil(self, endpoint: str, version: str) -> None:
        """From now on that version answers as the world's bad one. NotFound."""
        self._line.ask(_NOTHING, "control.spoil", endpoint=endpoint, version=version)

    def stall(self, resource: str) -> None:
        """From now on that job, endpoint or machine outlives its lease: nothing ends it but a call. NotFound."""
        self._line.ask(_NOTHING, "control.stall", resource=resource)

    def stop(self) -> None:
        """End the server."""
        self._line.ask(_NOTHING, "control.stop")


class RemoteClock:
    """The world's virtual time, passed by whoever waits on it."""

    passes = False

    def __init__(self, line: Line) -> None:
        self._line = line

    def now(self) -> float:
        return self._line.ask(_NUMBER, "control.now")

    def advance(self, seconds: float) -> float:
        return self._line.ask(_NUMBER, "control.advance", seconds=seconds)

    def sleep(self, seconds: float, interrupt: object = None) -> None:
        del interrupt
        self.advance(max(0.0, seconds))


class PassingRemotely(RemoteClock):
    """The time of a world that passes by itself: nobody has to ask the world for it."""

    passes = True

    def __init__(self, line: Line, pace: Pace) -> None:
        super().__init__(line)
        self._pace = pace

    def now(self) -> float:
        return self._pace.now()

    def sleep(self, seconds: float, interrupt: object = None) -> None:
        del interrupt
        time.sleep(max(0.0, seconds) / self._pace.rate)


class RemoteFaults:
    """The world's switchboard."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def arm(self, *, operation: Operation, fault: FaultKind, **details: Unpack[Details]) -> None:
        """Switch a fault on. Invalid when it makes no sense there."""
        self.add(make(operation, fault, details))

    def add(self, fault: Fault) -> None:
        """Switch on a fault that is spelt out."""
        self._line.ask(_NOTHING, "control.arm", fault=fault)

    def disarm(self, operation: Operation | None = None) -> None:
        """Switch off the faults of one operation, or all."""
        self._line.ask(_NOTHING, "control.disarm", operation=operation)

    @property
    def fired(self) -> tuple[Fired, ...]:
        """What was spoilt so far, in order."""
        return self._line.ask(_FIRED, "control.fired")


class _Jobs(Jobs):
    def __init__(self, line: Line, promise: Promise) -> None:
        self._line = line
        self.promise = promise

    def submit(self, *, spec: JobSpec, tags: Tags) -> JobState:
        return self._line.ask(_JOB, "jobs.submit", spec=spec, tags=tags)

    def poll(self, job: str) -> JobState:
        return self._line.ask(_JOB, "jobs.poll", job=job)

    def logs(self, job: str, *, tail: int = 200) -> Sequence[str]:
        return self._line.ask(_TEXTS, "jobs.logs", job=job, tail=tail)

    def cancel(self, job: str) -> None:
        self._line.ask(_NOTHING, "jobs.cancel", job=job)

    def find(self, call: str) -> JobState | None:
        return self._line.ask(_FOUND_JOB, "jobs.find", call=call)

    def owned(self, scope: Scope) -> Sequence[Owned]:
        return self._line.ask(_OWNED, "jobs.owned", scope=scope)


class _Serving(Serving):
    def __init__(self, line: Line, promise: Promise) -> None:
        self._line = line
        self.promise = promise

    def deploy(self, *, spec: ServeSpec, tags: Tags) -> EndpointState:
        return self._line.ask(_ENDPOINT, "serving.deploy", spec=spec, tags=tags)

    def split(self, endpoint: str, *, weights: Mapping[str, int], call: str) -> EndpointState:
        return self._line.ask(_ENDPOINT, "serving.split", endpoint=endpoint, weights=weights, call=call)

    def mirror(self, endpoint: str, *, version: str | None, call: str) -> EndpointState:
        return self._line.ask(_ENDPOINT, "serving.mirror", endpoint=endpoint, version=version, call=call)

    def scale(self, endpoint: str, *, version: str, replicas: int, call: str) -> EndpointState:
        return self._line.ask(
            _ENDPOINT, "serving.scale", endpoint=endpoint, version=version, replicas=replicas, call=call
        )

    def withdraw(self, endpoint: str, *, version: str) -> None:
        self._line.ask(_NOTHING, "serving.withdraw", endpoint=endpoint, version=version)

    def extend(self, endpoint: str, *, run: str, owner: str, lease_until: float) -> EndpointState:
        return self._line.ask(
            _ENDPOINT, "serving.extend", endpoint=endpoint, run=run, owner=owner, lease_until=lease_until
        )

    def remove(self, endpoint: str) -> None:
        self._line.ask(_NOTHING, "serving.remove", endpoint=endpoint)

    def state(self, endpoint: str) -> EndpointState:
        return self._line.ask(_ENDPOINT, "serving.state", endpoint=endpoint)

    def find(self, call: str) -> EndpointState | None:
        return self._line.ask(_FOUND_ENDPOINT, "serving.find", call=call)

    def owned(self, scope: Scope) -> Sequence[Owned]:
        return self._line.ask(_OWNED, "serving.owned", scope=scope)


class _Objects(Objects):
    def __init__(self, line: Line) -> None:
        self._line = line

    def put(self, key: str, source: Path) -> str:
        return self._line.ask(_TEXT, "objects.put", key=key, content=pack(read_tree(source)))

    def fetch(self, key: str) -> Path:
        return self._line.ask(_PATH, "objects.fetch", key=key)

    def digest(self, key: str) -> str:
        return self._line.ask(_TEXT, "objects.digest", key=key)

    def names(self, prefix: str) -> Sequence[str]:
        return self._line.ask(_TEXTS, "objects.names", prefix=prefix)

    def remove(self, key: str) -> None:
        self._line.ask(_NOTHING, "objects.remove", key=key)


class _Telemetry(Telemetry):
    def __init__(self, line: Line) -> None:
        self._line = line

    def traffic(
        self, endpoint: str, *, version: str, since: float, thresholds_ms: Sequence[float], skip: int = 0
    ) -> Traffic:
        return self._line.ask(
            _TRAFFIC,
            "telemetry.traffic",
            endpoint=endpoint,
            version=version,
            since=since,
            thresholds_ms=list(thresholds_ms),
            skip=skip,
        )

    def agreement(self, endpoint: str, *, version: str, since: float) -> Agreement:
        return self._line.ask(_AGREEMENT, "telemetry.agreement", endpoint=endpoint, version=version, since=since)

    def inputs(self, endpoint: str, *, version: str, since: float, until: float | None = None) -> Inputs:
        return self._line.ask(_INPUTS, "telemetry.inputs", endpoint=endpoint, version=version, since=since, until=until)


class _Compute(Compute):
    def __init__(self, line: Line, promise: Promise) -> None:
        self._line = line
        self.promise = promise

    def offers(self) -> Sequence[Offer]:
        return self._line.ask(_OFFERS, "compute.offers")

    def provision(self, *, offer: str, tags: Tags) -> Machine:
        return self._line.ask(_MACHINE, "compute.provision", offer=offer, tags=tags)

    def release(self, machine: str) -> None:
        self._line.ask(_NOTHING, "compute.release", machine=machine)

    def find(self, call: str) -> Machine | None:
        return self._line.ask(_FOUND_MACHINE, "compute.find", call=call)

    def owned(self, scope: Scope) -> Sequence[Owned]:
        return self._line.ask(_OWNED, "compute.owned", scope=scope)


class _Watch(Watch):
    def __init__(self, line: Line) -> None:
        self._line = line

    def since(self, cursor: str) -> Seen:
        return self._line.ask(_SEEN, "watch.since", cursor=cursor)
