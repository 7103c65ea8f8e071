"""What `doctor` says of where runs are kept and of what is told of them. It makes nothing and sends nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from agent.doors.check import Check
from agent.errors import GoalkeeperError
from agent.record.address import Address
from agent.settings import Settings
from agent.telemetry.opening import exporters, lacking

FILE = "goalkeeper.db"


def store(settings: Settings) -> Check:
    """Which store, whether it is reached, and its version."""
    if settings.store is None:
        return _file(settings.home / FILE)
    return _server(settings.store.get_secret_value())


def _file(path: Path) -> Check:
    if not path.exists():
        return Check(name="store", state="ok", detail=f"SQLite in {path}, made with the first run")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=1.0)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        return Check(name="store", state="failed", detail=f"SQLite in {path}: {error}", fix="see to the file")
    return Check(
        name="store", state="ok", detail=f"SQLite {sqlite3.sqlite_version} in {path}; tables of version {version}"
    )


def _server(address: str) -> Check:
    where = str(Address(address)).removeprefix("postgresql://")
    if find_spec("psycopg") is None:
        fix = "pip install 'goalkeeper[postgres]'"
        return Check(
            name="store", state="failed", detail=f"PostgreSQL at {where}: its client is not installed", fix=fix
        )
    from agent.record.server import look

    try:
        server, tables = look(address)
    except GoalkeeperError as error:
        fix = "see to the server, or to GOALKEEPER_STORE"
        return Check(name="store", state="failed", detail=f"PostgreSQL at {where} is not reached: {error}", fix=fix)
    kept = f"tables of version {tables}" if tables else "tables are made with the first run"
    return Check(name="store", state="ok", detail=f"PostgreSQL {server} answers at {where}; {kept}")


def telemetry(settings: Settings) -> Check:
    """Whether there is a log, and where spans go."""
    log = f"log {settings.log}" if settings.log is not None else "log off, text for `goalkeeper worker`"
    traces = settings.traces
    if missing := lacking(traces):
        named = ", ".join(missing)
        fix = (
            f"pip install {missing[0]!r}"
            if missing[0].startswith(("goalkeeper[", "opentelemetry-"))
            else ("set OTEL_TRACES_EXPORTER to otlp, console or none")
        )
        return Check(
            name="telemetry", state="warning", detail=f"{log}; no spans, since this is missing: {named}", fix=fix
        )
    to = ", ".join(exporters(traces))
    spans = f"spans to {to}" if to else "spans off"
    return Check(name="telemetry", state="ok", detail=f"{log}; {spans}; metrics with `goalkeeper worker --metrics`")
