"""How a tool runs a program: submit it, look at it, find it again after a crash, end it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from tools.errors import Conflict, Failed, NotFound, Unknown
from tools.inert import line_of
from tools.language import language, tr
from tools.ports import JobSpec, JobState
from tools.tool import Done, Outcome, Running, Site

R = TypeVar("R", bound=BaseModel)
SAID, LINES, FAULTS = 2000, 50, 100
"""Characters of one thing a failed program says, lines of its output and faults it names that are kept."""


class JobFailed(Failed):
    """The job failed; its own faults and evidence are kept, as far as they can be shown."""

    def __init__(self, state: JobState) -> None:
        failure = state.failure
        super().__init__(
            line_of(failure.message, limit=SAID) if failure else tr("the job ended as {phase}", phase=tr(state.phase)),
            cause=failure.cause if failure else "unknown",
        )
        self.faults = tuple(line_of(fault, limit=SAID) for fault in failure.faults[:FAULTS]) if failure else ()
        self.evidence = tuple(line_of(line, limit=SAID) for line in failure.evidence[-LINES:]) if failure else ()
        self.usd_micro = state.usd_micro


def recipe(
    program: Literal["prepare", "train", "evaluate", "load"],
    args: BaseModel,
    *,
    site: Site,
    mounts: Mapping[str, str] | None = None,
    secrets: tuple[str, ...] = (),
    sandbox: bool = False,
) -> JobSpec:
    """A job that runs one of our recipes under the call's hard limit."""
    return JobSpec(
        program=program,
        args=args.model_dump(mode="json"),
        mounts=dict(mounts or {}),
        secrets=secrets,
        sandbox=sandbox,
        time_limit_s=site.limit_s,
        language=language(),
    )


def start(spec: JobSpec, site: Site) -> Running:
    """Submit; a job that already carries this call id is adopted."""
    jobs = site.backend.jobs
    try:
        state = jobs.submit(spec=spec, tags=site.tags)
    except Conflict as conflict:
        found = jobs.find(site.tags.call)
        if found is None:
            raise Unknown(tr("a job with call {call} exists and cannot be found", call=site.tags.call)) from conflict
        state = found
    return Running(handle=state.id, progress=state.progress)


def follow(site: Site, handle: str, kind: type[R], shape: Callable[[R, JobState], BaseModel]) -> Outcome:
    """The job now; once it succeeded, its result parsed as `kind` and shaped into the tool's own record."""
    try:
        state = site.backend.jobs.poll(handle)
    except NotFound as error:
        raise Failed(tr("job {job} is gone, and with it what it made", job=handle), cause="node_lost") from error
    if not state.over:
        return Running(handle=handle, progress=state.progress)
    if state.phase != "succeeded":
        raise JobFailed(state)
    try:
        made = kind.model_validate(state.result or {})
    except ValidationError as error:
        told = tr("job {job} left a result of the wrong shape: {n} faults", job=handle, n=error.error_count())
        raise Failed(told) from error
    return done(shape(made, state)).model_copy(update={"usd_micro": state.usd_micro})


def done(record: BaseModel) -> Done:
    """The call is over with this result."""
    return Done(result=record.model_dump(mode="json"))


def left(state: JobState) -> dict[str, Any]:
    """Where a finished job's output lies, and how it was isolated."""
    return {"key": f"jobs/{state.id}", "isolation": state.isolation}


def find(args: BaseModel, site: Site) -> Outcome | None:
    """The job that carries this call id, running or over."""
    del args
    state = site.backend.jobs.find(site.tags.call)
    return None if state is None else Running(handle=state.id, progress=state.progress)


def stop(args: BaseModel, site: Site, handle: str) -> None:
    del args
    site.backend.jobs.cancel(handle)
