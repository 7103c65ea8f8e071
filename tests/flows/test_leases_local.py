"""What ends local resources when whoever should has been stopped, killed or lied to; and what never ends anything."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_desk import FOREVER, Desk, brood, gone
from serving_desk import Bench, children, opened, until

from tools.backends.local.backend import LocalBackend
from tools.backends.local.endpoint_host import EndpointHost
from tools.backends.local.endpoint_records import LOCK
from tools.backends.local.lease import Held, Instant, instant
from tools.backends.local.process import Process, process, running, serving
from tools.backends.local.registry import TAGS, Identity, Registration, identify, leads, read_json, write_json
from tools.backends.local.watchdog import MARGIN_S, Watchdog
from tools.errors import NotFound

WATCHDOG = "tools.backends.local.watchdog"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("serving")) as made:
        yield made


@pytest.fixture
def sleeper() -> Iterator[Identity]:
    """A process of this user that Goalkeeper has nothing to do with."""
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield identify(started.pid)
    started.kill()
    started.wait()


def after(seconds: float, *, set_by: float = 0.0) -> Instant:
    now = instant()
    return now._replace(wall=now.wall + seconds + set_by, up=now.up + seconds)


def look(runtime: Path, seconds: float) -> bool:
    """What a watchdog does that looks so many seconds from now."""
    return Watchdog(runtime, clock=lambda: after(seconds)).look()


def tags_of(folder: Path) -> Registration:
    tags = read_json(folder / TAGS, Registration)
    assert tags is not None
    return tags


def watchdogs(runtime: Path) -> list[Process]:
    return [one for folder, one in serving(WATCHDOG) if folder == runtime]


@pytest.mark.parametrize("sandbox", [False, True])
def test_a_job_whose_supervisor_was_stopped_ends_a_while_after_its_lease(desk: Desk, sandbox: bool) -> None:
    state = brood(desk, f"mark-{desk.home}", FOREVER, sandbox=sandbox)
    os.kill(desk.supervisor(state).pid, signal.SIGSTOP)
    assert look(desk.runtime, 60 + MARGIN_S - 2)
    assert desk.jobs.poll(state.id).phase == "running"
    look(desk.runtime, 60 + MARGIN_S + 2)
    assert gone(f"mark-{desk.home}")
    ended = desk.jobs.poll(state.id)
    assert ended.failure is not None
    assert (ended.phase, ended.failure.cause) == ("failed", "timeout")
    assert "ended from outside" in ended.failure.message
    assert list(desk.objects.work.iterdir()) == []
    assert not look(desk.runtime, 0), "nothing is left to look after"


def test_an_endpoint_whose_host_was_stopped_ends_with_every_server_a_while_after_its_lease(bench: Bench) -> None:
    bench.ready("stopped", "v1", lease_s=300.0)
    folder, host = bench.runtime / "endpoints" / "stopped", bench.process("stopped").process
    servers = [process(pid) for pid in children(host.pid)]
    os.kill(host.pid, signal.SIGSTOP)
    look(bench.runtime, 300.0)
    assert all(running(one) for one in servers)
    look(bench.runtime, 300.0 + MARGIN_S + 2)
    assert not [one for one in (*servers, Process(host.pid, host.ticks)) if running(one)]
    assert not folder.exists()
    with pytest.raises(NotFound):
        bench.serving.state("stopped")


def test_a_record_that_was_damaged_does_not_let_a_stopped_supervisor_live_on(desk: Desk) -> None:
    state = desk.start(FOREVER)
    moment = [0.0]
    watchdog = Watchdog(desk.runtime, clock=lambda: after(moment[0]))
    assert watchdog.look()
    os.kill((supervisor := desk.supervisor(state)).pid, signal.SIGSTOP)
    (desk.folder(state) / TAGS).write_text('{"lease_until": 99')
    moment[0] = 60 + MARGIN_S + 2
    watchdog.look()
    assert not running(Process(supervisor.pid, supervisor.ticks))


def test_a_supervisor_whose_record_cannot_be_read_goes_on_until_its_lease_and_one_without_record_ends(
    desk: Desk,
) -> None:
    torn, bare = desk.start(FOREVER, step="torn", lease_s=2.0), desk.start(FOREVER, step="bare")
    (desk.folder(torn) / TAGS).write_text("{")
    (desk.folder(bare) / TAGS).unlink()
    supervisors = {state.id: desk.supervisor(state) for state in (torn, bare)}
    until(lambda: None if leads(supervisors[bare.id], desk.folder(bare)) else True)
    assert leads(supervisors[torn.id], desk.folder(torn))
    until(lambda: None if leads(supervisors[torn.id], desk.folder(torn)) else True)


def test_a_watchdog_ends_nobody_but_whom_we_started_for_that_very_folder(desk: Desk, sleeper: Identity) -> None:
    state = desk.start(FOREVER)
    other = desk.runtime / "jobs" / "other"
    other.mkdir()
    for named in (identify(os.getpid()), identify(1), sleeper, desk.supervisor(state)):
        record = tags_of(desk.folder(state)).model_copy(update={"id": "other", "process": named})
        write_json(other / TAGS, record.leased(time.time() - 3600))
        assert look(desk.runtime, 0), "the true job is looked after"
    assert running(Process(sleeper.pid, sleeper.ticks))
    assert desk.jobs.poll(state.id).phase == "running"
    desk.jobs.cancel(state.id)


def test_one_watchdog_comes_with_the_first_job_again_with_a_later_command_and_goes_with_the_last(desk: Desk) -> None:
    first, second = desk.start(FOREVER, step="one"), desk.start(FOREVER, step="two")
    (only,) = watchdogs(desk.runtime)
    os.kill(only.pid, signal.SIGKILL)
    until(lambda: None if running(only) else True)
    LocalBackend(home=desk.home, runtime=desk.runtime)
    (again,) = watchdogs(desk.runtime)
    assert again != only
    desk.jobs.cancel(first.id)
    assert desk.jobs.poll(second.id).phase == "running"
    desk.jobs.cancel(second.id)
    until(lambda: None if running(again) else True, within_s=10)
    LocalBackend(home=desk.home, runtime=desk.runtime)
    assert watchdogs(desk.runtime) == []


@pytest.mark.parametrize("set_by", [0.0, 86_400.0, -86_400.0])
def test_a_host_keeps_its_lease_when_the_clock_is_set_and_ends_when_its_length_is_over(
    tmp_path: Path, set_by: float
) -> None:
    begin = after(0)

    async def ends(seconds: float) -> bool:
        now, folder = begin, tmp_path / f"{seconds}"
        folder.mkdir()
        (folder / LOCK).touch()
        made = tags_for(folder).leased(begin.wall + 100, begin)
        host = EndpointHost(folder=folder, registration=made, url="", control="", clock=lambda: now)
        now = begin._replace(wall=begin.wall + seconds + set_by, up=begin.up + seconds)
        try:
            async with asyncio.timeout(0.05):
                await host.watch()
        except TimeoutError:
            return False
        finally:
            await host.close()
        return True

    assert not asyncio.run(ends(99))
    assert asyncio.run(ends(100.01))


def test_a_lease_that_is_extended_counts_from_then(tmp_path: Path) -> None:
    made = tags_for(tmp_path)
    write_json(tmp_path / TAGS, made.leased(made.started + 10))
    shift = [0.0]
    held = Held(tmp_path / TAGS, clock=lambda: after(shift[0]))
    shift[0] = 9.0
    assert not held.lapsed
    write_json(tmp_path / TAGS, made.leased(made.started + 109, after(9.0)))
    shift[0] = 20.0
    assert held.lapsed, "what it read last"
    held.read()
    assert not held.lapsed
    (tmp_path / TAGS).write_text("{")
    held.read()
    assert not held.lapsed, "the last that could be read counts"
    shift[0] = 110.0
    assert held.lapsed


def tags_for(folder: Path) -> Registration:
    now = instant().wall
    fields = {"kind": "job", "id": folder.name, "run": "r", "call": "r/d/1", "owner": "me", "started": now}
    return Registration.model_validate({**fields, "lease_until": now, "process": {"pid": 0, "ticks": 0}})
