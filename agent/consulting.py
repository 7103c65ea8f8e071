"""What people are told of a language model that was asked, or should have been."""

from __future__ import annotations

from collections.abc import Iterable

from agent.lines import Consulted
from tools.language import tr


def taken_over(consulted: tuple[Consulted, ...], why: str) -> tuple[Consulted, ...]:
    """The lines with the last proposal marked as one that the rules' plan took the place of, for that reason."""
    last = max((n for n, line in enumerate(consulted) if line.purpose == "propose"), default=None)
    if not why or last is None:
        return consulted
    marked = consulted[last].model_copy(update={"instead": True, "why": why})
    return (*consulted[:last], marked, *consulted[last + 1 :])


def notes(consulted: Iterable[Consulted]) -> tuple[str, ...]:
    """What a reader should know of it: whatever the rules did instead of the model, and why."""
    said = (_instead(c) for c in consulted if c.instead)
    return tuple(dict.fromkeys(said))


def _instead(line: Consulted) -> str:
    what = {
        "understand": tr("the goal was understood by the rules, not by {model}", model=line.model),
        "propose": tr("the plan was made by the rules, not by {model}", model=line.model),
        "diagnose": tr("the failure was diagnosed by the rules, not by {model}", model=line.model),
        "answer": tr("the question was answered by the rules, not by {model}", model=line.model),
        "check": tr("{model} was not reached", model=line.model),
    }[line.purpose]
    return f"{what}{tr(': ')}{line.why}" if line.why else what
