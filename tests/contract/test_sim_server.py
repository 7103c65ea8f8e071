"""A simulated world as a process: it outlives its clients, its own death, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benches import await_server, served_world, simulated, start_server

from tools.backends.sim.backend import SimBackend
from tools.backends.sim.client import SimClient
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.world import load_world
from tools.errors import Invalid, NotFound, Transient, Unknown
from tools.ports import JobSpec, Scope, ServeSpec, Tags

END_S = 10.0


@pytest.fixture
def place(session_folder: Path, request: pytest.FixtureRequest) -> Path:
    """A folder for a socket, with a short path."""
    folder = session_folder / f"s{abs(hash(request.node.name)) % 10**6}"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def world(session_folder: Path) -> Iterator[SimClient]:
    (session_folder / "server").mkdir()
    with served_world(session_folder / "server" / "world") as client:
        yield client


def _raw(path: Path, *lines: bytes) -> list[dict[str, object]]:
    """Send lines and read as many answers."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        with line.makefile("rwb") as file:
            found = []
            for sent in lines:
                file.write(sent + b"\n")
                file.flush()
                found.append(json.loads(file.readline()))
    return found


def test_the_same_calls_leave_the_same_log_here_and_over_a_socket(place: Path) -> None:
    with served_world(place / "world") as client:
        remote = simulated(client, place)
        _work(client, remote.model())
        log, end = client.effects, client.snapshot()
        seen = client.telemetry.agreement("e", version="v2", since=0.0)
    here = SimBackend(load_world("steady"), seed=7, clock=VirtualClock(), folder=place / "here")
    _work(here, remote.model())
    assert here.effects == log
    assert here.snapshot() == end
    assert here.telemetry.agreement("e", version="v2", since=0.0) == seen
    assert (end.endpoints[0].shadow, seen.compared) == ("v2", 100)
    assert len(log) > 5


def _work(backend: SimBackend | SimClient, model: Path) -> None:
    """A few calls of every kind, with a fault in between."""
    tags = [Tags(run="r", call=f"r/s{i}/1", owner="o", lease_until=backend.clock.now() + 1e6) for i in range(4)]
    table = {"name": "sklearn:iris", "source": "sklearn:iris", "format": "bundled"}
    args = {"tables": [table], "task": "classification", "label": None}
    spec = JobSpec(program="prepare", args=args, time_limit_s=600)
    backend.faults.arm(operation="jobs.submit", fault="lose_answer", chance=0.5, times=None)
    for tag in tags[:3]:
        try:
            backend.jobs.submit(spec=spec, tags=tag)
        except Unknown:
            assert backend.jobs.find(tag.call) is not None
    backend.objects.put("models/m", model)
    backend.compute.provision(offer="sim.large", tags=tags[3])
    for version in ("v1", "v2"):
        served = ServeSpec(endpoint="e", version=version, model="models/m")
        backend.serving.deploy(spec=served, tags=tags[3].model_copy(update={"call": f"r/{version}/1"}))
    backend.advance(10.0)
    backend.serving.split("e", weights={"v1": 100}, call="r/w/1")
    backend.serving.mirror("e", version="v2", call="r/m/1")
    backend.serving.scale("e", version="v1", replicas=2, call="r/c/1")
    load = {"url": "sim://e", "model": "e", "label": None, "rate_rps": 5.0, "seconds": 20.0}
    load_tags = tags[3].model_copy(update={"call": "r/load/1"})
    backend.jobs.submit(spec=JobSpec(program="load", args=load, time_limit_s=60), tags=load_tags)
    backend.advance(1000.0)
    backend.jobs.cancel("sim-job-1")


def test_a_client_that_dies_in_mid_request_asked_for_nothing(world: SimClient, session_folder: Path) -> None:
    path = session_folder / "server" / "world"
    before = world.effects
    half = b'{"operation": "compute.provision", "args": {"offer": "sim.small", "tags": {"run": "r"'
    program = (
        "import os, socket, sys; line = socket.socket(socket.AF_UNIX); line.connect(sys.argv[1]); "
        "line.sendall(sys.argv[2].encode()); os.kill(os.getpid(), 9)"
    )
    died = subprocess.run([sys.executable, "-c", program, str(path), half.decode()], check=False, timeout=END_S)
    assert died.returncode == -signal.SIGKILL
    assert world.effects == before


