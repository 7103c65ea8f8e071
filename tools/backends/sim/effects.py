"""What happened in a world: the log of accepted changes, and what is there at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tools.backends.sim.faults import Operation
from tools.ports import EndpointState, Machine
from tools.record import Json, Record

Event = Literal[
    "job.started",
    "job.succeeded",
    "job.failed",
    "job.lapsed",
    "version.ready",
    "version.scaled",
    "version.failed",
    "version.spoilt",
    "endpoint.lapsed",
    "machine.ready",
    "machine.lapsed",
    "lease.stalled",
]
"""What the world does by itself."""


class Effect(Record):
    """One change of the world. A call that changed nothing (a repeated destroy) leaves none."""

    sequence: int
    """From 1, without gaps."""
    at: float
    by: Literal["call", "world"]
    kind: Operation | Event
    token: str = ""
    """The call id, where the port is given one; of an event, that of the resource."""
    target: str
    """Id, name or key of what changed."""
    args: Json = {}


class JobEntry(Record):
    """A job as the world remembers it."""

    id: str
    call: str
    run: str
    program: str
    phase: str


class Snapshot(Record):
    """Everything that is there."""

    at: float
    jobs: tuple[JobEntry, ...]
    """All that were ever accepted."""
    endpoints: tuple[EndpointState, ...]
    machines: tuple[Machine, ...]
    """All that were ever provisioned."""
    objects: Mapping[str, str]
    """Key → content digest."""
