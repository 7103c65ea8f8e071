"""A program in a sandbox looks for the holdout in every way we know, and does not find it."""

from __future__ import annotations

import base64
import ctypes
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.backends.local import linux
from tools.backends.local.jobs import LocalJobs
from tools.backends.local.objects import LocalObjects
from tools.ports import JobSpec, JobState, Tags

ROOT = Path(__file__).parents[2]
NOBODY = 65534
SYSTEM_PYTHON = Path("/usr/bin/python3")
HERE = Path(__file__).parent
WANTED = (
    "its_own_path",
    "another_name_of_the_file",
    "the_home",
    "the_runtime_folder",
    "environments_of_processes",
    "open_files_of_processes",
    "working_folders_of_processes",
    "roots_of_processes",
    "ending_the_agent",
    "files_anywhere",
)
"""Routes that lead to the holdout where nothing is in the way."""


class Place:
    """A project with its data, a home, a runtime folder, and a process that holds all of it open like the agent."""

    def __init__(self, root: Path, uid: int) -> None:
        self.mark = f"holdout-{secrets.token_hex(8)}"
        self.root, self.project, self.home, self.runtime = root, root / "project", root / "home", root / "runtime"
        self.source = self.project / "data" / "rows.csv"
        for folder in (self.source.parent, self.home, self.runtime / "keys" / "r1"):
            folder.mkdir(parents=True, mode=0o755)
        for file in (self.source, self.home / "store.txt", self.runtime / "keys" / "r1" / "holdout.private"):
            file.write_text(self.mark)
        os.link(self.source, self.project / "linked.csv")
        (self.project / "pointer.csv").symlink_to(self.source)
        shutil.copy(HERE / "holdout_hunter.py", self.project)
        self._own(uid)
        with self.source.open("rb") as held:
            self.agent = subprocess.Popen(
                ["sleep", "60"],
                stdin=held,
                cwd=self.source.parent,
                env={"HOLDOUT": self.mark, "PATH": "/usr/bin:/bin"},
                user=uid,
                group=os.getegid() if uid == os.geteuid() else uid,
            )

    def close(self) -> None:
        self.agent.kill()
        self.agent.wait()

    def tell(self, *, start: str) -> None:
        """Leave the program what an attacker may know, and where it begins to search."""
        kind, handle = file_handle(self.source)
        known = {
            "from": start,
            "mark": self.mark,
            "source": str(self.source),
            "home": str(self.home),
            "runtime": str(self.runtime),
            "agent": self.agent.pid,
            "handle": base64.b64encode(handle).decode(),
            "handle_type": kind,
            "device": self.source.stat().st_dev,
        }
        (self.project / "known.json").write_text(json.dumps(known))

    def _own(self, uid: int) -> None:
        if uid != os.geteuid():
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, uid, uid, follow_symlinks=False)


def file_handle(path: Path) -> tuple[int, bytes]:
    """What `open_by_handle_at` takes: it reaches a file without any path."""
    libc = ctypes.CDLL(None, use_errno=True)
    room = ctypes.create_string_buffer((128).to_bytes(4, sys.byteorder) + bytes(132))
    mount = ctypes.c_int()
    if libc.name_to_handle_at(-100, os.fsencode(path), room, ctypes.byref(mount), 0) != 0:
        return 0, b""
    size = int.from_bytes(room.raw[:4], sys.byteorder)
    return int.from_bytes(room.raw[4:8], sys.byteorder, signed=True), room.raw[8 : 8 + size]


@pytest.fixture
def place() -> Iterator[Place]:
    root = Path(tempfile.mkdtemp(prefix="goalkeeper-sandbox-"))
    made = Place(root, os.geteuid())
    yield made
    made.close()
    shutil.rmtree(root)


def hunt(place: Place, *, sandbox: bool) -> JobState:
    jobs = LocalJobs(runtime=place.runtime, objects=LocalObjects(place.home))
    violent = ("--violent",) if sandbox else ()
    place.tell(start="/" if sandbox else str(place.root))
    spec = JobSpec(
        program="command",
        argv=(sys.executable, "holdout_hunter.py", *violent),
        folder=str(place.project),
        hide=(str(place.source),),
        sandbox=sandbox,
        time_limit_s=60,
    )
    tags = Tags(run="r1", call="r1/train/1", owner="me", lease_until=time.time() + 60)
    state = jobs.submit(spec=spec, tags=tags)
    while not state.over:
        time.sleep(0.02)
        state = jobs.poll(state.id)
    assert state.phase == "succeeded", (state.failure, jobs.logs(state.id))
    return state


