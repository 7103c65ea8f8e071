"""The store on a real PostgreSQL: the same promises as in a file, and those that many workers and a server need."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from ledger_model import SAMPLE, LedgerMachine
from postgres_server import PostgresServer
from stored_claims import Many
from stored_journals import THREE, Alter, Journals, begun, say
from stored_ledgers import JUNE, Ledgers, reserve, settle

from agent.errors import Broken, OverLimit
from agent.record.address import Address
from agent.record.engine import Unreachable
from agent.record.ledger import Cap, Entry, Resource
from agent.record.server import Server
from agent.record.store import Store, open_store
from agent.record.versions import SCHEMA

PASSWORD = "hun/ter2@x:y"
EMPTY = """
SET session_replication_role = replica;
TRUNCATE goalkeeper.runs, goalkeeper.journal, goalkeeper.inbox, goalkeeper.account, goalkeeper.draws, goalkeeper.ledger,
  goalkeeper.turns, goalkeeper.outcomes RESTART IDENTITY;
"""


@pytest.fixture(scope="module")
def shared(postgres: PostgresServer) -> Iterator[str]:
    """One database for all tests of this module that leave the server alone."""
    address = postgres.database()
    open_store(address).close()
    yield address
    postgres.drop(address)


@pytest.fixture
def where(shared: str) -> str:
    """It has everything but rows."""
    with psycopg.connect(shared, autocommit=True) as link:
        link.execute(EMPTY)
    return shared


@pytest.fixture
def store(where: str) -> Iterator[Store]:
    opened = open_store(where)
    yield opened
    opened.close()


def changed(address: str, statement: str) -> int:
    """Somebody changes the tables behind the store's back; how many rows."""
    with psycopg.connect(address, autocommit=True, options="-c search_path=goalkeeper") as link:
        return link.execute(statement.encode()).rowcount


@pytest.fixture
def alter(where: str) -> Alter:
    def change(statement: str) -> None:
        assert changed(where, statement) > 0

    return change


class TestJournals(Journals):
    """In PostgreSQL."""


class TestLedgers(Ledgers):
    """In PostgreSQL."""


class TestClaims(Many):
    """In PostgreSQL."""


ATTACKS = (
    "UPDATE ledger SET reserved = reserved + 1",
    "UPDATE ledger SET settled = 0 WHERE settled > 0",
    "UPDATE ledger SET settled = NULL WHERE settled IS NOT NULL",
    "UPDATE ledger SET overrun = 0 WHERE overrun > 0",
    "UPDATE ledger SET overrun = 1 WHERE settled IS NULL",
    "UPDATE ledger SET month = '1999-12'",
    "UPDATE ledger SET call = call || 'x'",
    "DELETE FROM ledger",
    "DELETE FROM account",
    "DELETE FROM draws",
    "TRUNCATE ledger",
    "TRUNCATE account",
    "TRUNCATE draws",
    "UPDATE draws SET name = 'nobody'",
    "UPDATE account SET settled = bound + 1 WHERE bound < 9223372036854775807",
    "UPDATE account SET reserved = bound - settled WHERE overrun > 0",
    "UPDATE account SET reserved = -1",
    "UPDATE account SET reserved = 0",
    "UPDATE account SET settled = settled + 1",
    "INSERT INTO account (kind, name, month, resource, settled) VALUES ('month', '', '2020-01', 'tokens', 1)",
    "UPDATE account SET overrun = -1",
    "INSERT INTO ledger SELECT * FROM ledger",
    "INSERT INTO ledger SELECT 'nobody', call, resource, source, at, month, 1 FROM ledger",
    "INSERT INTO ledger SELECT run, 'new', resource, source, at, 'July', 1 FROM ledger LIMIT 1",
    "INSERT INTO ledger SELECT run, 'new', resource, source, at, month, 1, 2 FROM ledger LIMIT 1",
    "INSERT INTO ledger SELECT run, 'new', resource, source, at, month, 1000 FROM ledger LIMIT 1",
)


