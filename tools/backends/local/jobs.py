"""Jobs as detached local processes that outlive the agent: started, looked at and ended through their folders.

A job's folder below the runtime folder is its record; its box below the home is all the program may write to.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from tools.backends.local.disk import remove, write_once
from tools.backends.local.job_records import NOBODY, Status, faults_of, job_id, last_said, newest_progress
from tools.backends.local.keys import Keys
from tools.backends.local.launch import Launch
from tools.backends.local.leftovers import clear
from tools.backends.local.objects import LocalObjects
from tools.backends.local.output import last_lines
from tools.backends.local.owners import Drafts
from tools.backends.local.process import Process, tell
from tools.backends.local.registry import (
    OVER,
    TAGS,
    Identity,
    Registration,
    alive,
    end,
    folders,
    identify,
    leads,
    read_json,
    registrations,
    write_json,
)
from tools.backends.local.watchdog import attend
from tools.errors import Conflict, Invalid, NotFound, Transient, Unknown
from tools.homes import is_home
from tools.language import tr
from tools.ports import JobSpec, JobState, Owned, Promise, Scope, Tags
from tools.recipes.records import Inputs

INPUTS = "inputs.json"
REGISTER_S = 90.0
"""A supervisor that has not registered by then never will: its starter waits less."""


_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class LocalJobs:
    """Jobs of one user on this machine.

    `grace_s` lies between SIGTERM and SIGKILL; `disk_bytes` is what one job may write, None what the disk can spare.
    """

    promise = Promise(atomic=True, ends_within_s=5.0)

    def __init__(
        self,
        *,
        runtime: Path,
        objects: LocalObjects,
        grace_s: float = 3.0,
        disk_bytes: int | None = None,
        drafts: Drafts | None = None,
    ) -> None:
        """`drafts`: of the owner of a run, in whose hands it is."""
        self._runtime = Path(os.path.realpath(runtime))
        self._objects = objects
        self._drafts = drafts
        self._keys = Keys(self._runtime)
        self._grace_s = grace_s
        self._disk_bytes = disk_bytes

    def submit(self, *, spec: JobSpec, tags: Tags) -> JobState:
        """Start a job and return once its supervisor is registered. Conflict, Invalid, Transient, Unknown."""
        launch, inputs = self._plan(spec, tags)
        folder = self._runtime / "jobs" / launch.id
        if self._forsaken(folder):
            write_json(folder / "submitter.json", identify(os.getpid()))
            return self._begin(folder, launch, inputs, anew=False)
        if folder.exists():
            raise Conflict(tr("There is a job of call {call}: {job}.", call=tags.call, job=launch.id))
        try:
            self._register(folder, launch, tags)
        except OSError as error:
            said = tr("Job {job} cannot be registered: {error}.", job=launch.id, error=error)
            raise Transient(said, retry_after_s=5.0, why="capacity") from error
        return self._begin(folder, launch, inputs)

    def _begin(self, folder: Path, launch: Launch, inputs: Inputs, *, anew: bool = True) -> JobState:
        """Start what is registered. Not anew: a supervisor may be on its way, and one of the two will run it."""
        try:
            if anew or not (Path(launch.box) / INPUTS).exists():
                _fill(Path(launch.box), inputs)
            _start(folder)
        except (OSError, subprocess.SubprocessError) as error:
            self._withdraw(folder, launch, error)
        attend(self._runtime)
        return self.poll(launch.id)

    def poll(self, job: str) -> JobState:
        """From files alone: the status, else what the supervisor's process says by being there."""
        folder = self._folder(job)
        tags = read_json(folder / TAGS, Registration)
        if tags is None:
            raise NotFound(tr("There is no job {job}.", job=job))
        if (status := read_json(folder / OVER, Status)) is not None:
            return status.state(job)
        phase, isolation = self._phase(folder, tags), (folder / "isolation.json")
        if phase == "lost":
            # the supervisor may have left its status between the two looks
            status = read_json(folder / OVER, Status) or Status.lost(tags.started)
            return status.state(job)
        seen = isolation.read_text(encoding="ascii").strip('"') if isolation.exists() else "none"
        progress = next((newest_progress(Path(path)) for path in tags.debris), None) or last_said(folder)
        fields = {"id": job, "phase": phase, "started": tags.started, "isolation": seen, "progress": progress}
        return JobState.model_validate(fields)

    def logs(self, job: str, *, tail: int = 200) -> Sequence[str]:
        """The last lines, from a bounded read. NotFound."""
        folder = self._folder(job)
        if not folder.is_dir():
            raise NotFound(tr("There is no job {job}.", job=job))
        return last_lines(folder, tail)

    def cancel(self, job: str) -> None:
        """End the job with all its processes, and return when they have ended."""
        if not _ID.fullmatch(job):
            return  # nothing can have that name
        if self._drafts is not None:
            self._drafts.check()
        folder = self._folder(job)
        tags = read_json(folder / TAGS, Registration)
        if tags is None or (folder / OVER).exists():
            return
        if not write_once(folder / "process.json", NOBODY.model_dump()):
            _stop(folder, self._grace_s)
        write_once(folder / OVER, {"phase": "cancelled", "started": tags.started, "ended": time.time()})
        clear(tags.debris, folder)

    def find(self, call: str) -> JobState | None:
        """None as well for a job whose submitter ended before it was started: submitting it again starts it."""
        try:
            return None if self._forsaken(self._folder(job_id(call))) else self.poll(job_id(call))
        except NotFound:
            return None

    def _forsaken(self, folder: Path) -> bool:
        """It is registered, and whoever registered it ended before anybody ran it or gave it up."""
        if not folder.is_dir() or any((folder / name).exists() for name in ("process.json", OVER)):
            return False
        submitter = read_json(folder / "submitter.json", Identity)
        return submitter is not None and not alive(submitter)

    def owned(self, scope: Scope) -> Sequence[Owned]:
        """Jobs that are not over; a job whose supervisor is gone says so."""
        found = []
        for folder, tags in registrations(self._runtime, "jobs"):
            if scope.run in (None, tags.run) and not (folder / OVER).exists():
                gone = self._phase(folder, tags) == "lost" and not (folder / OVER).exists()
                found.append(tags.model_copy(update={"detail": tr("its supervisor is gone")} if gone else {}).owned())
        return tuple(found)

    def _phase(self, folder: Path, tags: Registration) -> str:
        """`queued`, `running` or `lost`; what was never started and will not be is given up for good here."""
        identity = read_json(folder / "process.json", Identity)
        if identity is None:
            submitter = read_json(folder / "submitter.json", Identity)
            if submitter is not None and alive(submitter) and time.time() < tags.started + REGISTER_S:
                return "queued"
            write_once(folder / "process.json", NOBODY.model_dump())
            identity = read_json(folder / "process.json", Identity) or NOBODY
        return "running" if alive(identity) else "lost"

    def _folder(self, job: str) -> Path:
        if not _ID.fullmatch(job):
            raise NotFound(tr("There is no job {job!r}.", job=job))
        return self._runtime / "jobs" / job

    def _register(self, folder: Path, launch: Launch, tags: Tags) -> None:
        """The folder appears whole and at once: it is the token of the call. Conflict when it is there."""
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        making = self._drafts or Drafts(folder.parent)
        with making.draft(".draft-") as draft:
            try:
                launch.write(draft)
                write_json(draft / "submitter.json", identify(os.getpid()))
                write_json(draft / TAGS, _registration(launch, tags))
                making.move(draft, folder)
            except OSError as error:
                making.check()
                if folder.exists():
                    told = tr("There is a job of call {call}: {job}.", call=tags.call, job=folder.name)
                    raise Conflict(told) from error
                raise

    def _withdraw(self, folder: Path, launch: Launch, error: Exception) -> NoReturn:
        """The supervisor did not come up: take the job back where that is certain, else say that it is not."""
        if not write_once(folder / "process.json", NOBODY.model_dump()):
            raise Unknown(tr("Job {job} may have started: {error}.", job=launch.id, error=error)) from error
        said = " ".join(last_lines(folder, 3, name="supervisor.log"))
        for path in (folder, Path(launch.box)):
            remove(path)
        raise Transient(
            tr("Job {job} did not start: {error} {said}", job=launch.id, error=error, said=said).strip(),
            retry_after_s=5.0,
            why="capacity",
        ) from error

    def _plan(self, spec: JobSpec, tags: Tags) -> tuple[Launch, Inputs]:
        """What the supervisor and the program are told. Invalid with every fault."""
        home, box = self._objects.root.parent, self._objects.work / job_id(tags.call)
        mounts, faults = self._mounts(spec)
        faults += faults_of(spec, home)
        if faults:
            raise Invalid(*faults)
        secrets = {name: str(self._keys.path(tags.run, name)) for name in spec.secrets}
        own = spec.program == "command"
        kept = tuple(dict.fromkeys((str(self._runtime), str(home), *self._homes())))
        launch = Launch(
            id=job_id(tags.call),
            program=spec.program,
            argv=spec.argv,
            folder=spec.folder if own and spec.folder else str(box),
            box=str(box),
            home=str(home),
            environment=dict(spec.environment),
            readable=(*mounts.values(), *secrets.values()),
            hide=(*spec.hide, *kept),
            sandbox=spec.sandbox,
            network=own or spec.program == "load",
            disk_bytes=self._disk_bytes,
            time_limit_s=spec.time_limit_s,
            grace_s=self._grace_s,
            language=spec.language,
        )
        return launch, Inputs(
            args=spec.args,
            mounts=mounts,
            secrets=secrets,
            hide=kept,
            out=str(launch.out),
            language=spec.language,
        )

    def _homes(self) -> Iterator[str]:
        """The homes of all jobs known here, as far as they still look like one: opened holdouts lie there."""
        for folder in folders(self._runtime, "jobs"):
            try:
                home = Launch.read(folder).home
            except (OSError, ValueError, TypeError, AttributeError):
                continue  # a folder that is just being made, or unmade
            if is_home(home):
                yield os.path.realpath(home)

    def _mounts(self, spec: JobSpec) -> tuple[dict[str, str], list[str]]:
        found: dict[str, str] = {}
        faults: list[str] = []
        for name, key in spec.mounts.items():
            try:
                found[name] = os.path.realpath(self._objects.fetch(key))
            except (NotFound, Invalid) as error:
                faults.append(f"mount {name}: {error}")
        return found, faults


