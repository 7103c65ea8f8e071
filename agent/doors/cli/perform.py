"""Carries one command out: settings, session, what goes to which stream, and the exit code of every ending."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import BaseModel

from agent.doors.cli.options import flags
from agent.doors.outlet import Outlet
from agent.errors import Fault, GoalkeeperError, InvalidRequest
from agent.settings import Settings, from_process, redaction
from agent.wording import clean
from tools.errors import ToolError
from tools.language import Language, speaking, tr
from tools.record import Record

if TYPE_CHECKING:
    from agent.doors.paper import Paper
    from agent.doors.service import Service


class Problem(Record):
    """What went wrong, on the wire."""

    kind: str
    message: str
    exit_code: int
    faults: tuple[Fault, ...] = ()
    run: str | None = None
    resume: str | None = None
    """The command that goes on with the run."""


class ProblemDocument(Record):
    """`--json` when there is no document to print."""

    error: Problem


@dataclass(kw_only=True)
class Door:
    """One command being carried out."""

    settings: Settings
    json: bool
    open: Callable[[Settings], Service]
    out: Outlet
    err: Outlet
    run: str | None = None
    """The run under way, for whoever interrupts."""
    language: Language = "en"
    """Of the goal, as soon as it is known."""
    stop: Callable[[], None] = field(default=lambda: None)
    """Ends what is being drawn."""

    @cached_property
    def paper(self) -> Paper:
        """Where results go: stdout, drawn for a terminal or as plain lines."""
        from agent.doors.paper import paper_for

        return paper_for(self.out)

    def session(self, *, still: bool = False) -> Service:
        """A session; only with `still` does a fixed clock stand still, since work needs time to pass."""
        return self.open(self.settings if still else self.settings.model_copy(update={"now": None}))

    def document(self, record: BaseModel) -> None:
        """The one JSON document."""
        self.out.document(record.model_dump_json())

    def note(self, text: str = "") -> None:
        """Something for the person, beside the result."""
        self.err.line(text)


def perform(body: Callable[[Door], int]) -> int:
    """Run a command's body with its door; every known failure becomes one message and its exit code."""
    ctx = click.get_current_context()
    given = flags(ctx)
    as_json = bool(given.get("json"))
    hush = redaction()
    out, err = Outlet(sys.stdout, hush), Outlet(sys.stderr, hush)
    tell = partial(_tell, out=out, err=err, as_json=as_json)
    door: Door | None = None
    try:
        settings = from_process({name: value for name, value in given.items() if name != "json"})
        door = Door(settings=settings, json=as_json, open=ctx.obj or _real, out=out, err=err)
        return body(door)
    except KeyboardInterrupt:
        return tell(_interrupted(door), door)
    except (click.ClickException, click.exceptions.Exit):
        raise
    except (GoalkeeperError, ToolError, OSError) as error:
        return tell(_failed(door, error), door)
    except Exception as error:  # noqa: BLE001 - the outermost edge: a defect is told in one place and ends with exit 5
        err.line(traceback.format_exc().rstrip())
        return tell(_failed(door, error), door)


def _real(settings: Settings) -> Service:
    from agent.session import Session

    if settings.brain == "rules":
        return Session.open(settings)
    from agent.doors.model_wait import ModelWait

    wait = ModelWait(Outlet(sys.stderr, redaction()))
    return Session.open(settings, consent=wait.consent, progress=wait.progress)


def shell_command(settings: Settings, *arguments: str) -> str:
    """What to paste into a shell, in this folder, to have this done with the same state."""
    words = [*program(), *arguments]
    for name, value in (("home", str(settings.home)), ("backend", settings.backend)):
        if settings.origins.get(name) == f"--{name}":
            words += [f"--{name}", value]
    return shlex.join(words)


def program() -> list[str]:
    """How this very installation is started from a shell."""
    beside = Path(sys.executable).with_name("goalkeeper")
    if not beside.exists():
        return [sys.executable, "-m", "agent"]
    found = shutil.which("goalkeeper")
    return ["goalkeeper"] if found is not None and os.path.samefile(found, beside) else [str(beside)]


def _interrupted(door: Door | None) -> Problem:
    run = door.run if door is not None else None
    if door is not None:
        door.stop()
    if door is None or run is None:
        return Problem(kind="interrupted", message="interrupted before anything was started.", exit_code=130)
    command = shell_command(door.settings, "resume", run)
    with speaking(door.language):
        message = tr(
            "interrupted. Run {run} is resumable; its jobs go on.\nGo on with: {command}", run=run, command=command
        )
    return Problem(kind="interrupted", message=message, exit_code=130, run=run, resume=command)


def _failed(door: Door | None, error: Exception) -> Problem:
    if door is not None:
        door.stop()
    faults = error.faults if isinstance(error, InvalidRequest) else ()
    code = error.exit_code if isinstance(error, GoalkeeperError) else 5
    message = str(error) or type(error).__name__
    if not isinstance(error, GoalkeeperError | ToolError | OSError):
        message = f"a defect in Goalkeeper itself: {type(error).__name__}: {message}"
    run = door.run if door is not None else None
    resume = shell_command(door.settings, "resume", run) if door is not None and run is not None else None
    kind = type(error).__name__ if isinstance(error, GoalkeeperError) else "Broken"
    return Problem(kind=kind, message=message, exit_code=code, faults=faults, run=run, resume=resume)


def _tell(problem: Problem, door: Door | None, *, out: Outlet, err: Outlet, as_json: bool) -> int:
    if as_json:
        out.document(ProblemDocument(error=problem).model_dump_json())
    else:
        with speaking(door.language if door is not None else "en"):
            err.line("\n".join(_lines(problem)))
    return problem.exit_code


def _lines(problem: Problem) -> list[str]:
    if len(problem.faults) > 1:
        return [tr("goalkeeper: {n} faults", n=len(problem.faults))] + [
            f"  {clean(str(fault))}" for fault in problem.faults
        ]
    lines = [clean(line) for line in problem.message.splitlines() if clean(line)]
    lines[:1] = [f"goalkeeper: {lines[0]}" if lines else "goalkeeper: failed"]
    if problem.resume is not None and problem.kind != "interrupted":
        lines.append(tr("Go on with: {command}", command=problem.resume))
    return lines
