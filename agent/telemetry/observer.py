"""What is told of runs while they go on: the one seam between the work and its logs, metrics and spans.

Whoever works tells an `Observer`; the default hears nothing. An observer never raises, changes nothing, and is handed
records that are stored already, so that what it tells is what the journal says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from agent.state import Run
from tools.errors import Passing
from tools.record import Record
from tools.tool import Call

Outcome = Literal["waits", "ended", "stopped", "busy", "broken"]
"""What an activation came to: it waits, the run has ended, the process was asked to stop, another owns the run, or it
failed."""
WakeCause = Literal["due", "message", "job", "alert", "lapsed", "started", "resumed"]
"""Why a run is looked at: its time has come, somebody left a message, work of its ended, a metric crossed, its owner
went unheard, or a person began it or goes on with it."""


@dataclass(kw_only=True)
class Activation:
    """One activation while it lasts; whoever drives says what it came to."""

    run: str
    epoch: int
    outcome: Outcome = "broken"
    cause: str = ""
    """Type of the error, where one ended it."""


class Observer(Protocol):
    """Hears what happens to the runs of this process."""

    def activation(self, run: str, *, epoch: int) -> AbstractContextManager[Activation]:
        """Around one pass over a run."""

    def planning(self, run: str) -> AbstractContextManager[None]:
        """Around the making of a plan, or of its next version."""

    def committed(self, run: Run, records: Sequence[Record], *, epoch: int, seconds: float) -> None:
        """These lines of the run are stored; storing them took that long."""

    def retried(self, call: Call, why: Passing, wait_s: float) -> None:
        """A call is made again after that wait."""

    def woken(self, run: str, cause: WakeCause, *, late_s: float) -> None:
        """A run is looked at, that long after it was due."""

    def lost(self, run: str, *, epoch: int) -> None:
        """This process owns the run no longer: its lease has lapsed, or another has claimed it. Whoever has several
        observers tells them when an activation ends with Busy."""

    def standing(self, counts: Mapping[str, int]) -> None:
        """How many runs there are by status, `suspended` among them."""

    def jumped(self, seconds: float) -> None:
        """The machine's clock was set by that much; the clock of this process goes on as it was."""


class Silent:
    """Hears nothing."""

    @contextmanager
    def activation(self, run: str, *, epoch: int) -> Iterator[Activation]:
        yield Activation(run=run, epoch=epoch)

    @contextmanager
    def planning(self, run: str) -> Iterator[None]:
        yield

    def committed(self, run: Run, records: Sequence[Record], *, epoch: int, seconds: float) -> None:
        return

    def retried(self, call: Call, why: Passing, wait_s: float) -> None:
        return

    def woken(self, run: str, cause: WakeCause, *, late_s: float) -> None:
        return

    def lost(self, run: str, *, epoch: int) -> None:
        return

    def standing(self, counts: Mapping[str, int]) -> None:
        return

    def jumped(self, seconds: float) -> None:
        return


SILENT = Silent()
