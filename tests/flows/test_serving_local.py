"""Endpoints on this machine, with real processes: versions, weights, leases, crashes, and what clients may try."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import polars as pl
import pytest

from tools.backends.local.endpoint_records import PUBLISHED
from tools.backends.local.objects import LocalObjects
from tools.backends.local.registry import Registration, alive, read_json
from tools.backends.local.serving import LocalServing
from tools.backends.local.telemetry import LocalTelemetry
from tools.errors import Conflict, Invalid, NotFound
from tools.ports import EndpointState, Scope, ServeSpec, Tags
from tools.recipes import parts
from tools.recipes.card import Card, Input
from tools.recipes.encode import matrix
from tools.recipes.families import pipeline
from tools.recipes.model import save
from tools.recipes.records import LoadArgs, LoadResult

INPUTS = (
    Input(name="age", datatype="FP64", kind="number"),
    Input(name="visits", datatype="INT64", kind="integer"),
    Input(name="城市", datatype="BYTES", kind="category"),
)
ROWS: dict[str, Sequence[Any]] = {
    "age": [float(n % 40) for n in range(80)],
    "visits": [n % 7 for n in range(80)],
    "城市": ["上海" if n % 3 else "北京" for n in range(80)],
}
SECRET = "canary-7f3a"
OLD = [int(age > 20) for age in ROWS["age"]]


T = TypeVar("T")


class Answer(NamedTuple):
    status: int
    headers: Message
    text: bytes


class Bench:
    """A runtime folder, an object store with two models, and the two ports under test."""

    def __init__(self, root: Path) -> None:
        self.runtime = root / "runtime"
        self.runtime.mkdir(mode=0o700, parents=True)
        self.objects = LocalObjects(root / "home")
        self.serving = LocalServing(runtime=self.runtime, objects=self.objects)
        self.telemetry = LocalTelemetry(runtime=self.runtime)
        for name, labels in (("old", OLD), ("new", [1 - label for label in OLD])):
            _train(root / name, labels)
            self.objects.put(f"models/{name}", root / name)

    def deploy(
        self, endpoint: str, version: str, *, model: str = "models/old", lease_s: float = 300.0
    ) -> EndpointState:
        spec = ServeSpec(endpoint=endpoint, version=version, model=model)
        return self.serving.deploy(spec=spec, tags=_tags(f"run1-{endpoint}-{version}-1", lease_s=lease_s))

    def settled(self, endpoint: str, version: str) -> EndpointState:
        """The endpoint once that version has left `starting`."""
        return _until(lambda: self._seen(endpoint, version))

    def ready(self, endpoint: str, version: str, **wishes: Any) -> EndpointState:
        self.deploy(endpoint, version, **wishes)
        state = self.settled(endpoint, version)
        assert [v.state for v in state.versions if v.name == version] == ["ready"]
        return state

    def process(self, endpoint: str) -> Registration:
        tags = read_json(self.runtime / "endpoints" / endpoint / "tags.json", Registration)
        assert tags is not None
        return tags

    def _seen(self, endpoint: str, version: str) -> EndpointState | None:
        state = self.serving.state(endpoint)
        found = state.version(version)
        return None if found is None or found.state == "starting" else state


def _train(folder: Path, labels: Sequence[int]) -> None:
    made = pipeline("logistic_regression", "classification", {}, inputs=INPUTS, clean=(), spread=1.0, seed=0)
    made.fit(matrix(ROWS, INPUTS, lowercase=False), labels)
    card = Card(
        task="classification",
        label="churn",
        inputs=INPUTS,
        classes=("no", "yes"),
        positive="yes",
        family="logistic_regression",
        params={},
        data_digest="0" * 64,
    )
    save(made, card, folder)


def _tags(call: str, *, run: str = "run1", lease_s: float = 300.0) -> Tags:
    return Tags(run=run, call=call, owner="tester", lease_until=time.time() + lease_s)


def _until(look: Callable[[], T | None], *, within_s: float = 60.0) -> T:
    deadline = time.monotonic() + within_s
    while (found := look()) is None:
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


def _body(row: int = 0, **changed: Any) -> bytes:
    tensors = [{"name": i.name, "datatype": i.datatype, "shape": [1], "data": [ROWS[i.name][row]]} for i in INPUTS]
    return json.dumps({"inputs": tensors} | changed).encode()


@contextmanager
def _line(state: EndpointState) -> Iterator[http.client.HTTPConnection]:
    line = http.client.HTTPConnection(state.url.removeprefix("http://"), timeout=20)
    try:
        yield line
    finally:
        line.close()


def _ask(line: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> Answer:
    line.request(method, path, body=body)
    answer = line.getresponse()
    return Answer(answer.status, answer.headers, answer.read())


def _infer(state: EndpointState, count: int, *, name: str) -> Counter[str]:
    """Versions that answered `count` requests, one after the other; every one must be answered."""
    seen: Counter[str] = Counter()
    with _line(state) as line:
        for row in range(count):
            answer = _ask(line, "POST", f"/v2/models/{name}/infer", _body(row % 80))
            assert answer.status == 200
            seen[answer.headers["x-goalkeeper-version"]] += 1
    return seen


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("serving"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", SECRET)
        yield made
    for one in made.serving.owned(Scope()):
        made.serving.remove(one.id)


@pytest.fixture(scope="module")
def live(bench: Bench) -> EndpointState:
    """An endpoint with one version and all traffic."""
    bench.ready("churn", "v1")
    return bench.serving.split("churn", weights={"v1": 100}, call="run1-split-1")


def test_an_endpoint_without_weights_says_when_to_come_back(bench: Bench) -> None:
    state = bench.deploy("fresh", "v1")
    assert [(v.name, v.weight) for v in state.versions] == [("v1", 0)]
    with _line(state) as line:
        answer = _ask(line, "POST", "/v2/models/fresh/infer", _body())
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert _ask(line, "GET", "/v2/health/live").status == 200
    bench.serving.remove("fresh")
    bench.serving.remove("fresh")
    with pytest.raises(NotFound):
        bench.serving.state("fresh")


def test_a_served_model_speaks_the_inference_protocol(bench: Bench, live: EndpointState) -> None:
    with _line(live) as line:
        for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/churn/ready", "/metrics"):
            assert _ask(line, "GET", path).status == 200
        about = json.loads(_ask(line, "GET", "/v2/models/churn/versions/v1").text)
        assert about == json.loads(_ask(line, "GET", "/v2/models/churn").text)
        answer = _ask(line, "POST", "/v2/models/churn/infer", _body(30, id="q1"))
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
            spec=ServeSpec(endpoint="churn", version="v1", model="models/old"), tags=_tags("run2-other-1", run="run2")
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
    assert _infer(state, 50, name="churn") == {"v1": 40, "v2": 10}
    new = bench.telemetry.traffic("churn", version="v2", since=since, thresholds_ms=[0.0, 1e6])
    assert (new.requests, new.errors, new.over) == (10, 0, {"0.0": 10, "1000000.0": 0})
    assert 0 < new.quantiles_ms["p50"] <= new.quantiles_ms["p95"] <= new.quantiles_ms["p99"]
    assert bench.telemetry.traffic("churn", version="v1", since=since, thresholds_ms=[], skip=15).requests == 25

    bench.serving.split("churn", weights={"v1": 20, "v2": 80}, call="run1-split-4")
    answered: list[Counter[str]] = []
    clients = [threading.Thread(target=lambda: answered.append(_infer(state, 60, name="churn"))) for _ in range(3)]
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


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 404),
        ("GET", "/../../etc/passwd", None, 404),
        ("GET", "/v2/models/%2e%2e%2f%2e%2e/infer", None, 404),
        ("GET", "/v2/models/%ff%fe", None, 404),
        ("GET", "/v2/models/churn/versions/v9", None, 404),
        ("GET", "/versions/v1", None, 404),
        ("GET", "/v2/models/churn/infer", None, 405),
        ("DELETE", "/v2/models/churn", None, 405),
        ("POST", "/v2/models/other/infer", b"{}", 404),
        ("POST", "/v2/models/churn/versions/v1/infer", b"{}", 400),
        ("POST", "/v2/models/churn/infer", b"", 400),
        ("POST", "/v2/models/churn/infer", b"\xff\xfe\x00", 400),
        ("POST", "/v2/models/churn/infer", b"[" * 200_000, 400),
        ("POST", "/v2/models/churn/infer", b'{"inputs": [{"data": [NaN]}]}', 400),
        ("POST", "/v2/models/churn/infer", b"x" * (8 * 1024 * 1024 + 1), 413),
    ],
)
def test_junk_gets_a_typed_refusal(
    live: EndpointState, method: str, path: str, body: bytes | None, status: int
) -> None:
    with _line(live) as line:
        try:
            answer = _ask(line, method, path, body)
        except (BrokenPipeError, ConnectionResetError):
            assert status == 413  # refused before it was sent to the end
            return
    assert answer.status == status
    assert isinstance(json.loads(answer.text)["error"], str)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /v2/models/churn/infer HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /v2/models/churn/infer HTTP/1.1\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
        b"CONNECT evil:80 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v2 HTTP/1.1\r\nx: " + b"a" * 600_000 + b"\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request_are_refused(live: EndpointState, raw: bytes) -> None:
    host, port = live.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        try:
            line.sendall(raw)
            first = line.recv(64)
        except ConnectionError:
            first = b""
    assert first == b"" or first.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404"))


def test_a_request_can_neither_choose_its_version_nor_slip_a_header_into_the_answer(live: EndpointState) -> None:
    with _line(live) as line:
        line.request(
            "POST",
            "/v2/models/churn/infer?x=%0d%0aset-cookie:%20a=b",
            body=_body(),
            headers={"x-goalkeeper-version": "v9", "x-request-id": "a", "connection": "close, x-request-id"},
        )
        answer = line.getresponse()
        answer.read()
    assert answer.status == 200
    assert answer.headers["x-goalkeeper-version"] == "v1"
    assert answer.headers["set-cookie"] is None


def test_malformed_requests_are_not_held_against_the_version(bench: Bench, live: EndpointState) -> None:
    since = time.time()
    with _line(live) as line:
        assert _ask(line, "POST", "/v2/models/churn/infer", b"{}").status == 400
        text = _ask(line, "GET", "/metrics").text.decode()
    assert bench.telemetry.traffic("churn", version="v1", since=since, thresholds_ms=[]).requests == 0
    assert 'goalkeeper_requests_total{endpoint="churn",version="v1",outcome="error"} 0' in text


def test_everything_listens_on_loopback_and_only_its_user_may_steer_it(bench: Bench, live: EndpointState) -> None:
    assert live.url.startswith("http://127.0.0.1:")
    folder = bench.runtime / "endpoints" / "churn"
    assert stat.S_IMODE((folder / "control.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    host = bench.process("churn").process.pid
    addresses = {_listening(inode) for pid in (host, *_children(host)) for inode in _sockets(pid)} - {None}
    assert addresses == {"0100007F"}


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _sockets(pid: int) -> list[str]:
    targets = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    return [target[8:-1] for target in targets if target.startswith("socket:[")]


def _listening(inode: str) -> str | None:
    """The local address, as the kernel writes it, of a listening TCP socket."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] == inode and fields[3] == "0A":
                return fields[1].split(":")[0]
    return None


