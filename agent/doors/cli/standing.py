"""`extend`, `stop`, `rollback`, `scale`: what a person decides about an endpoint that a run left standing."""

from __future__ import annotations

import click

from agent.doors.cli.goals import follow
from agent.doors.cli.options import shared
from agent.doors.cli.perform import Door, perform
from agent.errors import Fault, InvalidRequest
from agent.spelt import duration


@shared()
@click.command()
@click.argument("endpoint")
@click.option("--for", "span", metavar="TIME", default="8h", show_default=True, help="From now on: 90s, 30m, 8h, 2d.")
def extend(endpoint: str, span: str) -> int:
    """Let ENDPOINT live for a while longer. A run of its own, with its own record; exit code as for `run`."""
    return perform(lambda door: _extend(door, endpoint, span))


@shared()
@click.command()
@click.argument("endpoint")
def stop(endpoint: str) -> int:
    """End ENDPOINT and every version behind it. A run of its own, with its own record; exit code as for `run`."""
    return perform(lambda door: _stop(door, endpoint))


@shared()
@click.command()
@click.argument("endpoint")
@click.option("--to", metavar="VERSION", default=None, help="Without it: the version it was left with before.")
def rollback(endpoint: str, to: str | None) -> int:
    """Give all traffic of ENDPOINT back to an earlier version, deployed again if it is gone. Exit code as for `run`."""
    return perform(lambda door: _rollback(door, endpoint, to))


@shared()
@click.command()
@click.argument("endpoint")
@click.argument("replicas", type=click.IntRange(min=0), metavar="N")
def scale(endpoint: str, replicas: int) -> int:
    """Set the number of servers of ENDPOINT to N. A run of its own, with its own record; exit code as for `run`."""
    return perform(lambda door: _scale(door, endpoint, replicas))


def _rollback(door: Door, endpoint: str, to: str | None) -> int:
    with door.session() as session:
        door.run = session.rollback(endpoint, to=to, accept=door.settings.accept)
        return follow(door, session, door.run, fresh=False)


def _scale(door: Door, endpoint: str, replicas: int) -> int:
    with door.session() as session:
        door.run = session.scale(endpoint, replicas=replicas, accept=door.settings.accept)
        return follow(door, session, door.run, fresh=False)


def _extend(door: Door, endpoint: str, span: str) -> int:
    try:
        seconds = duration(span)
    except ValueError as fault:
        raise InvalidRequest(Fault(place="--for", what=str(fault))) from fault
    with door.session() as session:
        door.run = session.extend(endpoint, for_s=seconds, accept=door.settings.accept)
        return follow(door, session, door.run, fresh=False)


def _stop(door: Door, endpoint: str) -> int:
    with door.session() as session:
        door.run = session.stop(endpoint, accept=door.settings.accept)
        return follow(door, session, door.run, fresh=False)
