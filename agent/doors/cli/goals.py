"""`run` and `plan`: a goal in words or in a file, and what becomes of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from agent.documents import FeasibilityVerdict, Pending, RunView
from agent.doors.cli.options import shared
from agent.doors.cli.perform import Door, perform
from agent.doors.goal_paths import named
from agent.doors.outlet import Outlet
from agent.doors.paper import Watch, paper_for, watch_for
from agent.doors.service import Service
from agent.errors import ExitCode, Fault, InvalidRequest
from agent.prospect import Request
from agent.stopping import Stopping
from agent.wording import clean
from tools.language import language_of

_CODES: dict[FeasibilityVerdict, ExitCode] = {
    "feasible": 0,
    "unknown": 0,
    "infeasible": 1,
    "refused": 3,
    "needs_input": 4,
}


@shared()
@click.command(epilog='Example: goalkeeper run "Predict species from penguins.csv, at least 95 % accuracy."')
@click.argument("goal")
@click.option("--detach", is_flag=True, help="Begin it and leave it to `goalkeeper worker`.")
def run(goal: str, detach: bool) -> int:
    """Carry out GOAL, a sentence or the path of a goal file (.yaml).

    Plans, asks where a person must decide, operates, and reports clause by clause. Exit code: 0 every clause met,
    1 not met, 2 invalid, 3 refused, 4 unproven or a person is needed, 5 a backend failed, 130 interrupted.
    """
    return perform(lambda door: _run(door, goal, detach=detach))


@shared()
@click.command()
@click.argument("goal")
def plan(goal: str) -> int:
    """Show what `run GOAL` would do: contract, plan, estimate, approvals. Has no effect and needs no credentials."""
    return perform(lambda door: _plan(door, goal))


def _plan(door: Door, goal: str) -> int:
    asked = request(goal, door)
    door.language = language_of(asked.text)
    with door.session(still=True) as session:
        document = session.plan(asked)
    if door.json:
        door.document(document)
    else:
        door.paper.plan(document)
    return _CODES[document.feasibility.verdict]


def _run(door: Door, goal: str, *, detach: bool) -> int:
    asked = request(goal, door)
    door.language = language_of(asked.text)
    with door.session() as session:
        door.run = session.start(asked)
        if detach:
            return _leave(door, session, door.run)
        return follow(door, session, door.run, fresh=True)


def _leave(door: Door, session: Service, run: str) -> int:
    """Show what was begun and what will carry it out."""
    told, document = session.leave(run), session.show(run)
    if door.json:
        door.document(document)
    else:
        door.paper.plan(document)
        door.paper.line(clean(told))
    return 0


def follow(door: Door, session: Service, run: str, *, fresh: bool) -> int:
    """Drive a run to where it ends or waits, in sight of the person; its exit code."""
    watch = watch_for(door.err, user=door.settings.user)
    door.stop = watch.stop
    introduced = not fresh

    def see(view: RunView) -> None:
        nonlocal introduced
        if not introduced and view.steps:
            introduced = True
            paper_for(door.err).plan(session.show(run))
            door.note()
        watch.see(view)

    with Stopping().heeding() as stopping:
        document = session.drive(run, watch=see, ask=_asker(door, watch, stopping), stopping=stopping)
    door.language = language_of(document.goal.text)
    watch.stop()
    if not introduced:
        paper_for(door.err).plan(document)
    if door.json:
        door.document(document)
    else:
        if door.out.isatty() and door.err.isatty():
            door.note()
        door.paper.report(document)
    return document.run.exit_code


def _asker(door: Door, watch: Watch, stopping: Stopping) -> Callable[[Pending], bool | None] | None:
    """Who answers: the person at the terminal, or nobody when there is none. Ctrl-C ends the question at once."""

    def ask(question: Pending) -> bool | None:
        with stopping.at_once():
            return watch.ask(question)

    return ask if Outlet(sys.stdin).isatty() and door.err.isatty() else None


def request(goal: str, door: Door) -> Request:
    """The goal as a session takes it. InvalidRequest for a faulty file or text."""
    accept = door.settings.accept
    path = named(goal)
    if path is not None:
        from agent.doors import goalfile  # its YAML reader is not needed for a sentence

        file = goalfile.load(path, Path.cwd())
        return Request(text=file.text, source=file.source, stated=file.stated, accept=accept, folder=file.folder)
    return Request(text=_sentence(goal), source=f"cli:{door.settings.user}", accept=accept, folder=os.getcwd())


def _sentence(goal: str) -> str:
    if not goal.strip():
        raise InvalidRequest(Fault(place="GOAL", what="is empty", fix="say in words what you want"))
    try:
        goal.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(Fault(place="GOAL", what="is not UTF-8")) from error
    return goal.strip()
