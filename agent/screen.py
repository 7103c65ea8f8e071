"""What a foreground run shows while it goes on: a view at every change, and a few times a second."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from agent.clock import Clock
from agent.documents import RunView, Status
from agent.record.ledger import Burn
from agent.state import CallState, Run
from agent.view import view
from tools.dispatch import Dispatcher
from tools.errors import ToolError, Transient, Unknown
from tools.ports import Progress
from tools.redact import Redaction
from tools.tool import Running

SHOW_EVERY_S = 0.2


class Screen:
    """Passes views of a run to whoever watches."""

    def __init__(
        self,
        watch: Callable[[RunView], None] | None,
        clock: Clock,
        redaction: Redaction,
        burn: Callable[[str], Burn],
    ) -> None:
        """`burn`: what goes on now and what it comes to, by the run's id."""
        self._watch = watch
        self._burn = burn
        self._clock = clock
        self._redaction = redaction
        self._shown = 0.0
        self._progress: dict[str, Progress | None] = {}

    def journal(self, run: Run) -> None:
        """Called after every commit."""
        self.show(run, force=True)

    def show(self, run: Run, *, force: bool = False) -> None:
        now = self._clock.now()
        if self._watch is None or (not force and now - self._shown < SHOW_EVERY_S):
            return
        self._shown = now
        status: Status = "done" if run.report is not None else "waiting" if run.pending else "running"
        self._watch(view(run, status=status, now=now, progress=self._progress, burn=self._burn(run.id)))

    def follow(self, state: CallState, dispatcher: Dispatcher) -> bool:
        """Whether the call still runs, its progress noted; a look that fails tells nothing."""
        if state.handle is None:
            return False
        with suppress(Transient, Unknown):
            try:
                outcome = dispatcher.follow(state.call, state.handle)
            except (Transient, Unknown):
                raise
            except ToolError:
                return False  # it has ended badly: the next round records how
            if not isinstance(outcome, Running):
                return False
            told = outcome.progress
            self._progress[state.call.id] = None if told is None else self._redaction.record(told)
        return True