def test_no_key_of_the_agent_reaches_a_server(bench: Bench, live: EndpointState) -> None:
    host = bench.process(live.name).process.pid
    for pid in (host, *_children(host)):
        assert SECRET.encode() not in Path(f"/proc/{pid}/environ").read_bytes()


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
    assert _infer(live, 1, name="churn") == {"v1": 1}


def test_a_model_server_that_dies_is_counted_as_errors_and_comes_back(bench: Bench) -> None:
    path = f"/v2/models/{quote('客流')}/infer"
    bench.ready("客流", "v1")
    state = bench.serving.split("客流", weights={"v1": 100}, call="run1-split-7")
    since = time.time()
    (server,) = _children(bench.process("客流").process.pid)
    os.kill(server, signal.SIGKILL)
    with _line(state) as line:
        statuses = Counter({_ask(line, "POST", path, _body()).status: 1})
        _until(lambda: _ask(line, "POST", path, _body()).status == 200 or None)
    assert statuses == {502: 1}
    traffic = bench.telemetry.traffic("客流", version="v1", since=since, thresholds_ms=[])
    assert traffic.errors == traffic.requests - 1 >= 1
    assert bench.settled("客流", "v1").versions[0].weight == 100
    bench.serving.remove("客流")


def test_a_lease_that_lapses_ends_endpoint_servers_and_folder_without_anybody(bench: Bench) -> None:
    bench.deploy("brief", "v1")
    until = time.time() + 0.8
    handed = bench.serving.extend("brief", run="run2", owner="nightly", lease_until=until)
    assert (handed.run, handed.owner, handed.lease_until) == ("run2", "nightly", until)
    (tags,) = bench.serving.owned(Scope(run="run2"))
    assert (tags.id, tags.owner) == ("brief", "nightly")
    host = bench.process("brief").process
    servers = _until(lambda: _children(host.pid) or None)
    folder = bench.runtime / "endpoints" / "brief"
    _until(lambda: True if not alive(host) and not folder.exists() else None, within_s=20)
    assert not [pid for pid in servers if Path(f"/proc/{pid}").exists()]
    with pytest.raises(NotFound):
        bench.serving.extend("brief", run="run2", owner="nightly", lease_until=until + 60)


