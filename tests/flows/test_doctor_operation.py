"""What `doctor` says of the store and of telemetry, without making or sending anything and without a password."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated import ACCURACY, Stage, classify

from agent.doors.operation_check import store, telemetry
from agent.record.store import open_store
from agent.record.versions import SCHEMA
from agent.settings import Settings, load


def settings(folder: Path, **environ: str) -> Settings:
    return load({}, environ, folder)


def test_a_home_that_was_never_used_stays_so(tmp_path: Path) -> None:
    found = store(settings(tmp_path))
    assert (found.state, "made with the first run" in found.detail) == ("ok", True)
    assert list(tmp_path.iterdir()) == []


def test_the_file_and_the_version_of_its_tables_are_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    with stage.begun():
        pass
    found = store(stage.settings)
    assert found.state == "ok"
    assert found.detail.endswith(f"goalkeeper.db; tables of version {SCHEMA}")
    (stage.settings.home / "goalkeeper.db").write_bytes(
        b"not a database, but long enough for its header to be read" * 40
    )
    assert store(stage.settings).state == "failed"


def test_a_server_is_told_with_its_versions_before_and_after_the_first_run(tmp_path: Path, database: str) -> None:
    known = settings(tmp_path, GOALKEEPER_STORE=database)
    before = store(known)
    assert before.state == "ok"
    assert before.detail.startswith("PostgreSQL 1")
    assert "tables are made with the first run" in before.detail
    open_store(database).close()
    assert store(known).detail.endswith(f"tables of version {SCHEMA}")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ada:canary-pw77@127.0.0.1:1/goals",
        "postgresql:///goals?host=/nowhere&password=canary-pw77",
        "postgresql://[::1:x/goals",
    ],
)
def test_a_server_that_is_not_reached_is_told_without_its_password(tmp_path: Path, address: str) -> None:
    found = store(settings(tmp_path, GOALKEEPER_STORE=address))
    assert found.state == "failed"
    assert "GOALKEEPER_STORE" in found.fix
    assert "pw77" not in found.detail + found.fix


@pytest.mark.parametrize(
    ("environ", "state", "said"),
    [
        ({}, "ok", "spans off"),
        ({"GOALKEEPER_LOG": "json"}, "ok", "log json"),
        ({"OTEL_TRACES_EXPORTER": "none"}, "ok", "spans off"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "ok", "spans to console"),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, "ok", "spans off"),
        ({"OTEL_TRACES_EXPORTER": "jaeger"}, "warning", "jaeger"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "warning", "opentelemetry-exporter-otlp"),
    ],
)
def test_what_is_told_of_runs_and_what_lacks_for_it(
    tmp_path: Path, environ: dict[str, str], state: str, said: str
) -> None:
    found = telemetry(settings(tmp_path, **environ))
    assert (found.state, said in found.detail) == (state, True)
    assert bool(found.fix) is (state == "warning")
