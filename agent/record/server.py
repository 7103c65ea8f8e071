"""PostgreSQL as the engine: many workers, one database, a pool of connections in each process.

A transaction runs READ COMMITTED. What it reads and then writes is held by locks that all take in one order: the run's
row, then the names of the accounts it draws on (advisory locks, sorted by key, so that those count that have no row
yet), then their rows. Nobody waits in a circle; should the server find one all the same, it is tried again.
SERIALIZABLE would abort and repeat where all runs share the month's account, which is in every step.

A connection that breaks is replaced. What was not committed then is carried out again; where the answer to a commit was
lost, its session is ended first and what it left is looked up, so that nothing is assumed.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from agent.errors import Broken, OverLimit
from agent.record.address import Address
from agent.record.engine import Statements, Unreachable, Word
from agent.record.versions import SCHEMA, newer, script
from tools.language import tr

T = TypeVar("T")
CHANNEL = "goalkeeper"
CONNECTIONS = 10
"""Of one process; its threads wait for each other beyond."""
PATIENCE_S = 30.0
"""How long a server that is gone, or one that lets others go first, is waited for."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 1.0
MIGRATING = 0x676F616C
"""The lock of whoever brings the tables up to date."""


class _Lost(Exception):
    """The connection broke."""


class _Again(Exception):
    """The server let another transaction go first."""


class Link(psycopg.Connection[tuple[Any, ...]]):
    """A connection that knows how the server calls its session."""

    session = (0, "")
    """Process id of its backend, and when that started."""


