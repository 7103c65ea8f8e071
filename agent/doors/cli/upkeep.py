"""`sweep` and `doctor`: what was left behind, and whether everything needed is there."""

from __future__ import annotations

import click

from agent.documents import Swept
from agent.doors.check import Check
from agent.doors.cli.options import shared
from agent.doors.cli.perform import Door, perform
from agent.doors.diagnosis import CheckUp, examine
from agent.doors.model_check import ModelFacts, tried
from agent.doors.model_wait import ModelWait
from agent.doors.paper import Grid
from agent.settings import Settings
from agent.wording import clean, moment, outside
from tools.record import Record


class SweptList(Record):
    """`sweep --json`."""

    unowned: int
    resources: tuple[Swept, ...]


@shared(brief=True)
@click.command()
@click.option("--release", is_flag=True, help="End what nobody owns.")
@click.option("--run", metavar="ID", default=None, help="Only what that run made.")
@click.option("--owner", metavar="NAME", default=None, help="Only what belongs to that user or standing goal.")
def sweep(release: bool, run: str | None, owner: str | None) -> int:
    """List what runs left behind. Exit code 1 when something is there that nobody owns."""
    return perform(lambda door: _sweep(door, release, run, owner))


def _sweep(door: Door, release: bool, run: str | None, owner: str | None) -> int:
    def ending(kind: str, id: str) -> None:
        door.note(f"ending {kind} {clean(id)} ...")

    with door.session() as session:
        found = session.sweep(release=release, run=run, owner=owner, ending=ending)
    unowned = sum(one.unowned for one in found)
    if door.json:
        door.document(SweptList(unowned=unowned, resources=found))
    elif not found:
        door.paper.line("Nothing is running, nothing was left behind.")
    else:
        _list(door, found)
        if unowned and not release:
            door.note(f"{unowned} unowned: end them with `goalkeeper sweep --release`")
    return 1 if unowned else 0


def _list(door: Door, found: tuple[Swept, ...]) -> None:
    def state(one: Swept) -> str:
        if one.released:
            return "released"
        return "unowned" if one.unowned else "owned"

    rows = [
        (
            state(one),
            one.kind,
            clean(one.id),
            clean(one.run),
            clean(one.owner),
            moment(one.lease_until),
            outside("; ".join(filter(None, (one.detail, one.failed)))),
        )
        for one in found
    ]
    heads = ("state", "kind", "id", "run", "owner", "lease until", "detail")
    door.paper.grid(Grid(heads=heads, rows=rows, fold=6))


@shared()
@click.command()
@click.option(
    "--model", is_flag=True, help="Also say what leaves this machine for a language model, and ask it one thing."
)
def doctor(model: bool) -> int:
    """Check what is configured, reachable and missing, and say where each setting came from."""
    return perform(lambda door: _doctor(door, ask=model))


def _doctor(door: Door, *, ask: bool) -> int:
    wait = ModelWait(door.err)

    def try_model(settings: Settings) -> tuple[Check, ModelFacts | None]:
        return tried(settings, consent=wait.consent, progress=wait.progress)

    found = examine(door.settings, door.open, try_model=try_model if ask else None)
    if door.json:
        door.document(found)
    else:
        _tell(door, found)
    return 5 if any(check.state == "failed" for check in found.checks) else 0


def _tell(door: Door, found: CheckUp) -> None:
    rows = [(check.state, check.name, outside(check.detail)) for check in found.checks]
    door.paper.grid(Grid(heads=("", "check", "found"), rows=rows, fold=2))
    door.paper.line()
    settings = [(one.name, clean(one.value), one.origin) for one in found.settings]
    door.paper.grid(Grid(heads=("setting", "value", "from"), rows=settings, fold=1))
    if found.model is not None:
        _tell_model(door, found.model)
    fixes = [check for check in found.checks if check.fix]
    if fixes:
        door.paper.line()
    for check in fixes:
        door.paper.line(f"{check.name}: {check.fix}")


def _tell_model(door: Door, model: ModelFacts) -> None:
    price, caps = model.price, model.caps
    answered = model.tried if model.tried is not None and model.tried.outcome == "answered" else None
    costs = f"${price.read:g} read, ${price.written:g} written per million tokens ({price.origin})" if price else ""
    rows = [
        ("model", clean(model.model)),
        ("endpoint", f"{model.url}, " + ("on this machine" if model.loopback else "elsewhere: what it is sent leaves")),
        ("key", "set" if model.key else "not set"),
        ("price", costs or "not known: whoever is there is asked before anything is sent"),
        ("tokens", f"{caps.before_contract} before a contract, {caps.per_run} a run, {caps.per_month} a month"),
        ("form", f"{model.form}: {answered.form}" if answered is not None else model.form),
        ("patience", f"{model.gap_s:g} s of silence, {model.deadline_s:g} s for an answer"),
    ]
    door.paper.line()
    door.paper.grid(Grid(heads=("language model", ""), rows=rows, fold=1))
    door.paper.line()
    leaves = [(f"{one.prompt}@{one.version}", one.sends, one.means) for one in model.leaves]
    door.paper.grid(Grid(heads=("prompt", "sends", "which is, without secrets"), rows=leaves, fold=2))
