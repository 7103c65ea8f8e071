"""A backend's jobs in a folder of a test, a project to run programs from, and programs that are hard to end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tools.backends.local.jobs import LocalJobs
from tools.backends.local.objects import LocalObjects
from tools.backends.local.registry import Identity, read_json
from tools.ports import JobSpec, JobState, Tags

ROOT = Path(__file__).parents[2]
FOREVER = "import time\nwhile True: time.sleep(0.05)\n"


class Desk:
    """A backend's jobs in a folder of the test, and a project to run programs from."""

    def __init__(self, root: Path, *, home: str = "home") -> None:
        self.runtime, self.home, self.project = root / "runtime", root / home, root / "project"
        for folder in (self.runtime, self.project):
            folder.mkdir()
        self.objects = LocalObjects(self.home)
        self.jobs = LocalJobs(runtime=self.runtime, objects=self.objects, grace_s=0.3)

    def start(self, code: str, *, step: str = "train", lease_s: float = 60, **fields: Any) -> JobState:
        (self.project / f"{step}.py").write_text(code)
        return self.submit((sys.executable, f"{step}.py"), step=step, lease_s=lease_s, **fields)

    def submit(self, argv: tuple[str, ...], *, step: str = "train", lease_s: float = 60, **fields: Any) -> JobState:
        given = {"program": "command", "argv": argv, "folder": str(self.project), "time_limit_s": 30.0, **fields}
        return self.jobs.submit(spec=JobSpec.model_validate(given), tags=tags(step, lease_s))

    def end_of(self, state: JobState) -> JobState:
        patience = time.monotonic() + 30
        while not state.over:
            assert time.monotonic() < patience, self.jobs.logs(state.id)
            time.sleep(0.01)
            state = self.jobs.poll(state.id)
        return state

    def run(self, code: str, **fields: Any) -> JobState:
        return self.end_of(self.start(code, **fields))

    def folder(self, state: JobState) -> Path:
        return self.runtime / "jobs" / state.id

    def supervisor(self, state: JobState) -> Identity:
        found = read_json(self.folder(state) / "process.json", Identity)
        assert found is not None
        return found

    def written(self, name: str) -> str:
        """What the program has written to a file of its project, once it is there."""
        patience = time.monotonic() + 20
        while not (path := self.project / name).exists() or not path.read_text():
            assert time.monotonic() < patience, f"no {name}"
            time.sleep(0.01)
        return path.read_text()


def tags(step: str, lease_s: float = 60) -> Tags:
    return Tags(run="r1", call=f"r1/{step}/1", owner="me", lease_until=time.time() + lease_s)


def family_of(mark: str) -> list[int]:
    """Processes that carry a mark in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "cmdline").read_bytes() and int(entry.name) != os.getpid():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def gone(mark: str) -> bool:
    patience = time.monotonic() + 10
    while family_of(mark):
        if time.monotonic() > patience:
            return False
        time.sleep(0.01)
    return True


BROOD = """
import os, subprocess, sys, time
mark = sys.argv[1]
child = [sys.executable, "-c", "import time; time.sleep(60)", mark]
subprocess.Popen(child)
subprocess.Popen(child, start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, child)
    os._exit(0)
open("ready", "w").write("yes")
{then}
"""
"""Children that a plain kill of the program misses: one in a session of its own, one whose parent is gone."""


def brood(desk: Desk, mark: str, then: str, **fields: Any) -> JobState:
    (desk.project / "brood.py").write_text(BROOD.format(then=then))
    state = desk.submit((sys.executable, "brood.py", mark), **fields)
    desk.written("ready")
    return state


def agent_code(desk: Desk, script: str, *, sandbox: bool = False) -> str:
    """A program that submits one job like the agent, says so, and stays."""
    lines = (
        "import sys, time",
        f"sys.path.insert(0, {str(ROOT)!r})",
        "from pathlib import Path",
        "from tools.backends.local.jobs import LocalJobs",
        "from tools.backends.local.objects import LocalObjects",
        "from tools.ports import JobSpec, Tags",
        f"jobs = LocalJobs(runtime=Path({str(desk.runtime)!r}), objects=LocalObjects(Path({str(desk.home)!r})))",
        f"spec = JobSpec(program='command', argv=(sys.executable, {script!r}, 'brood-mark'), time_limit_s=30,",
        f"    folder={str(desk.project)!r}, sandbox={sandbox})",
        "tags = Tags(run='r1', call='r1/train/1', owner='me', lease_until=time.time() + 60)",
        "print(jobs.submit(spec=spec, tags=tags).id, flush=True)",
        "time.sleep(30)",
    )
    return "\n".join(lines)


def without_namespaces() -> list[str] | None:
    """A prefix that starts a command where the kernel refuses every further namespace."""
    if not (shutil.which("unshare") and shutil.which("setpriv")):
        return None
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "$@"'
    prefix = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]
    return prefix if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0 else None
