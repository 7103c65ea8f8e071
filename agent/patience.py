"""The one layer that retries: how patiently a call is made again when its backend cannot answer now.

Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", 2015), never sooner than the backend
asks, bounded per class of error by tries and by time. What will not pass is never tried again here. A wait ends at once
when the process is asked to stop or the run is cancelled.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from agent.clock import Clock
from agent.telemetry.observer import SILENT, Observer
from tools.errors import Passing, Transient, Unknown
from tools.record import Record
from tools.tool import Call

T = TypeVar("T")
Interruption = Literal["stop", "cancel"]
"""The process is to stop, or the run was cancelled."""
CANCELLED_S = 5.0
"""Longest wait to see what a cancelled run has made."""
LOOK_UP_S = 0.2
"""How often a wait looks up whether it is to end."""


class Bounds(Record):
    """How patiently one class of error is waited out."""

    tries: int
    """Most tries of one call, the first included."""
    first_s: float
    """The longest first wait; it doubles from try to try."""
    most_s: float
    within_s: float
    """From the first failure of the class to the last try of the call."""


BOUNDS: Mapping[Passing, Bounds] = {
    "throttled": Bounds(tries=10, first_s=1.0, most_s=30.0, within_s=180.0),
    "capacity": Bounds(tries=12, first_s=1.0, most_s=30.0, within_s=120.0),
    "network": Bounds(tries=6, first_s=0.5, most_s=10.0, within_s=60.0),
}


class Interrupted(Exception):
    """A wait was ended: not a fault of what was waited for."""

    def __init__(self, why: Interruption) -> None:
        super().__init__(why)
        self.why: Interruption = why


@dataclass(frozen=True, kw_only=True)
class Waits:
    """How calls of a run wait in this process."""

    clock: Clock
    interrupted: Callable[[], Interruption | None] = lambda: None
    until: float | None = None
    """Epoch seconds after which nothing is tried again: the run winds down."""
    observer: Observer = SILENT
    bounds: Mapping[Passing, Bounds] = field(default_factory=lambda: BOUNDS)
    urgent: bool = False
    """A cancelled run still waits `CANCELLED_S` for it: to see what it has made."""

    def heed(self) -> None:
        """Interrupted when there is a reason to go no further."""
        if (why := self.interrupted()) is not None:
            raise Interrupted(why)

    def sleep(self, seconds: float) -> None:
        """Interrupted as soon as it is to end."""
        until = self.clock.now() + seconds
        while (left := until - self.clock.now()) > 0:
            if not (self.urgent and left <= CANCELLED_S):
                self.heed()
            elif self.interrupted() == "stop":
                raise Interrupted("stop")
            self.clock.sleep(min(left, LOOK_UP_S))

    def settle(self, seconds: float) -> None:
        """Until a list that lied tells the truth: only a request to stop ends that."""
        until = self.clock.now() + seconds
        while (left := until - self.clock.now()) > 0:
            if self.interrupted() == "stop":
                raise Interrupted("stop")
            self.clock.sleep(min(left, LOOK_UP_S))

    def of(self, call: Call) -> Turn:
        """What one call may wait in all."""
        return Turn(self, call)


class Turn:
    """One call's tries and waits: every question that is asked for it draws on the same bounds."""

    def __init__(self, waits: Waits, call: Call) -> None:
        self._waits = waits
        self._call = call
        self._tries: dict[Passing, int] = {}
        self._since: dict[Passing, float] = {}
        # The same call waits alike wherever it is tried; calls of other runs do not fall into step with it.
        self._random = random.Random(call.id)

    def ask(self, question: Callable[[], T]) -> T:
        """The answer; what may pass is waited out. Transient when it did not pass in time; Interrupted."""
        try:
            return question()
        except Transient as error:
            failed: list[Transient] = [error]

        def again() -> T:
            if failed:  # the try that was made already
                raise failed.pop()
            return question()

        retrying = Retrying(
            retry=retry_if_exception_type(Transient),
            wait=lambda state: self._wait(_error(state)),
            stop=lambda state: self._over(_error(state).why, state.upcoming_sleep),
            before_sleep=lambda state: self._tell(_error(state).why, state.upcoming_sleep),
            sleep=self._waits.sleep,
            reraise=True,
        )
        return retrying(again)

    def again(self, lost: Unknown) -> bool:
        """Wait before an effect is looked for, and tried again, whose answer was lost; False when that was often
        enough, or the run was cancelled: then it is only looked for."""
        seconds = self._wait(Transient(str(lost), retry_after_s=0.0))
        if self._over("network", seconds):
            return False
        self._tell("network", seconds)
        try:
            self._waits.sleep(seconds)
        except Interrupted as error:
            if error.why == "stop":
                raise
            return False
        return True

    def _wait(self, error: Transient) -> float:
        """Seconds until the next try: at least what was asked for, else drawn from an interval that doubles."""
        bounds, tries = self._waits.bounds[error.why], self._tries.get(error.why, 0)
        self._tries[error.why] = tries + 1
        self._since.setdefault(error.why, self._waits.clock.now())
        return max(error.retry_after_s, self._random.uniform(0.0, min(bounds.most_s, bounds.first_s * 2**tries)))

    def _over(self, why: Passing, seconds: float) -> bool:
        """No further try, also where it would come too late: nothing is asked sooner than the backend says."""
        bounds, at = self._waits.bounds[why], self._waits.clock.now() + seconds
        late = self._waits.until is not None and at > self._waits.until
        within = bounds.within_s
        if self._waits.urgent and self._waits.interrupted() == "cancel":
            within = min(within, CANCELLED_S)
        return late or self._tries[why] >= bounds.tries or at > self._since[why] + within

    def _tell(self, why: Passing, seconds: float) -> None:
        self._waits.observer.retried(self._call, why, seconds)


def _error(state: RetryCallState) -> Transient:
    """What the last try came to."""
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, Transient)
    return error