def _fill(box: Path, inputs: Inputs) -> None:
    """Make the program's own folder, anew; the inputs come last."""
    remove(box)
    for name in ("out", "tmp", "home", "checkpoint"):
        (box / name).mkdir(mode=0o700, parents=True)
    write_json(box / INPUTS, inputs)


def _start(folder: Path) -> None:
    """Start the supervisor in a session of its own and wait until it is registered."""
    command = [sys.executable, "-I", "-m", "tools.backends.local.supervise", str(folder)]
    with (folder / "supervisor.log").open("ab") as log:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,
            check=True,
        )


def _stop(folder: Path, grace_s: float) -> None:
    """Ask the supervisor to end the program; end all of it when it does not."""
    identity = read_json(folder / "process.json", Identity) or NOBODY
    if leads(identity, folder):
        tell(Process(identity.pid, identity.ticks), signal.SIGTERM)
    patience = time.monotonic() + grace_s + 2.0
    while alive(identity) and not (folder / OVER).exists() and time.monotonic() < patience:
        time.sleep(0.01)
    if not (folder / OVER).exists():
        end(identity, folder, grace_s=0.2)


def _registration(launch: Launch, tags: Tags) -> Registration:
    made = Registration(
        kind="job",
        id=launch.id,
        run=tags.run,
        call=tags.call,
        owner=tags.owner,
        lease_until=tags.lease_until,
        started=time.time(),
        process=NOBODY,
        debris=(launch.box,),
    )
    return made.leased(tags.lease_until)
