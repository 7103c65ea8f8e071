"""Endpoints on this machine for tests: a runtime folder, two small models, and a client that counts who answered."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from tools.backends.local.objects import LocalObjects
from tools.backends.local.registry import Registration, read_json
from tools.backends.local.serving import LocalServing
from tools.backends.local.telemetry import LocalTelemetry
from tools.ports import EndpointState, Scope, ServeSpec, Tags
from tools.recipes.card import Card, Input
from tools.recipes.models.encode import RawColumns, matrix
from tools.recipes.models.families import pipeline
from tools.recipes.models.model import save

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
            train(root / name, labels)
            self.objects.put(f"models/{name}", root / name)

    def deploy(
        self, endpoint: str, version: str, *, model: str = "models/old", lease_s: float = 300.0
    ) -> EndpointState:
        spec = ServeSpec(endpoint=endpoint, version=version, model=model)
        return self.serving.deploy(spec=spec, tags=tags(f"run1-{endpoint}-{version}-1", lease_s=lease_s))

    def settled(self, endpoint: str, version: str) -> EndpointState:
        """The endpoint once that version has left `starting`."""
        return until(lambda: self._seen(endpoint, version))

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


def train(folder: Path, labels: Sequence[int]) -> None:
    made = pipeline("logistic_regression", "classification", {}, front=RawColumns(text=[2]), seed=0)
    made.fit(matrix(ROWS, INPUTS, lowercase=False), labels)
    card = Card(
        task="classification",
        label="churn",
        answers="class",
        inputs=INPUTS,
        classes=("no", "yes"),
        positive="yes",
        family="logistic_regression",
        params={},
        data_digest="0" * 64,
    )
    save(made, card, folder)


def tags(call: str, *, run: str = "run1", lease_s: float = 300.0) -> Tags:
    return Tags(run=run, call=call, owner="tester", lease_until=time.time() + lease_s)


def until(look: Callable[[], T | None], *, within_s: float = 60.0) -> T:
    deadline = time.monotonic() + within_s
    while (found := look()) is None:
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


def body(row: int = 0, **changed: Any) -> bytes:
    tensors = [{"name": i.name, "datatype": i.datatype, "shape": [1], "data": [ROWS[i.name][row]]} for i in INPUTS]
    return json.dumps({"inputs": tensors} | changed).encode()


@contextmanager
def line_to(state: EndpointState) -> Iterator[http.client.HTTPConnection]:
    line = http.client.HTTPConnection(state.url.removeprefix("http://"), timeout=20)
    try:
        yield line
    finally:
        line.close()


def ask(line: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> Answer:
    line.request(method, path, body=body)
    answer = line.getresponse()
    return Answer(answer.status, answer.headers, answer.read())


def infer(state: EndpointState, count: int, *, name: str) -> Counter[str]:
    """Versions that answered `count` requests, one after the other; every one must be answered."""
    seen: Counter[str] = Counter()
    with line_to(state) as line:
        for row in range(count):
            answer = ask(line, "POST", f"/v2/models/{name}/infer", body(row % 80))
            assert answer.status == 200
            seen[answer.headers["x-goalkeeper-version"]] += 1
    return seen


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def opened(folder: Path) -> Iterator[Bench]:
    """A bench whose servers were started beside a secret; whatever is left is removed afterwards."""
    made = Bench(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", SECRET)
        yield made
    for one in made.serving.owned(Scope()):
        made.serving.remove(one.id)


def with_traffic(bench: Bench) -> EndpointState:
    """An endpoint `churn` with one version and all traffic."""
    bench.ready("churn", "v1")
    return bench.serving.split("churn", weights={"v1": 100}, call="run1-split-1")
