"""Faults that can be switched on per operation. Decides whether one fires; the gate carries it out."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self, TypedDict, Unpack

from pydantic import Field, ValidationError, model_validator

from tools.errors import Cause, Invalid
from tools.record import Record

Operation = Literal[
    "jobs.submit",
    "jobs.poll",
    "jobs.logs",
    "jobs.cancel",
    "jobs.find",
    "jobs.owned",
    "serving.deploy",
    "serving.split",
    "serving.mirror",
    "serving.scale",
    "serving.withdraw",
    "serving.extend",
    "serving.remove",
    "serving.state",
    "serving.find",
    "serving.owned",
    "objects.put",
    "objects.fetch",
    "objects.digest",
    "objects.names",
    "objects.remove",
    "telemetry.traffic",
    "telemetry.agreement",
    "telemetry.inputs",
    "compute.offers",
    "compute.provision",
    "compute.release",
    "compute.find",
    "compute.owned",
    "watch.since",
]
"""Every call a port offers."""

EFFECTS: frozenset[Operation] = frozenset(
    {
        "jobs.submit",
        "jobs.cancel",
        "serving.deploy",
        "serving.split",
        "serving.mirror",
        "serving.scale",
        "serving.withdraw",
        "serving.extend",
        "serving.remove",
        "objects.put",
        "objects.remove",
        "compute.provision",
        "compute.release",
    }
)
"""Operations that change the world; when their answer is lost the outcome is unknown."""

FaultKind = Literal[
    "refuse",
    "throttle",
    "timeout_before",
    "timeout_after",
    "lose_answer",
    "answer_500",
    "answer_500_after",
    "twice",
    "stale",
    "fail_job",
]
"""`before`: the effect does not happen. `after`, `lose_answer`: it does, and nobody hears of it. `twice`: the request
arrives twice, and the second answer is heard."""


class Fault(Record):
    """One thing that goes wrong, where and how often."""

    operation: Operation
    fault: FaultKind
    times: int | None = Field(default=1, ge=1)
    """How many matching calls it spoils; None: until disarmed."""
    skip: int = Field(default=0, ge=0)
    """Matching calls that pass unharmed first."""
    token: str = ""
    """Only calls whose call id, or resource where there is none, contains this."""
    chance: float = Field(default=1.0, gt=0, le=1)
    """Probability that a matching call is spoilt, drawn from the world's seed."""
    retry_after_s: float = Field(default=1.0, ge=0)
    """What a throttled answer asks for."""
    staleness_s: float | None = Field(default=None, ge=0)
    """How old the picture is that a stale list shows; None: what the port's promise allows."""
    cause: Cause = "unknown"
    """Why a job fails."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        method = self.operation.partition(".")[2]
        if self.fault == "stale" and method not in ("find", "owned"):
            raise ValueError(f"{self.operation} shows no list that could be stale: arm `find` or `owned`")
        if self.fault == "twice" and self.operation not in EFFECTS:
            raise ValueError(f"{self.operation} changes nothing and may arrive twice: arm one that does")
        if self.fault == "fail_job" and self.operation != "jobs.submit":
            raise ValueError(f"{self.operation} starts no job that could fail: arm `jobs.submit`")
        return self


class Details(TypedDict, total=False):
    """The fields of `Fault` that have defaults, as keywords."""

    times: int | None
    skip: int
    token: str
    chance: float
    retry_after_s: float
    staleness_s: float | None
    cause: Cause


def make(operation: Operation, fault: FaultKind, details: Details) -> Fault:
    """The fault. Invalid with every reason why it makes no sense."""
    try:
        return Fault.model_validate({"operation": operation, "fault": fault, **details})
    except ValidationError as error:
        raise Invalid(*(f"{'.'.join(map(str, e['loc'])) or operation}: {e['msg']}" for e in error.errors())) from error


class Fired(Record):
    """A fault that spoilt a call."""

    operation: Operation
    fault: FaultKind
    token: str


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0
    fired: int = 0

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.fired >= self.fault.times


class Switchboard:
    """Which faults are armed. At most one fires per call: the one armed first."""

    def __init__(self, *, seed: int = 0, armed: Sequence[Fault] = ()) -> None:
        self._random = random.Random(f"{seed}/faults")
        self._armed = [_Armed(fault) for fault in armed]
        self._fired: list[Fired] = []
        self.draws = 0
        """Calls that matched an armed fault, spoilt or not."""

    def arm(self, *, operation: Operation, fault: FaultKind, **details: Unpack[Details]) -> None:
        """Switch a fault on. Invalid when it makes no sense there."""
        self.add(make(operation, fault, details))

    def add(self, fault: Fault) -> None:
        """Switch on a fault that is spelt out."""
        self._armed.append(_Armed(fault))

    def disarm(self, operation: Operation | None = None) -> None:
        """Switch off the faults of one operation, or all."""
        self._armed = [a for a in self._armed if operation is not None and a.fault.operation != operation]

    @property
    def fired(self) -> tuple[Fired, ...]:
        """What was spoilt so far, in order."""
        return tuple(self._fired)

    def draw(self, operation: Operation, token: str) -> Fault | None:
        """The fault that spoils this call, if any."""
        for armed in self._armed:
            fault = armed.fault
            if armed.spent or fault.operation != operation or fault.token not in token:
                continue
            self.draws += 1
            armed.seen += 1
            if armed.seen > fault.skip and (fault.chance == 1.0 or self._random.random() < fault.chance):
                armed.fired += 1
                self._fired.append(Fired(operation=operation, fault=fault.fault, token=token))
                return fault
        return None