class Machine(LedgerMachine):
    """The ledger's machine on this server."""

    store_type = Store
    refusals = (psycopg.Error,)
    address: str

    def prepare(self) -> None:
        self.path = self.address
        with psycopg.connect(self.path, autocommit=True) as link:
            link.execute(EMPTY)

    def connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.address, autocommit=True, options="-c search_path=goalkeeper")


def test_no_interleaving_breaks_the_ledger(shared: str) -> None:
    played = settings(SAMPLE, max_examples=5, stateful_step_count=20)
    run_state_machine_as_test(type("Here", (Machine,), {"address": shared}), settings=played)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_interleaving_breaks_the_ledger_in_hundreds_of_steps(shared: str) -> None:
    played = settings(SAMPLE, max_examples=60, stateful_step_count=40, derandomize=False, phases=(Phase.generate,))
    run_state_machine_as_test(type("Here", (Machine,), {"address": shared}), settings=played)


@pytest.mark.parametrize("statement", ATTACKS)
def test_no_statement_makes_the_ledger_forget_or_a_bound_be_passed(store: Store, where: str, statement: str) -> None:
    epoch = begun(store, budget=100)
    caps = (Cap(holder="month", most=500),)
    first = [reserve("1", 30), reserve("2", 20), settle("1", 35)]
    store.append("r", epoch=epoch, at=JUNE, lines=[], money=first, caps=caps)
    before = store.accounts("r"), store.movements("r")
    with pytest.raises(psycopg.Error):
        changed(where, statement)
    assert (store.accounts("r"), store.movements("r")) == before


def test_runs_that_reserve_at_once_never_pass_a_bound_and_never_wait_for_each_other_for_good(where: str) -> None:
    """Twelve runs of two requesters in two processes' pools, each with all resources in an order of its own."""
    stores = [open_store(where), open_store(where)]
    resources: list[Resource] = ["usd_micro", "gpu_ms", "trials", "tokens"]
    caps = tuple(Cap(holder="month", resource=resource, most=60) for resource in resources)
    runs = {f"r{number}": stores[number % 2] for number in range(12)}
    for number, (run, own) in enumerate(runs.items()):
        own.create(run=run, goal="g", started=JUNE, requester=f"p{number % 2}", standing=("ep",))
        own.claim(run, owner="me", lease_s=60.0)

    def spend(run: str) -> int:
        order, had = random.Random(run), 0
        for call in range(6):
            entries = [Entry(call=f"{call}", kind="reserve", amount=2, resource=one) for one in resources]
            order.shuffle(entries)
            try:
                runs[run].append(run, epoch=1, at=JUNE, lines=[("intent", "{}")], money=entries, caps=caps)
                had += 1
            except OverLimit:
                continue
        return had

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(spend, runs)) == 30
    held = {a.resource: a.reserved for a in stores[0].accounts("r0") if a.holder == "month"}
    assert held == dict.fromkeys(resources, 60)
    assert sum(len(stores[0].lines(run)) for run in runs) == 30
    for own in stores:
        own.close()


