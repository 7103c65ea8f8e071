"""Runs that are killed: a world in a process of its own, and drivers that end by SIGKILL at one chosen point.

Every process is a fork of the tests' own, which has imported everything already.
"""

from __future__ import annotations

import os
import re
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, cast

from peopled import policies
from simulated import Given, Reading, owned

from agent.advance import World as Surroundings
from agent.book import Book
from agent.clock import Clock
from agent.contract import Contract
from agent.errors import InvalidRequest
from agent.prospect import Request
from agent.record.store import Store
from agent.session import Session
from agent.settings import Settings
from tools.backends.sim.client import SimClient
from tools.backends.sim.effects import Effect
from tools.backends.sim.faults import EFFECTS, Fault
from tools.backends.sim.server import run as serve
from tools.backends.sim.world import World
from tools.dispatch import Dispatcher, Place, clock_of, open_backend
from tools.errors import Transient
from tools.ports import Backend, ServeSpec, Tags
from tools.tool import Call, Outcome

Boundary = Literal["commit", "decision", "start", "effect"]
"""Where a driver can die: around a commit of the journal, one that holds a decision, a start, a change of the world."""
CHANGES = ("serving.extend", "serving.mirror", "serving.scale", "serving.split")
"""Absolute states: setting the same again is no second effect."""
LONGEST_S = 60.0


@dataclass(frozen=True)
class Point:
    """One instant of a run."""

    boundary: Boundary
    number: int
    """Counted from 1."""
    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.boundary} {self.number}"


@dataclass
class Reaper:
    """Counts boundaries, and ends the process at the point it was given."""

    point: Point | None
    marks: Path
    """Every boundary that was reached is a line of this file."""
    counts: Counter[str] = field(default_factory=Counter)

    def around(self, boundary: Boundary, deed: Callable[[], Any]) -> Any:
        self.counts[boundary] += 1
        here = self.counts[boundary]
        with self.marks.open("a") as file:
            file.write(f"{boundary}\n")
        self._die(Point(boundary, here, after=False))
        try:
            return deed()
        finally:
            self._die(Point(boundary, here, after=True))

    def _die(self, point: Point) -> None:
        if point == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalStore(Store):
    """A store around whose commits the process may die."""

    reaper: Reaper

    def append(self, run: str, *, lines: Sequence[tuple[str, str]], **more: Any) -> list[tuple[int, str]]:
        def deed() -> list[tuple[int, str]]:
            return super(MortalStore, self).append(run, lines=lines, **more)

        if not any(kind == "decision" for kind, _ in lines):
            return cast(list[tuple[int, str]], self.reaper.around("commit", deed))
        return cast(list[tuple[int, str]], self.reaper.around("decision", deed))


class MortalDispatcher(Dispatcher):
    """A dispatcher around whose starts the process may die."""

    reaper: Reaper

    def start(self, call: Call) -> Outcome:
        return cast(Outcome, self.reaper.around("start", lambda: super(MortalDispatcher, self).start(call)))


class MortalPort:
    """A port around whose changes the process may die."""

    def __init__(self, name: str, inner: object, reaper: Reaper) -> None:
        self._name = name
        self._inner = inner
        self._reaper = reaper

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if f"{self._name}.{name}" not in EFFECTS:
            return found
        return lambda *args, **more: self._reaper.around("effect", lambda: found(*args, **more))


class MortalSession(Reading):
    """A session whose process may die anywhere."""

    reaper: Reaper

    @property
    def _store(self) -> Store:
        if self._store_ is None:
            store = MortalStore(self._settings.home / "goalkeeper.db")
            store.reaper = self.reaper
            self._store_ = store
        return self._store_

    def _world(self, book: Book) -> Surroundings:
        world = super()._world(book)
        mortal = MortalDispatcher.__new__(MortalDispatcher)
        mortal.__dict__.update(world.dispatcher.__dict__)
        mortal.reaper = self.reaper
        return replace(world, dispatcher=mortal)


def _mortal(backend: Backend, reaper: Reaper) -> Backend:
    for name in ("jobs", "serving", "objects", "compute"):
        setattr(backend, name, MortalPort(name, getattr(backend, name), reaper))
    return backend


class Hasty:
    """The world's clock for somebody who looks seldom: fewer questions over the socket."""

    def __init__(self, inner: Clock) -> None:
        self._inner = inner

    def now(self) -> float:
        return self._inner.now()

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(max(seconds, 2.0))