def test_a_client_that_dies_before_the_answer_finds_its_effect_when_it_comes_back(
    world: SimClient, session_folder: Path
) -> None:
    path = session_folder / "server" / "world"
    tags = {"run": "dead", "call": "dead/s/1", "owner": "o", "lease_until": world.clock.now() + 100}
    request = {"operation": "compute.provision", "args": {"offer": "sim.small", "tags": tags}}
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(path))
            line.sendall(json.dumps(request).encode() + b"\n")
    found = [o.call for o in SimClient(path).compute.owned(Scope(run="dead"))]
    assert set(found) <= {"dead/s/1"}
    _raw(path, json.dumps(request).encode())
    assert [o.call for o in world.compute.owned(Scope(run="dead"))] == ["dead/s/1"]


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[]",
        b'{"operation": "jobs.nothing"}',
        b'{"operation": "jobs._submit"}',
        b'{"operation": "control.__init__"}',
        b'{"operation": "jobs.poll", "args": {"job": 1}}',
        b'{"operation": "jobs.poll", "args": {"work": "a"}}',
        b'{"operation": "jobs.poll", "args": {}}',
        b'{"operation": "control.advance", "args": {"seconds": -1}}',
        b'{"operation": "objects.put", "args": {"key": "a", "content": {"../b": ""}}}',
        b'{"operation": "objects.put", "args": {"key": "a", "content": {"b": "*"}}}',
        b'{"operation": "objects.put", "args": {"key": "a", "content": 1}}',
    ],
)
def test_a_request_that_makes_no_sense_is_answered_as_invalid(
    world: SimClient, session_folder: Path, line: bytes
) -> None:
    before = world.effects
    (said,) = _raw(session_folder / "server" / "world", line)
    error = said["error"]
    assert isinstance(error, dict)
    assert error["kind"] == "Invalid"
    assert error["faults"]
    assert world.effects == before


def test_two_clients_see_one_world(world: SimClient, session_folder: Path) -> None:
    other = SimClient(session_folder / "server" / "world")
    now = world.clock.now()
    other.clock.sleep(5.0)
    assert world.clock.now() == now + 5.0
    with pytest.raises(NotFound):
        other.jobs.poll("never-was")


def test_a_world_with_a_state_file_goes_on_where_it_was_killed(place: Path) -> None:
    state = ("--state", str(place / "state"))
    first = start_server(place / "world", *state)
    try:
        client = await_server(place / "world", first)
        _work(client, simulated(client, place).model())
        client.faults.arm(operation="jobs.poll", fault="throttle", times=2)
        with pytest.raises(Transient):
            client.jobs.poll("sim-job-1")
        log, end, fired = client.effects, client.snapshot(), client.faults.fired
    finally:
        first.kill()
        first.wait()
    with (place / "state").open("ab") as file:
        file.write(b'{"operation": "control.advance", "ar')
    with pytest.raises(Transient):
        client.jobs.poll("sim-job-1")
    with served_world(place / "world", *state) as again:
        assert (again.effects, again.snapshot(), again.faults.fired) == (log, end, fired)
        with pytest.raises(Transient):
            again.jobs.poll("sim-job-1")
        assert again.jobs.poll("sim-job-1").over
        again.advance(3.0)
        now = again.clock.now()
    with served_world(place / "world", *state) as third:
        assert third.clock.now() == now


def test_a_state_file_of_another_seed_is_refused(place: Path) -> None:
    with served_world(place / "world", "--state", str(place / "state")):
        pass
    command = [sys.executable, "-m", "tools.backends.sim.server", "--socket", str(place / "world")]
    command += ["--seed", "8", "--state", str(place / "state")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=END_S, check=False)
    assert ended.returncode == 2
    assert "another world or seed" in ended.stderr


def test_the_server_ends_when_told_and_takes_its_socket_along(place: Path) -> None:
    process = start_server(place / "world")
    try:
        await_server(place / "world", process).stop()
        assert process.wait(END_S) == 0
        assert not (place / "world").exists()
    finally:
        process.kill()
        process.wait()


def test_the_server_ends_when_its_folder_is_gone(place: Path) -> None:
    process = start_server(place / "world")
    try:
        await_server(place / "world", process)
        os.unlink(place / "world")
        place.rmdir()
        assert process.wait(END_S) == 0
    finally:
        process.kill()
        process.wait()


def test_a_socket_in_use_or_too_long_is_refused_in_words(world: SimClient, session_folder: Path) -> None:
    from tools.backends.sim.server import run

    with pytest.raises(Invalid, match="another server answers"):
        run(socket_path=session_folder / "server" / "world", world="steady", seed=0, state=None)
    with pytest.raises(Invalid, match="longer than"):
        run(socket_path=session_folder / ("x" * 120), world="steady", seed=0, state=None)
    with pytest.raises(Invalid, match="no folder"):
        run(socket_path=session_folder / "none" / "world", world="steady", seed=0, state=None)
    assert world.clock.now() > 0
