"""What every call passes: time settles, an armed fault fires, then the effect happens or is not heard of."""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import TypeVar

from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.events import settle
from tools.backends.sim.faults import EFFECTS, Fault, Operation, Switchboard
from tools.backends.sim.state import State
from tools.epochs import Tenure
from tools.errors import Cause, Refused, ToolError, Transient, Unknown
from tools.language import tr

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a call is performed, and what a fault makes of it."""

    now: float
    horizon: float
    """Lists show the world as of this time."""
    doom: Cause | None = None
    """Why the job that is submitted will fail."""


class Gate:
    """Serialises calls and carries out faults."""

    def __init__(self, state: State, *, clock: VirtualClock, faults: Switchboard) -> None:
        self.state = state
        self.clock = clock
        self.faults = faults
        self._lock = threading.RLock()
        self._tenure: Tenure | None = None

    def fenced(self, tenure: Tenure) -> Gate:
        """The same gate for that owner of a run, of whom the world hears now. Superseded."""
        with self._lock:
            self.state.epochs.hear(tenure)
        gate = copy(self)
        gate._tenure = tenure
        return gate

    def settle(self) -> None:
        """Let everything happen that was due by now."""
        with self._lock:
            settle(self.state, self.clock.now())

    def call(self, operation: Operation, token: str, effect: Callable[[Moment], T]) -> T:
        """Perform one call of a port. `token` is the call id, or the resource where there is none."""
        with self._lock:
            self.settle()
            if self._tenure is not None and operation in EFFECTS:
                self.state.epochs.hear(self._tenure)
            fault = self.faults.draw(operation, token)
            if fault is None:
                return effect(self._moment(None))
            self._before(fault)
            try:
                answer = effect(self._moment(fault))
                if fault.fault == "twice":
                    answer = effect(self._moment(fault))
            except ToolError as error:
                self._after(fault, error)
                raise
            self._after(fault, None)
            return answer

    def _moment(self, fault: Fault | None) -> Moment:
        now = self.clock.now()
        if fault is None:
            return Moment(now=now, horizon=now)
        stale = fault.staleness_s if fault.staleness_s is not None else self.state.world.staleness_s
        return Moment(
            now=now,
            horizon=now - stale if fault.fault == "stale" else now,
            doom=fault.cause if fault.fault == "fail_job" else None,
        )

    def _before(self, fault: Fault) -> None:
        """Raise where the effect must not happen."""
        match fault.fault:
            case "refuse":
                raise Refused(tr("{operation} is not allowed in this world", operation=fault.operation))
            case "throttle":
                said = tr("{operation} was throttled", operation=fault.operation)
                raise Transient(said, retry_after_s=fault.retry_after_s, why="throttled")
            case "timeout_before":
                raise self._unheard(fault, tr("did not answer in time"))
            case "answer_500":
                raise self._unheard(fault, tr("answered 500"))
            case _:
                return

    def _after(self, fault: Fault, error: ToolError | None) -> None:
        """Raise where nobody hears how it went, an error included."""
        match fault.fault:
            case "timeout_after":
                raise self._unheard(fault, tr("did not answer in time")) from error
            case "lose_answer":
                raise self._unheard(fault, tr("closed the connection")) from error
            case "answer_500_after":
                raise self._unheard(fault, tr("answered 500")) from error
            case _:
                return

    def _unheard(self, fault: Fault, how: str) -> ToolError:
        """A lost read may simply be repeated; a lost effect has an unknown outcome."""
        if fault.fault in ("timeout_before", "timeout_after"):
            self.clock.advance(self.state.world.call_timeout_s)
            self.settle()
        if fault.operation in EFFECTS:
            return Unknown(tr("{operation} {how}: look whether it happened", operation=fault.operation, how=how))
        return Transient(f"{fault.operation} {how}", retry_after_s=fault.retry_after_s)
