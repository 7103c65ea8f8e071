"""Runs as an MLflow server shows them: over real HTTP, twice without a trace, and never in a run's way.

Against a real server: REAL_MLFLOW=/path/to/mlflow pytest tests/flows/test_tracking.py
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import socket
from urllib.request import urlopen

import pytest
from mlflow_stand_in import tracking
from pydantic import SecretStr
from simulated import ACCURACY, Stage, classify

from agent.documents import RunDocument
from agent.settings import Tracking
from agent.tracking.mlflow import Client, Credentials, TrackingError

REAL = os.environ.get("REAL_MLFLOW")


def ended(folder: Path, uri: str, *, token: SecretStr | None = None) -> RunDocument:
    stage = Stage(folder, classify(ACCURACY))
    stage.settings = stage.settings.model_copy(update={"tracking": Tracking(uri=uri, token=token)})
    return stage.ended()


def test_a_run_is_mirrored_with_its_models_its_verdicts_and_its_report(tmp_path: Path) -> None:
    with tracking() as server:
        document = ended(tmp_path, server.uri)
    parent, *models = server.runs.values()
    assert parent["tags"]["goalkeeper.call"] == document.run.id
    assert parent["info"]["status"] == "FINISHED"
    assert parent["metrics"]["model.accuracy.met"] == {0: 1.0}
    assert parent["metrics"]["model.accuracy"] == {0: document.run.clauses[0].measured}
    assert any(name.endswith("/report.md") for name in server.files)
    assert models
    assert {m["tags"]["mlflow.parentRunId"] for m in models} == {parent["info"]["run_id"]}
    assert all(m["params"]["family"] for m in models)
    assert any("validation.accuracy" in m["metrics"] for m in models)
    assert sum("holdout.accuracy" in m["metrics"] for m in models) == 1


def test_mirroring_again_changes_nothing(tmp_path: Path) -> None:
    with tracking() as server:
        stage = Stage(tmp_path, classify(ACCURACY))
        stage.settings = stage.settings.model_copy(update={"tracking": Tracking(uri=server.uri)})
        session, document = stage.run(accept=True)
        before = {id_: dict(run) for id_, run in server.runs.items()}
        with session:
            run = session._fold(document.run.id)
            assert session._mirrored(run, document.run) == ""
    assert server.runs == before


def test_a_server_that_is_down_is_a_finding_and_nothing_more(tmp_path: Path) -> None:
    with closing(socket()) as door:
        door.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{door.getsockname()[1]}"
    document = ended(tmp_path, uri)
    assert document.run.exit_code == 0
    assert any("not mirrored to MLflow: the tracking server cannot be reached" in f for f in document.run.findings)
    report = Path(document.run.report or "").read_text(encoding="utf-8")
    assert "not mirrored to MLflow" in report


def test_what_passes_is_waited_out(tmp_path: Path) -> None:
    with tracking() as server:
        server.broken = 2
        document = ended(tmp_path, server.uri)
    assert len(server.runs) > 1
    assert not any("MLflow" in f for f in document.run.findings)


def test_credentials_are_sent_and_shown_nowhere(tmp_path: Path) -> None:
    with tracking() as server:
        document = ended(tmp_path, server.uri, token=SecretStr("hush-hush"))
    assert all(line.endswith("Bearer hush-hush") for line in server.seen)
    everything = document.model_dump_json() + "".join(
        path.read_text(errors="replace") for path in (tmp_path / "home").rglob("*") if path.is_file()
    )
    assert "hush-hush" not in everything
    assert "hush" not in repr(Credentials(token=SecretStr("hush-hush")))


@pytest.mark.parametrize("answer", ["{}", "[]", "null", '{"experiment": 3}', "<html>", '{"runs": "x"}', "[" * 100_000])
def test_a_server_that_is_no_mlflow_changes_no_run(tmp_path: Path, answer: str) -> None:
    with tracking() as server:
        server.always = answer
        document = ended(tmp_path, server.uri)
    assert (document.run.status, document.run.exit_code) == ("done", 0)
    assert any("not mirrored to MLflow" in f for f in document.run.findings)


def test_credentials_do_not_follow_to_another_place(tmp_path: Path) -> None:
    with tracking() as server, tracking() as elsewhere:
        server.elsewhere = elsewhere.uri
        document = ended(tmp_path, server.uri, token=SecretStr("hush-hush"))
    assert elsewhere.seen == []
    assert any("sends elsewhere" in f for f in document.run.findings)


@pytest.mark.parametrize(
    "uri", ["file:///tmp/mlruns", "databricks", "sqlite:///x.db", "http://", "http://[::1", "http://a:b"]
)
def test_a_place_that_is_no_server_is_named(uri: str) -> None:
    with pytest.raises(TrackingError, match="MLFLOW_TRACKING_URI"):
        Client(uri)


@contextmanager
def real_server(folder: Path) -> Iterator[str]:
    with closing(socket()) as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    command = [str(REAL), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/m.db", "--artifacts-destination", str(folder / "files")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        until = time.monotonic() + 90
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                    break
            except OSError:
                assert time.monotonic() < until, "the MLflow server did not start"
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)


@pytest.mark.skipif(REAL is None, reason="set REAL_MLFLOW to an installed mlflow command to run this")
def test_a_real_server_takes_it(tmp_path: Path) -> None:
    with real_server(tmp_path) as uri:
        document = ended(tmp_path / "run", uri)
        assert not any("MLflow" in f for f in document.run.findings)
        client = Client(uri)
        experiment = client.experiment("goalkeeper")
        parent = client.find(experiment, "goalkeeper.call", document.run.id)
        assert parent is not None
    assert list((tmp_path / "files").rglob("report.md"))
