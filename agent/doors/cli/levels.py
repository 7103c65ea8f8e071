"""`goals`: what is looked after, like a page of service levels."""

from __future__ import annotations

from collections.abc import Iterator

import click

from agent.clock import stamp
from agent.doors.cli.options import shared
from agent.doors.cli.perform import Door, perform
from agent.doors.paper import Grid
from agent.standing.telling import Level
from agent.wording import clean, duration, moment, money, number, outside
from tools.language import language_of, speaking, tr

RECENT = 20
"""Lines of its journal that one goal is shown with."""


@shared(brief=True)
@click.command()
@click.argument("goal", required=False)
def goals(goal: str | None) -> int:
    """List what is looked after: state, clauses, error budget, next check. With GOAL, an id: only that, with events."""
    return perform(lambda door: _goals(door) if goal is None else _goal(door, goal))


def _goals(door: Door) -> int:
    with door.session() as session:
        found = session.goals()
    if door.json:
        door.document(found)
        return 0
    if not found.goals:
        door.paper.line(tr("Nothing is looked after: a goal that says how often to check what it serves is."))
    for number_, level in enumerate(found.goals):
        if number_:
            door.paper.line()
        _show(door, level)
    if found.idle:
        door.note(tr("No worker drives this home, so nothing is checked now: `{command}`", command=found.idle))
    return 0


def _goal(door: Door, goal: str) -> int:
    with door.session() as session:
        level = session.goal(goal)
        if door.json:
            door.document(level)
            return 0
        _show(door, level)
        door.paper.line()
        for event in list(session.events(level.id))[-RECENT:]:
            door.paper.line(f"{event.seq:>5}  {stamp(event.at)}  {outside(event.text, limit=2000)}")
    return 0


def _show(door: Door, level: Level) -> None:
    """One goal: what it is, its clauses, and what comes next."""
    with speaking(language_of(level.goal)):
        name = clean(level.endpoint)
        door.paper.line(f"{clean(level.id)}  {tr(level.state)}  {name}  {clean(level.version or '-')}  {level.trail}")
        rows = [
            (
                clean(c.demanded),
                c.verdict,
                number(c.measured),
                "" if c.budget_used is None else f"{c.budget_used:.0%}",
                outside(c.note),
            )
            for c in level.clauses
        ]
        heads = (tr("clause"), tr("verdict"), tr("measured"), tr("budget used"), tr("note"))
        if rows:
            door.paper.grid(Grid(heads=heads, rows=rows, right=(2, 3), fold=4))
        for line in _lines(level):
            door.paper.line(f"  {line}")


def _lines(level: Level) -> Iterator[str]:
    if level.why:
        yield outside(level.why)
    if level.do:
        yield tr("To do: {do}", do=clean(level.do))
    if level.drift:
        yield tr("Drift: {why}", why=outside(level.drift))
    yield tr(
        "checked every {every}; last {last}, next {next}; {checks} checks, {alarms} with an alarm",
        every=duration(level.every_s),
        last=moment(level.last_check) if level.last_check is not None else "-",
        next=moment(level.next_check) if level.next_check is not None else "-",
        checks=level.checks,
        alarms=level.alarms,
    )
    yield tr(
        "this month {spent}{limit}, {n} of at most {most} reactions",
        spent=money(level.usd_month),
        limit="" if level.usd_month_limit is None else tr(" of {limit}", limit=money(level.usd_month_limit)),
        n=level.reactions_month,
        most=level.reactions_month_limit,
    )
    if (last := level.last_reaction) is not None:
        came = tr(last.came) if last.came else tr("under way")
        yield tr("last reaction: {came}, run {run}, {at}", came=came, run=clean(last.run), at=moment(last.at))
    if level.lease_until is not None:
        yield tr("the endpoint lives until {until}", until=moment(level.lease_until))