def claimed(state: JobState) -> dict[str, bool]:
    assert state.result is not None
    return dict(state.result["claimed"])


def test_a_program_in_a_sandbox_does_not_find_the_holdout_by_any_route(place: Place) -> None:
    state = hunt(place, sandbox=True)
    if state.isolation != "sandboxed":
        pytest.skip("this machine gives no user namespaces: the job says so itself")
    seen = claimed(state)
    assert len(seen) >= 20
    assert [route for route, found in seen.items() if found] == []
    assert place.source.read_text() == place.mark, "the data itself is unharmed"


def test_the_same_program_finds_it_where_nothing_is_in_the_way(place: Place) -> None:
    state = hunt(place, sandbox=False)
    assert state.isolation == "none"
    # a PID namespace of its own hides other processes where the kernel gives one; the files are there
    files = [route for route in WANTED if "process" not in route and route != "ending_the_agent"]
    assert [route for route in files if not claimed(state)[route]] == []


def test_an_ordinary_user_gets_the_same_sandbox() -> None:
    if os.geteuid() != 0 or not usable_by_others():
        pytest.skip("needs root to become somebody else, and a system Python that somebody else may start")
    root = Path(tempfile.mkdtemp(prefix="goalkeeper-sandbox-"))
    root.chmod(0o755)
    place = Place(root, NOBODY)
    try:
        place.tell(start="/")
        status = hunt_as(place, NOBODY)
    finally:
        place.close()
        shutil.rmtree(root)
    if status["isolation"] != "sandboxed":
        pytest.skip("ordinary users get no user namespaces here: the job says so itself")
    seen = status["result"]["claimed"]
    assert len(seen) >= 20
    assert [route for route, found in seen.items() if found] == []


def usable_by_others() -> bool:
    command = [
        str(SYSTEM_PYTHON),
        "-I",
        "-S",
        "-c",
        "import sys; assert sys.version_info >= (3, 11); open(sys.argv[1])",
    ]
    if not SYSTEM_PYTHON.exists():
        return False
    started = subprocess.run([*command, linux.__file__], user=NOBODY, group=NOBODY, capture_output=True, check=False)
    return started.returncode == 0


def hunt_as(place: Place, uid: int) -> dict[str, Any]:
    """Start the supervisor as another user, who needs nothing of ours but its source."""
    folder, box = place.runtime / "jobs" / "hunt", place.home / "objects" / ".work" / "hunt"
    for path in (folder, *(box / name for name in ("out", "tmp", "home"))):
        path.mkdir(parents=True)
    (box / "inputs.json").write_text(json.dumps({"args": {}, "mounts": {}}))
    (folder / "tags.json").write_text(json.dumps({"lease_until": time.time() + 60}))
    launch = {
        "id": "hunt",
        "program": "command",
        "argv": [str(SYSTEM_PYTHON), "holdout_hunter.py", "--violent"],
        "folder": str(place.project),
        "box": str(box),
        "home": str(place.home),
        "environment": {},
        "readable": [],
        "hide": [str(place.source), str(place.home), str(place.runtime)],
        "sandbox": True,
        "network": True,
        "disk_bytes": None,
        "time_limit_s": 60,
        "grace_s": 1,
    }
    (folder / "launch.json").write_text(json.dumps(launch))
    for path in (place.home, place.runtime, *place.home.rglob("*"), *place.runtime.rglob("*")):
        os.chown(path, uid, uid)
    start = "import sys; sys.path.insert(0, sys.argv[2]); import os; from tools.backends.local import supervise as s"
    code = f"{start}; sys.exit(s.main(sys.argv[1:2], dict(os.environ)))"
    command = [str(SYSTEM_PYTHON), "-I", "-S", "-c", code, str(folder), str(ROOT)]
    log = (folder / "supervisor.log").open("wb")
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    with log:
        subprocess.run(
            command, user=uid, group=uid, extra_groups=[], env=environment, stdout=log, stderr=log, check=True
        )
    return awaited(folder / "status.json", folder / "supervisor.log")


def awaited(path: Path, log: Path) -> dict[str, Any]:
    patience = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < patience, log.read_text()
        time.sleep(0.02)
    found: dict[str, Any] = json.loads(path.read_bytes())
    assert found["phase"] == "succeeded", found
    return found
