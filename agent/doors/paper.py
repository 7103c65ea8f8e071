"""Which way results are shown: drawn on a terminal, plain lines anywhere else.

The terminal's library is imported only when there is a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agent.documents import Pending, PlanDocument, RunDocument, RunView
    from agent.doors.outlet import Outlet


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A small table in words."""

    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    right: tuple[int, ...] = ()
    """Columns that hold numbers."""
    fold: int = -1
    """The column that gives way when the line is too narrow."""


class Paper(Protocol):
    """Where results are shown."""

    def plan(self, document: PlanDocument) -> None:
        """Contract, plan, cost and approvals."""
        ...

    def report(self, document: RunDocument) -> None:
        """How a run ended, clause by clause."""
        ...

    def view(self, view: RunView) -> None:
        """A run as it stands."""
        ...

    def question(self, pending: Pending) -> None:
        """What a person is asked, and what a yes reaches."""
        ...

    def grid(self, grid: Grid) -> None: ...

    def line(self, text: str = "") -> None: ...


class Watch(Protocol):
    """Follows a run while it is driven."""

    def see(self, view: RunView) -> None:
        """The run as it is now; called at every change and several times a second."""
        ...

    def ask(self, pending: Pending) -> bool | None:
        """The person's answer; None decides later."""
        ...

    def stop(self) -> None:
        """Nothing more is drawn. Idempotent."""
        ...


def paper_for(stream: Outlet) -> Paper:
    """Paper for one stream."""
    if stream.isatty():
        from agent.doors.terminal.paper import TerminalPaper

        return TerminalPaper(stream)
    from agent.doors.plain import PlainPaper

    return PlainPaper(stream)


def watch_for(stream: Outlet, *, user: str = "") -> Watch:
    """A watch that writes to one stream, for that person."""
    if stream.isatty():
        from agent.doors.terminal.style import can_redraw
        from agent.doors.terminal.watch import TerminalWatch

        if can_redraw(stream):
            return TerminalWatch(stream, user=user)
    from agent.doors.plain import PlainWatch

    return PlainWatch(stream)
