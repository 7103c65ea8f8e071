"""Tools that change what serves, on a simulated world: absolute, repeatable, and no more than what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import served
from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.world import load_world
from tools.catalogue import BY_NAME
from tools.errors import Failed, Invalid, NotFound
from tools.ports import EndpointState, ServeSpec, Tags
from tools.record import Json
from tools.tool import Done, Outcome, Running, Site


class Bench:
    """One endpoint `shop` with versions a (100 % of the traffic) and b."""

    def __init__(self, folder: Path) -> None:
        world = load_world("bad-canary")
        self.backend = SimBackend(world, clock=VirtualClock(), folder=folder)
        for name in ("a", "b"):
            self.backend.store(f"models/shop/{name}", {"model.json": b'{"label": "y"}', "name": name.encode()})
            self.backend.store(f"requests/shop/{name}", {"validation.parquet": b"x"})
            spec = ServeSpec(endpoint="shop", version=name, model=f"models/shop/{name}", replicas=2)
            self.backend.serving.deploy(spec=spec, tags=self.site(f"deploy-{name}").tags)
        self.backend.advance(10.0)
        self.backend.serving.split("shop", weights={"a": 100}, call="x")

    def site(self, step: str = "x") -> Site:
        now = self.backend.clock.now()
        tags = Tags(run="r", call=f"r/{step}/1", owner="ada", lease_until=now + 1e6)
        return Site(backend=self.backend, tags=tags, limit_s=600.0, now=now)

    def start(self, tool: str, **args: Json) -> Outcome:
        known = BY_NAME[tool]
        return known.start(known.args.model_validate(args), self.site())

    def find(self, tool: str, **args: Json) -> Outcome | None:
        known = BY_NAME[tool]
        assert known.find is not None
        return known.find(known.args.model_validate(args), self.site())

    def follow(self, tool: str, handle: str, **args: Json) -> Outcome:
        known = BY_NAME[tool]
        assert known.follow is not None
        return known.follow(known.args.model_validate(args), self.site(), handle)

    @property
    def state(self) -> EndpointState:
        return self.backend.serving.state("shop")

    def sizes(self) -> dict[str, tuple[int, int]]:
        return {v.name: (v.weight, v.replicas) for v in self.state.versions}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_scaling_is_over_when_every_server_answers(bench: Bench) -> None:
    wanted: dict[str, Json] = {"endpoint": "shop", "version": "b", "replicas": 3}
    begun = bench.start("scale_endpoint", **wanted)
    assert isinstance(begun, Running)
    assert begun.progress is not None
    assert begun.progress.message == "2 of 3 servers of b are ready"
    assert isinstance(bench.find("scale_endpoint", **wanted), Running)
    bench.backend.advance(10.0)
    done = bench.follow("scale_endpoint", "shop", **wanted)
    assert isinstance(done, Done)
    assert (done.result["ready"], bench.sizes()) == (3, {"a": (100, 2), "b": (0, 3)})
    assert bench.find("scale_endpoint", **(wanted | {"replicas": 4})) is None, "it was never asked for"


def test_nothing_is_scaled_where_there_was_nothing(bench: Bench) -> None:
    before = bench.sizes()
    assert isinstance(bench.start("scale_endpoint", endpoint="shop", version=None, replicas=1), Done)
    assert bench.sizes() == before
    with pytest.raises(Invalid, match="needs a server"):
        bench.start("scale_endpoint", endpoint="shop", version="a", replicas=0)
    with pytest.raises(NotFound):
        bench.start("scale_endpoint", endpoint="shop", version="c", replicas=1)
    bench.backend.serving.remove("shop")
    with pytest.raises(Failed, match="ended while it was scaled"):
        bench.follow("scale_endpoint", "shop", endpoint="shop", version="b", replicas=3)


def test_mirroring_is_an_absolute_state_and_a_version_alone_has_nothing_to_copy(bench: Bench) -> None:
    wanted: dict[str, Json] = {"endpoint": "shop", "version": "b", "incumbent": "a"}
    assert bench.find("mirror_traffic", **wanted) is None
    bench.start("mirror_traffic", **wanted)
    assert bench.state.shadow == "b"
    assert isinstance(bench.find("mirror_traffic", **wanted), Done)
    bench.start("mirror_traffic", **wanted, on=False)
    assert bench.state.shadow is None
    bench.start("mirror_traffic", endpoint="shop", version="b")
    assert bench.state.shadow is None
    with pytest.raises(Invalid, match="can be no shadow"):
        bench.start("mirror_traffic", endpoint="shop", version="a", incumbent="b")


def test_taking_back_a_shadow_leaves_the_weights_of_the_others_as_they_are(bench: Bench) -> None:
    bench.backend.store("models/shop/c", {"model.json": b"{}"})
    spec = ServeSpec(endpoint="shop", version="c", model="models/shop/c")
    bench.backend.serving.deploy(spec=spec, tags=bench.site("deploy-c").tags)
    bench.backend.serving.split("shop", weights={"a": 60, "b": 40}, call="x")
    bench.backend.advance(10.0)
    bench.start("rollback_endpoint", endpoint="shop", to="a", withdraw="c")
    assert bench.sizes() == {"a": (60, 2), "b": (40, 2)}


@pytest.mark.parametrize("again", [1, 3])
def test_going_back_may_be_repeated(bench: Bench, again: int) -> None:
    bench.backend.serving.split("shop", weights={"a": 30, "b": 70}, call="x")
    bench.backend.serving.scale("shop", version="a", replicas=1, call="x")
    for _ in range(again):
        bench.start("rollback_endpoint", endpoint="shop", to="a", withdraw="b", replicas=2)
    assert bench.sizes() == {"a": (100, 2)}


def test_going_back_from_a_shadow_touches_no_weight(bench: Bench) -> None:
    bench.start("mirror_traffic", endpoint="shop", version="b", incumbent="a")
    before = len([e for e in bench.backend.effects if e.kind == "serving.split"])
    bench.start("rollback_endpoint", endpoint="shop", to="a", withdraw="b")
    assert bench.sizes() == {"a": (100, 2)}
    assert bench.state.shadow is None
    assert len([e for e in bench.backend.effects if e.kind == "serving.split"]) == before


def test_going_back_to_what_is_not_there_is_a_failure_and_takes_nothing_away(bench: Bench) -> None:
    with pytest.raises((Failed, Invalid)):
        bench.start("rollback_endpoint", endpoint="shop", to="z", withdraw="b")
    assert set(bench.sizes()) == {"a", "b"}


def watch(bench: Bench, seconds: float, most: list[list[int]]) -> dict[str, Json]:
    return {
        "endpoint": "shop",
        "url": bench.state.url,
        "version": "b",
        "data": "requests/shop/b",
        "label": "y",
        "since": bench.backend.clock.now(),
        "seconds": seconds,
        "rate_rps": 50.0,
        "stops": [{"metric": "error_rate", "most": most}],
    }


def test_a_watch_ends_as_soon_as_too_many_fail_and_says_so_again_when_asked_again(bench: Bench) -> None:
    """The agent may die between ending the load and hearing of it: the same look gives the same answer."""
    bench.backend.serving.split("shop", weights={"b": 100}, call="x")
    args = watch(bench, 600.0, [[100_000, 5]])
    begun = bench.start("monitor_endpoint", **args)
    assert isinstance(begun, Running)
    bench.backend.advance(1.5)
    assert isinstance(bench.follow("monitor_endpoint", begun.handle, **args), Running)
    bench.backend.advance(20.0)
    first = bench.follow("monitor_endpoint", begun.handle, **args)
    assert isinstance(first, Done)
    assert (first.result["stopped"], bench.backend.jobs.poll(begun.handle).phase) == ("error_rate", "cancelled")
    bench.backend.advance(5.0)
    again = bench.follow("monitor_endpoint", begun.handle, **args)
    assert isinstance(again, Done)
    assert again.result["traffic"]["errors"] == first.result["traffic"]["errors"]


def test_a_load_that_somebody_else_ended_is_no_measurement(bench: Bench) -> None:
    bench.backend.serving.split("shop", weights={"b": 100}, call="x")
    args = watch(bench, 600.0, [[100_000, 100_000]])
    begun = bench.start("monitor_endpoint", **args)
    assert isinstance(begun, Running)
    bench.backend.advance(5.0)
    bench.backend.jobs.cancel(begun.handle)
    with pytest.raises(Failed):
        bench.follow("monitor_endpoint", begun.handle, **args)


def test_what_an_endpoint_was_left_with_is_noted_in_order_and_forgotten_when_it_goes_back(bench: Bench) -> None:
    (a, b), site = bench.state.versions, bench.site()
    c = a.model_copy(update={"name": "c", "model": "models/shop/c"})
    assert served.previous("shop", "a", site) is None
    for version in (a, a, b, c):
        served.note("shop", version, site)
    assert served.previous("shop", "c", site) == "models/shop/b"
    served.note("shop", b, site)
    assert served.previous("shop", "b", site) == "models/shop/a", "not c, which was just left"
    assert served.previous("shop", "a", site) is None
    assert served.previous("shop", "never noted", site) == "models/shop/b"


@pytest.mark.parametrize("text", [b"not json", b'{"left": 3}', b"[]"])
def test_a_note_that_cannot_be_read_says_nothing(bench: Bench, text: bytes) -> None:
    bench.backend.store("served/shop/history.json", {"": text})
    assert served.previous("shop", "b", bench.site()) is None


def test_repeating_a_hand_over_sets_the_same_instant_however_late(bench: Bench) -> None:
    until = bench.backend.clock.now() + 3600.0
    args: dict[str, Json] = {"endpoint": "shop", "owner": "ada", "for_s": 3600.0, "until": until, "exactly": True}
    bench.start("extend_lease", **args)
    bench.backend.advance(600.0)
    assert isinstance(bench.find("extend_lease", **args), Done)
    bench.start("extend_lease", **args)
    assert bench.state.lease_until == until
    assert [e.kind for e in bench.backend.effects].count("serving.extend") == 1


def test_a_hand_over_that_is_looked_for_changes_nothing_and_gives_way_to_a_later_one(bench: Bench) -> None:
    now = bench.backend.clock.now()
    mine: dict[str, Json] = {"endpoint": "shop", "owner": "ada", "for_s": 50.0, "until": now + 50.0, "exactly": True}
    assert bench.find("extend_lease", **mine) is None
    bench.backend.advance(1.0)
    other = BY_NAME["extend_lease"]
    site = bench.site("other")
    later = other.args.model_validate(mine | {"for_s": 900.0, "until": now + 901.0})
    other.start(later, site)
    with pytest.raises(Failed, match="was handed over or went back by r/other/1 since this was asked"):
        bench.find("extend_lease", **mine)
    assert bench.state.lease_until == now + 901.0


def test_going_back_is_read_back_first_and_gives_way_to_what_was_decided_since(bench: Bench) -> None:
    back: dict[str, Json] = {"endpoint": "shop", "to": "a", "withdraw": "b", "asked": bench.backend.clock.now()}
    before = len(bench.backend.effects)
    assert bench.find("rollback_endpoint", **back) is None, "b is still there, and looking takes nothing away"
    assert len(bench.backend.effects) == before
    bench.start("rollback_endpoint", **back)
    after = len(bench.backend.effects)
    assert isinstance(bench.find("rollback_endpoint", **back), Done)
    assert len(bench.backend.effects) == after
    again: dict[str, Json] = {"endpoint": "shop", "to": "a", "replicas": 1, "asked": bench.backend.clock.now()}
    bench.backend.advance(1.0)
    site = bench.site("other")
    served.note("shop", bench.state.versions[0], site)
    with pytest.raises(Failed, match=r"by r/other/1 since"):
        bench.find("rollback_endpoint", **again)


def test_going_back_is_over_when_every_server_answers(bench: Bench) -> None:
    args: dict[str, Json] = {"endpoint": "shop", "to": "a", "replicas": 4}
    begun = bench.start("rollback_endpoint", **args)
    assert isinstance(begun, Running)
    assert isinstance(bench.find("rollback_endpoint", **args), Running)
    bench.backend.advance(10.0)
    assert isinstance(bench.follow("rollback_endpoint", begun.handle, **args), Done)
    assert bench.sizes()["a"] == (100, 4)
    bench.backend.serving.remove("shop")
    with pytest.raises(Failed, match="ended while it was scaled"):
        bench.follow("rollback_endpoint", begun.handle, **args)


def test_the_shadow_of_another_is_not_ended(bench: Bench) -> None:
    bench.start("mirror_traffic", endpoint="shop", version="b", incumbent="a")
    ended = bench.start("mirror_traffic", endpoint="shop", version="c", incumbent="a", on=False)
    assert isinstance(ended, Done)
    assert (ended.result["shadow"], bench.state.shadow) == ("b", "b")
    assert isinstance(bench.find("mirror_traffic", endpoint="shop", version="c", incumbent="a", on=False), Done)
    assert bench.find("mirror_traffic", endpoint="shop", version="b", incumbent="a", on=False) is None


def test_traffic_that_a_shift_does_not_name_is_not_lost(bench: Bench) -> None:
    bench.backend.store("models/shop/c", {"model.json": b"{}"})
    spec = ServeSpec(endpoint="shop", version="c", model="models/shop/c")
    bench.backend.serving.deploy(spec=spec, tags=bench.site("deploy-c").tags)
    bench.backend.advance(10.0)
    bench.backend.serving.split("shop", weights={"a": 60, "b": 40}, call="x")
    with pytest.raises(Failed, match=r"b \(40 %\) as well"):
        bench.start("shift_traffic", endpoint="shop", version="c", percent=10, incumbent="a")
    assert bench.sizes()["b"][0] == 40


def test_a_version_that_shares_the_traffic_is_not_taken_away(bench: Bench) -> None:
    bench.backend.serving.split("shop", weights={"a": 90, "b": 10}, call="x")
    for ask in (bench.start, bench.find):
        with pytest.raises(Failed, match=r"still gives a 90 % of its traffic: give that to b first"):
            ask("withdraw_version", endpoint="shop", version="a")
    bench.backend.serving.split("shop", weights={"a": 0, "b": 100}, call="x")
    assert isinstance(bench.start("withdraw_version", endpoint="shop", version="a"), Done)
    assert isinstance(bench.start("withdraw_version", endpoint="shop", version="a"), Done)


def test_at_least_so_many_servers_never_ends_one(bench: Bench) -> None:
    done = bench.start("scale_endpoint", endpoint="shop", version="a", replicas=1, fewest=True)
    assert isinstance(done, Done)
    assert bench.sizes()["a"] == (100, 2)


def test_everything_that_is_owned_is_listed(bench: Bench) -> None:
    listed = bench.start("list_resources")
    assert isinstance(listed, Done)
    assert [(o["kind"], o["id"], o["owner"]) for o in listed.result["owned"]] == [("endpoint", "shop", "ada")]


def test_traffic_is_read_without_sending_any(bench: Bench) -> None:
    read = bench.start("read_traffic", endpoint="shop")
    assert isinstance(read, Done)
    assert [(t["version"], t["requests"]) for t in read.result["versions"]] == [("a", 0), ("b", 0)]
    assert not [e for e in bench.backend.effects if e.kind == "jobs.submit"]
    with pytest.raises(Failed, match="there is no endpoint"):
        bench.start("read_traffic", endpoint="nobody")
