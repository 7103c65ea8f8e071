"""An owner of a run that falls asleep on this machine, at the very last instant before something of its becomes known.

Whoever goes on with the run waits for nothing that the sleeper holds, and when that wakes it can change nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.backends.local.backend import LocalBackend
from tools.backends.local.jobs import LocalJobs
from tools.backends.local.objects import LocalObjects
from tools.backends.local.owners import Drafts
from tools.backends.local.registry import Identity, read_json, write_json
from tools.backends.local.serving import LocalServing
from tools.epochs import Tenure
from tools.errors import NotFound, Superseded
from tools.ports import JobSpec, ServeSpec, Tags

RUN = "asleep"
SUPERSEDED = 7
MODEL = "models/any"


class Sleepy(Drafts):
    """Falls asleep right before the first rename that would make something known."""

    def move(self, source: Path, target: Path) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        super().move(source, target)


class Machine:
    def __init__(self, folder: Path) -> None:
        self.home, self.runtime = folder / "home", folder / "runtime"
        self.backend = LocalBackend(home=self.home, runtime=self.runtime)
        self.content = folder / "content"
        self.content.mkdir()
        (self.content / "file").write_text("of the sleeper")
        self.backend.objects.put(MODEL, self.content)

    def tags(self) -> Tags:
        return Tags(run=RUN, call=f"{RUN}/step/1", owner="ada", lease_until=time.time() + 60)

    def spec(self) -> JobSpec:
        code = "import time; time.sleep(60)"
        return JobSpec(
            program="command", argv=(sys.executable, "-c", code), folder=str(self.content), time_limit_s=50.0
        )

    def sleeper(self, deed: Callable[[LocalObjects, LocalJobs, LocalServing], object]) -> int:
        """A process that owns the run and is asleep in that deed; its pid."""
        tenure = Tenure(run=RUN, epoch=1)
        self.backend.fenced(run=RUN, epoch=1)
        ours, theirs = Path("owners", RUN, "1"), self.home / "objects" / ".work"
        drafts = Sleepy(self.runtime, self.runtime / ours)
        objects = LocalObjects(self.home, Sleepy(theirs, theirs / ours))
        jobs = LocalJobs(runtime=self.runtime, objects=objects, drafts=drafts)
        serving = LocalServing(runtime=self.runtime, objects=objects, drafts=drafts, tenure=tenure)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                deed(objects, jobs, serving)
                code = 0
            except Superseded:
                code = SUPERSEDED
            finally:
                os._exit(code)
        assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
        return pid


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _woken(pid: int) -> int:
    os.kill(pid, signal.SIGCONT)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_job_of_one_who_slept_never_starts(machine: Machine) -> None:
    pid = machine.sleeper(lambda objects, jobs, serving: jobs.submit(spec=machine.spec(), tags=machine.tags()))
    later = machine.backend.fenced(run=RUN, epoch=2)
    assert later.jobs.find(machine.tags().call) is None
    assert _woken(pid) == SUPERSEDED
    assert later.jobs.find(machine.tags().call) is None
    job = later.jobs.submit(spec=machine.spec(), tags=machine.tags()).id
    later.jobs.cancel(job)
    assert [p.name for p in (machine.runtime / "jobs").iterdir()] == [job]


def test_an_object_of_one_who_slept_replaces_nothing(machine: Machine) -> None:
    pid = machine.sleeper(lambda objects, jobs, serving: objects.put("models/mine", machine.content))
    later = machine.backend.fenced(run=RUN, epoch=2)
    (machine.content / "file").write_text("of the one who goes on")
    stored = later.objects.put("models/mine", machine.content)
    assert _woken(pid) == SUPERSEDED
    assert later.objects.digest("models/mine") == stored
    assert (later.objects.fetch("models/mine") / "file").read_text() == "of the one who goes on"
    assert sorted(p.name for p in (machine.home / "objects" / ".work").iterdir()) == ["owners"]


def test_an_endpoint_that_one_who_slept_was_about_to_start_is_started_by_the_next(machine: Machine) -> None:
    spec = ServeSpec(endpoint="people", version="v1", model=MODEL)
    pid = machine.sleeper(lambda objects, jobs, serving: serving.deploy(spec=spec, tags=machine.tags()))
    later = machine.backend.fenced(run=RUN, epoch=2)
    with pytest.raises(NotFound):
        later.serving.state("people")
    try:
        made = later.serving.deploy(spec=spec, tags=machine.tags())
        assert _woken(pid) == SUPERSEDED
        assert [v.name for v in later.serving.state("people").versions] == ["v1"]
        assert later.serving.state("people").url == made.url
    finally:
        machine.backend.serving.remove("people")
    assert list((machine.runtime / "endpoints").iterdir()) == []


def test_a_job_whose_submitter_was_killed_before_it_started_is_started_once_by_the_next(machine: Machine) -> None:
    """As a kill between the two leaves it: registered, its box half made, and nobody to run it."""
    first = machine.backend.fenced(run=RUN, epoch=1)
    job = first.jobs.submit(spec=machine.spec(), tags=machine.tags()).id
    first.jobs.cancel(job)
    folder = machine.runtime / "jobs" / job
    for name in ("status.json", "process.json"):
        (folder / name).unlink()
    write_json(folder / "submitter.json", Identity(pid=2**22 + 1, ticks=1))
    later = machine.backend.fenced(run=RUN, epoch=2)
    assert later.jobs.find(machine.tags().call) is None
    again = later.jobs.submit(spec=machine.spec(), tags=machine.tags())
    assert (again.id, again.phase) == (job, "running")
    runner = read_json(folder / "process.json", Identity)
    assert later.jobs.find(machine.tags().call) is not None
    assert read_json(folder / "process.json", Identity) == runner
    later.jobs.cancel(job)


def test_of_two_owners_at_once_the_later_one_stays(machine: Machine) -> None:
    later = machine.backend.fenced(run=RUN, epoch=9)
    with pytest.raises(Superseded):
        machine.backend.fenced(run=RUN, epoch=8)
    later.objects.put("models/later", machine.content)
    assert sorted(p.name for p in (machine.runtime / "owners" / RUN).iterdir()) == ["9"]
