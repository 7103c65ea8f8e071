"""The commands of a conversation: names, what may follow them, one line of help. Pure data and look-up."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Final

from tools.language import tr

_SHOWN: Final = 24
"""Characters of a command that does not exist."""


def commands() -> Mapping[str, tuple[str, str]]:
    """Name → (what follows it, one line of help), in the order of the help."""
    return {
        "help": ("", tr("This list.")),
        "status": ("", tr("How the run stands, step by step, and what it asks.")),
        "plan": ("", tr("Contract, plan and approvals, of what is not started or of the run.")),
        "cost": ("", tr("What it may cost, what it has cost, and what goes on.")),
        "report": ("", tr("The report of the run, clause by clause.")),
        "events": ("[N]", tr("The last N lines of the run's journal.")),
        "approve": ("[ID ...]", tr("Approve those questions, or all that are yours.")),
        "deny": ("[ID ...]", tr("Deny those questions, or all that are yours.")),
        "amend": (tr("TEXT"), tr("Change the goal of the run, however TEXT reads.")),
        "cancel": ("", tr("Cancel the run and release what it holds.")),
        "resume": ("", tr("Go on with the run.")),
        "wait": ("", tr("Until the run is over or needs an answer.")),
        "runs": ("", tr("The runs, newest first.")),
        "use": (tr("RUN"), tr("Talk about another run, by its id or a part of it.")),
        "new": (tr("TEXT"), tr("State a goal of its own, however TEXT reads.")),
        "clear": ("", tr("Forget the goal or the change that is not started.")),
        "extend": (tr("ENDPOINT [TIME]"), tr("Let an endpoint that was kept live longer: 30m, 8h, 2d.")),
        "stop": (tr("ENDPOINT"), tr("End an endpoint that was kept.")),
        "quit": ("", tr("Leave; what runs is left resumable.")),
    }


def unknown(name: str) -> str:
    """What is said to a command that does not exist."""
    shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
    near = difflib.get_close_matches(name, commands(), n=1)
    if near:
        return tr("There is no /{name}: did you mean /{near}?", name=shown, near=near[0])
    return tr("There is no /{name}: /help lists what there is.", name=shown)


def help_lines() -> Iterator[str]:
    told = {f"/{name} {follows}".rstrip(): line for name, (follows, line) in commands().items()}
    width = max(map(len, told))
    yield from (f"  {name:<{width}}  {line}" for name, line in told.items())
    yield tr("Anything else is a goal, a question about the run, or a change of what it is to do.")
    yield tr("Enter sends, Alt+Enter begins a new line, ^C empties the line, ^D leaves.")
