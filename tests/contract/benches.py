"""The backends that the contract suite judges, each behind the same few handles.

A new backend joins with one function here: a context manager that takes a folder, opens the backend,
yields a `Bench` and takes everything down again; and one line in `BENCHES`. Which tests apply follows
from the backend's `can`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tools.backends.local.backend import LocalBackend
from tools.backends.sim.backend import SimBackend
from tools.backends.sim.client import SimClient
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.world import load_world
from tools.errors import Transient
from tools.ports import Backend, EndpointState, JobSpec, Scope, Tags

Deed = Literal["quick", "endless", "failing"]
"""Prints `one`, `two`, `three` and claims an accuracy of 0.5; never ends by itself; ends with exit code 3."""
CLAIMED = {"accuracy": 0.5}
OWNER = "somebody"
START_S = 10.0
"""How long a server process may take to be there."""

_PROGRAMS: dict[Deed, str] = {
    "quick": "import os, json, pathlib; print('one\\ntwo\\nthree'); "
    f"pathlib.Path(os.environ['GOALKEEPER_OUTPUT_DIR'], 'metrics.json').write_text(json.dumps({CLAIMED!r}))",
    "endless": "import time; time.sleep(300)",
    "failing": "import sys; sys.exit(3)",
}
_SCRIPTS = {
    "quick": {"seconds": 5, "lines": ["one", "two", "three"], "claimed": CLAIMED},
    "endless": {"seconds": 1e9},
    "failing": {"seconds": 5, "exit": 3},
}


@dataclass(kw_only=True)
class Bench:
    """A backend on the bench."""

    backend: Backend
    now: Callable[[], float]
    """Epoch seconds, as the backend's leases count them."""
    wait: Callable[[float], object]
    """Let that many of the backend's seconds pass."""
    moment: float
    """Seconds that are short for this backend: leases and limits that are meant to lapse."""
    step: float
    """Seconds between two looks."""
    patience: float
    """Seconds after which what should happen has not happened."""
    folder: Path
    """Scratch space."""
    model: Callable[[], Path]
    """A model folder that the backend can serve."""
    send: Callable[[EndpointState, int], None]
    """Send that many requests to the endpoint and wait for the answers."""
    run: str = "contract"
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def tags(self, *, call: str | None = None, run: str | None = None, lease_s: float | None = None) -> Tags:
        """Tags with a call id that was never used, and a lease well beyond the test."""
        run = run or self.run
        lease = self.now() + (lease_s if lease_s is not None else 10 * self.patience)
        return Tags(run=run, call=call or f"{run}/step{next(self._numbers)}/1", owner=OWNER, lease_until=lease)

    def name(self, word: str) -> str:
        return f"{word}-{next(self._numbers)}"

    def job(self, deed: Deed, *, limit_s: float | None = None) -> JobSpec:
        return JobSpec(
            program="command",
            argv=(sys.executable, "-c", _PROGRAMS[deed]),
            args={"sim": _SCRIPTS[deed]},
            folder=str(self.folder),
            time_limit_s=limit_s if limit_s is not None else 5 * self.patience,
        )

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until it is so; fails when patience runs out."""
        deadline = self.now() + self.patience
        while not condition():
            assert self.now() < deadline, f"{what}: not within {self.patience:g} s"
            self.wait(self.step)

    def over(self, job: str) -> None:
        self.until(lambda: self.backend.jobs.poll(job).over, f"job {job} is over")

    def ready(self, endpoint: str, *versions: str) -> EndpointState:
        def all_ready() -> bool:
            state = self.backend.serving.state(endpoint)
            found = {v.name: v for v in state.versions}
            assert not [v for v in found.values() if v.state == "failed"], state
            return all(found[name].state == "ready" for name in versions)

        self.until(all_ready, f"{endpoint} has {versions} ready")
        return self.backend.serving.state(endpoint)

    def clear(self) -> None:
        """End everything that is left."""
        backend = self.backend
        for job in backend.jobs.owned(Scope()):
            backend.jobs.cancel(job.id)
        for endpoint in backend.serving.owned(Scope()):
            backend.serving.remove(endpoint.id)
        for machine in backend.compute.owned(Scope()):
            backend.compute.release(machine.id)


@contextmanager
def local(folder: Path) -> Iterator[Bench]:
    """This machine, in real time."""
    folder.mkdir()

    def model() -> Path:
        place = folder / "model"
        if not place.exists():
            program = Path(__file__).with_name("tiny_model.py")
            subprocess.run([sys.executable, str(program), str(place)], check=True, timeout=60)
        return place

    bench = Bench(
        backend=LocalBackend(home=folder / "home", runtime=folder / "runtime"),
        now=time.time,
        wait=time.sleep,
        moment=0.6,
        step=0.02,
        patience=20.0,
        folder=folder,
        model=model,
        send=_infer,
    )
    yield bench
    bench.clear()


@contextmanager
def sim(folder: Path) -> Iterator[Bench]:
    """A world in this process, in virtual time."""
    folder.mkdir()
    yield simulated(SimBackend(load_world("steady"), seed=7, clock=VirtualClock(), folder=folder / "objects"), folder)


@contextmanager
def sim_over_a_socket(folder: Path) -> Iterator[Bench]:
    """The same world in a process of its own."""
    folder.mkdir()
    with served_world(folder / "world") as client:
        yield simulated(client, folder)


def simulated(backend: SimBackend | SimClient, folder: Path) -> Bench:
    """A bench over either form of a simulated world."""

    def model() -> Path:
        place = folder / "model"
        place.mkdir(exist_ok=True)
        (place / "model.json").write_text("{}")
        return place

    bench = Bench(
        backend=backend,
        now=backend.clock.now,
        wait=backend.advance,
        moment=20.0,
        step=1.0,
        patience=300.0,
        folder=folder,
        model=model,
        send=lambda endpoint, count: _load(bench, endpoint, count),
    )
    return bench


BENCHES: dict[str, Callable[[Path], AbstractContextManager[Bench]]] = {
    "local": local,
    "sim": sim,
    "sim-over-a-socket": sim_over_a_socket,
}


@contextmanager
def served_world(socket_path: Path, *more: str) -> Iterator[SimClient]:
    """A world's server process, and a client of it. The server is ended afterwards."""
    process = start_server(socket_path, *more)
    try:
        yield await_server(socket_path, process)
    finally:
        process.kill()
        process.wait()


