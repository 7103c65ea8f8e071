"""`runs`, `show`, `events`, `report`: what happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import click

from agent import markdown
from agent.clock import stamp
from agent.documents import Event, RunDocument
from agent.doors.cli.options import shared
from agent.doors.cli.perform import Door, perform
from agent.doors.paper import Grid
from agent.doors.service import Service
from agent.pages import page
from agent.wording import clean, moment, money, outside
from tools.record import Record

_OVER = ("done", "cancelled", "failed")
_POLL_S = 0.5


class EventList(Record):
    """`events --json`."""

    run: str
    events: tuple[Event, ...]


class Report(Record):
    """`report --json`."""

    run: str
    path: str | None
    page: str | None
    markdown: str


@shared(brief=True)
@click.command()
def runs() -> int:
    """List the runs, newest first."""
    return perform(_runs)


def _runs(door: Door) -> int:
    with door.session() as session:
        found = session.runs()
    if door.json:
        door.document(found)
    elif not found.runs:
        door.paper.line("No runs yet.")
    else:
        rows = [(r.id, r.status, moment(r.started), money(r.spent_usd), clean(r.goal)) for r in found.runs]
        door.paper.grid(Grid(heads=("run", "status", "started", "spent", "goal"), rows=rows, right=(3,), fold=4))
    return 0


@shared(brief=True)
@click.command()
@click.argument("run")
def show(run: str) -> int:
    """Show RUN (an id, or the beginning of one): contract, plan, verdicts, cost."""
    return perform(lambda door: _show(door, run))


def _show(door: Door, run: str) -> int:
    with door.session() as session:
        document = session.show(run)
        if door.json:
            door.document(document)
            return 0
        if document.run.status in _OVER:
            door.paper.plan(document)
            door.paper.line()
            door.paper.report(document)
        else:
            door.paper.plan(document)
            door.paper.line()
            door.paper.view(session.view(run))
    return 0


@shared(brief=True)
@click.command()
@click.argument("run")
@click.option("--after", metavar="N", type=click.IntRange(min=0), default=0, help="Only what follows number N.")
@click.option("--follow", is_flag=True, help="Keep printing until the run is over.")
def events(run: str, after: int, follow: bool) -> int:
    """Show the journal of RUN, one line an event."""
    return perform(lambda door: _events(door, run, after, follow))


def _events(door: Door, run: str, after: int, follow: bool) -> int:
    if follow and door.json:
        raise click.UsageError("--follow prints lines as they come; with --json, ask again with --after")
    with door.session() as session:
        if door.json:
            door.document(EventList(run=session.view(run).id, events=tuple(session.events(run, after))))
            return 0
        while True:
            # The state is read first, so that nothing written before the end is missed.
            over = not follow or session.view(run).status in _OVER
            for event in session.events(run, after):
                after = event.seq
                door.paper.line(
                    f"{event.seq:>5}  {stamp(event.at)}  {event.kind:<12} {outside(event.text, limit=2000)}"
                )
            if over or door.out.gone:
                return 0
            time.sleep(_POLL_S)


@shared(brief=True)
@click.command()
@click.argument("run")
@click.option("--html", "as_page", is_flag=True, help="Print it as one HTML page to pass on.")
def report(run: str, as_page: bool) -> int:
    """Print the report of RUN as Markdown."""
    return perform(lambda door: _report(door, run, as_page))


def _report(door: Door, run: str, as_page: bool) -> int:
    with door.session() as session:
        if session.stands(run):
            return _story(door, session, run, as_page)
        document = session.show(run)
    if as_page and door.json:
        raise click.UsageError("--html prints a page; with --json the document holds its path")
    if as_page:
        door.out.document(_written(document, document.run.page, page.render).rstrip("\n"))
        return 0
    text = _written(document, document.run.report, markdown.render)
    if door.json:
        told = Report(run=document.run.id, path=document.run.report, page=document.run.page, markdown=text)
        door.document(told)
    else:
        door.out.document(text.rstrip("\n"))
    return 0


def _story(door: Door, session: Service, goal: str, as_page: bool) -> int:
    """The same of a standing goal: it goes on, so that it is written when it is asked for."""
    if as_page:
        raise click.UsageError("a standing goal's report is no page: leave --html out")
    text = session.story(goal)
    if door.json:
        door.document(Report(run=session.goal(goal).id, path=None, page=None, markdown=text))
    else:
        door.out.document(text.rstrip("\n"))
    return 0


def _written(document: RunDocument, path: str | None, render: Callable[[RunDocument], str]) -> str:
    """The report as it was written when the run ended; of a run under way, as it would be now."""
    if path is not None and document.run.status in _OVER and Path(path).is_file():
        return Path(path).read_text(encoding="utf-8")
    return render(document)
