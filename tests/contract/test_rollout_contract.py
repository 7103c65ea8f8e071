"""What every backend promises of a shadow and of the number of servers: set absolutely, and no request lost."""

from __future__ import annotations

import pytest
from benches import Bench
from served import MODEL, RUN, Served, deploy, weights

from tools.errors import Invalid, NotFound
from tools.ports import Agreement, EndpointState, ServeSpec, VersionState


@pytest.fixture
def alone(served: Served) -> Served:
    """All traffic on `v1`, no shadow, one server each."""
    served.split(v1=100)
    _mirror(served, None)
    for version in ("v1", "v2"):
        _scale(served, version, 1)
    served.bench.ready(served.name, "v1", "v2")
    return served


def _mirror(served: Served, version: str | None) -> EndpointState:
    return served.bench.backend.serving.mirror(served.name, version=version, call=served.bench.tags(run=RUN).call)


def _scale(served: Served, version: str, replicas: int) -> VersionState:
    serving, call = served.bench.backend.serving, served.bench.tags().call
    return _version(serving.scale(served.name, version=version, replicas=replicas, call=call), version)


def _version(state: EndpointState, name: str) -> VersionState:
    version = state.version(name)
    assert version is not None
    return version


def _all_ready(served: Served, version: str) -> VersionState:
    """The version once as many servers answer as are asked for."""
    bench = served.bench
    bench.until(lambda: (v := _version(served.state, version)).ready == v.replicas, f"{version} has all its servers")
    return _version(served.state, version)


def _requests(served: Served, version: str, since: float) -> int:
    telemetry = served.bench.backend.telemetry
    traffic = telemetry.traffic(served.name, version=version, since=since, thresholds_ms=[])
    assert traffic.errors == 0
    return traffic.requests


def _agreement(served: Served, version: str, since: float) -> Agreement:
    return served.bench.backend.telemetry.agreement(served.name, version=version, since=since)


def test_a_shadow_gets_a_copy_of_every_request_and_is_compared_with_what_callers_got(alone: Served) -> None:
    bench, since = alone.bench, alone.bench.now()
    state = _mirror(alone, "v2")
    assert (state.shadow, weights(state)) == ("v2", {"v1": 100, "v2": 0})
    bench.send(alone.state, 40)
    bench.until(lambda: _agreement(alone, "v2", since).compared == 40, "every copy is compared")
    seen = _agreement(alone, "v2", since)
    assert (seen.version, seen.unanswered, seen.dropped) == ("v2", 0, 0)
    assert 36 <= seen.agreed <= 40
    assert (_requests(alone, "v1", since), _requests(alone, "v2", since)) == (40, 40)
    bench.wait(bench.step)
    assert _agreement(alone, "v2", bench.now()).compared == 0
    assert _agreement(alone, "v1", since).compared == 0


def test_without_a_shadow_nobody_gets_a_copy(alone: Served) -> None:
    since = alone.bench.now()
    _mirror(alone, "v2")
    for _ in range(2):
        assert _mirror(alone, None).shadow is None
    alone.bench.send(alone.state, 10)
    assert (_requests(alone, "v1", since), _requests(alone, "v2", since)) == (10, 0)
    assert _agreement(alone, "v2", since).compared == 0


def test_a_version_with_traffic_is_no_shadow_and_one_that_is_not_there_is_not_found(alone: Served) -> None:
    _mirror(alone, "v2")
    with pytest.raises(Invalid, match="v1 has traffic"):
        _mirror(alone, "v1")
    with pytest.raises(NotFound):
        _mirror(alone, "none")
    assert _mirror(alone, "v2").shadow == "v2"
    with pytest.raises(NotFound):
        alone.bench.backend.serving.mirror("never-was", version="v2", call="no/mirror/1")


def test_traffic_for_a_shadow_ends_its_shadowing_and_traffic_for_others_does_not(alone: Served) -> None:
    _mirror(alone, "v2")
    assert alone.split(v1=100).shadow == "v2"
    state = alone.split(v1=90, v2=10)
    assert (state.shadow, weights(state)) == (None, {"v1": 90, "v2": 10})
    assert alone.split(v1=100).shadow is None


def test_a_shadow_that_is_withdrawn_is_none_and_its_measurements_are_kept(alone: Served) -> None:
    bench, serving, since = alone.bench, alone.bench.backend.serving, alone.bench.now()
    deploy(bench, alone.name, "v3", bench.tags(run=RUN))
    bench.ready(alone.name, "v3")
    assert _mirror(alone, "v3").shadow == "v3"
    bench.send(alone.state, 5)
    bench.until(lambda: _agreement(alone, "v3", since).compared == 5, "every copy is compared")
    for _ in range(2):
        serving.withdraw(alone.name, version="v3")
    assert (alone.state.shadow, alone.state.version("v3")) == (None, None)
    assert _agreement(alone, "v3", since).compared == 5
    bench.send(alone.state, 5)
    assert _requests(alone, "v1", since) == 10


