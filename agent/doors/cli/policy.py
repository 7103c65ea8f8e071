"""`policy check`, `policy explain`, `replay`: what the policies say, of a call that was made or of a whole run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agent.doors.cli.options import shared
from agent.doors.cli.perform import Door, perform
from agent.doors.paper import Grid
from agent.errors import Fault
from agent.explain import Compared, Explanation, Replay
from agent.wording import clean, outside
from tools.record import Record

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class Checked(Record):
    """`policy check --json`."""

    folder: str
    """Where they were read; empty for those that are shipped."""
    digest: str | None
    """Of the policy set; None when it cannot be used."""
    policies: tuple[str, ...]
    faults: tuple[Fault, ...]


@click.group()
def policy() -> None:
    """Policies: check them, and explain what they decided."""


@shared(brief=True)
@policy.command()
@click.option("--policies", "folder", metavar="DIR", type=_FOLDER, default=None, help="Default: those in force.")
def check(folder: Path | None) -> int:
    """Validate policies and limits and report all faults at once. Exit code 2 when there are any."""
    return perform(lambda door: _check(door, folder))


def _check(door: Door, folder: Path | None) -> int:
    from policies.check import check as examine

    place = folder or door.settings.policies
    found = examine(place)
    told = Checked(
        folder=str(place) if place is not None else "",
        digest=found.digest,
        policies=found.ids,
        faults=found.faults,
    )
    if door.json:
        door.document(told)
    elif told.faults:
        door.paper.grid(_faults(told.faults))
    else:
        door.paper.line(f"{len(told.policies)} policies, no fault, digest {(told.digest or '')[:12]}")
    return 2 if told.faults else 0


def _faults(faults: Sequence[Fault]) -> Grid:
    return Grid(
        heads=("place", "fault", "way out"),
        rows=[(clean(f.place), outside(f.what, limit=500), outside(f.fix, limit=500)) for f in faults],
        fold=1,
    )


@shared(brief=True)
@policy.command()
@click.argument("run")
@click.argument("call")
def explain(run: str, call: str) -> int:
    """Say which policies decided about CALL (a step, STEP/ATTEMPT or a whole id) of RUN, with the facts they saw."""
    return perform(lambda door: _explain(door, run, call))


def _explain(door: Door, run: str, call: str) -> int:
    with door.session() as session:
        told = session.explain(run, call)
    if door.json:
        door.document(told)
        return 0
    paper = door.paper
    paper.line(f"{told.call} {told.tool}: {told.ruling} at {told.at}")
    for objection in told.objections:
        paper.line(f"  {objection.policy}: {outside(objection.sentence, limit=500)}")
    for note in told.notes:
        paper.line(f"  {outside(note, limit=500)}")
    if not told.objections:
        paper.line("  no policy objected")
    paper.line()
    paper.grid(Grid(heads=("fact", "value"), rows=list(_seen(told)), fold=1))
    return 0


def _seen(told: Explanation) -> Sequence[tuple[str, str]]:
    """Everything the policies saw, arguments first, with where each came from."""
    given = [(f"input.{k}", f"{_value(v)}{_from(told, k)}") for k, v in sorted(told.input.items())]
    facts = [(k, _value(v)) for k, v in sorted(told.facts.items()) if v not in (None, [], "")]
    return [*given, *facts, ("digest", told.digest), ("policies", told.policies)]


def _from(told: Explanation, name: str) -> str:
    label = told.taint.get(name)
    return f"  ({label})" if label is not None else ""


def _value(value: Any) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return outside(text, limit=500)


@shared(brief=True)
@click.command()
@click.argument("run")
@click.option("--policies", "folder", metavar="DIR", type=_FOLDER, required=True, help="The policies to ask instead.")
def replay(run: str, folder: Path) -> int:
    """Say what the policies of DIR would have done to RUN. Exit code 1 when a call would have been ruled otherwise."""
    return perform(lambda door: _replay(door, run, folder))


def _replay(door: Door, run: str, folder: Path) -> int:
    with door.session() as session:
        told = session.replay(run, folder)
    if door.json:
        door.document(told)
    else:
        _compared(door, told)
    return 1 if told.parted is not None else 0


def _compared(door: Door, told: Replay) -> None:
    other = [c for c in told.calls if c.differs]
    same = len(told.calls) - len(other)
    door.paper.line(f"{len(told.calls)} calls judged again: {same} alike, {len(other)} otherwise")
    if other:
        door.paper.grid(Grid(heads=("call", "tool", "then", "now", "why"), rows=[_row(c) for c in other], fold=4))
    if told.parted is not None:
        door.paper.line(f"The run would have parted at {told.parted}: what follows it might not have happened.")


def _row(call: Compared) -> tuple[str, ...]:
    why = "; ".join(outside(s, limit=500) for s in call.sentences)
    return (clean(call.call.partition("/")[2]), call.tool, call.then, call.now, why)
