"""`extend` and `stop`: what a person decides about an endpoint that a run left standing."""

from __future__ import annotations

import click

from agent.doors.cli.goals import follow
from agent.doors.cli.options import shared
from agent.doors.cli.perform import Door, perform
from agent.errors import Fault, InvalidRequest
from agent.settings import duration


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
