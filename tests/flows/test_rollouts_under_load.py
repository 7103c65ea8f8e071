"""Every rollout while clients keep asking: not one request is lost, and none is answered by a shadow.

The two models answer with opposite classes, so an answer shows by itself which of them made it.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPException
from itertools import count
from types import TracebackType
from typing import Self

import pytest
from serving_desk import OLD, ROWS, Bench, ask, body, children, line_to, opened, until

from tools.ports import EndpointState, VersionState

NAME = "shop"
CLASSES = ("no", "yes")
CLEAR = [row for row, age in enumerate(ROWS["age"]) if abs(age - 20.5) > 8]
"""Rows that either model is sure of."""


class Load:
    """Clients that ask one request after the other until told to stop, each on a connection of its own."""

    def __init__(self, state: EndpointState, *, clients: int) -> None:
        self._state = state
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(clients)]
        self.sent = 0
        self.answered: Counter[str] = Counter()
        """By version."""
        self.lost: list[str] = []
        """What was not answered, or not by the version it says."""
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def more(self, requests: int) -> None:
        """Wait until that many more requests were answered, or one was lost."""
        target = self.answered.total() + requests
        until(lambda: self.answered.total() >= target or bool(self.lost) or None)

    def _ask(self, first: int) -> None:
        with line_to(self._state) as line:
            for number in count(first):
                if self._stop.is_set():
                    return
                row = CLEAR[number % len(CLEAR)]
                with self._lock:
                    self.sent += 1
                try:
                    answer = ask(line, "POST", f"/v2/models/{NAME}/infer", body(row))
                    version = answer.headers["x-goalkeeper-version"]
                    fault = "" if answer.status == 200 and _made_by(version, row, answer.text) else repr(answer)
                except (OSError, HTTPException) as error:
                    version, fault = "", repr(error)
                with self._lock:
                    if fault:
                        self.lost.append(fault)
                    else:
                        self.answered[version] += 1


def _made_by(version: str, row: int, text: bytes) -> bool:
    """Whether the answer is what that version's model says of that row."""
    (prediction, *_) = json.loads(text)["outputs"]
    is_old = version.startswith("old")
    return bool(prediction["data"] == [CLASSES[OLD[row] if is_old else 1 - OLD[row]]])


class Shop:
    """One endpoint under load, with the old version answering everything."""

    def __init__(self, bench: Bench, *, servers: int = 1) -> None:
        self.bench = bench
        self.serving = bench.serving
        bench.ready(NAME, "old")
        if servers > 1:
            self.scale("old", servers)
        self.state = self.split(old=100)
        self.since = time.time()

    def split(self, **weights: int) -> EndpointState:
        return self.serving.split(NAME, weights=weights, call=f"run1-split-{time.time_ns()}")

    def mirror(self, version: str | None) -> EndpointState:
        return self.serving.mirror(NAME, version=version, call=f"run1-mirror-{time.time_ns()}")

    def scale(self, version: str, servers: int) -> None:
        self.serving.scale(NAME, version=version, replicas=servers, call=f"run1-scale-{time.time_ns()}")
        until(lambda: self.version(version).ready == servers or None)

    def deploy(self) -> None:
        self.bench.ready(NAME, "new", model="models/new")

    def version(self, name: str) -> VersionState:
        found = self.serving.state(NAME).version(name)
        assert found is not None
        return found

    def measured(self, version: str) -> int:
        traffic = self.bench.telemetry.traffic(NAME, version=version, since=self.since, thresholds_ms=[])
        assert traffic.errors == 0
        assert sum(number for _, number in traffic.histogram_ms) == traffic.requests
        return traffic.requests


def direct(shop: Shop, load: Load) -> None:
    shop.deploy()
    shop.split(new=100)
    shop.serving.withdraw(NAME, version="old")
    load.more(30)


def blue_green(shop: Shop, load: Load) -> None:
    shop.deploy()
    shop.scale("new", 2)
    shop.split(new=100)
    load.more(30)
    shop.split(old=100)  # back, while both are there
    load.more(30)
    shop.split(new=100)
    shop.scale("old", 0)
    shop.serving.withdraw(NAME, version="old")
    load.more(30)


def canary(shop: Shop, load: Load) -> None:
    shop.deploy()
    for share in (10, 50, 100):
        shop.split(old=100 - share, new=share)
        load.more(40)
    shop.serving.withdraw(NAME, version="old")
    load.more(30)