def test_workers_that_start_at_once_make_the_tables_once(database: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        for opened in pool.map(open_store, [database] * 6):
            opened.close()
    with psycopg.connect(database) as link:
        assert link.execute("SELECT number FROM goalkeeper.version").fetchall() == [(SCHEMA,)]


def test_a_store_of_a_newer_version_is_refused_and_left_alone(database: str) -> None:
    open_store(database).close()
    assert changed(database, "UPDATE version SET number = 99") == 1
    with pytest.raises(Broken, match="newer version"):
        open_store(database)
    assert changed(database, "UPDATE version SET number = 99") == 1


# The server goes away.


def test_a_server_that_was_started_again_is_found_again_with_all_that_was_committed(
    postgres: PostgresServer, database: str
) -> None:
    store = open_store(database)
    epoch = begun(store, budget=100)
    say(store, epoch, THREE[:1], money=[reserve("1", 30)])
    for mode, line in (("fast", THREE[1:2]), ("immediate", THREE[2:])):
        postgres.stop(mode)  # type: ignore[arg-type]
        postgres.start()
        assert store.holds("r", epoch=epoch)
        say(store, epoch, line)
    assert [line.kind for line in store.lines("r")] == ["goal", "contract", "plan"]
    assert store.row("r").reserved == 30
    store.close()


def test_a_server_that_stays_away_is_said_to_and_nothing_is_half_written(
    postgres: PostgresServer, database: str
) -> None:
    store = open_store(database)
    epoch = begun(store)
    store._db.close()
    store._db = Server(database, patience_s=0.2)
    say(store, epoch, THREE[:1])
    postgres.stop()
    try:
        for attempt in (lambda: say(store, epoch, THREE[1:]), lambda: store.lines("r")):
            with pytest.raises(Unreachable, match=r"does not answer: .*start its server again, then resume"):
                attempt()
        with pytest.raises(Broken, match="cannot be opened"):
            open_store(database)
    finally:
        postgres.start()
    store._db._patience_s = 30.0
    assert len(store.lines("r")) == 1
    say(store, epoch, THREE[1:])
    assert len(store.lines("r")) == 3
    store.close()


class Faulty(Server):
    """A server whose connection breaks around the commits that a test names, counted from the first."""

    breaks: Mapping[int, str] = {}
    commits = 0

    def _commit(self, link: Any, unanswered: list[tuple[int, str]]) -> None:
        self.commits += 1
        when = self.breaks.get(self.commits)
        if when == "after":
            super()._commit(link, list(unanswered))
        if when is not None:
            link.close()
        super()._commit(link, unanswered)

    def write(self, body: Any, *, stored: Any = None, alone: bool = False) -> Any:
        return super().write(self._around(body) if alone else body, stored=stored, alone=alone)

    def _around(self, body: Callable[[Any], object]) -> Callable[[Any], object]:
        """The same for a statement that is a transaction by itself."""

        def broken(db: Any) -> object:
            self.commits += 1
            when = self.breaks.get(self.commits)
            if when == "before":
                db.link.close()
            done = body(db)
            if when == "after":
                db.link.close()
                db.execute("SELECT 1")
            return done

        return broken


WRITES: dict[str, Callable[[Store], object]] = {
    "append": lambda s: say(s, 1, THREE),
    "append with money": lambda s: say(s, 1, THREE, money=[reserve("1", 30), settle("1", 10)]),
    "append of money alone": lambda s: say(s, 1, [], money=[reserve("1", 30)]),
    "append that tells": lambda s: say(
        s, 1, THREE, money=[reserve("1", 90), settle("1", 90)], tell=lambda crossing: ("crossed", "{}")
    ),
    "status alone": lambda s: say(s, 1, [], status="waiting", due=5.0),
    "claim": lambda s: s.claim("r", owner="me", gone=("me",), lease_s=60.0),
    "create": lambda s: s.create(run="new", goal="g", started=1.0, due=2.0),
    "enter": lambda s: s.enter("r", requester="ada", at=JUNE, money=[reserve("model", 5)]),
    "settle what was entered": lambda s: s.enter("r", requester="ada", at=JUNE, money=[settle("before", 5)]),
    "post": lambda s: s.post(run="r", kind="cancel", body={}, at=1.0, dedupe="x"),
    "say": lambda s: s.say("talk", "goal", {"text": "x"}, at=1.0),
    "remember": lambda s: s.remember("r", [("c", {"x": 1})], at=1.0),
    "renew": lambda s: s.renew("r", epoch=1, lease_s=60.0),
    "release": lambda s: s.release("r", epoch=1, due=3.0),
    "wake": lambda s: s.wake("r", at=3.0),
    "bound": lambda s: s.bound("r", {"usd_micro": 50}),
}
TABLES = {
    "runs": "id, goal, status, head_seq, head_hash, owner, epoch, kind, due, woken, leased IS NULL, chapter",
    "journal": "*",
    "ledger": "*",
    "account": "*",
    "draws": "*",
    "inbox": "run, kind, body, at, dedupe, folded",
    "turns": "*",
    "outcomes": "*",
}


def played(where: str, write: Callable[[Store], object], breaks: Mapping[int, str]) -> tuple[object, list[Any]]:
    """What the write gave, and every row that is there then."""
    with psycopg.connect(where, autocommit=True, options="-c search_path=goalkeeper") as link:
        link.execute(EMPTY)
        store = open_store(where)
        store._db.close()
        store._db = server = Faulty(where)
        begun(store, budget=100)
        store.enter("r", requester="ada", at=JUNE, money=[reserve("before", 5)])
        server.breaks, server.commits = breaks, 0
        gave = write(store)
        assert server.commits >= max(breaks, default=0)
        store.close()
        rows = [
            link.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3".encode())
            for table, columns in TABLES.items()
        ]
        return gave, [found.fetchall() for found in rows]


@pytest.mark.parametrize("name", WRITES)
def test_whether_a_commit_came_through_is_looked_up_where_its_answer_was_lost(shared: str, name: str) -> None:
    whole = played(shared, WRITES[name], {})
    for breaks in ({1: "before", 2: "after"}, {1: "after"}):
        assert played(shared, WRITES[name], breaks) == whole, breaks


# What is said to others, and what is never said.


def test_who_listens_hears_of_every_wake_up_and_message(postgres: PostgresServer, database: str) -> None:
    store, other = open_store(database), open_store(database)
    begun(store)
    heard: list[str] = []
    stop, ready = Event(), Event()

    def listen() -> None:
        for run in other.listen(stop.is_set, every_s=0.05):
            heard.append(run)
            ready.set()

    thread = Thread(target=listen)
    thread.start()
    assert ready.wait(10)
    store.wake("r", at=1.0)
    store.post(run="r", kind="cancel", body={}, at=1.0, dedupe="x")
    wait_for(lambda: heard == ["", "r", "r"])
    postgres.stop("immediate")
    postgres.start()
    wait_for(lambda: heard[3:] == [""])
    store.wake("r", at=0.5)
    wait_for(lambda: heard[4:] == ["r"])
    stop.set()
    thread.join()
    store.close()
    other.close()


def wait_for(condition: Callable[[], bool]) -> None:
    turn = Event()
    for _ in range(400):
        if condition():
            return
        turn.wait(0.05)
    raise AssertionError("it never came")


def test_a_password_stands_in_no_error(postgres: PostgresServer) -> None:
    folder = postgres.address().partition("host=")[2]
    escaped = "hun%2Fter2%40x%3Ay"
    for address in (
        postgres.address("nowhere", password=PASSWORD),
        f"postgresql://ada:{escaped}@/postgres?host=%2Fnowhere",
        f"postgresql://ada:{escaped}@127.0.0.1:port/postgres",
        f"postgresql://ada@/postgres?host={folder}&password={escaped}&port=nonsense",
        f"postgresql://ada:{escaped}@/postgres?host={folder}&nonsense={escaped}",
    ):
        with pytest.raises(Broken) as found:
            open_store(address)
        told = f"{found.value} {found.value.__cause__!r} {Address(address)!r}"
        for piece in (PASSWORD, escaped, "hun", "ter2"):
            assert piece not in told


@pytest.mark.parametrize(
    "password",
    [
        "hun/ter2@x:y",
        "hunter2",
        "hunter2@hunter3",
        "hun%2Fter",
        "hunter?x=1",
        "hunter#2",
        "漢字密碼漢字密碼",
        "%zz%hunter",
    ],
)
def test_a_password_that_cuts_the_address_in_two_is_not_told_in_pieces(password: str) -> None:
    address = Address(f"postgresql://ada:{password}@db.example:5432/store")
    for said in (password, unquote(password), *re.split("[^\\w]", password)):
        if len(said) > 2:
            told = address.without_secrets(f'could not translate host name "{said}" to address')
            assert said not in told
            assert said not in str(address)
            assert "could not translate host name" in told