def test_an_agreement_of_what_never_was_is_not_found(alone: Served) -> None:
    telemetry = alone.bench.backend.telemetry
    for endpoint, version in ((alone.name, "none"), ("never-was", "v1")):
        with pytest.raises(NotFound):
            telemetry.agreement(endpoint, version=version, since=0.0)


def test_the_number_of_servers_is_set_absolutely_and_what_answers_is_told_truthfully(alone: Served) -> None:
    before = _version(alone.state, "v1")
    assert (before.replicas, before.ready) == (1, 1)
    grown = _scale(alone, "v1", 3)
    assert (grown.replicas, grown.ready, grown.state, grown.weight) == (3, 1, "ready", 100)
    assert _scale(alone, "v1", 3).replicas == 3
    full = _all_ready(alone, "v1")
    assert (full.replicas, full.ready, full.state, full.digest) == (3, 3, "ready", alone.digest)
    shrunk = _scale(alone, "v1", 1)
    assert (shrunk.replicas, shrunk.ready, shrunk.state) == (1, 1, "ready")
    assert weights(alone.state) == {"v1": 100, "v2": 0}


def test_a_version_deployed_with_several_servers_is_ready_when_all_are(bench: Bench, alone: Served) -> None:
    serving, name = bench.backend.serving, bench.name("several")
    spec = ServeSpec(endpoint=name, version="a", model=MODEL, replicas=2)
    first = _version(serving.deploy(spec=spec, tags=bench.tags()), "a")
    assert (first.replicas, first.ready, first.state) == (2, 0, "starting")
    last = _version(bench.ready(name, "a"), "a")
    assert (last.replicas, last.ready) == (2, 2)
    serving.remove(name)


def test_no_server_at_all_is_only_for_a_version_that_gets_no_request(alone: Served) -> None:
    bench, since = alone.bench, alone.bench.now()
    with pytest.raises(Invalid, match="traffic"):
        _scale(alone, "v1", 0)
    _mirror(alone, "v2")
    with pytest.raises(Invalid, match="shadow"):
        _scale(alone, "v2", 0)
    _mirror(alone, None)
    empty = _scale(alone, "v2", 0)
    assert (empty.replicas, empty.ready) == (0, 0)
    with pytest.raises(Invalid, match="no server"):
        alone.split(v1=50, v2=50)
    with pytest.raises(Invalid, match="no server"):
        _mirror(alone, "v2")
    assert (weights(alone.state), alone.state.shadow) == ({"v1": 100, "v2": 0}, None)
    assert _scale(alone, "v2", 1).state == "starting"
    assert _all_ready(alone, "v2").digest == alone.digest
    alone.split(v2=100)
    bench.send(alone.state, 5)
    assert _requests(alone, "v2", since) == 5


@pytest.mark.parametrize("replicas", [-1, -100])
def test_fewer_servers_than_none_are_refused(alone: Served, replicas: int) -> None:
    with pytest.raises(Invalid):
        _scale(alone, "v1", replicas)
    assert _version(alone.state, "v1").replicas == 1


def test_a_version_that_is_not_there_is_not_scaled(alone: Served) -> None:
    serving = alone.bench.backend.serving
    for endpoint, version in ((alone.name, "none"), (alone.name, "../v1"), ("never-was", "v1")):
        with pytest.raises(NotFound):
            serving.scale(endpoint, version=version, replicas=1, call="no/scale/1")


def test_a_rolling_exchange_server_by_server_loses_no_request(alone: Served) -> None:
    bench, since = alone.bench, alone.bench.now()
    _scale(alone, "v1", 2)
    _scale(alone, "v2", 0)
    _all_ready(alone, "v1")
    for new, old in ((1, 1), (2, 0)):
        _scale(alone, "v2", new)
        _all_ready(alone, "v2")
        alone.split(v1=50 * old, v2=50 * new)
        _scale(alone, "v1", old)
        bench.send(alone.state, 20)
    first, second = _requests(alone, "v1", since), _requests(alone, "v2", since)
    assert first + second == 40
    assert first > 0
    assert second >= 20
    state = alone.state
    assert [(v.weight, v.replicas, v.ready) for v in state.versions] == [(0, 0, 0), (100, 2, 2)]
