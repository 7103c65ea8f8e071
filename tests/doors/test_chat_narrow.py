"""Narrow terminals: figures stay whole, names give way, and what has no room stands on a line of its own."""

from __future__ import annotations

import io

from fake_goal import STEPS
from rich.console import Console

from agent.doors.outlet import Outlet
from agent.doors.paper import Grid
from agent.doors.terminal.paper import TerminalPaper
from agent.doors.terminal.steps import plan_table
from agent.plan import Estimate, Range
from tools.redact import Redaction

NARROW = 60


def narrow() -> tuple[TerminalPaper, io.StringIO]:
    """Paper of 60 columns, and what it holds."""
    written = io.StringIO()
    paper = TerminalPaper(Outlet(written, Redaction()))
    paper._console = Console(file=written, width=NARROW, color_system=None)
    return paper, written


def test_times_and_costs_of_steps_are_never_cut() -> None:
    dear = Estimate(usd=Range(low=12.34, high=1234.5), seconds=Range(low=3725, high=9000))
    steps = [step.model_copy(update={"estimate": dear}) for step in STEPS]
    written = io.StringIO()
    Console(file=written, width=NARROW, color_system=None).print(plan_table(steps, tools=False))
    lines = written.getvalue().splitlines()
    assert len(lines) == len(steps)
    assert all("1 h 2 min–2 h 30 min" in line and "$12.34–$1,234.50" in line for line in lines)


def test_the_goals_of_runs_are_readable_and_cut_with_an_ellipsis() -> None:
    paper, written = narrow()
    goal = "Predict species from penguins.csv with at least 0.9 accuracy, as soon as possible."
    row = ("20260302-000000", "cancelled", "2026-03-02 09:00Z", "$1,234.00", goal)
    paper.grid(Grid(heads=("run", "status", "started", "spent", "goal"), rows=[row], right=(3,), fold=4))
    beside, below = (line.rstrip() for line in written.getvalue().splitlines())
    assert beside.split() == " ".join(row[:4]).split()
    assert below.strip().startswith("Predict species from penguins.csv")
    assert below.endswith("…")
