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
from agent.doors.terminal.steps import steps_table
from agent.doors.terminal.style import console, word
from agent.wording import clean, duration, interval, is_measured, money, number, outside, spent
from tools.language import tr

_FRAME = 7
"""Lines beside the steps: head, clauses' margin, foot."""


class TerminalWatch:
    """Draws in place on one stream; asks on it and reads answers from stdin."""

    def __init__(self, stream: Outlet, answers: TextIO | None = None) -> None:
        self._console = console(stream)
        self._console.width -= 2  # room for an echoed ^C: wrapped, it would shift the drawing by a line
        self._answers = answers if answers is not None else sys.stdin
        self._live: Live | None = None
        self._last: RunView | None = None

    def see(self, view: RunView) -> None:
        self._last = view
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
            self._live.start()
        room = max(4, self._console.height - _FRAME - len(view.clauses))
        self._live.update(Padding(frame(view, limit=room), (0, 1)), refresh=True)

    def ask(self, pending: Pending) -> bool | None:
        """Yes, no (also for an empty line), or None at the end of input: decided later."""
        self._pause()
        if self._last is not None:
            self._console.print(Padding(frame(self._last, limit=None, ended=True), (0, 1)))
        self._console.print(Padding(question(pending), (1, 1, 0, 1)))
        while True:
            self._console.print(Text(tr(" Approve? [y/N, ^D decides later] "), style="bold"), end="")
            answer = self._answers.readline()
            if not answer:
                self._console.print()
                return None
            if answer.strip().lower() in ("y", "yes", "是", "好"):
                return True
            if answer.strip().lower() in ("", "n", "no", "否", "不"):
                return False

    def stop(self) -> None:
        self._pause()
        if self._last is not None:
            self._console.print(Padding(frame(self._last, limit=None, ended=True), (0, 1)))
            self._last = None

    def _pause(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


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
    if not ended:
        parts.append(tr("^C leaves it resumable"))
    return Text("   ".join(parts), style="dim", no_wrap=True, overflow="ellipsis")


def question(pending: Pending) -> RenderableType:
    """What a person is asked: the step, why, by which policies, and what it may cost."""
    cost = tr("unknown") if pending.usd is None else tr("at most {value}", value=money(pending.usd))
    head = Text.assemble(("? ", "bold yellow"), (clean(pending.step), "bold"), (f"  {clean(pending.tool)}", "dim"))
    body = Text(f"  {outside(pending.reason)}")
    policies = ", ".join(map(clean, pending.policies)) or tr("none")
    facts = Text("  " + tr("cost {cost}   policies {policies}", cost=cost, policies=policies), style="dim")
    return Group(head, body, facts)
