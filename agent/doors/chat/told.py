"""What a conversation answers with, on any outlet: drawn, as plain lines, or as one JSON document a turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from agent.amend import Change
from agent.documents import Pending, PlanDocument, RunDocument, RunView
from agent.doors.chat.turns import Posed
from agent.doors.paper import Grid, Paper
from agent.wording import outside
from tools.language import tr
from tools.record import Record


class Told(Record):
    """One turn, as `chat --json` prints it."""

    conversation: str
    turn: int
    kind: str
    """What the line was taken for."""
    ok: bool
    """False where nothing was done because of a fault."""
    text: tuple[str, ...]
    """What was said, in lines."""
    run: str | None = None
    """The run that is talked about."""
    status: str | None = None
    posed: Posed = ""
    """What is asked now; `y` or `n` on the next line answers it."""
    question: str = ""
    """Id of the question to a person, where `posed` is `approve`."""
    questions: tuple[Pending, ...] = ()
    """What the run waits for."""
    changes: tuple[Change, ...] = ()
    plan: PlanDocument | None = None
    report: RunDocument | None = None
    view: RunView | None = None


class Voice(Protocol):
    """Where the answers of a conversation go."""

    def line(self, text: str = "") -> None: ...

    def plan(self, document: PlanDocument) -> None: ...

    def report(self, document: RunDocument) -> None: ...

    def view(self, view: RunView) -> None: ...

    def question(self, pending: Pending) -> None: ...

    def changes(self, changes: Sequence[Change]) -> None: ...

    def grid(self, grid: Grid) -> None: ...


class Late(Protocol):
    """Where that goes which happens between two turns, from the thread that drives."""

    shows_ends: bool
    """Whether a report is shown as soon as the run is over."""

    def notice(self, text: str) -> None: ...

    def question(self, pending: Pending) -> None: ...

    def ended(self, document: RunDocument) -> None: ...

    def nudge(self) -> None:
        """Where the conversation stands has changed."""
        ...


class PaperVoice:
    """Shows every answer on paper as it comes."""

    def __init__(self, paper: Callable[[], Paper]) -> None:
        """`paper`: of the width that the outlet has now."""
        self._paper = paper

    def line(self, text: str = "") -> None:
        self._paper().line(text)

    def plan(self, document: PlanDocument) -> None:
        self._paper().plan(document)

    def report(self, document: RunDocument) -> None:
        self._paper().report(document)

    def view(self, view: RunView) -> None:
        self._paper().view(view)

    def question(self, pending: Pending) -> None:
        self._paper().question(pending)

    def changes(self, changes: Sequence[Change]) -> None:
        for line in change_lines(changes):
            self._paper().line(line)

    def grid(self, grid: Grid) -> None:
        self._paper().grid(grid)


def change_lines(changes: Sequence[Change]) -> Iterator[str]:
    """A change of a contract for people, one field a line."""
    for change in changes:
        yield f"  {change.name}{tr(': ')}{outside(change.before)} → {outside(change.after)}"
        if change.loosens:
            yield "    " + tr("this loosens the goal: {how}", how=change.loosens)


Shown = Literal["plan", "report", "view"]


@dataclass
class Gathered:
    """Keeps what a turn answers with, and passes it on."""

    to: Voice | None = None
    """None: nothing is shown before the turn is over."""
    text: list[str] = field(default_factory=list)
    said: dict[Shown, PlanDocument | RunDocument | RunView] = field(default_factory=dict)
    changed: tuple[Change, ...] = ()
    ok: bool = True

    def line(self, text: str = "") -> None:
        self.text.append(text)
        if self.to is not None:
            self.to.line(text)

    def fault(self, text: str) -> None:
        """Something was not done."""
        self.ok = False
        self.line(text)

    def plan(self, document: PlanDocument) -> None:
        self.said["plan"] = document
        if self.to is not None:
            self.to.plan(document)

    def report(self, document: RunDocument) -> None:
        self.said["report"] = document
        if self.to is not None:
            self.to.report(document)

    def view(self, view: RunView) -> None:
        self.said["view"] = view
        if self.to is not None:
            self.to.view(view)

    def question(self, pending: Pending) -> None:
        if self.to is not None:
            self.to.question(pending)

    def changes(self, changes: Sequence[Change]) -> None:
        self.changed = tuple(changes)
        if self.to is not None:
            self.to.changes(changes)

    def grid(self, grid: Grid) -> None:
        self.text += ["  ".join(row).rstrip() for row in grid.rows]
        if self.to is not None:
            self.to.grid(grid)
