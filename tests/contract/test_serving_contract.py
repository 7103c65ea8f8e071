"""Every backend's endpoints keep what `tools.ports.Serving` and `Telemetry` promise."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import pytest
from benches import OWNER, Bench
from served import MODEL, RUN, Served, deploy, weights

from tools.errors import Conflict, Invalid, NotFound, Transient
from tools.ports import Scope, ServeSpec


def test_a_version_starts_without_traffic_and_gets_ready_with_the_digest_of_its_model(served: Served) -> None:
    assert weights(served.first) == {"v1": 0}
    assert (served.first.run, served.first.owner) == (RUN, OWNER)
    assert served.first.lease_until == pytest.approx(served.tags["v1"].lease_until)
    for version in served.state.versions:
        assert (version.state, version.model, version.digest) == ("ready", MODEL, served.digest)


def test_weights_are_set_absolutely_and_setting_them_again_changes_nothing(served: Served) -> None:
    assert weights(served.split(v1=90, v2=10)) == {"v1": 90, "v2": 10}
    assert weights(served.split(v2=100)) == {"v1": 0, "v2": 100}
    assert weights(served.split(v2=100)) == {"v1": 0, "v2": 100}
    assert weights(served.state) == {"v1": 0, "v2": 100}


@pytest.mark.parametrize(
    "wrong", [{"v1": 50}, {"v1": 60, "v2": 60}, {"v1": 110, "v2": -10}, {"v1": 50, "none": 50}, {}]
)
def test_weights_that_make_no_sense_are_refused_and_change_nothing(served: Served, wrong: Mapping[str, int]) -> None:
    served.split(v1=100)
    with pytest.raises(Invalid):
        served.split(**wrong)
    assert weights(served.state) == {"v1": 100, "v2": 0}


def test_a_deployment_is_found_by_its_call_and_never_made_twice(served: Served) -> None:
    serving, tags = served.bench.backend.serving, served.tags["v2"]
    with contextlib.suppress(Conflict):  # an idempotent answer is as good
        deploy(served.bench, served.name, "v2", tags)
    with pytest.raises(Conflict):
        deploy(served.bench, served.name, "v2", served.bench.tags(run=RUN))
    for each in served.tags.values():
        found = serving.find(each.call)
        assert found is not None
        assert (found.name, sorted(weights(found))) == (served.name, ["v1", "v2"])
    assert serving.find("never/was/1") is None


def test_requests_are_counted_per_version_as_the_weights_share_them(served: Served) -> None:
    bench, telemetry = served.bench, served.bench.backend.telemetry
    served.split(v1=50, v2=50)
    since = bench.now()
    bench.send(served.state, 40)
    first, second = (
        telemetry.traffic(served.name, version=v, since=since, thresholds_ms=[0.0, 1e6]) for v in ("v1", "v2")
    )
    assert first.requests + second.requests == 40
    assert min(first.requests, second.requests) >= 8
    assert (first.errors, second.errors) == (0, 0)
    for traffic in (first, second):
        assert traffic.over == {repr(0.0): traffic.requests, repr(1e6): 0}
        assert set(traffic.quantiles_ms) == {"p50", "p95", "p99"}
        assert 0 < traffic.quantiles_ms["p50"] <= traffic.quantiles_ms["p95"] <= traffic.quantiles_ms["p99"]
        assert since <= traffic.since <= traffic.until <= bench.now()
        bounds = [bound for bound, _ in traffic.histogram_ms]
        assert bounds == sorted(set(bounds))
        assert sum(count for _, count in traffic.histogram_ms) == traffic.requests
        assert bounds[-1] >= traffic.quantiles_ms["p99"]


def test_the_first_requests_and_those_before_a_time_can_be_left_out(served: Served) -> None:
    bench, telemetry = served.bench, served.bench.backend.telemetry
    served.split(v1=100)
    since = bench.now()
    bench.send(served.state, 10)

    def count(since: float, skip: int = 0) -> int:
        return telemetry.traffic(served.name, version="v1", since=since, thresholds_ms=[], skip=skip).requests

    assert count(since) == 10
    assert count(since, skip=4) == 6
    assert count(since, skip=99) == 0
    bench.wait(bench.step)
    quiet = telemetry.traffic(served.name, version="v1", since=bench.now(), thresholds_ms=[5.0])
    assert (quiet.requests, quiet.errors, quiet.over, quiet.quantiles_ms) == (0, 0, {"5.0": 0}, {})
    assert quiet.histogram_ms == ()


def test_a_lease_is_set_absolutely_and_hands_the_endpoint_over(served: Served) -> None:
    serving, until = served.bench.backend.serving, served.bench.now() + 12 * served.bench.patience
    for _ in range(2):
        state = serving.extend(served.name, run="other", owner="standing:goal", lease_until=until)
        assert (state.run, state.owner) == ("other", "standing:goal")
        assert state.lease_until == pytest.approx(until)
    (seen,) = serving.owned(Scope(run="other"))
    assert (seen.kind, seen.id, seen.owner) == ("endpoint", served.name, "standing:goal")
    assert seen.lease_until == pytest.approx(until)
    assert not serving.owned(Scope(run=RUN))
    assert served.name in {o.id for o in serving.owned(Scope())}


def test_an_endpoint_is_taken_down_version_by_version_and_ending_it_again_is_success(bench: Bench) -> None:
    serving, name = bench.backend.serving, bench.name("ends")
    bench.backend.objects.put(MODEL, bench.model())
    deploy(bench, name, "a", bench.tags(run="ends"))
    deploy(bench, name, "b", bench.tags(run="ends"))
    if serving.state(name).versions[0].state == "starting":
        with pytest.raises((Transient, Invalid)):
            serving.split(name, weights={"a": 100}, call="ends/split/1")
    for _ in range(2):
        serving.withdraw(name, version="a")
        assert list(weights(serving.state(name))) == ["b"]
    for _ in range(2):
        serving.remove(name)
        with pytest.raises(NotFound):
            serving.state(name)
    serving.withdraw(name, version="b")
    assert not serving.owned(Scope(run="ends"))


def test_an_endpoint_ends_with_its_lease(bench: Bench) -> None:
    serving, name = bench.backend.serving, bench.name("leased")
    bench.backend.objects.put(MODEL, bench.model())
    deploy(bench, name, "a", bench.tags(run="leased"))
    serving.extend(name, run="leased", owner=OWNER, lease_until=bench.now() + bench.moment)
    bench.until(lambda: not serving.owned(Scope(run="leased")), "the lease lapses")
    with pytest.raises(NotFound):
        serving.state(name)


def test_an_endpoint_that_is_not_there_is_not_found_except_to_end_it(bench: Bench) -> None:
    serving, telemetry = bench.backend.serving, bench.backend.telemetry
    with pytest.raises(NotFound):
        serving.state("never-was")
    with pytest.raises(NotFound):
        serving.split("never-was", weights={"a": 100}, call="no/split/1")
    with pytest.raises(NotFound):
        serving.extend("never-was", run="r", owner="o", lease_until=bench.now() + 1)
    with pytest.raises(NotFound):
        telemetry.traffic("never-was", version="a", since=0.0, thresholds_ms=[])
    serving.withdraw("never-was", version="a")
    serving.remove("never-was")


def test_a_measurement_of_a_version_that_never_was_is_not_found(served: Served) -> None:
    with pytest.raises(NotFound):
        served.bench.backend.telemetry.traffic(served.name, version="none", since=0.0, thresholds_ms=[])


def test_a_deployment_that_cannot_be_is_refused_and_leaves_no_endpoint(bench: Bench) -> None:
    serving, tags, name = bench.backend.serving, bench.tags(run="impossible"), bench.name("impossible")
    with pytest.raises(NotFound):
        serving.deploy(spec=ServeSpec(endpoint=name, version="a", model="no/such"), tags=tags)
    with pytest.raises(Invalid):
        deploy(bench, "../up", "a", tags)
    assert serving.find(tags.call) is None
    assert not serving.owned(Scope(run="impossible"))


def test_the_watcher_has_told_that_versions_got_ready(bench: Bench, served: Served) -> None:
    assert RUN in bench.backend.watch.since("").runs
    assert RUN not in bench.backend.watch.since(bench.backend.watch.since("").cursor).runs


def test_a_model_without_a_reference_is_not_watched(served: Served) -> None:
    served.split(v1=100)
    served.bench.send(served.state, 5)
    found = served.bench.backend.telemetry.inputs(served.name, version="v1", since=0.0)
    assert (found.watched, found.rows, found.features, found.predictions) == (False, 0, (), None)
    assert found.until >= found.since


@pytest.mark.parametrize("version", ["none", "", "v1 v2", "../v1", "版本"])
def test_inputs_of_a_version_that_never_was_are_not_found(served: Served, version: str) -> None:
    with pytest.raises(NotFound):
        served.bench.backend.telemetry.inputs(served.name, version=version, since=0.0)


def test_inputs_of_an_endpoint_that_never_was_are_not_found(served: Served) -> None:
    with pytest.raises(NotFound):
        served.bench.backend.telemetry.inputs("never-was", version="v1", since=0.0)


def test_a_window_that_ends_before_it_begins_is_empty(served: Served) -> None:
    now = served.bench.now()
    found = served.bench.backend.telemetry.inputs(served.name, version="v1", since=now, until=now - 100)
    assert found.rows == 0
    assert found.until >= found.since
