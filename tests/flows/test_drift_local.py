"""A real endpoint counts what callers send and are told, and nothing that is sent to it harms a request."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving_desk import INPUTS, ROWS, Bench, ask, body, infer, line_to, opened, until

from evals.drift_endpoint import TABLE, served
from evals.drift_worlds import moved, still
from tools.backends.local.router_app import BODY_MOST
from tools.errors import NotFound
from tools.inputs import PROBE_HEADER, Inputs
from tools.ports import EndpointState
from tools.recipes.drift_reference import levels, numbers
from tools.recipes.reference import PREDICTION, REFERENCE_FILE, Bins, Reference

NAME = "churn"
URL = f"/v2/models/{NAME}/infer"


def reference() -> Reference:
    features: list[Bins] = []
    for one in INPUTS:
        make = levels if one.datatype == "BYTES" else numbers
        features.append(make(one.name, list(ROWS[one.name])))
    prediction = levels(PREDICTION, ["no", "yes"] * 40, known=("no", "yes"))
    return Reference(features=tuple(features), prediction=prediction)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """An endpoint whose version `v1` is watched and has the traffic; `blind` is older and carries no reference."""
    with opened(tmp_path_factory.mktemp("drift")) as made:
        folder = tmp_path_factory.mktemp("watched") / "model"
        shutil.copytree(made.objects.fetch("models/old"), folder)
        (folder / REFERENCE_FILE).write_text(reference().model_dump_json())
        made.objects.put("models/watched", folder)
        made.ready(NAME, "v1", model="models/watched")
        made.ready(NAME, "blind")
        made.serving.split(NAME, weights={"v1": 100}, call="run1-split-1")
        yield made


@pytest.fixture
def state(bench: Bench) -> EndpointState:
    return bench.serving.state(NAME)


def seen(bench: Bench, since: float, version: str = "v1") -> Inputs:
    return bench.telemetry.inputs(NAME, version=version, since=since)


def counted(bench: Bench, since: float, requests: int) -> Inputs:
    """The window once so many requests have been looked at: on a busy machine that may take more than one read."""

    def look() -> Inputs | None:
        found = seen(bench, since)
        return found if found.requests >= requests else None

    return until(look)


def test_rows_that_callers_sent_are_counted_once(bench: Bench, state: EndpointState) -> None:
    since = seen(bench, 0.0).until
    infer(state, 30, name=NAME)
    first = counted(bench, since, 30)
    infer(state, 10, name=NAME)
    second = counted(bench, first.until, 10)
    assert (first.rows, second.rows) == (30, 10)
    assert (first.requests, first.unread, first.unbinned) == (30, 0, 0)
    assert all(sum(one.served) == 30 for one in first.features)
    assert first.predictions is not None
    assert sum(first.predictions.served) == 30
    assert counted(bench, since, 40).rows == 40


def test_batches_requests_of_many_threads_and_copies(bench: Bench, state: EndpointState) -> None:
    bench.serving.mirror(NAME, version="blind", call="run1-mirror-1")
    since, rows = seen(bench, 0.0).until, 200
    tensors = [
        {"name": i.name, "datatype": i.datatype, "shape": [rows], "data": [ROWS[i.name][k % 80] for k in range(rows)]}
        for i in INPUTS
    ]

    def send() -> None:
        with line_to(state) as line:
            for _ in range(10):
                assert ask(line, "POST", URL, json.dumps({"inputs": tensors}).encode()).status == 200

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = counted(bench, since, 40)
    bench.serving.mirror(NAME, version=None, call="run1-mirror-2")
    assert found.requests == 40
    assert found.rows == rows * (40 - found.unread)
    assert found.rows >= 10 * rows


def test_our_own_load_and_refused_requests_are_not_what_callers_send(bench: Bench, state: EndpointState) -> None:
    since = seen(bench, 0.0).until
    with line_to(state) as line:
        line.request("POST", URL, body=body(), headers={PROBE_HEADER: "1"})
        answer = line.getresponse()
        answer.read()
        assert answer.status == 200
        assert ask(line, "POST", URL, b'{"inputs": []}').status == 400
    assert seen(bench, since).requests == 0


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x00\x01\x02",
        b"[" * 50_000,
        body(outputs=[{"name": "probability"}]),
        body(parameters={"x": "y" * 2_000_000}),
        json.dumps({"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [1e308]}]}).encode(),
        b'{"inputs": [{"name": NaN}]}',
        b" " * (BODY_MOST + 1),
    ],
    ids=["empty", "binary", "deep", "no-prediction", "large", "one-column", "nan", "too-large"],
)
def test_no_body_harms_the_request_or_those_after_it(bench: Bench, state: EndpointState, sent: bytes) -> None:
    since = seen(bench, 0.0).until
    try:
        with line_to(state) as line:
            status = ask(line, "POST", URL, sent).status
    except (BrokenPipeError, ConnectionResetError):
        status = 413  # refused while it was still being sent
    assert status < 500
    infer(state, 3, name=NAME)
    found = counted(bench, since, 3 + (status == 200))
    assert found.rows in (3, 4)
    assert found.requests == 3 + (status == 200)


def test_a_version_without_a_reference_is_not_watched(bench: Bench) -> None:
    found = seen(bench, 0.0, "blind")
    assert (found.watched, found.rows) == (False, 0)
    with pytest.raises(NotFound):
        seen(bench, 0.0, "none")


@pytest.mark.parametrize("query", ["", "?since=soon", "?since=nan", "?since=0&until=x"])
def test_the_control_socket_refuses_times_that_are_none(bench: Bench, query: str) -> None:
    from tools.backends.local.serving_client import Control
    from tools.errors import Invalid

    with pytest.raises(Invalid):
        Control(bench.runtime, NAME).ask("GET", f"/versions/v1/inputs{query}")


@pytest.mark.slow
def test_a_trained_model_is_watched_from_its_first_request_and_drift_is_heard(tmp_path: Path) -> None:
    with served(tmp_path) as endpoint:
        rng = np.random.default_rng(5)
        endpoint.send(still(TABLE), 600, rng)
        quiet = endpoint.read(0.0)
        endpoint.send(still(TABLE), 100, rng)
        few = endpoint.read(quiet.until)
        endpoint.send(moved(TABLE, "mean", 0), 900, rng)
        loud = endpoint.read(quiet.until)
    told: list[Any] = [(one.verdict, one.rows) for one in (quiet, few, loud)]
    assert told == [("steady", 600), ("not_enough", 100), ("drifted", 1000)]
    assert loud.features[0].name == "x0"