def start_server(socket_path: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tools.backends.sim.server", "--socket", str(socket_path), "--seed", "7", *more]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)


def await_server(socket_path: Path, process: subprocess.Popen[bytes]) -> SimClient:
    deadline = time.monotonic() + START_S
    while True:
        assert process.poll() is None, "the server ended"
        with contextlib.suppress(Transient):
            return SimClient(socket_path)
        assert time.monotonic() < deadline, "the server is not there"
        time.sleep(0.02)


def _load(bench: Bench, endpoint: EndpointState, count: int) -> None:
    seconds = 10.0
    args = {"url": endpoint.url, "model": endpoint.name, "label": "y", "rate_rps": count / seconds, "seconds": seconds}
    spec = JobSpec(program="load", args=args, time_limit_s=bench.patience)
    bench.over(bench.backend.jobs.submit(spec=spec, tags=bench.tags()).id)


def _infer(endpoint: EndpointState, count: int) -> None:
    """Requests as the Open Inference Protocol has them, for the one column of `tiny_model.py`."""
    tensor = {"name": "x", "shape": [1], "datatype": "FP64", "data": [0.5]}
    body = json.dumps({"inputs": [tensor]}).encode()
    url = f"{endpoint.url}/v2/models/{endpoint.name}/infer"
    for _ in range(count):
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["outputs"]
