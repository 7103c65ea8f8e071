"""`audit verify` and `audit export`: whether a run's record is what was signed, here and anywhere else."""

from __future__ import annotations

from pathlib import Path

import click

from agent.audit.bundle import Exported
from agent.audit.examine import Audit, examine, find, language_of_run, told
from agent.audit.heads import Heads
from agent.audit.key import fast
from agent.audit.program import verifier
from agent.audit.verify import Unreadable, check_bundle, given_key
from agent.doors.cli.options import shared
from agent.doors.cli.perform import Door, perform
from agent.errors import Fault, InvalidRequest
from agent.wording import clean, outside
from tools.language import speaking, tr

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """Verify that a run's record is what was signed, or pass it on so that others can."""


@shared(brief=True)
@audit.command()
@click.argument("run", required=False)
@click.option("--bundle", metavar="FILE", type=_FILE, default=None, help="Verify that file instead of a run here.")
@click.option("--key", metavar="KEY", default=None, help="The public key as you know it: 64 hex digits, or a file.")
def verify(run: str | None, bundle: Path | None, key: str | None) -> int:
    """Verify RUN, or a bundle: to which line its journal is the one that was signed, and what is wrong with it.

    Exit code 0 verified, 1 not verified, 2 no such run or no bundle, 4 there is no signed head.
    """
    if (run is None) == (bundle is None):
        raise click.UsageError("name a run, or a file with --bundle")
    return perform(lambda door: _verify(door, run, bundle, key))


def _verify(door: Door, run: str | None, bundle: Path | None, key: str | None) -> int:
    given = _given(key)
    if bundle is not None:
        return _tell(door, _bundle(bundle, given))
    home, heads, store = door.settings.home, Heads(door.settings.audit_folder), door.settings.store_address
    id_ = find(run or "", home, heads, store=store)
    with speaking(language_of_run(id_, home, store)):
        found = examine(id_, home, heads, given=given, store=store)
        return _tell(door, told(found, "folder" if given is None else "given"))


def _bundle(bundle: Path, given: bytes | None) -> Audit:
    try:
        found = check_bundle(bundle, given=given, genuine=fast, program=verifier())
    except Unreadable as error:
        raise InvalidRequest(Fault(place=str(bundle), what=str(error))) from error
    return told(found, "bundle" if given is None else "given")


def _given(key: str | None) -> bytes | None:
    """InvalidRequest for what is no public key."""
    try:
        return None if key is None else given_key(key)
    except Unreadable as error:
        raise InvalidRequest(Fault(place="--key", what=str(error))) from error


def _tell(door: Door, found: Audit) -> int:
    if door.json:
        door.document(found)
        return found.exit_code
    paper = door.paper
    paper.line(f"{clean(found.run)}: {outside(found.said)}")
    for fault in found.faults:
        paper.line("  " + tr("fault: {what}", what=outside(fault)))
    for note in found.notes:
        paper.line("  " + tr("note: {what}", what=outside(note)))
    counted = tr("{lines} lines, {heads} signed heads, key {key}", lines=found.lines, heads=found.heads, key=found.key)
    paper.line(f"  {counted}")
    return found.exit_code


@shared(brief=True)
@audit.command()
@click.argument("run")
@click.option("--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), default=None)
def export(run: str, output: Path | None) -> int:
    """Write one file about RUN (default: RUN.audit.zip here) that anybody can verify offline with the public key."""
    return perform(lambda door: _export(door, run, output))


def _export(door: Door, run: str, output: Path | None) -> int:
    with door.session() as session:
        found = session.export(run, output)
    with speaking(language_of_run(found.run, door.settings.home, door.settings.store_address)):
        return _exported(door, found)


def _exported(door: Door, found: Exported) -> int:
    if door.json:
        door.document(found)
        return 0
    paper = door.paper
    paper.line(f"{found.bundle}: {found.files} files, {found.bytes:,} bytes, sha256 {found.sha256}")
    if found.audit is not None:
        paper.line("  " + outside(found.audit.said))
        for fault in found.audit.faults:
            paper.line("  " + tr("fault: {what}", what=outside(fault)))
    for one in found.omitted:
        paper.line("  " + tr("left out: {what}", what=outside(f"{one.name}: {one.why}")))
    if found.problem:
        door.note(tr("the bundle is not signed as a whole: {problem}", problem=outside(found.problem)))
    if found.key is not None:
        door.note(tr("Give {key} to whoever verifies, by another way than the bundle.", key=clean(found.key)))
    return 0
