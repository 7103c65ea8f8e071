"""A conversation without a terminal: one line in, one plain answer or JSON document out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

from agent.doors.outlet import Outlet
from agent.doors.plain import asked
from agent.wording import headline, outside
from tools.language import language_of, speaking, tr

if TYPE_CHECKING:
    from agent.documents import Pending, RunDocument
    from agent.doors.chat.conversation import Conversation

_PIECE = 65_536
"""Characters that are read at once: more than a message has."""


class PipedLate:
    """What happens between two turns, beside the answers."""

    shows_ends = False

    def __init__(self, err: Outlet) -> None:
        self._err = err

    def notice(self, text: str) -> None:
        self._err.line(text)

    def question(self, pending: Pending) -> None:
        self._err.line(tr("waits for a person: {question}", question=asked(pending)))

    def ended(self, document: RunDocument) -> None:
        with speaking(language_of(document.goal.text)):
            word, why = headline(document)
            self._err.line(f"{tr('run {run}', run=document.run.id)}{tr(': ')}{tr(word)} {outside(why)}".rstrip())

    def nudge(self) -> None:
        """Nobody waits at a prompt."""


def converse(talk: Conversation, out: Outlet, *, as_json: bool, lines: TextIO | None = None) -> None:
    """Answer line by line until the input ends or the person leaves."""
    stream = lines if lines is not None else sys.stdin
    if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
        reconfigure(errors="surrogateescape")
    source = _lines(stream)
    while not talk.over and not out.gone:
        at = talk.standing()
        line = next(source, None)
        if line is None:
            return
        told = talk.turn(line, at)
        if as_json:
            out.document(told.model_dump_json())
        elif told.posed:
            with talk.speaking():
                out.line(asking(told.posed, told.question))


def asking(posed: str, question: str) -> str:
    """What the prompt asks."""
    match posed:
        case "start":
            return tr("Start it? [y/n, or say what is to change]")
        case "amend":
            return tr("Change it? [y/n]")
        case "anew":
            return tr("Cancel the run and start anew with it? [y/n]")
        case "order":
            return tr("Begin that? [y/n]")
        case "approve":
            return tr("Approve {question}? [y/n]", question=question)
        case "resume":
            return tr("Go on with the run? [y/n]")
        case _:
            return ""


def _lines(stream: TextIO) -> Iterator[str]:
    """The lines of a stream; of one that is too long only the beginning, which is too long as well."""
    while piece := stream.readline(_PIECE):
        rest = piece
        while rest and not rest.endswith("\n"):
            rest = stream.readline(_PIECE)
        yield piece.rstrip("\r\n")
