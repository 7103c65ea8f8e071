"""`chat`: a conversation about goals and runs, at a terminal or line by line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import click

from agent.doors.cli.options import shared
from agent.doors.cli.perform import Door, perform, shell_command
from agent.doors.outlet import Outlet
from agent.wording import clean
from tools.language import tr

if TYPE_CHECKING:
    from agent.doors.chat.conversation import Conversation
    from agent.doors.chat.told import Late, Voice
    from agent.doors.service import Service

_INTERRUPTED = 130


@shared()
@click.command(epilog="Example: goalkeeper chat, then: Predict species from penguins.csv, at least 95 % accuracy.")
@click.option(
    "--resume",
    metavar="[ID]",
    is_flag=False,
    flag_value="",
    default=None,
    help="Take a conversation up again: the newest, or that of this name.",
)
def chat(resume: str | None) -> int:
    """Talk about goals and runs: state a goal, see its plan, start it, ask, correct, approve.

    Nothing is started, changed or approved without a yes to what was shown. Without a terminal every line of stdin is
    a message; with --json every answer is one JSON document on a line.
    """
    return perform(lambda door: _chat(door, resume))


def _chat(door: Door, resume: str | None) -> int:
    if not door.json and _drawn(door):
        from agent.doors.chat.history import HistoryFile
        from agent.doors.chat.terminal import Screen
        from agent.doors.chat.told import PaperVoice

        redaction = door.settings.redaction
        screen = Screen(redaction, HistoryFile(door.settings.home, redaction))

        def at_terminal(talk: Conversation, begin: Callable[[], None]) -> None:
            screen.converse(talk, begin)

        return _converse(door, resume, PaperVoice(screen.paper), screen, at_terminal, screen.leave)
    from agent.doors.chat.piped import PipedLate, converse
    from agent.doors.chat.told import PaperVoice

    def in_lines(talk: Conversation, begin: Callable[[], None]) -> None:
        begin()
        converse(talk, door.out, as_json=door.json)

    voice = None if door.json else PaperVoice(lambda: door.paper)
    return _converse(door, resume, voice, PipedLate(door.err), in_lines, _leave)


def _drawn(door: Door) -> bool:
    if not (Outlet(sys.stdin).isatty() and door.out.isatty()):
        return False
    from agent.doors.terminal.style import can_redraw

    return can_redraw(door.out)


def _converse(
    door: Door,
    resume: str | None,
    voice: Voice | None,
    late: Late,
    front: Callable[[Conversation, Callable[[], None]], None],
    leave: Callable[[], None],
) -> int:
    from agent.doors.chat.driving import Left
    from agent.doors.chat.journal import find, new_name

    with door.session() as session, door.session() as doing:
        name = new_name() if resume is None else find(session, resume)
        talk = _conversation(door, name, session, doing, voice, late)

        def begin() -> None:
            _begin(door, talk, session, taken_up=resume is not None, quiet=voice is None)

        code = 0
        try:
            with _on_signals(leave):
                front(talk, begin)
        except Left:
            code = _INTERRUPTED
        finally:
            talk.leave()
        with suppress(OSError):
            _tell_how_to_go_on(door, talk)
    return code


def _conversation(
    door: Door, name: str, session: Service, doing: Service, voice: Voice | None, late: Late
) -> Conversation:
    from agent.doors.chat.conversation import Conversation

    settings = door.settings
    return Conversation(
        name=name,
        session=session,
        doing=doing,
        user=settings.user,
        accept=settings.accept,
        folder=os.getcwd(),
        voice=voice,
        late=late,
    )


def _begin(door: Door, talk: Conversation, session: Service, *, taken_up: bool, quiet: bool) -> None:
    from agent.doors.chat.journal import taken_up as fold

    if taken_up:
        told = talk.take_up(fold(session.turns(talk.name)))
        if quiet:
            door.document(told)
    elif not quiet and door.out.isatty():
        door.out.line("State a goal, for example: Predict species from penguins.csv, at least 95 % accuracy. /help")


@contextmanager
def _on_signals(leave: Callable[[], None]) -> Iterator[None]:
    """What ends a session from outside ends it in order."""

    def left(number: int, frame: FrameType | None) -> None:
        leave()

    before = {number: signal.signal(number, left) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave() -> None:
    from agent.doors.chat.driving import Left

    raise Left


def _tell_how_to_go_on(door: Door, talk: Conversation) -> None:
    from agent.doors.chat.conversation import OVER

    if not talk.begins:
        return
    with talk.speaking():
        if talk.run is not None and talk.session.view(talk.run).status not in OVER:
            command = shell_command(door.settings, "resume", talk.run)
            door.note(tr("Run {run} is left resumable: {command}", run=clean(talk.run), command=command))
        again = shell_command(door.settings, "chat", "--resume", talk.name)
        door.note(tr("Go on talking with: {command}", command=again))
