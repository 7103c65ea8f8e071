"""A home as a worker sees it: its rows, its backend's watcher, its time, and what it is to look at a run."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from socket import gethostname
from typing import Literal

from agent.clock import Clock
from agent.driving import LOOK_AGAIN_S
from agent.errors import Busy, GoalkeeperError, InvalidRequest, NoSuchRun
from agent.record import owner
from agent.record.claims import ENDED
from agent.record.engine import Unreachable
from agent.record.rows import RunRow
from agent.record.store import Store
from agent.session import Session
from agent.settings import Settings
from agent.stopping import Stopping
from agent.telemetry.observer import Observer, WakeCause
from tools.dispatch import clock_of
from tools.errors import ToolError
from tools.record import Record
from tools.watching import Watch

Came = Literal["suspended", "ended", "busy", "idle", "elsewhere", "unreachable", "failed"]
"""The run waits again, has ended, is driven by another, did not want to be looked at, began in another place; the store
does not answer; or the look failed."""


class Looked(Record):
    """What one look at a run came to."""

    run: str
    came: Came
    due: float | None = None
    """When a suspended run is to be looked at again, on the run's clock."""
    problem: str = ""


ECHO_S = 2.0
"""How long a notification may take that this process caused itself."""


class Works(Session):
    """One session for a whole worker: every thread of it looks at runs through a sibling of its own."""

    _spare: deque[Works]
    _noted: dict[str, float]

    @property
    def rows(self) -> Store:
        return self._store

    @property
    def watch(self) -> Watch:
        return self._backend.watch

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def observer(self) -> Observer:
        return self._observer

    @property
    def stands_still(self) -> bool:
        """Whether time passes only when somebody waits: then the worker is the one who waits."""
        ticking = clock_of(self._backend)
        return ticking is not None and not ticking.passes

    def begin(self, stopping: Stopping) -> None:
        """Open the store, and heed a request to stop. Broken when the store cannot be opened."""
        self._stopping, self._spare, self._noted = stopping, deque(), {}
        self.rows.soonest()

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def home(self) -> Path:
        return self._settings.home

    @property
    def address(self) -> str | None:
        """Of the database server that several workers share; None for the file of one home."""
        store = self._settings.store
        return None if store is None else store.get_secret_value()

    @property
    def place(self) -> str:
        """Of everything that one watcher sees."""
        settings = self._settings
        return f"{settings.backend} {settings.runtime} {gethostname() if settings.backend == 'local' else ''}"

    def driven(self, row: RunRow) -> bool:
        """Whether a process that lives drives the run."""
        return row.owner is not None and not owner.gone(row.owner) and row.leased != 0

    def note(self, run: str, *, at: float) -> None:
        """The run is to be looked at then. Where workers share a store, this process is told so like all others."""
        if self.address is not None:
            self._noted[run] = time.monotonic()
        self.rows.wake(run, at=at)

    def noted(self, run: str) -> bool:
        """Whether what is told of the run only repeats what this process noted just now; said once."""
        return time.monotonic() - self._noted.pop(run, -ECHO_S) < ECHO_S

    def look(self, run: str, cause: WakeCause) -> Looked:
        """Look at the run now, if it wants that. Nothing is raised: what came of it is told. Threads may call at once.

        Where another drives it, the row notes that it is wanted: that one, or whoever comes after it, sees that.
        """
        try:
            looked = self._look(run, cause)
            if looked.came == "busy":
                self.rows.wake(run, at=self._clock.now())
            return looked
        except Unreachable as error:
            return Looked(run=run, came="unreachable", problem=str(error))
        except NoSuchRun:
            return Looked(run=run, came="idle")  # of another home that shares the backend
        except InvalidRequest as error:
            return Looked(run=run, came="elsewhere", problem=str(error))
        except (GoalkeeperError, ToolError, OSError) as error:
            return Looked(run=run, came="failed", problem=str(error))
        except Exception as error:  # noqa: BLE001 - one run's defect must not end the others: it is told, and tried later
            return Looked(run=run, came="failed", problem=f"{type(error).__name__}: {error}")

    def _look(self, run: str, cause: WakeCause) -> Looked:
        row, now = self.rows.row(run), self._clock.now()
        wanted = row.owner is not None or (row.due is not None and row.due <= now)
        if row.status in ENDED or not (wanted or self.rows.messages(run)):
            return Looked(run=run, came="idle")  # the message came twice, or late
        late = max(0.0, now - row.due) if row.due is not None and row.owner is None else 0.0
        self._observer.woken(run, cause, late_s=late)
        return self._woken(run, row)

    def _woken(self, run: str, row: RunRow) -> Looked:
        session = self._spared()
        try:
            suspended = session.wake(run, row)
        except Busy:
            return Looked(run=run, came="busy")
        finally:
            self._spare.append(session)
        return Looked(run=run, came="ended" if suspended.ended else "suspended", due=suspended.due)

    def _spared(self) -> Works:
        try:
            return self._spare.pop()
        except IndexError:
            made = self.sibling()
            made._stopping = self._stopping
            return made

    def far(self, due: float | None) -> float | None:
        """Seconds until then, where that is so far off that no work of the run's can be meant, and time is real."""
        ahead = None if due is None or clock_of(self._backend) is not None else due - self._clock.now()
        return ahead if ahead is not None and ahead > LOOK_AGAIN_S else None
