"""Endpoints on this machine, with real processes: versions, weights, measurements, and what a load is."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from serving_desk import (
    OLD,
    ROWS,
    Bench,
    ask,
    body,
    infer,
    line_to,
    opened,
    tags,
    until,
    with_traffic,
)

from tools.backends.local.serving import LocalServing
from tools.errors import Conflict, Invalid, NotFound
from tools.ports import EndpointState, Scope, ServeSpec, VersionState
from tools.recipes import parts
from tools.recipes.records import LoadArgs, LoadResult


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("serving")) as made:
        yield made


@pytest.fixture(scope="module")
def live(bench: Bench) -> EndpointState:
    return with_traffic(bench)


def test_an_endpoint_without_weights_says_when_to_come_back(bench: Bench) -> None:
    state = bench.deploy("fresh", "v1")
    assert [(v.name, v.weight) for v in state.versions] == [("v1", 0)]
    with line_to(state) as line:
        answer = ask(line, "POST", "/v2/models/fresh/infer", body())
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert ask(line, "GET", "/v2/health/live").status == 200
    bench.serving.remove("fresh")
    bench.serving.remove("fresh")
    with pytest.raises(NotFound):
        bench.serving.state("fresh")


def test_a_served_model_speaks_the_inference_protocol(bench: Bench, live: EndpointState) -> None:
    with line_to(live) as line:
        for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/churn/ready", "/metrics"):
            assert ask(line, "GET", path).status == 200
        about = json.loads(ask(line, "GET", "/v2/models/churn/versions/v1").text)
        assert about == json.loads(ask(line, "GET", "/v2/models/churn").text)
        answer = ask(line, "POST", "/v2/models/churn/infer", body(30, id="q1"))
        assert answer.headers["x-goalkeeper-version"] == "v1"
        made = json.loads(answer.text)
    assert about["parameters"]["digest"] == bench.objects.digest("models/old")
    assert (made["id"], made["model_name"], made["model_version"]) == ("q1", "churn", "v1")
    prediction, probability = made["outputs"]
    assert prediction["data"] == ["yes"]
    assert probability["shape"] == [1, 2]
    assert sum(probability["data"]) == pytest.approx(1.0)


def test_the_same_call_is_adopted_and_another_call_with_that_version_is_a_conflict(
    bench: Bench, live: EndpointState
) -> None:
    again = bench.deploy("churn", "v1")
    assert [v.name for v in again.versions] == ["v1"]
    assert again.started == live.started
    found = bench.serving.find("run1-churn-v1-1")
    assert found is not None
    assert found.name == "churn"
    assert bench.serving.find("run1-nobody") is None
    with pytest.raises(Conflict):
        bench.serving.deploy(
            spec=ServeSpec(endpoint="churn", version="v1", model="models/old"), tags=tags("run2-other-1", run="run2")
        )


def test_what_an_endpoint_says_of_itself_lists_it_for_its_run_alone(bench: Bench, live: EndpointState) -> None:
    (mine,) = (one for one in bench.serving.owned(Scope(run="run1")) if one.id == "churn")
    assert (mine.kind, mine.call, mine.owner) == ("endpoint", "run1-churn-v1-1", "tester")
    assert mine.lease_until == live.lease_until
    assert not bench.serving.owned(Scope(run="run9"))


@pytest.mark.parametrize("weights", [{}, {"v1": 99}, {"v1": 50, "v9": 50}, {"v1": 150, "v2": -50}])
def test_weights_that_are_not_absolute_percents_of_known_versions_are_refused(
    bench: Bench, live: EndpointState, weights: dict[str, int]
) -> None:
    with pytest.raises(Invalid):
        bench.serving.split("churn", weights=weights, call="run1-split-2")
    assert bench.serving.state("churn").versions == live.versions


def test_a_canary_gets_its_exact_share_and_is_measured_apart_and_no_request_is_lost_when_it_is_withdrawn(
    bench: Bench, live: EndpointState
) -> None:
    bench.ready("churn", "v2", model="models/new")
    state = bench.serving.split("churn", weights={"v1": 80, "v2": 20}, call="run1-split-3")
    since = time.time()
    assert infer(state, 50, name="churn") == {"v1": 40, "v2": 10}
    new = bench.telemetry.traffic("churn", version="v2", since=since, thresholds_ms=[0.0, 1e6])
    assert (new.requests, new.errors, new.over) == (10, 0, {"0.0": 10, "1000000.0": 0})
    assert 0 < new.quantiles_ms["p50"] <= new.quantiles_ms["p95"] <= new.quantiles_ms["p99"]
    assert bench.telemetry.traffic("churn", version="v1", since=since, thresholds_ms=[], skip=15).requests == 25

    bench.serving.split("churn", weights={"v1": 20, "v2": 80}, call="run1-split-4")
    answered: list[Counter[str]] = []
    clients = [threading.Thread(target=lambda: answered.append(infer(state, 60, name="churn"))) for _ in range(3)]
    for client in clients:
        client.start()
    bench.serving.split("churn", weights={"v1": 100}, call="run1-split-5")
    bench.serving.withdraw("churn", version="v2")
    bench.serving.withdraw("churn", version="v2")
    for client in clients:
        client.join()
    assert sum(sum(seen.values()) for seen in answered) == 180
    assert [v.name for v in bench.serving.state("churn").versions] == ["v1"]
    assert bench.telemetry.traffic("churn", version="v2", since=since, thresholds_ms=[]).errors == 0


def test_a_version_that_was_never_there_has_no_measurements(bench: Bench, live: EndpointState) -> None:
    assert live.version("v7") is None
    with pytest.raises(NotFound):
        bench.telemetry.traffic("churn", version="v7", since=0.0, thresholds_ms=[])
    with pytest.raises(NotFound):
        bench.telemetry.traffic("nowhere", version="v1", since=0.0, thresholds_ms=[])


def test_the_load_program_sends_rows_of_the_validation_part(bench: Bench, live: EndpointState, tmp_path: Path) -> None:
    frame = pl.DataFrame({**ROWS, "churn": OLD})
    data, box = tmp_path / "data", tmp_path / "box"
    data.mkdir()
    box.mkdir()
    parts.write_part(frame, data / parts.VALIDATION)
    args = LoadArgs(url=live.url, model="churn", label="churn", rate_rps=100, seconds=0.5)
    wishes = {"args": args.model_dump(mode="json"), "mounts": {"data": str(data)}, "out": str(box / "out")}
    (box / "inputs.json").write_text(json.dumps(wishes))
    since = time.time()
    subprocess.run([sys.executable, "-I", "-m", "tools.recipes.load", str(box)], check=True, timeout=60)
    result = LoadResult.model_validate_json((box / "result.json").read_bytes())
    assert result.answered == result.sent > 0
    assert result.failed == 0
    traffic = bench.telemetry.traffic("churn", version="v1", since=since, thresholds_ms=[])
    assert (traffic.requests, traffic.errors) == (result.sent, 0)


def test_a_model_that_cannot_be_loaded_fails_with_its_own_words_and_gets_no_traffic(
    bench: Bench, live: EndpointState, tmp_path: Path
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.json").write_text("{}")
    bench.objects.put("models/broken", tmp_path / "broken")
    bench.deploy("churn", "v3", model="models/broken")
    failed = bench.settled("churn", "v3").version("v3")
    assert failed is not None
    assert failed.state == "failed"
    assert "holds no model" in failed.detail
    with pytest.raises(Invalid, match="has failed"):
        bench.serving.split("churn", weights={"v3": 100}, call="run1-split-6")
    bench.serving.withdraw("churn", version="v3")
    assert infer(live, 1, name="churn") == {"v1": 1}


def test_the_agents_side_imports_nothing_of_what_a_server_needs() -> None:
    program = "import json, sys; from tools.backends.local import serving, telemetry; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, check=True, timeout=60)
    heavy = {"starlette", "uvicorn", "httpx", "httptools", "numpy", "polars", "sklearn"}
    assert not heavy & {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_a_server_that_is_added_serves_the_model_that_was_deployed_or_fails(bench: Bench) -> None:
    bench.objects.put("models/changing", bench.objects.fetch("models/old"))
    bench.ready("grown", "v1", model="models/changing")
    bench.serving.split("grown", weights={"v1": 100}, call="run1-split-7")
    (bench.objects.fetch("models/changing") / "extra").write_text("not what was deployed")
    bench.serving.scale("grown", version="v1", replicas=2, call="run1-scale-1")

    def version(*states: str) -> VersionState | None:
        found = bench.serving.state("grown").version("v1")
        return found if found is not None and found.state in states else None

    failed = until(lambda: version("failed"))
    assert (failed.replicas, failed.ready) == (2, 1)
    assert "the model folder changed" in failed.detail
    assert infer(bench.serving.state("grown"), 5, name="grown") == {"v1": 5}
    bench.serving.scale("grown", version="v1", replicas=1, call="run1-scale-2")
    again = until(lambda: version("ready"))
    assert (again.replicas, again.ready, again.detail) == (1, 1, "")
    bench.serving.remove("grown")


@pytest.mark.parametrize("replicas", [-1, 9, 10**30])
def test_more_servers_than_one_machine_has_room_for_are_refused(
    bench: Bench, live: EndpointState, replicas: int
) -> None:
    with pytest.raises(Invalid, match="serves 0 to 8"):
        bench.serving.scale("churn", version="v1", replicas=replicas, call="run1-scale-3")
    assert bench.serving.state("churn").versions == live.versions


def test_a_shadow_shows_in_the_metrics_of_the_endpoint_and_survives_a_look_from_another_process(
    bench: Bench, live: EndpointState
) -> None:
    bench.ready("churn", "v4", model="models/new")
    since = time.time()
    assert bench.serving.mirror("churn", version="v4", call="run1-mirror-1").shadow == "v4"
    assert infer(live, 10, name="churn") == {"v1": 10}
    until(lambda: bench.telemetry.agreement("churn", version="v4", since=since).compared == 10 or None)
    other = LocalServing(runtime=bench.runtime, objects=bench.objects)
    assert other.state("churn").shadow == "v4"
    with line_to(live) as line:
        text = ask(line, "GET", "/metrics").text.decode()
    labels = 'endpoint="churn",version="v4"'
    counted = [line for line in text.splitlines() if line.startswith(f"goalkeeper_shadow_copies_total{{{labels}")]
    assert sum(int(line.rpartition(" ")[2]) for line in counted) == 10
    bench.serving.withdraw("churn", version="v4")
    assert bench.serving.state("churn").shadow is None
