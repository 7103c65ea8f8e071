"""What is written down of a local job and how it becomes a `JobState`. Pure but for reading progress."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tools.backends.local.output import last_line, last_lines
from tools.backends.local.registry import Identity
from tools.inert import outside
from tools.ports import Failure, JobSpec, JobState, Progress
from tools.record import Json, Record

SAID = 5
"""Lines looked at for one that says something."""
WIDTH = 200
"""Characters of it that are shown."""
NOBODY = Identity(pid=0, ticks=0)
"""Never alive: the job was given up before anybody ran it."""


class Status(Record):
    """`status.json`: how a job ended, in its supervisor's words."""

    phase: Literal["succeeded", "failed", "cancelled", "lost"]
    started: float
    ended: float
    isolation: Literal["sandboxed", "encrypted", "none"] = "none"
    result: Json | None = None
    failure: Json | None = None
    """Of a recipe: as the program left it."""
    usage: Mapping[str, float] = {}
    """`cpu_s` of all processes, `peak_bytes` of the largest one."""
    dropped: int = 0
    """Bytes of output left out."""
    left_out: tuple[str, ...] = ()
    """Names in the output folder that were neither file nor folder."""

    @classmethod
    def lost(cls, started: float) -> Status:
        failure = {"cause": "node_lost", "message": "Its supervisor ended without leaving a status."}
        return cls(phase="lost", started=started, ended=started, failure=failure)

    def state(self, job: str) -> JobState:
        return JobState(
            id=job,
            phase=self.phase,
            started=self.started,
            ended=self.ended,
            isolation=self.isolation,
            result=self.result,
            failure=None if self.failure is None else _failure(self.failure),
        )


def job_id(call: str) -> str:
    """The id of the job of a call: readable, safe as a file name, and another one for another call."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", call).strip("-")[:60] or "job"
    return f"{readable}-{hashlib.sha256(call.encode()).hexdigest()[:10]}"


def newest_progress(box: Path) -> Progress | None:
    """The last line of `progress.jsonl` that is a progress; anything else in it is passed over."""
    for line in last_line(box / "progress.jsonl")[:20]:
        try:
            told = Progress.model_validate_json(line)
            return told.model_copy(update={"message": outside(told.message, limit=WIDTH)})
        except ValidationError:
            continue  # a program may write what it likes; the line before may be one
    return None


def last_said(folder: Path) -> Progress | None:
    """The last line of a program that tells no progress of its own; None while it has said nothing."""
    written = [path for name in ("log.tail", "log") if (path := folder / name).exists()]
    lines = last_lines(folder, SAID, within=4096)
    said = next((text for line in reversed(lines) if (text := outside(line, limit=WIDTH))), None)
    if said is None or not written:
        return None
    try:
        return Progress(at=written[0].stat().st_mtime, message=said)
    except FileNotFoundError:
        return None  # the segment was turned over meanwhile: the next look tells


def faults_of(spec: JobSpec, home: Path) -> list[str]:
    """What is wrong with a specification, all of it."""
    faults = []
    if (spec.program == "command") != bool(spec.argv):
        faults.append("argv: a program `command` needs one, a recipe takes none")
    if spec.folder is not None and not (os.path.isabs(spec.folder) and os.path.isdir(spec.folder)):
        faults.append(f"folder {spec.folder}: give the absolute path of a folder that is there")
    elif spec.folder is not None and Path(os.path.realpath(spec.folder)) == home:
        faults.append(f"folder {spec.folder}: it is the agent's own home; give `--home` another folder")
    faults += [f"hide {path}: give an absolute path" for path in spec.hide if not os.path.isabs(path)]
    named = (*spec.argv, *spec.environment, *spec.environment.values(), *spec.hide)
    if any("\0" in text for text in named):
        faults.append("argv, environment or hide: holds a NUL character")
    return faults


def _failure(found: Json) -> Failure:
    try:
        return Failure.model_validate(found)
    except ValidationError as error:
        return Failure(
            cause="unknown", message=f"The program left a failure of the wrong shape: {error.error_count()} faults."
        )
