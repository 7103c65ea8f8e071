"""What every backend promises of two runs on one endpoint: one rollout at a time, and going back is never fenced."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benches import OWNER, Bench
from served import MODEL, deploy, weights

from tools.errors import NotFound, Refused
from tools.ports import EndpointState


class Fenced:
    """An endpoint whose `v1` a first run brought all traffic, while a second one has its `v2` on the way."""

    def __init__(self, bench: Bench, *, lease_s: float | None = None) -> None:
        self.bench, self.name = bench, bench.name("fenced")
        bench.backend.objects.put(MODEL, bench.model())
        self.deploy("first", "v1")
        bench.ready(self.name, "v1")
        self.split("first", v1=100)
        self.deploy("second", "v2", lease_s=lease_s)

    def deploy(self, run: str, version: str, *, lease_s: float | None = None) -> EndpointState:
        return deploy(self.bench, self.name, version, self.bench.tags(run=run, lease_s=lease_s))

    def split(self, run: str, **wanted: int) -> EndpointState:
        return self.bench.backend.serving.split(self.name, weights=wanted, call=f"{run}/split/1")

    def mirror(self, run: str, version: str | None) -> EndpointState:
        return self.bench.backend.serving.mirror(self.name, version=version, call=f"{run}/mirror/1")

    def hand_over(self, run: str) -> EndpointState:
        until = self.bench.now() + 100 * self.bench.patience
        return self.bench.backend.serving.extend(self.name, run=run, owner=OWNER, lease_until=until)

    def refuses(self, run: str, holder: str) -> None:
        """Another run may do nothing there but end a shadowing or take its own away."""
        before = self.bench.backend.serving.state(self.name)
        for attempt in (
            lambda: self.deploy(run, "v3"),
            lambda: self.split(run, v2=100),
            lambda: self.split(run, v1=95, v2=5),
            lambda: self.mirror(run, "v2"),
        ):
            with pytest.raises(Refused, match=f"run {holder} .* v2 "):
                attempt()
        after = self.bench.backend.serving.state(self.name)
        assert (weights(after), after.shadow) == (weights(before), before.shadow)


@pytest.fixture
def fenced(bench: Bench) -> Iterator[Fenced]:
    made = Fenced(bench)
    yield made
    bench.backend.serving.remove(made.name)


def test_another_run_cannot_touch_a_rollout_until_it_has_all_traffic(fenced: Fenced) -> None:
    fenced.bench.ready(fenced.name, "v2")
    fenced.split("second", v1=90, v2=10)
    fenced.refuses("third", "second")
    fenced.hand_over("third")
    fenced.refuses("third", "second")
    fenced.split("second", v2=100)
    assert weights(fenced.split("third", v1=50, v2=50)) == {"v1": 50, "v2": 50}
    assert fenced.deploy("third", "v3").version("v3") is not None


def test_who_goes_back_holds_the_rollout_until_its_version_is_withdrawn(fenced: Fenced) -> None:
    fenced.bench.ready(fenced.name, "v2")
    fenced.split("second", v1=90, v2=10)
    fenced.mirror("third", None)
    assert weights(fenced.split("third", v1=100)) == {"v1": 100, "v2": 0}
    fenced.refuses("second", "third")
    fenced.bench.backend.serving.withdraw(fenced.name, version="v2")
    assert fenced.deploy("fourth", "v3").version("v3") is not None
    with pytest.raises(Refused, match="run fourth is rolling v3 out"):
        fenced.deploy("second", "v4")


def test_a_rollout_holds_no_longer_than_the_lease_it_was_deployed_with(bench: Bench) -> None:
    fenced = Fenced(bench, lease_s=bench.moment)
    bench.wait(1.1 * bench.moment)
    assert fenced.deploy("third", "v3").version("v3") is not None
    bench.backend.serving.remove(fenced.name)
    with pytest.raises(NotFound):
        fenced.split("second", v1=100)
