"""How a program inside a job is started and how it ends: inputs in, one result or one typed failure out.

Knows files and failures, nothing of data or models.
"""

from __future__ import annotations

import errno
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from tools.errors import Cause, Invalid, NotFound, Refused
from tools.language import speaking, tr
from tools.ports import Failure, Progress
from tools.recipes.faults import BadInput, Fault
from tools.recipes.records import Inputs
from tools.record import Record


class Say(Protocol):
    """Tells how far the work is: shown, never judged."""

    def __call__(self, message: str, fraction: float | None = None, **metrics: float) -> None: ...


Work = Callable[[Inputs, Say], Record]


def quiet(message: str, fraction: float | None = None, **metrics: float) -> None:
    """A `Say` that tells nobody."""


def run(argv: Sequence[str], work: Work) -> int:
    """Do the work of the folder named in `argv`; the exit code: 0, or 1 with `failure.json` left behind."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -I -m tools.recipes.PROGRAM FOLDER\n")
        return 2
    folder = Path(argv[0])
    try:
        inputs = Inputs.model_validate_json((folder / "inputs.json").read_bytes())
    except (OSError, ValidationError) as error:
        return _failed(folder, error)
    with speaking(inputs.language):
        try:
            Path(inputs.out).mkdir(parents=True, exist_ok=True)
            _leave(folder / "result.json", work(inputs, _speaker(folder / "progress.jsonl")))
        except Exception as error:  # noqa: BLE001 - the process boundary: whatever it was becomes a typed failure
            return _failed(folder, error)
    return 0


def _failed(folder: Path, error: Exception) -> int:
    sys.stderr.write(str(error) + "\n" if isinstance(error, BadInput) else traceback.format_exc())
    _leave(folder / "failure.json", failure_of(error))
    return 1


def failure_of(error: Exception) -> Failure:
    """The typed failure an exception means."""
    if isinstance(error, BadInput):
        return error.failure()
    if isinstance(error, ValidationError):
        faults = tuple(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        return Failure(cause="data_invalid", message=tr("the program's arguments are wrong"), faults=faults)
    return Failure(cause=_cause(error), message=f"{type(error).__name__}: {error}", evidence=_trace(error))


def secret(inputs: Inputs, name: str) -> bytes:
    """The bytes of a secret of this job. BadInput when the job was not given it."""
    if name not in inputs.secrets:
        raise BadInput(
            [
                Fault(
                    place=tr("secret {name}", name=name),
                    problem=tr("was not given"),
                    fix=tr("name it in the job's secrets"),
                )
            ]
        )
    return Path(inputs.secrets[name]).read_bytes()


def mount(inputs: Inputs, name: str) -> Path:
    """The folder mounted under a name. BadInput when the job was not given it."""
    if name not in inputs.mounts:
        fault = Fault(
            place=tr("mount {name}", name=name), problem=tr("was not given"), fix=tr("name it in the job's mounts")
        )
        raise BadInput([fault], cause="data_missing")
    return Path(inputs.mounts[name])


def _cause(error: Exception) -> Cause:
    match error:
        case MemoryError():
            return "out_of_memory_host"
        case ModuleNotFoundError():
            return "missing_dependency"
        case PermissionError():
            return "permission"
        case FileNotFoundError() | NotFound():
            return "data_missing"
        case Invalid() | Refused():
            return "data_invalid"
        case OSError(errno=errno.ENOSPC):
            return "disk_full"
    return "unknown"


def _trace(error: Exception) -> tuple[str, ...]:
    lines = "".join(traceback.format_exception(error)).splitlines()
    return tuple(line[:400] for line in lines[-12:])


def _leave(path: Path, record: Record) -> None:
    """Written whole or not at all, so that a reader never sees half of it."""
    draft = path.with_suffix(".part")
    draft.write_text(record.model_dump_json(), encoding="utf-8")
    os.replace(draft, path)


def _speaker(path: Path) -> Say:
    def say(message: str, fraction: float | None = None, **metrics: float) -> None:
        line = Progress(at=time.time(), message=message, fraction=fraction, metrics=metrics)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(line.model_dump_json() + "\n")

    return say