@dataclass
class Bench:
    """One home and one world, and what happens to the drivers of its run."""

    folder: Path
    contract: Contract
    cancel_on: str = ""
    """A kind of effect at which the run is cancelled, by the driver itself in another session."""

    @property
    def socket(self) -> Path:
        return self.folder / "w"

    def session(self, reaper: Reaper | None = None) -> Session:
        place = Place(name="sim", home=str(self.folder / "home"), runtime="", socket=str(self.socket))
        backend = open_backend(place)
        clock = clock_of(backend)
        assert clock is not None
        kind = Reading if reaper is None else MortalSession
        session = kind(
            settings=Settings(home=self.folder / "home", runtime=self.folder / "runtime", user="ada", backend="sim"),
            backend=backend if reaper is None else _mortal(backend, reaper),
            brain=Given(self.contract),
            clock=Hasty(clock),
            policies=policies(),
        )
        if isinstance(session, MortalSession) and reaper is not None:
            session.reaper = reaper
        return session

    def drive(self, point: Point | None = None) -> bool:
        """A process that drives the run, or begins it; whether it lived to its end."""
        status = _forked(lambda: self._drive(Reaper(point, self.folder / "marks")), self.folder / "trace")
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            return False
        assert os.WEXITSTATUS(status) == 0, (self.folder / "trace").read_text()
        return True

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
        """Bob says yes, in a process of his own; nothing where he has said so before the driver died."""
        with self.session() as other, suppress(InvalidRequest):
            other.answer(run, approve=True, who="bob")

    def _cancelling(self, run: str) -> Callable[[object], None] | None:
        if not self.cancel_on:
            return None
        client = SimClient(self.socket)

        def watch(view: object) -> None:
            del view
            if any(e.kind == self.cancel_on for e in client.effects):
                with self.session() as other:
                    if other.view(run).status == "running":
                        other.cancel(run, who="bob")

        return watch

    def reached(self) -> Counter[str]:
        """How often each boundary was reached so far."""
        return Counter((self.folder / "marks").read_text().split())


@contextmanager
def world(
    folder: Path,
    contract: Contract,
    kind: World,
    *,
    faults: Sequence[Fault] = (),
    servers: int = 0,
    **more: str,
) -> Iterator[Bench]:
    """A bench whose world lives in a process of its own until the end; with servers, a version serves there already."""
    folder.mkdir(parents=True)
    armed = kind.model_copy(update={"faults": tuple(faults)})
    (folder / "world.yaml").write_text(armed.model_dump_json())
    bench = Bench(folder, contract, **more)
    trace = folder / "server"
    pid = _fork(lambda: serve(socket_path=bench.socket, world=str(folder / "world.yaml"), seed=0, state=None), trace)
    try:
        _until_answers(bench.socket)
        if servers:
            _serve(SimClient(bench.socket), folder, servers)
        _warm(bench)
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
            assert time.monotonic() < deadline, "the world does not answer"
            time.sleep(0.005)
        else:
            return


def _fork(deed: Callable[[], object], trace: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        deed()
        code = 0
    except BaseException:  # noqa: BLE001 - the child must never return into the tests; its parent reads the trace
        trace.write_text(traceback.format_exc())
    finally:
        os._exit(code)


def _forked(deed: Callable[[], object], trace: Path) -> int:
    """The wait status of a child that does that."""
    pid = _fork(deed, trace)
    deadline = time.monotonic() + LONGEST_S
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"a driver did not end within {LONGEST_S:g} s")
        time.sleep(0.002)


@dataclass(frozen=True)
class Aftermath:
    """What a run left of itself in its world."""

    effects: tuple[tuple[str, ...], ...]
    """Every change that a call made, as (kind, call, target, arguments), without ids that chance chose; sorted."""
    state: str
    owned: tuple[str, ...]
    ending: str


def aftermath(bench: Bench) -> Aftermath:
    client = SimClient(bench.socket)
    with bench.session() as session:
        (line,) = session.runs().runs
        report = session.show(line.id).run
        assert session.view(line.id).reserved_usd == 0
    log = [e for e in client.effects if e.by == "call"]
    names = {e.target: f"job({e.token.partition('/')[2]})" for e in log if e.kind == "jobs.submit"}
    seen = _Plain(line.id, names)
    snapshot = client.snapshot()
    endpoints = [
        (e.name, e.owner, [(v.name, v.state, v.weight, v.replicas) for v in e.versions]) for e in snapshot.endpoints
    ]
    jobs = sorted((seen.plain(j.id), j.program, j.phase) for j in snapshot.jobs)
    objects = sorted((seen.plain(key), _content(key, digest)) for key, digest in snapshot.objects.items())
    verdicts = [(c.part, c.metric, c.verdict, c.measured if c.part != "run" else None) for c in report.clauses]
    return Aftermath(
        effects=tuple(sorted(_once(seen.effect(e) for e in log))),
        state=repr((endpoints, jobs, objects)),
        owned=tuple(f"{o.kind} {o.id} of {o.owner}" for o in owned(client)),
        ending=repr((report.exit_code, report.status, report.holdout_looks, verdicts)),
    )


def _content(key: str, digest: str) -> str:
    """What an object holds; the notes of what an endpoint was left with name the run and its time."""
    return "a note" if key.startswith("served/") else digest


def _once(effects: Iterator[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Without repetitions of a change of an absolute state; a creation that comes twice stays twice."""
    last: dict[tuple[str, ...], tuple[str, ...]] = {}
    for effect in effects:
        key = (effect[0], effect[2])
        if effect[0] in CHANGES and last.get(key) == effect:
            continue
        last[key] = effect
        yield effect


@dataclass(frozen=True)
class _Plain:
    """Takes out of a text what differs between two runs of the same: the run's id and the numbers of jobs."""

    run: str
    names: dict[str, str]

    def plain(self, text: str) -> str:
        known = re.sub(r"sim-job-\d+", lambda m: self.names.get(m[0], m[0]), text)
        return known.replace(self.run, "RUN")

    def effect(self, effect: Effect) -> tuple[str, ...]:
        args = re.sub(r"'lease_until': [\d.]+", "'lease_until': L", repr(dict(sorted(effect.args.items()))))
        args = "a note" if effect.target.startswith("served/") else args
        return effect.kind, self.plain(effect.token), self.plain(effect.target), self.plain(args)
