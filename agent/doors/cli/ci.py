"""`ci`: goal files without a person, as a step of a pipeline."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import click

from agent.doors.ci import junit, summary
from agent.doors.ci.suite import Outcome, Suite, worst
from agent.doors.cli.options import flags, shared
from agent.doors.cli.perform import Door, perform, program
from agent.errors import ExitCode, Fault, InvalidRequest
from agent.wording import clean, duration, headline
from tools.language import language_of, plural, speaking, tr
from tools.record import Record


class GoalLine(Record):
    """One goal file of `ci --json`."""

    file: str
    exit_code: ExitCode
    verdict: str
    """`MET`, `NOT MET`, `UNPROVEN`, `REFUSED`, ... or `FAILED` when there is no run."""
    run: str | None
    report: str | None
    spent_usd: float
    seconds: float
    problem: str


class CiDocument(Record):
    """`ci --json`."""

    exit_code: ExitCode
    goals: tuple[GoalLine, ...]


@shared()
@click.command(epilog="Example: goalkeeper ci goals/*.yaml --junit goals.xml")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--junit", "junit_path", metavar="PATH", help="Write JUnit XML there.")
@click.option("--summary", "summary_path", metavar="PATH", help="Append Markdown there (also GITHUB_STEP_SUMMARY).")
@click.option("--jobs", metavar="N", type=click.IntRange(1, 64), help="How many run at once (default: half the cores).")
def ci(files: tuple[str, ...], junit_path: str | None, summary_path: str | None, jobs: int | None) -> int:
    """Run goal FILEs one beside another, ask nobody, and exit with the worst of their codes.

    The worst is the first of 2 invalid, 5 failed, 3 refused, 1 not met, 4 unproven or a person is needed,
    130 interrupted; 0 when every clause of every goal is met. `--yes` approves beforehand what is yours to approve.
    """
    return perform(lambda door: _ci(door, files, _places(junit_path, summary_path, door), jobs))


def _places(junit_path: str | None, summary_path: str | None, door: Door) -> tuple[Path | None, tuple[Path, ...]]:
    """Where JUnit XML and the summaries go. InvalidRequest before anything runs when a folder is not there."""
    xml = Path(junit_path) if junit_path is not None else None
    asked = Path(summary_path) if summary_path is not None else None
    pages = tuple(dict.fromkeys(p for p in (asked, door.settings.step_summary) if p is not None))
    wrong = [p for p in (xml, *pages) if p is not None and not p.absolute().parent.is_dir()]
    if wrong:
        raise InvalidRequest(*(Fault(place=str(p), what="its folder is not there", fix="create it") for p in wrong))
    return xml, pages


def _ci(door: Door, files: tuple[str, ...], places: tuple[Path | None, tuple[Path, ...]], jobs: int | None) -> int:
    names = tuple(dict.fromkeys(files))
    suite = Suite(command=_command(door), jobs=min(jobs or max(1, (os.cpu_count() or 2) // 2), len(names)))
    door.note(f"Running {plural(len(names), 'goal')}, {suite.jobs} at a time.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # how a CI system cancels a job
    outcomes = suite.run(names, ended=lambda outcome: door.note(_told(outcome)))
    xml, pages = places
    if xml is not None:
        xml.write_text(junit.render(outcomes), encoding="utf-8")
    for page in pages:
        summary.append(page, summary.render(outcomes))
    if door.settings.annotate:
        for line in summary.workflow_commands(outcomes):
            door.note(line)
    code = worst([outcome.exit_code for outcome in outcomes])
    if door.json:
        door.document(CiDocument(exit_code=code, goals=tuple(map(_line, outcomes))))
    else:
        door.out.line(summary.render(outcomes).rstrip())
    return code


def _command(door: Door) -> list[str]:
    given = {name: value for name, value in flags(click.get_current_context()).items() if name not in ("json", "home")}
    words = [*program(), "run", "--json", "--home", str(door.settings.home)]
    for name, value in given.items():
        words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return [*words, "--"]


def _told(outcome: Outcome) -> str:
    word, why = headline(outcome.document) if outcome.document is not None else ("FAILED", outcome.problem)
    first = next((clean(line) for line in why.splitlines() if clean(line)), "")
    with speaking(language_of(outcome.document.goal.text if outcome.document is not None else "")):
        told = f"{tr(word):10} {clean(outcome.file)} ({duration(outcome.seconds)})"
        return told + (f"{tr(': ')}{first}" if first else "")


def _line(outcome: Outcome) -> GoalLine:
    document = outcome.document
    return GoalLine(
        file=outcome.file,
        exit_code=outcome.exit_code,
        verdict=headline(document)[0] if document is not None else "FAILED",
        run=document.run.id if document is not None else None,
        report=document.run.report if document is not None else None,
        spent_usd=document.run.spent.usd if document is not None else 0.0,
        seconds=round(outcome.seconds, 3),
        problem=outcome.problem,
    )
