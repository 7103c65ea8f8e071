"""Asking a model what a failure comes from: it reads forms of lines and no lines, has no tools, and answers with a
cause from the closed set and the numbers of the lines that it rests on, each of which must exist."""

from __future__ import annotations

from typing import get_args

from agent.brain.llm.client.asking import Asker
from agent.brain.llm.client.errors import NoAnswer
from agent.brain.protocol import Evidence, Opinion
from tools.errors import Cause
from tools.inert import Seen, marked

PROMPT = "diagnose"
_NAMED = 10
"""Lines that an opinion may name."""


def diagnose(asker: Asker, evidence: Evidence) -> Opinion | None:
    """What the model thinks; None when it is not sure, gives no answer, or there is nothing to read."""
    if not evidence.lines:
        return None

    def check(said: Opinion) -> tuple[str, ...]:
        return faults(said, evidence)

    try:
        said = asker.ask("diagnose", PROMPT, variables(evidence), Opinion, check=check)
    except NoAnswer:
        asker.note_instead("diagnose")
        return None
    return None if said.cause == "unknown" else said


def variables(evidence: Evidence) -> dict[str, str]:
    """What is sent: our words, closed sets, and forms between marks."""
    return {
        "tool": evidence.tool,
        "cause": evidence.cause,
        "causes": ", ".join(get_args(Cause)),
        "message": _form(evidence.message),
        "lines": "\n".join(_line(line) for line in evidence.lines),
    }


def _form(text: str) -> str:
    return marked(Seen(text=text, count=1, lines=())) if text else "none"


def _line(line: Seen) -> str:
    """`lines 3, 9, ... (12 times): «CUDA out of memory»`."""
    more = ", ..." if line.count > len(line.lines) else ""
    places = ", ".join(map(str, line.lines)) + more
    times = f" ({line.count} times)" if line.count > 1 else ""
    return f"{places}{times}: {marked(line)}"


def faults(said: Opinion, evidence: Evidence) -> tuple[str, ...]:
    """What is wrong with an opinion, for the model that gave it."""
    known = {number for line in evidence.lines for number in line.lines}
    found = [f"there is no line {number}" for number in said.lines if number not in known][:_NAMED]
    if not said.lines and said.cause != "unknown":
        found.append("name at least one line number that the cause rests on")
    if len(said.lines) > _NAMED:
        found.append(f"name at most {_NAMED} line numbers")
    return tuple(found)
