"""`approve`, `deny`, `cancel`, `resume`: what a person decides about a run."""

from __future__ import annotations

import click

from agent.doors.cli.goals import follow
from agent.doors.cli.options import shared
from agent.doors.cli.perform import Door, perform
from agent.wording import clean
from tools.language import language_of
from tools.record import Record


class Decision(Record):
    """What a decision prints with `--json`."""

    run: str
    decision: str
    pending: str | None = None
    """The question that was named, when it is a single one."""
    questions: tuple[str, ...] = ()
    """Those that were answered."""
    left: tuple[str, ...] = ()
    """Those that somebody else has to answer, with who and how."""
    by: str
    message: str
    """What will carry it out."""


@shared(brief=True)
@click.command()
@click.argument("run")
@click.argument("pending", nargs=-1)
def approve(run: str, pending: tuple[str, ...]) -> int:
    """Approve what RUN waits for: its questions PENDING, or all that are yours to answer.

    Exit code 4 where somebody else has to answer.
    """
    return perform(lambda door: _answer(door, run, pending, approve=True))


@shared(brief=True)
@click.command()
@click.argument("run")
@click.argument("pending", nargs=-1)
def deny(run: str, pending: tuple[str, ...]) -> int:
    """Deny what RUN waits for: its questions PENDING, or all that are yours to answer."""
    return perform(lambda door: _answer(door, run, pending, approve=False))


def _answer(door: Door, run: str, pending: tuple[str, ...], *, approve: bool) -> int:
    with door.session() as session:
        told = session.answer(run, approve=approve, pending=pending, who=door.settings.user)
        whole = session.view(run).id
    decision = Decision(
        run=whole,
        decision="approve" if approve else "deny",
        pending=pending[0] if len(pending) == 1 else None,
        questions=told.questions,
        left=told.left,
        by=door.settings.user,
        message=told.message,
    )
    _tell(door, decision)
    return 4 if told.left else 0


@shared(brief=True)
@click.command()
@click.argument("run")
def cancel(run: str) -> int:
    """Cancel RUN: end its jobs and release what it holds."""
    return perform(lambda door: _cancel(door, run))


def _cancel(door: Door, run: str) -> int:
    with door.session() as session:
        message = session.cancel(run, door.settings.user)
        whole = session.view(run).id
    _tell(door, Decision(run=whole, decision="cancel", by=door.settings.user, message=message))
    return 0


def _tell(door: Door, decision: Decision) -> None:
    if door.json:
        door.document(decision)
        return
    for line in (decision.message, *decision.left):
        door.paper.line(clean(line))


@shared()
@click.command()
@click.argument("run")
def resume(run: str) -> int:
    """Go on with RUN where it was interrupted or waits. Exit code as for `run`."""
    return perform(lambda door: _resume(door, run))


def _resume(door: Door, run: str) -> int:
    with door.session() as session:
        seen = session.view(run)
        door.run, door.language = seen.id, language_of(seen.goal)
        return follow(door, session, door.run, fresh=False)
