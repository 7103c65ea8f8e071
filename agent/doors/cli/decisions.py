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
    by: str
    message: str
    """What will carry it out."""


@shared(brief=True)
@click.command()
@click.argument("run")
@click.argument("pending", required=False)
def approve(run: str, pending: str | None) -> int:
    """Approve what RUN waits for: its question PENDING, or the only one there is."""
    return perform(lambda door: _answer(door, run, pending, approve=True))


@shared(brief=True)
@click.command()
@click.argument("run")
@click.argument("pending", required=False)
def deny(run: str, pending: str | None) -> int:
    """Deny what RUN waits for: its question PENDING, or the only one there is."""
    return perform(lambda door: _answer(door, run, pending, approve=False))


def _answer(door: Door, run: str, pending: str | None, *, approve: bool) -> int:
    with door.session() as session:
        message = session.answer(run, approve=approve, pending=pending, who=door.settings.user)
        whole = session.view(run).id
    return _told(door, whole, "approve" if approve else "deny", message, pending)


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
    return _told(door, whole, "cancel", message, None)


def _told(door: Door, run: str, decision: str, message: str, pending: str | None) -> int:
    if door.json:
        door.document(Decision(run=run, decision=decision, pending=pending, by=door.settings.user, message=message))
    else:
        door.paper.line(clean(message))
    return 0


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
