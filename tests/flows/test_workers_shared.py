"""Workers that share a PostgreSQL: one is killed, one is stopped past its lease, messages are lost and come twice."""

from __future__ import annotations

import importlib
import os
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from postgres_server import PostgresServer
from pydantic import SecretStr
from simulated import ACCURACY, Stage, classify
from test_workers_embedded import works

from agent.errors import Broken
from agent.prospect import Request
from agent.record.engine import Word
from agent.record.server import Lent, Server
from agent.stopping import Stopping
from agent.working.lead import Lead
from agent.working.queue import SCHEMA, Queue, name_of
from agent.working.worker import Worker
from evals.working import OfBench, opened
from tools.backends.sim.client import SimClient
from tools.backends.sim.server import run as serve
from tools.errors import Transient

PACE = 25.0
LEASE_S = 1.0
RUNS = 20
LONGEST_S = 90.0
GOAL = "Train a classifier on sklearn:breast_cancer with at least 90 % accuracy."


@dataclass
class Crew:
    """A home, a world whose time passes, a store on a server, and the processes that work there."""

    folder: Path
    address: str
    pids: list[int] = field(default_factory=list)

    @property
    def trace(self) -> Path:
        return self.folder / "trace"

    def open(self) -> OfBench:
        return opened(self.folder, self.address, latency_s=0.01, lease_s=LEASE_S)

    def fork(self, deed: Callable[[], object]) -> int:
        pid = os.fork()
        if pid:
            self.pids.append(pid)
            return pid
        code = 1
        try:
            deed()
            code = 0
        except BaseException:  # noqa: BLE001 - the child must never return into the tests; its parent reads the trace
            self.trace.write_text(traceback.format_exc())
        finally:
            os._exit(code)

    def employ(self) -> int:
        """Another worker; its process id."""
        return self.fork(self._work)

    def _work(self) -> None:
        works = self.open()
        with Stopping().heeding() as stopping:
            works.begin(stopping)
            Worker(works, stopping=stopping, tell=self._told).work()

    def _told(self, text: str) -> None:
        with (self.folder / "told").open("a") as file:
            file.write(f"{os.getpid()}: {text}\n")

    def ask(self, statement: str) -> object:
        with psycopg.connect(self.address, autocommit=True, options=f"-c search_path={SCHEMA}") as link:
            found = link.execute(statement.encode())
            row = found.fetchone() if found.description else (found.rowcount,)
            return row[0] if row is not None else None

    def until(self, statement: str, what: str) -> None:
        """Wait until the database says so."""
        deadline = time.monotonic() + LONGEST_S
        while not self.ask(statement):
            said = self.trace.read_text() if self.trace.exists() else ""
            assert not said, said
            assert time.monotonic() < deadline, f"{what}: not within {LONGEST_S:g} s"
            time.sleep(0.05)

    def leave(self, pid: int) -> int:
        """Ask one to stop; its wait status."""
        os.kill(pid, signal.SIGTERM)
        self.pids.remove(pid)
        return os.waitpid(pid, 0)[1]


@contextmanager
def crew(folder: Path, address: str) -> Iterator[Crew]:
    made = Crew(folder, address)
    made.fork(lambda: serve(socket_path=folder / "w", world="steady", seed=0, state=None, pace=PACE))
    try:
        _until_answers(folder / "w")
        importlib.import_module("agent.graph")  # once, here: every process below is a fork of this one
        yield made
    finally:
        for pid in made.pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _until_answers(socket: Path) -> None:
    deadline = time.monotonic() + LONGEST_S
    while True:
        try:
            SimClient(socket)
            return
        except Transient:
            assert time.monotonic() < deadline, "the world does not answer"
            time.sleep(0.01)