def test_a_killed_host_leaves_no_server_is_reported_gone_and_can_be_deployed_again(bench: Bench) -> None:
    bench.deploy("mortal", "v1")
    host = bench.process("mortal").process
    servers = _until(lambda: _children(host.pid) or None)
    os.kill(host.pid, signal.SIGKILL)
    _until(lambda: None if any(_runs(pid) for pid in (host.pid, *servers)) else True, within_s=10)
    with pytest.raises(NotFound, match="gone"):
        bench.serving.state("mortal")
    assert bench.serving.find("run1-mortal-v1-1") is None
    assert [one.detail for one in bench.serving.owned(Scope()) if one.id == "mortal"] == ["its host is gone"]
    state = bench.deploy("mortal", "v1")
    assert state.version("v1") is not None
    bench.serving.remove("mortal")
    assert "mortal" not in {one.id for one in bench.serving.owned(Scope())}


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_two_processes_that_deploy_at_once_share_one_host(bench: Bench) -> None:
    states: list[EndpointState] = []
    both = [threading.Thread(target=lambda v=v: states.append(bench.deploy("twins", v))) for v in ("v1", "v2")]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len({state.started for state in states}) == 1
    assert {v.name for v in bench.serving.state("twins").versions} == {"v1", "v2"}
    bench.serving.remove("twins")


def test_a_runtime_folder_too_deep_for_a_socket_still_works(bench: Bench, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir(mode=0o700)
    serving = LocalServing(runtime=deep, objects=bench.objects)
    serving.deploy(spec=ServeSpec(endpoint="deep", version="v1", model="models/old"), tags=_tags("run1-deep-1"))
    control = json.loads((deep / "endpoints" / "deep" / PUBLISHED).read_text())["control"]
    assert stat.S_IMODE(Path(control).parent.stat().st_mode) == 0o700
    serving.remove("deep")
    assert not Path(control).parent.exists()


def test_the_agents_side_imports_nothing_of_what_a_server_needs() -> None:
    program = "import json, sys; from tools.backends.local import serving, telemetry; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, check=True, timeout=60)
    heavy = {"starlette", "uvicorn", "httpx", "httptools", "numpy", "polars", "sklearn"}
    assert not heavy & {name.partition(".")[0] for name in json.loads(done.stdout)}
