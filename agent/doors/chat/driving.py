"""Drives a run beside the conversation: one at a time, in a thread of its own, with a session of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.documents import RunDocument, RunView
    from agent.doors.service import Service

LEAVING_S = 10.0
"""How long a run may take to be let go; what it does then is finished by whoever resumes it."""


class Left(BaseException):
    """The conversation is left. Like an interruption it passes every handler, and leaves the run resumable."""


class Driver:
    """Who carries the runs of a conversation out."""

    def __init__(
        self,
        session: Service,
        *,
        see: Callable[[RunView], None],
        rest: Callable[[str, RunDocument | BaseException], None],
    ) -> None:
        """`see`: every view of the run. `rest`: it has ended or waits for a person, or could not be driven.

        Both are called in the thread that drives.
        """
        self._session = session
        self._see = see
        self._rest = rest
        self._thread: Thread | None = None
        self._leaving = Event()
        self.run: str | None = None
        """The run that is driven now."""
        self.view: RunView | None = None
        """How it stood when it was last seen."""

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive() and self.run is not None

    def start(self, run: str) -> bool:
        """Drive a run; False while another one is driven."""
        if self.busy:
            return self.run == run
        if self._thread is not None:
            self._thread.join()
        self.run, self.view = run, None
        context = copy_context()  # a thread does not inherit the language
        self._thread = Thread(target=context.run, args=(self._drive, run), daemon=True, name="goalkeeper-run")
        self._thread.start()
        return True

    def wait(self, seconds: float | None = None) -> bool:
        """Until the run rests; whether it does."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.busy

    def leave(self) -> str | None:
        """Let the run go; its id, when it was under way. It stays resumable."""
        run = self.run if self.busy else None
        self._leaving.set()
        self.wait(LEAVING_S)
        return run

    def _drive(self, run: str) -> None:
        result: RunDocument | BaseException | None = None
        try:
            result = self._session.drive(run, watch=self._watch)
        except Left:
            result = None
        except Exception as error:  # noqa: BLE001 - the edge of the thread: what went wrong is told by the conversation
            result = error
        finally:
            self.run = None
        if result is not None and not self._leaving.is_set():
            self._rest(run, result)

    def _watch(self, view: RunView) -> None:
        if self._leaving.is_set():
            raise Left
        self.view = view
        self._see(view)
