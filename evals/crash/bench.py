"""One home and one world, and what happens to the drivers of its run. Every process is a fork of this one."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal, cast

from pydantic import SecretStr

from agent.clock import Clock
from agent.errors import Broken, Busy, InvalidRequest
from agent.prospect import Request
from agent.session import Session
from agent.settings import Settings
from evals.crash.mortal import MortalBackend, MortalSession, room_again
from evals.crash.points import Blow, Point, Reaper
from evals.crash.scenes import Scene, policies
from evals.given import Given, Reading
from tools.backends.sim.client import SimClient
from tools.backends.sim.faults import Fault
from tools.backends.sim.server import run as serve
from tools.dispatch import Place, clock_of, open_backend
from tools.errors import Transient
from tools.ports import Backend, ServeSpec, Tags

LONGEST_S = 60.0
"""After how long a driver that has not ended is not believed to end."""
End = Literal["ended", "killed", "stopped", "busy", "broken"]
_CODES: dict[int, End] = {0: "ended", 3: "busy", 4: "broken"}


class Wrong(Exception):
    """A driver came to an end that no driver may come to."""


class Hasty:
    """The world's clock for somebody who looks seldom: fewer questions over the socket."""

    def __init__(self, inner: Clock) -> None:
        self._inner = inner

    def now(self) -> float:
        return self._inner.now()

    def sleep(self, seconds: float, interrupt: object = None) -> None:
        del interrupt
        self._inner.sleep(max(seconds, 2.0))


@dataclass
class Driver:
    """A process that drives the run."""

    pid: int
    trace: Path

    def wait(self, *, stops: bool = False) -> End:
        """How it ended, or with `stops` that it stands still."""
        deadline = time.monotonic() + LONGEST_S
        while time.monotonic() < deadline:
            ended, status = os.waitpid(self.pid, os.WNOHANG | (os.WUNTRACED if stops else 0))
            if ended and os.WIFSTOPPED(status):
                return "stopped"
            if ended and os.WIFSIGNALED(status):
                if os.WTERMSIG(status) != signal.SIGKILL:
                    raise Wrong(f"a driver ended by signal {os.WTERMSIG(status)}")
                return "killed"
            if ended and (code := os.WEXITSTATUS(status)) in _CODES:
                return _CODES[code]
            if ended:
                raise Wrong(self.said)
            time.sleep(0.002)
        self.end()
        raise Wrong(f"a driver did not end within {LONGEST_S:g} s")

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    @property
    def said(self) -> str:
        """What it said at its end: an error's sentence, or where nobody had expected one, its traceback."""
        return self.trace.read_text() if self.trace.exists() else ""


