"""A run drawn live: the tree with its states, the money, the questions. Everything it shows is in the view."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from agent.documents import Pending, RunView
from agent.doors.outlet import Outlet
from agent.doors.terminal.questions import question
from agent.doors.terminal.steps import steps_table
from agent.doors.terminal.style import console, word
from agent.posed import who
from agent.wording import clean, duration, interval, is_measured, money, number, outside, spent
from tools.language import tr

_FRAME = 7
"""Lines beside the steps: head, clauses' margin, foot."""


class TerminalWatch:
    """Draws in place on one stream; asks on it and reads answers from stdin."""

    def __init__(self, stream: Outlet, answers: TextIO | None = None, *, user: str = "") -> None:
        self._console = console(stream)
        self._console.width -= 2  # room for an echoed ^C: wrapped, it would shift the drawing by a line
        self._answers = answers if answers is not None else sys.stdin
        self._live: Live | None = None
        self._last: RunView | None = None
        self._user = user
        self._shown: set[str] = set()
        """Questions that were drawn and not answered one by one."""
        self._yes: set[str] = set()
        """Those that were approved together with another one."""

    def see(self, view: RunView) -> None:
        self._last = view
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
            self._live.start()
        room = max(4, self._console.height - _FRAME - len(view.clauses))
        self._live.update(Padding(frame(view, limit=room), (0, 1)), refresh=True)

    def ask(self, pending: Pending) -> bool | None:
        """Yes, no (also for an empty line), or None at the end of input: decided later.

        All that the person may answer is drawn before the first of them is asked, so that they can be approved
        together; what others have to answer is told.
        """
        if pending.id in self._yes:
            return True
        self._pause()
        together = self._draw(pending)
        while True:
            self._console.print(Text(_prompt(pending, together), style="bold"), end="")
            answer = self._answers.readline()
            if not answer:
                self._console.print()
                return None
            said = answer.strip().lower()
            if said in ("a", "all", "全部") and together:
                self._yes |= {pending.id, *together}
                return True
            if said in ("y", "yes", "是", "好"):
                return True
            if said in ("", "n", "no", "否", "不"):
                return False

    def _draw(self, pending: Pending) -> list[str]:
        """The questions that are not drawn yet; the names of those that can be answered together with this one."""
        open_ = self._last.pending if self._last is not None else ()
        mine = [p for p in open_ if p.id == pending.id or p.may_be_answered_by(self._user)] or [pending]
        if pending.id not in self._shown:
            if self._last is not None:
                self._console.print(Padding(frame(self._last, limit=None, ended=True), (0, 1)))
            for one in mine:
                self._console.print(Padding(question(one), (1, 1, 0, 1)))
                self._shown.add(one.id)
            for one in (p for p in open_ if p not in mine):
                told = tr("{question} is for {who} to answer", question=clean(one.id), who=who(one))
                self._console.print(Padding(Text(told, style="dim"), (1, 1, 0, 1)))
        return [p.id for p in mine if p.id != pending.id]

    def stop(self) -> None:
        self._pause()
        if self._last is not None:
            self._console.print(Padding(frame(self._last, limit=None, ended=True), (0, 1)))
            self._last = None

    def _pause(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _prompt(pending: Pending, together: list[str]) -> str:
    if not together:
        return tr(" Approve? [y/N, ^D decides later] ")
    return tr(
        " Approve {question}? [y/N, a approves all {n}, ^D decides later] ", question=pending.id, n=len(together) + 1
    )


def frame(view: RunView, *, limit: int | None, ended: bool = False) -> RenderableType:
    """One picture of a run."""
    blocks: list[RenderableType] = [_head(view), steps_table(view, limit=limit)]
    measured = [clause for clause in view.clauses if is_measured(clause)]
    if measured and not ended:
        blocks.append(Text())
        for clause in measured:
            line = Text.assemble(
                word(clause.verdict), f"  {outside(clause.demanded)}: ", (number(clause.measured), "bold")
            )
            line.append(f" {interval(clause.interval)}", style="dim")
            blocks.append(line)
    blocks += [Text(), _foot(view, ended=ended)]
    return Group(*blocks)


def _head(view: RunView) -> Text:
    text = Text.assemble((tr("run {run}", run=clean(view.id)), "dim"))
    if view.plan_version > 1:
        text.append("  " + tr("plan version {n}", n=view.plan_version), style="dim")
        if view.revisions:
            text.append(f": {outside(view.revisions[-1].why)}", style="dim")
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _foot(view: RunView, *, ended: bool) -> Text:
    paid = tr("{usd} spent", usd=spent(view.spent_usd, view.budget_usd))
    parts = [duration(max(0.0, view.now - view.started)), paid]
    if view.reserved_usd:
        parts.append(tr("{usd} reserved", usd=money(view.reserved_usd)))
    if view.pace.home_usd_per_hour:
        parts.append(tr("{usd} an hour", usd=money(view.pace.usd_per_hour)))
    if view.pace.home_usd_per_hour > view.pace.usd_per_hour:
        parts.append(tr("{usd} an hour in all runs", usd=money(view.pace.home_usd_per_hour)))
    if not ended:
        parts.append(tr("^C leaves it resumable"))
    return Text("   ".join(parts), style="dim", no_wrap=True, overflow="ellipsis")
