"""Signs and colours: the terminal's own sixteen, so that dark and light both stay readable."""

from __future__ import annotations

from typing import IO, cast

from rich.console import Console
from rich.text import Text

from agent.documents import StepPhase
from agent.doors.outlet import Outlet
from tools.language import tr

SIGNS: dict[StepPhase, tuple[str, str]] = {
    "pending": ("○", "dim"),
    "asking": ("?", "bold yellow"),
    "running": ("●", "bold cyan"),
    "done": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "refused": ("⊘", "bold red"),
    "skipped": ("–", "dim"),
}
WORDS: dict[str, str] = {
    "MET": "bold green",
    "NOT MET": "bold red",
    "UNPROVEN": "bold yellow",
    "REFUSED": "bold red",
    "FAILED": "bold red",
    "CANCELLED": "bold yellow",
    "NEEDS INPUT": "bold yellow",
    "WAITING": "bold yellow",
    "RUNNING": "bold cyan",
    "PLANNING": "bold cyan",
    "feasible": "green",
    "unknown": "yellow",
    "infeasible": "bold red",
    "needs_input": "bold yellow",
    "refused": "bold red",
}
MAX_WIDTH = 110


def console(stream: Outlet) -> Console:
    """A console that takes every text as it is: no markup, no guesses at what to colour."""
    drawn = Console(file=cast(IO[str], stream), markup=False, highlight=False, emoji=False, soft_wrap=False)
    drawn.width = min(drawn.width, MAX_WIDTH)
    return drawn


def can_redraw(stream: Outlet) -> bool:
    """Whether lines can be drawn over: not on a dumb terminal."""
    return not console(stream).is_dumb_terminal


def sign(phase: StepPhase) -> Text:
    glyph, style = SIGNS[phase]
    return Text(glyph, style=style)


def word(text: str) -> Text:
    """A verdict in its colour."""
    return Text(tr(text), style=WORDS.get(text, "bold"))


def bar(fraction: float, width: int = 16) -> Text:
    """How far something is."""
    full = round(max(0.0, min(1.0, fraction)) * width)
    return Text.assemble(("━" * full, "cyan"), ("─" * (width - full), "dim"))