@dataclass
class Bench:
    """One home and one world."""

    folder: Path
    scene: Scene
    store: str | None = None
    """Address of a shared store; None: the one in the home."""
    drivers: int = 0

    @property
    def socket(self) -> Path:
        return self.folder / "w"

    @property
    def world(self) -> SimClient:
        return SimClient(self.socket)

    def session(self, reaper: Reaper | None = None) -> Session:
        place = Place(name="sim", home=str(self.folder / "home"), runtime="", socket=str(self.socket))
        backend = open_backend(place)
        clock = clock_of(backend)
        assert clock is not None
        kind = Reading if reaper is None else MortalSession
        session = kind(
            settings=Settings(
                home=self.folder / "home",
                runtime=self.folder / "runtime",
                user="ada",
                backend="sim",
                store=None if self.store is None else SecretStr(self.store),
            ),
            backend=backend if reaper is None else cast("Backend", MortalBackend(backend, reaper)),
            brain=Given(self.scene.contract),
            clock=Hasty(clock),
            policies=policies(),
        )
        if isinstance(session, MortalSession) and reaper is not None:
            session.reaper = reaper
        return session

    def driver(self, point: Point | None = None, *, blow: Blow = "kill", heir: bool = False) -> Driver:
        """Begin to drive the run, or to begin it; struck at that point. An heir knows that its owner is gone."""
        self.drivers += 1
        reaper = Reaper(point, self.folder / "marks" if point is None else None, blow=blow, heir=heir)
        trace = self.folder / f"said-{self.drivers}"
        return Driver(fork(lambda: self._drive(reaper), trace), trace)

    def drive(self, point: Point | None = None, *, blow: Blow = "kill") -> End:
        """Drive the run as far as that driver comes."""
        return self.driver(point, blow=blow).wait()

    def _drive(self, reaper: Reaper) -> None:
        with self.session(reaper) as session:
            runs = session.runs().runs
            folder = str(self.folder)
            request = Request(text="the goal", source="cli:ada", accept=True, folder=folder)
            run = runs[0].id if runs else session.start(request)
            if session.drive(run, watch=self._cancelling(run)).run.status == "waiting":
                self._approve(run)
                session.drive(run, watch=self._cancelling(run))

    def _approve(self, run: str) -> None:
        """Bob says yes, in a session of his own; nothing where he has said so before the driver died."""
        with self.session() as other, suppress(InvalidRequest):
            other.answer(run, approve=True, who="bob")

    def _cancelling(self, run: str) -> Callable[[object], None] | None:
        if not self.scene.cancel_on:
            return None
        client = self.world

        def watch(view: object) -> None:
            del view
            if any(e.kind == self.scene.cancel_on for e in client.effects):
                with self.session() as other:
                    if other.view(run).status == "running":
                        other.cancel(run, who="bob")

        return watch

    def reached(self) -> list[str]:
        """Every boundary that drivers who were not to be struck have reached, in order."""
        return (self.folder / "marks").read_text().split()


@contextmanager
def opened(folder: Path, scene: Scene, *faults: Fault, store: str | None = None) -> Iterator[Bench]:
    """A bench whose world lives in a process of its own until the end."""
    folder.mkdir(parents=True)
    (folder / "world.yaml").write_text(scene.world.model_dump_json())
    bench = Bench(folder, scene, store)
    world = str(folder / "world.yaml")
    pid = fork(lambda: serve(socket_path=bench.socket, world=world, seed=0, state=None), folder / "server")
    try:
        _until_answers(bench.socket)
        if scene.beside:
            _serve(bench.world, folder, scene.beside)
        _warm(bench)
        for fault in faults:
            bench.world.faults.add(fault)
        yield bench
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _serve(client: SimClient, folder: Path, servers: int) -> None:
    """Somebody's version serves at the endpoint before the run begins."""
    (folder / "v0").mkdir()
    (folder / "v0" / "model.json").write_text('{"label": "target", "task": "classification"}')
    client.objects.put("models/tumours/v0", folder / "v0")
    spec = ServeSpec(endpoint="tumours", version="v0", model="models/tumours/v0", replicas=servers)
    tags = Tags(run="before", call="before/deploy/1", owner="ada", lease_until=client.clock.now() + 1e6)
    client.serving.deploy(spec=spec, tags=tags)
    client.clock.sleep(30.0)
    client.serving.split("tumours", weights={"v0": 100}, call="before/shift/1")


def _warm(bench: Bench) -> None:
    """Do here, once, what would take every child a second: import the graph, look at the data."""
    import_module("agent.graph")
    with bench.session() as session:
        session.plan(Request(text="the goal", source="cli:ada", folder=str(bench.folder)))


def _until_answers(socket: Path) -> None:
    deadline = time.monotonic() + LONGEST_S
    while True:
        try:
            SimClient(socket)
        except Transient:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


def fork(deed: Callable[[], object], trace: Path) -> int:
    """A child that does that; its exit code says how it ended."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        deed()
        code = 0
    except (Busy, Broken) as error:
        room_again()
        trace.write_text(str(error))
        code = 3 if isinstance(error, Busy) else 4
    except BaseException:  # noqa: BLE001 - the child must never return into its parent's work; the parent reads the trace
        room_again()
        trace.write_text(traceback.format_exc())
    finally:
        os._exit(code)
