"""Jobs as real processes: they outlive the agent, end at their limits, and leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Literal

import pytest
from local_desk import BROOD, FOREVER, ROOT, Desk, agent_code, brood, gone, without_namespaces

from tools import sweep
from tools.backends.local.inventory import Inventory
from tools.backends.local.lease import instant
from tools.backends.local.process import Process, running
from tools.backends.local.registry import TAGS, Identity, Registration, alive, read_json, write_json
from tools.errors import Conflict, Invalid
from tools.ports import Scope


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_call_starts_one_job_however_many_ask_at_once(desk: Desk) -> None:
    (desk.project / "train.py").write_text("print('one')")
    seen: list[str] = []

    def ask() -> None:
        try:
            desk.submit((sys.executable, "train.py"))
            seen.append("started")
        except Conflict:
            seen.append("conflict")

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == ["conflict"] * 5 + ["started"]
    found = desk.jobs.find("r1/train/1")
    assert found is not None
    assert desk.end_of(found).phase == "succeeded"
    assert list(desk.jobs.logs(found.id)) == ["one"]


def test_a_killed_agent_does_not_kill_its_job(desk: Desk) -> None:
    (desk.project / "slow.py").write_text("import time; time.sleep(0.6); print('done')")
    agent = subprocess.Popen([sys.executable, "-I", "-c", agent_code(desk, "slow.py")], stdout=subprocess.PIPE)
    with agent:
        assert agent.stdout is not None
        agent.stdout.readline()
        os.kill(agent.pid, signal.SIGKILL)
    found = desk.jobs.find("r1/train/1")
    assert found is not None
    assert found.phase == "running"
    assert desk.end_of(found).phase == "succeeded"
    assert list(desk.jobs.logs(found.id)) == ["done"]


@pytest.mark.parametrize("sandbox", [False, True])
def test_a_killed_supervisor_leaves_nothing_of_its_job_running(desk: Desk, sandbox: bool) -> None:
    state = brood(desk, f"mark-{desk.home}", "import time; time.sleep(60)", sandbox=sandbox)
    os.kill(desk.supervisor(state).pid, signal.SIGKILL)
    assert gone(f"mark-{desk.home}")
    state = desk.end_of(state)
    assert state.phase == "lost"
    assert state.failure is not None
    assert state.failure.cause == "node_lost"


@pytest.mark.parametrize("sandbox", [False, True])
def test_cancelling_ends_every_descendant(desk: Desk, sandbox: bool) -> None:
    state = brood(desk, f"mark-{desk.home}", "import time; time.sleep(60)", sandbox=sandbox)
    desk.jobs.cancel(state.id)
    assert desk.jobs.poll(state.id).phase == "cancelled"
    assert gone(f"mark-{desk.home}")
    assert list(desk.objects.work.iterdir()) == []
    desk.jobs.cancel(state.id)
    desk.jobs.cancel("never-was")


def test_a_program_that_ends_takes_its_children_with_it(desk: Desk) -> None:
    state = desk.end_of(brood(desk, f"mark-{desk.home}", "print('over')"))
    assert state.phase == "succeeded"
    assert gone(f"mark-{desk.home}")


def test_a_program_that_ignores_being_asked_is_ended_at_its_time_limit(desk: Desk) -> None:
    state = desk.run(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{FOREVER}", time_limit_s=0.5)
    assert state.failure is not None
    assert (state.phase, state.failure.cause) == ("failed", "timeout")
    assert "time limit of 0.5 s" in state.failure.message


def test_a_program_may_save_its_work_when_it_is_asked_to_end(desk: Desk) -> None:
    code = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(print('saved')))\n"
    state = desk.run(f"{code}{FOREVER}", time_limit_s=0.5)
    assert state.phase == "failed"
    assert list(desk.jobs.logs(state.id)) == ["saved"]


def test_a_lapsed_lease_ends_a_job_and_an_extended_one_does_not(desk: Desk) -> None:
    lapsing = desk.start(FOREVER, step="lapsing", lease_s=0.4)
    extended = desk.start(FOREVER, step="extended", lease_s=0.4)
    path = desk.folder(extended) / TAGS
    said = read_json(path, Registration)
    assert said is not None
    write_json(path, said.leased(time.time() + 60))
    ended = desk.end_of(lapsing)
    assert ended.failure is not None
    assert "lease" in ended.failure.message
    assert desk.jobs.poll(extended.id).phase == "running"
    desk.jobs.cancel(extended.id)


def test_isolation_is_called_encrypted_where_the_kernel_gives_no_sandbox(desk: Desk) -> None:
    if (confined := without_namespaces()) is None:
        pytest.skip("needs unshare(1) and setpriv(1)")
    (desk.project / "brood.py").write_text(BROOD.format(then="import time; time.sleep(60)"))
    command = [*confined, sys.executable, "-I", "-c", agent_code(desk, "brood.py", sandbox=True)]
    agent = subprocess.Popen(command, stdout=subprocess.PIPE)
    with agent:
        assert agent.stdout is not None
        agent.stdout.readline()
        agent.kill()
    desk.written("ready")
    state = desk.jobs.find("r1/train/1")
    assert state is not None
    assert (state.phase, state.isolation) == ("running", "encrypted")
    assert any("isolation by sandbox is not available" in line for line in desk.jobs.logs(state.id))
    os.kill(desk.supervisor(state).pid, signal.SIGKILL)
    assert gone("brood-mark")


def test_a_job_whose_starter_died_before_its_supervisor_came_up_is_lost_for_good(desk: Desk) -> None:
    state = desk.run("print()")
    folder = desk.folder(state)
    for name in ("status.json", "process.json"):
        (folder / name).unlink()
    write_json(folder / "submitter.json", Identity(pid=2**22 + 1, ticks=1))
    assert desk.jobs.poll(state.id).phase == "lost"
    late = subprocess.run([sys.executable, "-I", "-m", "tools.backends.local.supervise", str(folder)], check=False)
    assert late.returncode == 3
    assert desk.jobs.poll(state.id).phase == "lost"


def test_every_fault_of_a_specification_is_listed_and_nothing_is_left(desk: Desk) -> None:
    with pytest.raises(Invalid) as caught:
        desk.submit((), folder="relative", mounts={"data": "not/there"}, hide=("also/relative",), step="wrong")
    assert len(caught.value.faults) == 4
    assert not (desk.runtime / "jobs").exists()


def test_the_sweeper_lists_what_runs_and_ends_what_nobody_needs(desk: Desk) -> None:
    needed = desk.start(FOREVER, step="needed")
    orphaned = desk.start(FOREVER, step="orphaned")
    done = desk.run("print()", step="done", lease_s=0.4)
    assert {owned.id for owned in desk.jobs.owned(Scope(run="r1"))} == {needed.id, orphaned.id}
    assert desk.jobs.owned(Scope(run="another")) == ()
    assert swept(desk) == (0, {needed.id: False, orphaned.id: False})
    supervisor = desk.supervisor(orphaned)
    os.kill(supervisor.pid, signal.SIGKILL)
    while running(Process(supervisor.pid, supervisor.ticks)):
        time.sleep(0.01)
    assert swept(desk) == (1, {needed.id: False, orphaned.id: True})
    time.sleep(0.5)
    assert swept(desk, "--release") == (1, {needed.id: False, orphaned.id: True})
    assert swept(desk) == (0, {needed.id: False})
    assert not desk.folder(orphaned).exists()
    assert not desk.folder(done).exists()
    at = instant()
    later = Inventory(desk.runtime, clock=lambda: at._replace(wall=at.wall + 3600, up=at.up + 3600))
    assert sweep.release(later)[0].released
    assert not alive(supervisor)
    assert swept(desk) == (0, {})
    assert list(desk.objects.work.iterdir()) == []


def swept(desk: Desk, option: Literal["", "--release"] = "") -> tuple[int, dict[str, bool]]:
    command = [
        sys.executable,
        "-m",
        "tools.sweep",
        "--runtime",
        str(desk.runtime),
        "--json",
        *([option] if option else []),
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stderr == "" if not option else all(line.startswith("ending job ") for line in ran.stderr.splitlines())
    found = json.loads(ran.stdout)["resources"]
    return ran.returncode, {each["owned"]["id"]: each["unowned"] for each in found}


def test_the_sweeper_needs_nothing_of_the_agent() -> None:
    strangers = "[m for m in sys.modules if m.split('.')[0] in ('agent', 'policies', 'sqlite3')]"
    code = f"import sys, tools.sweep; print({strangers})"
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
