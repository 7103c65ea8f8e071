"""What only a simulated world offers: its time, its faults, its log. One class, so that the wire can list it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import Pace, PassingClock
from tools.backends.sim.content import unpack
from tools.backends.sim.effects import Effect, Snapshot
from tools.backends.sim.faults import Fault, Fired, Operation
from tools.epochs import Tenure
from tools.errors import Invalid
from tools.ports import Capability, Promise
from tools.record import Record


class About(Record):
    """A backend from afar."""

    name: str
    can: tuple[Capability, ...]
    promises: Mapping[str, Promise]
    """By creating port."""
    pace: Pace | None = None
    """How its time passes by itself; None where it waits for somebody to pass it."""


class Controls:
    """No port: the agent does not use it, except that its clock is the world's."""

    def __init__(self, backend: SimBackend) -> None:
        self._backend = backend

    def about(self) -> About:
        backend = self._backend
        promises = {
            "jobs": backend.jobs.promise,
            "serving": backend.serving.promise,
            "compute": backend.compute.promise,
        }
        return About(name=backend.name, can=tuple(sorted(backend.can)), promises=promises, pace=_pace(backend))

    def fence(self, tenure: Tenure) -> None:
        """Hear of an owner of a run. Superseded when a later one was heard of."""
        self._backend.fenced(run=tenure.run, epoch=tenure.epoch)

    def now(self) -> float:
        return self._backend.clock.now()

    def advance(self, seconds: float) -> float:
        """The time it is then. Invalid when it would go back."""
        try:
            return self._backend.advance(seconds)
        except ValueError as error:
            raise Invalid(str(error)) from error

    def arm(self, fault: Fault) -> None:
        self._backend.faults.add(fault)

    def disarm(self, operation: Operation | None) -> None:
        self._backend.faults.disarm(operation)

    def fired(self) -> Sequence[Fired]:
        return self._backend.faults.fired

    def effects(self) -> Sequence[Effect]:
        return self._backend.effects

    def snapshot(self) -> Snapshot:
        return self._backend.snapshot()

    def spoil(self, endpoint: str, version: str) -> None:
        self._backend.spoil(endpoint, version)

    def stall(self, resource: str) -> None:
        self._backend.stall(resource)

    def put(self, key: str, content: dict[str, str]) -> str:
        """`objects.put` of content that came as JSON. Invalid."""
        return self._backend.store(key, unpack(content))

    def stop(self) -> None:
        """Accepted here; the server ends itself after the answer."""


def _pace(backend: SimBackend) -> Pace | None:
    return backend.clock.pace if isinstance(backend.clock, PassingClock) else None