@pytest.fixture
def place(session_folder: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with a short path: sockets are made below it."""
    folder = session_folder / f"k{abs(hash(request.node.name)) % 10**6}"
    folder.mkdir()
    return folder


def begin(works: OfBench, folder: Path, count: int) -> list[str]:
    runs = []
    for _ in range(count):
        runs.append(works.start(Request(text=GOAL, source="cli:ada", accept=True, folder=str(folder))))
        works.leave(runs[-1])
    return runs


TODO = f"{SCHEMA}.procrastinate_jobs WHERE status = 'todo'"
TWICE = (
    f"INSERT INTO {SCHEMA}.procrastinate_jobs (queue_name, task_name, args) SELECT '{{queue}}', 'goalkeeper.wake',"
    " jsonb_build_object('run', id, 'cause', 'job') FROM goalkeeper.runs, generate_series(1, 2)"
)


def test_every_run_ends_once_whatever_becomes_of_workers_and_messages(place: Path, database: str) -> None:
    with crew(place, database) as made:
        with made.open() as works:
            runs, twice = begin(works, place, RUNS), TWICE.format(queue=name_of(works.place))
        first, second = made.employ(), made.employ()
        made.until("SELECT count(*) > 15 FROM goalkeeper.journal WHERE kind = 'intent'", "work begins")
        os.kill(first, signal.SIGKILL)
        made.ask(f"DELETE FROM {TODO}")
        made.ask(twice)
        os.kill(second, signal.SIGSTOP)
        third = made.employ()
        time.sleep(2 * LEASE_S)
        os.kill(second, signal.SIGCONT)
        made.ask(twice)
        made.ask(f"DELETE FROM {TODO} AND id % 2 = 0")
        made.until(f"SELECT count(*) = {RUNS} FROM goalkeeper.runs WHERE status = 'done'", "all runs end")
        assert [made.leave(pid) for pid in (second, third)] == [0, 0]
        log = [e for e in SimClient(place / "w").effects if e.by == "call"]
        created = Counter(e.token for e in log if e.kind == "jobs.submit")
        assert set(created.values()) == {1}
        assert {token.partition("/")[0] for token in created} == set(runs)
        assert made.ask("SELECT sum(reserved) FROM goalkeeper.account") == 0
        with made.open() as works:
            assert {works.show(run).run.exit_code for run in runs} <= {0, 1}  # met, or not met on this split
        assert made.ask("SELECT count(owner) FROM goalkeeper.runs") == 0


@pytest.mark.slow
def test_a_worker_goes_on_when_its_database_was_restarted(place: Path, postgres: PostgresServer) -> None:
    address = postgres.database()
    with crew(place, address) as made:
        with made.open() as works:
            begin(works, place, 3)
        worker = made.employ()
        made.until("SELECT count(*) > 3 FROM goalkeeper.journal WHERE kind = 'intent'", "work begins")
        postgres.stop("immediate")
        postgres.start()
        made.until("SELECT count(*) = 3 FROM goalkeeper.runs WHERE status = 'done'", "all runs end")
        assert made.leave(worker) == 0
        created = Counter(e.token for e in SimClient(place / "w").effects if e.kind == "jobs.submit")
        assert set(created.values()) == {1}
    postgres.drop(address)


class Counted(Server):
    """A server that counts what it is asked."""

    asked = 0

    @contextmanager
    def _lent(self, until: float) -> Iterator[Lent]:
        with super()._lent(until) as lent:
            yield cast("Lent", _Counted(lent, self))


class _Counted:
    def __init__(self, of: Lent, server: Counted) -> None:
        self.of, self.server = of, server
        self.link = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of.link, name)

    def execute(self, statement: str, words: Sequence[Word] = ()) -> Any:
        self.server.asked += 1
        return self.of.execute(statement, words)


def test_a_look_that_finds_nothing_to_do_asks_little_of_the_server(tmp_path: Path, database: str) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    stage.settings = stage.settings.model_copy(update={"store": SecretStr(database)})
    made = works(stage)
    with made:
        run = made.start(stage.request(accept=True))
        made.leave(run)
        made.begin(Stopping())
        assert made.look(run, "started").came == "suspended"
        made.rows.wake(run, at=made.clock.now())
        made.rows._db.close()
        made.rows._db = server = Counted(database)
        assert made.look(run, "due").came == "suspended"
        assert 0 < server.asked <= 7  # its row; the claim and what is around it; its journal; its inbox; letting it go


def test_the_queue_holds_a_runs_message_once_and_keeps_one_for_later(database: str) -> None:
    queue, elsewhere = Queue(database, "here"), Queue(database, "there")
    assert [queue.put("run", "job"), queue.put("run", "message"), queue.put("other", "due")] == [True, False, True]
    assert [queue.put("run", "due", in_s=3600.0), queue.put("run", "due", in_s=3600.0)] == [True, False]
    assert elsewhere.put("run", "job")  # what waits for others stands in nobody's way
    queue.close()
    elsewhere.close()


def test_a_queue_that_cannot_be_reached_says_so_without_the_password() -> None:
    with pytest.raises(Broken, match="the queue of wake-ups cannot be opened") as raised:
        Queue("postgresql://ada:canary-word@127.0.0.1:1/runs", "here")
    assert "canary-word" not in str(raised.value)


def test_one_worker_of_a_backend_watches_and_another_does_once_it_is_gone(database: str) -> None:
    first, second, elsewhere = (Lead(database, name, every_s=0.0) for name in ("here", "here", "there"))
    assert [first.held(), second.held(), elsewhere.held(), first.held()] == [True, False, True, True]
    first.close()
    _until(second.held)
    elsewhere.close()
    second.close()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