class Lent:
    """A connection for as long as it is needed, with the statements of both engines."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def execute(self, statement: str, words: Sequence[Word] = (), /) -> psycopg.Cursor[tuple[Any, ...]]:
        return self.link.execute(_theirs(statement), words)

    def executemany(self, statement: str, rows: Sequence[Sequence[Word]], /) -> object:
        if len(rows) == 1:
            return self.link.execute(_theirs(statement), rows[0])
        with self.link.cursor() as cursor:  # all on one way to the server and back
            cursor.executemany(_theirs(statement), rows)
        return None


@lru_cache(maxsize=256)
def _theirs(statement: str) -> Any:
    """The statement with the placeholders of this driver."""
    return statement.replace("%", "%%").replace("?", "%s")


class Server:
    """A PostgreSQL database."""

    def __init__(self, address: str, *, patience_s: float = PATIENCE_S, connections: int = CONNECTIONS) -> None:
        """Connect, and bring the tables up to date. Broken when that cannot be done now."""
        self._address = Address(address)
        self._patience_s = patience_s
        try:
            with psycopg.connect(self._address.whole, autocommit=True) as link:
                _prepare(link, self._address)
        except (psycopg.Error, OSError, ValueError) as error:
            raise Broken(self._opening(error)) from None
        logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())  # what matters is raised
        self._pool = ConnectionPool(
            self._address.whole,
            connection_class=Link,
            kwargs={"autocommit": True},
            min_size=1,
            max_size=connections,
            num_workers=1,
            configure=_configure,
            name=CHANNEL,
            open=True,
        )

    def close(self) -> None:
        self._pool.close()

    def execute(self, statement: str, words: Sequence[Word] = ()) -> list[Any]:
        return self.read(lambda db: db.execute(statement, words).fetchall())

    def read(self, body: Callable[[Statements], T]) -> T:
        return self._persist(body)

    def write(
        self,
        body: Callable[[Statements], T],
        *,
        stored: Callable[[Statements], T | None] | None = None,
        alone: bool = False,
    ) -> T:
        if alone:
            return self._persist(body)
        unanswered: list[tuple[int, str]] = []

        def once(lent: Lent) -> T:
            if unanswered:
                _end(lent.link, *unanswered[0])
                unanswered.clear()
                if stored is not None and (found := stored(lent)) is not None:
                    return found
            lent.link.execute("BEGIN")
            done = body(lent)
            unanswered.append(lent.link.session)
            self._commit(lent.link, unanswered)
            return done

        return self._persist(once)

    def _commit(self, link: Link, unanswered: list[tuple[int, str]]) -> None:
        """`unanswered` keeps the session as long as nobody knows whether it came through."""
        try:
            link.execute("COMMIT")
        except psycopg.Error as error:
            if not _broken(link, error):
                unanswered.clear()
            raise
        unanswered.clear()

    def hold(self, db: Statements, names: Sequence[tuple[str, str]]) -> None:
        db.execute(_HOLD, (_keys(tuple(names)),))

    def notify(self, db: Statements, run: str) -> None:
        db.execute("SELECT pg_notify(?, ?)", (CHANNEL, run))

    def listen(self, stop: Callable[[], bool], every_s: float) -> Iterator[str]:
        while not stop():
            try:
                with psycopg.connect(self._address.whole, autocommit=True) as link:
                    link.execute(f"LISTEN {CHANNEL}")
                    yield ""  # whatever was said before this
                    while not stop():
                        for said in link.notifies(timeout=every_s, stop_after=1):
                            yield said.payload
            except psycopg.OperationalError:
                time.sleep(min(every_s, LONGEST_PAUSE_S))

    def _persist(self, once: Callable[[Lent], T]) -> T:
        """Until it came through. Unreachable when that takes too long."""
        until, pause = time.monotonic() + self._patience_s, FIRST_PAUSE_S
        while True:
            try:
                with self._lent(until) as lent:
                    return once(lent)
            except (_Lost, _Again) as error:
                if time.monotonic() > until:
                    raise Unreachable(self._gone(error)) from None
                if isinstance(error, _Lost):
                    self._pool.check()  # the others are broken as well
                time.sleep(random.uniform(0.5, 1.5) * pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    @contextmanager
    def _lent(self, until: float) -> Iterator[Lent]:
        link = self._link(until)
        try:
            yield Lent(link)
        except psycopg.Error as error:
            raise self._said(link, error) from None
        finally:
            if not link.closed and link.info.transaction_status != TransactionStatus.IDLE:
                with suppress(psycopg.Error):
                    link.execute("ROLLBACK")
            self._pool.putconn(link)

    def _link(self, until: float) -> Link:
        try:
            return self._pool.getconn(timeout=max(0.1, until - time.monotonic()))
        except PoolClosed:
            raise Broken(tr("the store {address} has been closed", address=self._address)) from None
        except PoolTimeout as error:
            raise Unreachable(self._gone(_why(self._address.whole) or error)) from None

    def _said(self, link: Link, error: psycopg.Error) -> Exception:
        """What the server's refusal means, with the way out where there is one."""
        if _broken(link, error):
            link.close()
            return _Lost(str(error))
        if isinstance(error, (errors.DeadlockDetected, errors.SerializationFailure)):
            return _Again(str(error))
        if isinstance(error, errors.NumericValueOutOfRange) or "within_bound" in str(error):
            return OverLimit("an account has no room left for what was to be reserved")
        told = tr("the store refused to write: {error}", error=f"{self._plain(error)} ({self._address})")
        for kind, way_out in _WAYS_OUT.items():
            if isinstance(error, kind):
                return Unreachable(tr("{what}: {way_out}", what=told, way_out=way_out()))
        return Broken(told)

    def _gone(self, error: Exception) -> str:
        told = tr("the store {address} does not answer: {error}", address=self._address, error=self._plain(error))
        return tr("{what}: {way_out}", what=told, way_out=tr("start its server again, then resume"))

    def _opening(self, error: Exception) -> str:
        return tr("the store {path} cannot be opened: {error}", path=self._address, error=self._plain(error))

    def _plain(self, error: Exception) -> str:
        return self._address.without_secrets(error)


