"""What one line of input means in the state of a conversation. Pure: it reads words and changes nothing.

A yes or a no answers only what the prompt itself asked; as the text of a message it answers nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal

from tools.inert import clean
from tools.language import tr
from tools.record import Record

LONGEST: Final = 10_000
"""Characters of a message; more is a document."""
Posed = Literal["", "start", "amend", "anew", "order", "approve", "resume"]
"""What the prompt asks with yes or no."""
Kind = Literal["empty", "command", "yes", "no", "question", "amendment", "correction", "goal", "unreadable", "aside"]
YES: Final = frozenset(("y", "yes", "是", "好", "好的", "是的"))
NO: Final = frozenset(("n", "no", "否", "不", "不要", "不是"))
_COMMAND: Final = re.compile(r"/([a-z]+)(?:\s+(.*))?", re.DOTALL | re.IGNORECASE)


class At(Record):
    """Where a conversation stands when a line is asked for."""

    posed: Posed = ""
    question: str = ""
    """Id of the question to a person that the prompt asks."""
    run: Literal["", "going", "over"] = ""
    """How the run that is talked about stands."""
    draft: bool = False
    """A goal is shown and not started."""


class Turn(Record):
    """A line and what it means."""

    kind: Kind
    text: str = ""
    """The message; of a command, what follows its name; of what cannot be read, why."""
    name: str = ""
    """Of a command."""


def meaning(line: str, at: At, *, asks: Callable[[str, bool], bool], alone: Callable[[str], bool]) -> Turn:
    """What the line means there.

    `asks`: whether a text is a question about a run, when one is talked about or none is. `alone`: whether it is a goal
    by itself, with a subject.
    """
    if fault := unreadable(line):
        return Turn(kind="unreadable", text=fault)
    text = tidy(line)
    if not text:
        return Turn(kind="empty")
    if (command := _COMMAND.fullmatch(text)) is not None:
        return Turn(kind="command", name=command[1].lower(), text=(command[2] or "").strip())
    if answers(text):
        if not at.posed:
            return Turn(kind="aside", text=tr("There is nothing to answer with yes or no."))
        return Turn(kind="yes" if _bare(text) in YES else "no")
    return Turn(kind=_message(text, at, asks, alone), text=text)


def answers(text: str) -> bool:
    """Whether a text is a yes or a no, and nothing else."""
    return _bare(text) in YES | NO


def _bare(text: str) -> str:
    return text.strip().lower().rstrip(".!。！")


def _message(text: str, at: At, asks: Callable[[str, bool], bool], alone: Callable[[str], bool]) -> Kind:
    """A question; a goal, where the text has a subject; else it changes what there is."""
    if asks(text, bool(at.run) and not at.draft):
        return "question"
    if alone(text):
        return "goal"
    if at.draft:
        return "question" if asks(text, True) else "correction"
    if at.run == "going":
        return "amendment"
    return "correction" if at.run == "over" else "goal"


def unreadable(line: str) -> str:
    """Why a line is no message: it is too long, or not made of characters. Empty when it is one."""
    if len(line) > LONGEST:
        return too_long()
    try:
        line.encode()
    except UnicodeEncodeError:
        return tr("The message is not UTF-8: nothing was done.")
    return ""


def too_long() -> str:
    """What is said to more than a message."""
    return tr(
        "The message has more than {most} characters: nothing was done. State it shorter, or in a goal file.",
        most=LONGEST,
    )


def tidy(text: str) -> str:
    """The message without what steers a terminal, cannot be seen or changes the reading order; its lines are kept."""
    return "\n".join(found for each in re.split(r"\r\n|\r|\n", text) if (found := clean(each)))