def rolling(shop: Shop, load: Load) -> None:
    shop.deploy()
    shop.scale("new", 0)
    for new, old in ((1, 1), (2, 0)):
        shop.scale("new", new)
        shop.split(old=50 * old, new=50 * new)
        shop.scale("old", old)
        load.more(40)
    shop.serving.withdraw(NAME, version="old")
    load.more(30)


def shadow(shop: Shop, load: Load) -> None:
    shop.deploy()
    shop.mirror("new")
    load.more(100)
    assert load.answered.keys() == {"old"}, "a caller heard the shadow"
    shop.mirror(None)
    until(lambda: shop.bench.telemetry.agreement(NAME, version="new", since=shop.since).compared >= 50 or None)
    shop.split(new=100)
    shop.serving.withdraw(NAME, version="old")
    load.more(30)


Rollout = Callable[[Shop, Load], None]
ROLLOUTS: tuple[Rollout, ...] = (direct, blue_green, canary, rolling, shadow)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with opened(tmp_path_factory.mktemp("load")) as made:
        yield made


@pytest.fixture
def shop(bench: Bench) -> Iterator[Shop]:
    yield Shop(bench, servers=2)
    bench.serving.remove(NAME)


def _under_load(shop: Shop, rollout: Rollout, *, clients: int) -> Load:
    with Load(shop.state, clients=clients) as load:
        load.more(30)
        rollout(shop, load)
    print(f"{rollout.__name__}: {load.sent} sent, {dict(load.answered)}, {len(load.lost)} lost")
    assert load.lost == []
    assert load.answered.total() == load.sent
    return load


@pytest.mark.parametrize("rollout", ROLLOUTS, ids=lambda rollout: rollout.__name__)
def test_no_request_is_lost_while_a_new_version_takes_over(shop: Shop, rollout: Rollout) -> None:
    load = _under_load(shop, rollout, clients=3)
    assert load.answered["new"] >= 30
    assert [(v.name, v.weight) for v in shop.serving.state(NAME).versions] == [("new", 100)]
    assert shop.measured("old") == load.answered["old"]
    copies = shop.bench.telemetry.agreement(NAME, version="new", since=shop.since).compared
    assert shop.measured("new") == load.answered["new"] + copies


def test_what_a_shadow_answers_is_compared_request_by_request(shop: Shop) -> None:
    shop.deploy()
    shop.bench.ready(NAME, "old-again")

    def agreement(version: str) -> tuple[int, int]:
        shop.mirror(version)
        with Load(shop.state, clients=2) as load:
            load.more(60)
        assert load.answered == {"old": load.sent}
        telemetry = shop.bench.telemetry
        until(lambda: telemetry.agreement(NAME, version=version, since=shop.since).compared == load.sent or None)
        seen = telemetry.agreement(NAME, version=version, since=shop.since)
        assert (seen.unanswered, seen.dropped, seen.difference) == (0, 0, None)
        return seen.compared, seen.agreed

    same, opposite = agreement("old-again"), agreement("new")
    assert same[0] == same[1]
    assert opposite[1] == 0


def test_a_shadow_whose_server_is_killed_costs_no_caller_anything(shop: Shop) -> None:
    before = set(children(shop.bench.process(NAME).process.pid))
    shop.deploy()
    (server,) = set(children(shop.bench.process(NAME).process.pid)) - before
    shop.mirror("new")
    with Load(shop.state, clients=3) as load:
        load.more(50)
        os.kill(server, signal.SIGKILL)
        load.more(100)
    assert load.lost == []
    assert load.answered == {"old": load.sent}
    telemetry = shop.bench.telemetry
    seen = telemetry.agreement(NAME, version="new", since=shop.since)
    assert seen.unanswered > 0
    assert telemetry.traffic(NAME, version="new", since=shop.since, thresholds_ms=[]).errors >= seen.unanswered
    assert shop.measured("old") == load.sent


def test_servers_that_come_and_go_under_load_lose_no_request(shop: Shop) -> None:
    with Load(shop.state, clients=4) as load:
        for servers in (3, 1, 2, 1):
            shop.scale("old", servers)
            load.more(50)
    print(f"scaling: {load.sent} sent, {len(load.lost)} lost")
    assert load.lost == []
    assert load.answered == {"old": load.sent}
    left = until(lambda: n if len(n := children(shop.bench.process(NAME).process.pid)) == 1 else None)
    assert len(left) == 1


@pytest.mark.slow
def test_one_rollout_after_the_other_under_heavy_load_loses_nothing(bench: Bench) -> None:
    for rollout in ROLLOUTS:
        shop = Shop(bench, servers=2)
        _under_load(shop, rollout, clients=12)
        bench.serving.remove(NAME)