_WAYS_OUT: Mapping[type[psycopg.Error], Callable[[], str]] = {
    errors.DiskFull: lambda: tr("free space on its disk, then resume"),
    errors.InsufficientResources: lambda: tr("give its server more room, then resume"),
    errors.ReadOnlySqlTransaction: lambda: tr("name the server that may be written, then resume"),
    errors.InsufficientPrivilege: lambda: tr("let its user write, then resume"),
    errors.OperatorIntervention: lambda: tr("resume once its server lets you"),
}
_HOLD = "SELECT pg_advisory_xact_lock(key) FROM unnest(CAST(? AS bigint[])) AS key"
_SESSION = "SELECT pid, CAST(backend_start AS text) FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_TERMINATE = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE pid = %s AND backend_start = CAST(%s AS timestamptz)"
)
_THERE = "SELECT to_regclass('goalkeeper.version') IS NOT NULL"
_VERSION = "SELECT greatest((SELECT max(number) FROM goalkeeper.version), (SELECT max(schema) FROM goalkeeper.runs))"


@lru_cache(maxsize=1024)
def _keys(names: tuple[tuple[str, str], ...]) -> str:
    """The lock of each name, in the order in which everybody takes them."""
    digests = (sha256(f"{kind}\n{name}".encode("utf-8", "surrogatepass")).digest() for kind, name in names)
    keys = sorted({int.from_bytes(digest[:8], "big", signed=True) for digest in digests})
    return "{" + ",".join(map(str, keys)) + "}"


def _configure(link: Link) -> None:
    link.execute("SET search_path TO goalkeeper")
    found = link.execute(_SESSION).fetchone()
    if found is not None:
        link.session = (int(found[0]), str(found[1]))


def _end(link: Link, session: int, started: str) -> None:
    """See to it that a session is over, so that what it was asked for has been done or never will be."""
    if any(ended is False for (ended,) in link.execute(_TERMINATE, (session, started))):
        raise _Again("the session before is still at work")


def _broken(link: Link, error: psycopg.Error) -> bool:
    """The connection is of no use any more, or its server is going away."""
    going = (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow, psycopg.InterfaceError)
    return link.closed or isinstance(error, going) or (error.sqlstate or "").startswith("08")


def _why(address: str) -> Exception | None:
    """Why there is no connection; None where there is one now."""
    try:
        psycopg.connect(address, connect_timeout=3).close()
    except psycopg.Error as error:
        return error
    return None


def _prepare(link: psycopg.Connection[tuple[Any, ...]], address: Address) -> None:
    """Make the tables what this version works with, once, however many start at once."""
    if _version(link) == SCHEMA:
        return
    # Held by the session until it ends: what another one made is seen by a transaction that begins after it only.
    link.execute("SELECT pg_advisory_lock(%s)", (MIGRATING,))
    with link.transaction():
        version = _version(link)
        if version > SCHEMA:
            raise newer(address)
        if version == 0:
            link.execute(script("postgres").encode())
            link.execute("INSERT INTO goalkeeper.version VALUES (%s)", (SCHEMA,))


def _version(link: psycopg.Connection[tuple[Any, ...]]) -> int:
    """0 where nothing is yet."""
    if link.execute(_THERE).fetchone() != (True,):
        return 0
    found = link.execute(_VERSION).fetchone()
    return int(found[0]) if found is not None else 0


@contextmanager
def reading(address: str) -> Iterator[Lent]:
    """A connection that only reads, past the store itself. Unreachable where that cannot be done."""
    told = Address(address)
    try:
        with Link.connect(told.whole, autocommit=True) as link:
            link.execute("SET search_path TO goalkeeper")
            link.execute("SET default_transaction_read_only TO on")
            yield Lent(link)
    except psycopg.Error as error:
        raise Unreachable(told.without_secrets(error)) from None


def look(address: str) -> tuple[str, int]:
    """The server's version, and that of its tables (0: there are none yet). Nothing is made. Broken when it is not
    reached."""
    where = Address(address)
    try:
        with psycopg.connect(where.whole, autocommit=True, connect_timeout=3) as link:
            found = link.execute("SHOW server_version").fetchone()
            return str(found[0]) if found is not None else "", _version(link)
    except (psycopg.Error, OSError, ValueError) as error:
        raise Broken(where.without_secrets(error)) from None
