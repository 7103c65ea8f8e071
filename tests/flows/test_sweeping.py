"""The sweeper with records that are gone, damaged or forged, and over the ports of any backend."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_desk import FOREVER, Desk, brood, gone

from tools import sweep
from tools.backends.local.inventory import Inventory
from tools.backends.local.lease import instant
from tools.backends.local.process import Process, running
from tools.backends.local.registry import TAGS, Identity, Registration, identify, read_json, write_json
from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.faults import FaultKind
from tools.backends.sim.world import load_world
from tools.errors import Refused
from tools.ports import JobSpec, JobState, Owned, Scope, ServeSpec, Tags
from tools.sweep import Finding, Whose

HUGE = 1 << 40
TORN: dict[str, Callable[[Path], object]] = {
    "truncated": lambda tags: os.truncate(tags, 40),
    "empty": lambda tags: tags.write_bytes(b""),
    "no record": lambda tags: tags.write_text('{"kind": "job"}'),
    "huge": lambda tags: os.truncate(tags, HUGE),
    "deep": lambda tags: tags.write_text("[" * 60_000),
    "a link": lambda tags: (tags.rename(tags.with_name("moved")), tags.symlink_to("moved")),
    "a pipe": lambda tags: (tags.unlink(), os.mkfifo(tags)),
    "another's": lambda tags: tags.write_text(tags.read_text().replace("r1-", "r2-")),
}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def sleeper() -> Iterator[Identity]:
    """A process of this user that Goalkeeper has nothing to do with."""
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield identify(started.pid)
    started.kill()
    started.wait()


def killed(desk: Desk, state: JobState) -> None:
    supervisor = desk.supervisor(state)
    os.kill(supervisor.pid, signal.SIGKILL)
    while running(Process(supervisor.pid, supervisor.ticks)):
        time.sleep(0.01)


def tags_of(desk: Desk, state: JobState) -> Registration:
    tags = read_json(desk.folder(state) / TAGS, Registration)
    assert tags is not None
    return tags


def in_a_minute(desk: Desk) -> Inventory:
    """What is there once the leases of all jobs have lapsed."""
    now = instant()
    return Inventory(desk.runtime, clock=lambda: now._replace(wall=now.wall + 61, up=now.up + 61))


def seen(found: tuple[Finding, ...]) -> list[tuple[str, bool, bool]]:
    return [(each.owned.id, each.unowned, each.released) for each in found]


@pytest.mark.parametrize("damage", list(TORN))
def test_a_job_whose_record_is_damaged_is_found_by_its_process_and_ended(desk: Desk, damage: str) -> None:
    state = brood(desk, f"mark-{desk.home}", FOREVER)
    os.kill(desk.supervisor(state).pid, signal.SIGSTOP)  # or it would end by itself where the record is gone
    TORN[damage](desk.folder(state) / TAGS)
    (found,) = sweep.look(Inventory(desk.runtime))
    assert (found.owned.id, found.alive, found.unowned, found.owned.run) == (state.id, True, True, "")
    assert "record" in found.owned.detail
    assert seen(sweep.release(Inventory(desk.runtime))) == [(state.id, True, True)]
    assert gone(f"mark-{desk.home}")
    assert not desk.folder(state).exists()
    assert list(desk.objects.work.iterdir()) == []
    assert sweep.look(Inventory(desk.runtime)) == ()


def test_a_job_whose_folder_is_gone_is_found_by_its_process(desk: Desk) -> None:
    state = brood(desk, f"mark-{desk.home}", FOREVER)
    os.kill(desk.supervisor(state).pid, signal.SIGSTOP)
    shutil.rmtree(desk.folder(state))
    (found,) = sweep.release(Inventory(desk.runtime))
    assert (found.owned.id, found.owned.detail, found.released) == (state.id, "its record is gone", True)
    assert gone(f"mark-{desk.home}")


def test_it_works_with_store_and_home_gone(desk: Desk) -> None:
    lost, needed = desk.start(FOREVER, step="lost"), desk.start(FOREVER, step="needed")
    shutil.rmtree(desk.home, ignore_errors=True)
    killed(desk, lost)
    assert seen(sweep.release(Inventory(desk.runtime))) == [(lost.id, True, True), (needed.id, False, False)]
    assert [each.released for each in sweep.release(in_a_minute(desk))] == [True]


def test_nobody_is_ended_who_was_not_started_for_that_resource(desk: Desk, sleeper: Identity) -> None:
    state = desk.start(FOREVER)
    forged = desk.runtime / "jobs" / "forged"
    for named in (identify(1), identify(os.getpid()), sleeper, desk.supervisor(state)):
        forged.mkdir()
        record = tags_of(desk, state).model_copy(update={"id": "forged", "process": named, "debris": ()})
        write_json(forged / TAGS, record)
        found = {each.owned.id: each for each in sweep.release(Inventory(desk.runtime))}
        assert (found["forged"].alive, found["forged"].released) == (False, True)
        assert found["forged"].owned.detail == "the process it names is not its own"
        assert not forged.exists()
    assert running(Process(sleeper.pid, sleeper.ticks))
    assert desk.jobs.poll(state.id).phase == "running"
    desk.jobs.cancel(state.id)


def test_nothing_is_removed_but_what_a_resource_of_ours_can_have_made(desk: Desk, tmp_path: Path) -> None:
    state = desk.start(FOREVER)
    killed(desk, state)
    victim = tmp_path / "objects" / ".work" / "other"
    mine = tmp_path / "precious" / "objects" / ".work" / state.id
    for folder in (victim, mine):
        folder.mkdir(parents=True)
        (folder / "file").write_text("kept")
    link = tmp_path / "objects" / ".work" / state.id
    link.symlink_to(mine)
    named = (str(tmp_path), str(desk.project), str(victim), str(link), f"{victim}/../../../project", "/tmp", "..", "")
    write_json(desk.folder(state) / TAGS, tags_of(desk, state).model_copy(update={"debris": named}))
    assert seen(sweep.release(Inventory(desk.runtime))) == [(state.id, True, True)]
    assert [(folder / "file").read_text() for folder in (victim, mine)] == ["kept", "kept"]
    assert desk.project.is_dir()


def test_what_is_not_ours_is_neither_listed_nor_touched(desk: Desk, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / TAGS).write_text("{}")
    for kind in ("jobs", "endpoints"):
        (desk.runtime / kind).mkdir()
        (desk.runtime / kind / "notes.txt").write_text("mine")
        (desk.runtime / kind / "empty").mkdir()
        (desk.runtime / kind / "elsewhere").symlink_to(outside)
        (desk.runtime / kind / "loop").symlink_to(desk.runtime / kind)
    assert sweep.look(Inventory(desk.runtime)) == sweep.release(Inventory(desk.runtime)) == ()
    assert (outside / TAGS).read_text() == "{}"
    assert sorted(p.name for p in (desk.runtime / "jobs").iterdir()) == ["elsewhere", "empty", "loop", "notes.txt"]


def test_a_kind_of_resource_that_is_a_link_or_a_file_leads_nowhere(desk: Desk, tmp_path: Path) -> None:
    state = desk.start(FOREVER)
    killed(desk, state)
    (desk.runtime / "jobs").rename(tmp_path / "moved")
    (desk.runtime / "jobs").symlink_to(tmp_path / "moved")
    (desk.runtime / "endpoints").write_text("")
    assert sweep.release(Inventory(desk.runtime)) == ()
    assert (tmp_path / "moved" / state.id / TAGS).exists()


def test_what_is_extended_while_others_are_ended_is_left_alone(desk: Desk) -> None:
    first, second = desk.start(FOREVER, step="a"), desk.start(FOREVER, step="b")

    def extend(_: object) -> None:
        path = desk.folder(second) / TAGS
        write_json(path, tags_of(desk, second).leased(time.time() + 3600))

    found = sweep.release(in_a_minute(desk), ending=extend)
    assert seen(found) == [(first.id, True, True), (second.id, True, False)]
    assert desk.jobs.poll(second.id).phase == "running"
    desk.jobs.cancel(second.id)


def test_only_what_is_meant_is_listed_and_released(desk: Desk) -> None:
    state = desk.start(FOREVER)
    killed(desk, state)
    for whose in (Whose(run="another"), Whose(owner="you"), Whose(run="r1", owner="you")):
        assert (
            sweep.look(Inventory(desk.runtime), whose=whose)
            == sweep.release(Inventory(desk.runtime), whose=whose)
            == ()
        )
    assert seen(sweep.release(Inventory(desk.runtime), whose=Whose(run="r1", owner="me"))) == [(state.id, True, True)]


def test_the_command_says_what_it_ends_and_nothing_of_a_record_steers_the_terminal(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    state = desk.start(FOREVER)
    killed(desk, state)
    odd = {"run": "r1\x1b[2J", "owner": "me\n\u202e", "lease_until": 1e300, "lapses": 1e300}
    write_json(desk.folder(state) / TAGS, tags_of(desk, state).model_copy(update=odd))
    assert sweep.main(["--runtime", str(desk.runtime)], {}) == 1
    assert sweep.main(["--runtime", str(desk.runtime), "--release", "--json", "--run", "r1\x1b[2J"], {}) == 1
    assert sweep.main(["--runtime", str(desk.runtime)], {}) == 0
    said = capsys.readouterr()
    assert said.err == f"ending job {state.id} ...\n"
    listed, _, rest = said.out.partition("\n")
    assert listed.startswith(f"unowned  job {state.id} of run r1?[2J, me??")
    assert json.loads(rest[: rest.rindex("}") + 1])["resources"][0]["released"] is True
    assert said.out.isascii()


def test_a_runtime_folder_that_is_not_there_or_a_link_is_named(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    link = desk.runtime.with_name("link")
    link.symlink_to(desk.runtime)
    for path in (link, desk.runtime.with_name("none")):
        assert sweep.main(["--runtime", str(path)], {}) == 5
        assert str(path) in capsys.readouterr().err


@pytest.fixture
def world() -> SimBackend:
    """A world with one of each kind whose lease is 60 s, and an endpoint of another owner with a longer one."""
    made = SimBackend(load_world("steady"), seed=3, clock=VirtualClock())
    made.store("m", {"model.json": b"{}"})
    start = made.clock.now()
    offer = next(each.id for each in made.compute.offers() if not each.standing)
    spec = JobSpec(program="command", argv=("x",), args={"sim": {"seconds": 1e9}}, time_limit_s=1e8)
    mine = {"run": "r1", "owner": "me", "lease_until": start + 60}
    made.jobs.submit(spec=spec, tags=Tags(call="r1/train/1", **mine))
    made.compute.provision(offer=offer, tags=Tags(call="r1/rent/1", **mine))
    for name, tags in (
        ("mine", Tags(call="r1/deploy/1", **mine)),
        ("theirs", Tags(run="r2", call="r2/deploy/1", owner="you", lease_until=start + 1e6)),
    ):
        made.serving.deploy(spec=ServeSpec(endpoint=name, version="v1", model="m"), tags=tags)
    return made


def lapsed(world: SimBackend) -> float:
    return world.clock.now() + 60.0


def test_any_backend_is_swept_through_its_ports_dry_unless_it_is_asked_to_release(world: SimBackend) -> None:
    dry = sweep.sweep(world, now=lapsed(world))
    assert [(each.owned.kind, each.unowned, each.released) for each in dry] == [
        ("job", True, False),
        ("endpoint", True, False),
        ("endpoint", False, False),
        ("machine", True, False),
    ]
    told: list[str] = []
    found = sweep.sweep(world, now=lapsed(world), release=True, ending=lambda owned: told.append(owned.kind))
    assert [each.released for each in found] == [True, True, False, True]
    assert told == ["job", "endpoint", "machine"]
    assert [e.name for e in world.snapshot().endpoints] == ["theirs"]
    assert seen(sweep.sweep(world, now=lapsed(world), release=True)) == [("theirs", False, False)]


def test_what_is_not_meant_is_left_alone_on_any_backend(world: SimBackend) -> None:
    meant = Whose(run="r1", owner="you")
    assert sweep.sweep(world, now=lapsed(world), release=True, whose=meant) == ()
    found = sweep.sweep(world, now=lapsed(world) + 1e7, release=True, whose=Whose(owner="you"))
    assert seen(found) == [("theirs", True, True)]
    assert len(world.jobs.owned(Scope())) == 1


@pytest.mark.parametrize("fault", ["lose_answer", "throttle", "answer_500"])
def test_an_end_whose_answer_is_lost_is_asked_for_again(world: SimBackend, fault: FaultKind) -> None:
    world.faults.arm(operation="serving.remove", fault=fault)
    assert all(each.released for each in sweep.sweep(world, now=lapsed(world), release=True) if each.unowned)


def test_one_that_cannot_be_ended_says_why_and_keeps_no_other(world: SimBackend) -> None:
    world.faults.arm(operation="jobs.cancel", fault="refuse", times=None)
    found = sweep.sweep(world, now=lapsed(world), release=True)
    assert [(each.owned.kind, each.released) for each in found if each.unowned] == [
        ("job", False),
        ("endpoint", True),
        ("machine", True),
    ]
    assert "not allowed" in found[0].failed


def test_what_is_extended_meanwhile_is_left_alone_on_any_backend(world: SimBackend) -> None:
    spec = ServeSpec(endpoint="second", version="v1", model="m")
    world.serving.deploy(spec=spec, tags=Tags(run="r1", call="r1/d/2", owner="me", lease_until=world.clock.now() + 60))
    until = world.clock.now() + 1e6

    def extend(owned: Owned) -> None:
        if owned.id == "mine":
            world.serving.extend("second", run="r3", owner="me", lease_until=until)

    found = sweep.sweep(world, now=lapsed(world), release=True, ending=extend)
    ended = {each.owned.id: each.released for each in found if each.owned.kind == "endpoint"}
    assert ended == {"mine": True, "theirs": False, "second": False}
    assert world.serving.state("second").lease_until == until


def test_a_list_that_cannot_be_had_is_an_error_and_nothing_is_ended(world: SimBackend) -> None:
    world.faults.arm(operation="jobs.owned", fault="refuse")
    with pytest.raises(Refused):
        sweep.sweep(world, now=lapsed(world), release=True)
    assert len(world.snapshot().endpoints) == 2
