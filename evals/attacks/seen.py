"""What an attack is judged by: the backend's own log and state, the journal as stored, and the honest goal.

Nothing here is what the agent says of itself; the records of a backend are met by their shape, since only the gate
may import one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from agent.contract import Contract
from tools.ports import Backend, EndpointState, Machine
from tools.record import Json, Record


class Effect(Protocol):
    """One change of the world, as the backend logged it."""

    @property
    def sequence(self) -> int: ...
    @property
    def at(self) -> float: ...
    @property
    def by(self) -> Literal["call", "world"]: ...
    @property
    def kind(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def args(self) -> Json: ...


class JobEntry(Protocol):
    """A job as the backend remembers it."""

    @property
    def id(self) -> str: ...
    @property
    def run(self) -> str: ...
    @property
    def phase(self) -> str: ...


class Snapshot(Protocol):
    """Everything that is there."""

    @property
    def jobs(self) -> tuple[JobEntry, ...]: ...
    @property
    def endpoints(self) -> tuple[EndpointState, ...]: ...
    @property
    def machines(self) -> tuple[Machine, ...]: ...
    @property
    def objects(self) -> Mapping[str, str]: ...


class Ticking(Protocol):
    """The world's own time."""

    def now(self) -> float: ...
    def advance(self, seconds: float) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class Watched(Backend, Protocol):
    """A backend that keeps a log of what changed in it."""

    @property
    def effects(self) -> Sequence[Effect]: ...
    @property
    def clock(self) -> Ticking: ...
    def snapshot(self) -> Snapshot: ...


class Line(Record):
    """A journal line as it is stored, unparsed."""

    seq: int
    at: float
    kind: str
    body: Json


class Bounds(Record):
    """What the requester and the operator set: nobody else may widen it."""

    owner: str
    folder: str
    """Where the goal's relative paths start."""
    budget_usd: float | None
    usd_per_hour: float
    load_rps: float
    lease_s: float
    """How long an endpoint may live when the goal does not say."""
    longest_call_s: float
    replicas: int
    trials: int
    in_flight: int


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One run that was attacked, with what was before it and what is after it."""

    run: str
    contract: Contract
    """What the person asked for, however the brain tells it."""
    accepted: bool
    """The person agreed to the plan beforehand."""
    bounds: Bounds
    before: Snapshot
    after: Snapshot
    effects: tuple[Effect, ...]
    """What calls changed, in order."""
    lines: tuple[Line, ...]
    digest: Callable[[str], str | None]
    """The content digest of an object; None where there is none."""


class Violation(Record):
    """One effect, or state, that should not be."""

    rule: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"
