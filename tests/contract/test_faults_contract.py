"""What a simulated world does when a fault is armed: in the process and over a socket alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from benches import Bench
from spoilt import Spoilt

from tools.backends.sim.faults import EFFECTS, FaultKind, Operation
from tools.errors import Conflict, Invalid, Refused, ToolError, Transient, Unknown
from tools.ports import Scope, ServeSpec, Tags

BEFORE: tuple[FaultKind, ...] = ("timeout_before", "answer_500")
AFTER: tuple[FaultKind, ...] = ("timeout_after", "lose_answer", "answer_500_after")


@dataclass(frozen=True, kw_only=True)
class Creation:
    """A creating port: how to create, and how to look for it."""

    operation: Operation
    find: Operation
    create: Callable[[Bench, Tags], object]
    look: Callable[[Bench, str], object]
    owned: Callable[[Bench, str], int]


def _deploy(bench: Bench, tags: Tags) -> object:
    bench.backend.objects.put("models/a", bench.model())
    spec = ServeSpec(endpoint=tags.run, version="v1", model="models/a")
    return bench.backend.serving.deploy(spec=spec, tags=tags)


CREATIONS = (
    Creation(
        operation="jobs.submit",
        find="jobs.find",
        create=lambda b, tags: b.backend.jobs.submit(spec=b.job("endless"), tags=tags),
        look=lambda b, call: b.backend.jobs.find(call),
        owned=lambda b, run: len(b.backend.jobs.owned(Scope(run=run))),
    ),
    Creation(
        operation="serving.deploy",
        find="serving.find",
        create=_deploy,
        look=lambda b, call: b.backend.serving.find(call),
        owned=lambda b, run: len(b.backend.serving.owned(Scope(run=run))),
    ),
    Creation(
        operation="compute.provision",
        find="compute.find",
        create=lambda b, tags: b.backend.compute.provision(offer="sim.small", tags=tags),
        look=lambda b, call: b.backend.compute.find(call),
        owned=lambda b, run: len(b.backend.compute.owned(Scope(run=run))),
    ),
)


@pytest.fixture(params=CREATIONS, ids=lambda c: c.operation)
def creation(request: pytest.FixtureRequest) -> Creation:
    made: Creation = request.param
    return made


@pytest.fixture
def tags(spoilt: Spoilt) -> Tags:
    return spoilt.bench.tags(run=spoilt.bench.name("run"))


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
def test_an_unknown_outcome_is_settled_by_looking_and_repeating(
    spoilt: Spoilt, creation: Creation, tags: Tags, fault: FaultKind
) -> None:
    bench = spoilt.bench
    spoilt.faults.arm(operation=creation.operation, fault=fault)
    with pytest.raises(Unknown):
        creation.create(bench, tags)
    assert (creation.look(bench, tags.call) is not None) == (fault in AFTER)
    if fault in AFTER:
        with pytest.raises(Conflict):
            creation.create(bench, tags)
    else:
        creation.create(bench, tags)
    assert creation.owned(bench, tags.run) == 1
    assert [e.kind for e in spoilt.effects(tags.call)] == [creation.operation]


def test_a_refused_or_throttled_call_has_no_effect(spoilt: Spoilt, creation: Creation, tags: Tags) -> None:
    spoilt.faults.arm(operation=creation.operation, fault="refuse")
    spoilt.faults.arm(operation=creation.operation, fault="throttle", retry_after_s=7.5)
    with pytest.raises(Refused):
        creation.create(spoilt.bench, tags)
    with pytest.raises(Transient) as caught:
        creation.create(spoilt.bench, tags)
    assert caught.value.retry_after_s == 7.5
    assert creation.look(spoilt.bench, tags.call) is None
    assert not spoilt.effects(tags.call)


def test_a_stale_list_hides_what_is_new_for_as_long_as_the_port_may_lie(
    spoilt: Spoilt, creation: Creation, tags: Tags
) -> None:
    bench = spoilt.bench
    promise = bench.backend.jobs.promise
    assert promise.staleness_s > 0
    bench.wait(promise.staleness_s)
    spoilt.faults.arm(operation=creation.find, fault="stale", times=None)
    creation.create(bench, tags)
    assert creation.look(bench, tags.call) is None
    bench.wait(promise.staleness_s / 2)
    assert creation.look(bench, tags.call) is None
    bench.wait(promise.staleness_s / 2)
    assert creation.look(bench, tags.call) is not None


def test_a_stale_list_still_shows_what_has_ended(spoilt: Spoilt, tags: Tags) -> None:
    bench, jobs = spoilt.bench, spoilt.bench.backend.jobs
    job = jobs.submit(spec=bench.job("endless"), tags=tags).id
    bench.wait(jobs.promise.staleness_s)
    jobs.cancel(job)
    spoilt.faults.arm(operation="jobs.owned", fault="stale")
    assert [o.id for o in jobs.owned(Scope(run=tags.run))] == [job]
    assert not jobs.owned(Scope(run=tags.run))


def test_a_timeout_takes_time_and_a_lost_answer_does_not(spoilt: Spoilt) -> None:
    bench, jobs = spoilt.bench, spoilt.bench.backend.jobs
    spoilt.faults.arm(operation="jobs.submit", fault="timeout_after")
    spoilt.faults.arm(operation="jobs.submit", fault="lose_answer")
    for seconds in (30.0, 0.0):
        before = bench.now()
        with pytest.raises(Unknown):
            jobs.submit(spec=bench.job("endless"), tags=bench.tags())
        assert bench.now() - before == seconds


def test_a_job_can_be_made_to_fail_for_any_cause(spoilt: Spoilt, tags: Tags) -> None:
    bench, jobs = spoilt.bench, spoilt.bench.backend.jobs
    spoilt.faults.arm(operation="jobs.submit", fault="fail_job", cause="out_of_memory_device", token=tags.call)
    other = jobs.submit(spec=bench.job("quick"), tags=bench.tags()).id
    doomed = jobs.submit(spec=bench.job("quick"), tags=tags).id
    for job in (other, doomed):
        bench.over(job)
    assert jobs.poll(other).phase == "succeeded"
    failure = jobs.poll(doomed).failure
    assert failure is not None
    assert failure.cause == "out_of_memory_device"


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
def test_a_read_that_is_not_answered_may_be_repeated(spoilt: Spoilt, tags: Tags, fault: FaultKind) -> None:
    bench, jobs = spoilt.bench, spoilt.bench.backend.jobs
    job = jobs.submit(spec=bench.job("endless"), tags=tags).id
    spoilt.faults.arm(operation="jobs.poll", fault=fault)
    with pytest.raises(Transient):
        jobs.poll(job)
    assert jobs.poll(job).id == job


def test_a_change_or_an_end_of_unknown_outcome_happened_or_not_as_the_fault_says(spoilt: Spoilt, tags: Tags) -> None:
    bench, serving = spoilt.bench, spoilt.bench.backend.serving
    _deploy(bench, tags)
    bench.ready(tags.run, "v1")
    expected: dict[FaultKind, int] = {"timeout_before": 0, "lose_answer": 100}
    for fault, weight in expected.items():
        spoilt.faults.arm(operation="serving.split", fault=fault)
        with pytest.raises(Unknown):
            serving.split(tags.run, weights={"v1": 100}, call=tags.call)
        assert serving.state(tags.run).versions[0].weight == weight
    spoilt.faults.arm(operation="serving.remove", fault="lose_answer")
    with pytest.raises(Unknown):
        serving.remove(tags.run)
    assert not serving.owned(Scope(run=tags.run))
    serving.remove(tags.run)


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
def test_a_shadow_and_a_number_of_servers_of_unknown_outcome_are_read_back_and_set_again(
    spoilt: Spoilt, tags: Tags, fault: FaultKind
) -> None:
    bench, serving, name = spoilt.bench, spoilt.bench.backend.serving, tags.run
    _deploy(bench, tags)
    bench.ready(name, "v1")

    def scale() -> object:
        return serving.scale(name, version="v1", replicas=2, call=f"{tags.call}/scale")

    def mirror() -> object:
        return serving.mirror(name, version="v1", call=f"{tags.call}/mirror")

    operations: dict[Operation, Callable[[], object]] = {"serving.scale": scale, "serving.mirror": mirror}
    for operation, change in operations.items():
        spoilt.faults.arm(operation=operation, fault=fault)
        with pytest.raises(Unknown):
            change()
        state = serving.state(name)
        seen = {"serving.scale": state.versions[0].replicas == 2, "serving.mirror": state.shadow == "v1"}[operation]
        assert seen == (fault in AFTER)
        change()
        change()
    assert (serving.state(name).versions[0].replicas, serving.state(name).shadow) == (2, "v1")
    assert len(spoilt.effects(f"{tags.call}/scale")) == len(spoilt.effects(f"{tags.call}/mirror")) == 1


def test_an_agreement_that_is_not_answered_may_be_asked_for_again(spoilt: Spoilt, tags: Tags) -> None:
    bench, telemetry = spoilt.bench, spoilt.bench.backend.telemetry
    _deploy(bench, tags)
    spoilt.faults.arm(operation="telemetry.agreement", fault="lose_answer")
    with pytest.raises(Transient):
        telemetry.agreement(tags.run, version="v1", since=0.0)
    assert telemetry.agreement(tags.run, version="v1", since=0.0).compared == 0


def test_a_fault_waits_its_turn_fires_as_often_as_told_and_is_remembered(spoilt: Spoilt, tags: Tags) -> None:
    jobs, before = spoilt.bench.backend.jobs, len(spoilt.faults.fired)
    spoilt.faults.arm(operation="jobs.find", fault="throttle", skip=1, times=2)
    outcomes = []
    for _ in range(5):
        try:
            jobs.find(tags.call)
            outcomes.append("answered")
        except Transient:
            outcomes.append("throttled")
    assert outcomes == ["answered", "throttled", "throttled", "answered", "answered"]
    fired = spoilt.faults.fired[before:]
    assert [(f.operation, f.fault, f.token) for f in fired] == [("jobs.find", "throttle", tags.call)] * 2


def test_a_fault_that_makes_no_sense_somewhere_cannot_be_armed_there(spoilt: Spoilt) -> None:
    with pytest.raises(Invalid):
        spoilt.faults.arm(operation="jobs.submit", fault="stale")
    with pytest.raises(Invalid):
        spoilt.faults.arm(operation="serving.deploy", fault="fail_job")
    with pytest.raises(Invalid):
        spoilt.faults.arm(operation="jobs.submit", fault="refuse", times=0)


@pytest.mark.parametrize("operation", sorted(EFFECTS))
def test_every_operation_with_an_effect_can_be_refused(spoilt: Spoilt, operation: Operation) -> None:
    bench = spoilt.bench
    backend, tags = bench.backend, bench.tags(run="refused")
    calls: dict[Operation, Callable[[], object]] = {
        "jobs.submit": lambda: backend.jobs.submit(spec=bench.job("quick"), tags=tags),
        "jobs.cancel": lambda: backend.jobs.cancel("any"),
        "serving.deploy": lambda: _deploy(bench, tags),
        "serving.split": lambda: backend.serving.split("any", weights={"a": 100}, call=tags.call),
        "serving.mirror": lambda: backend.serving.mirror("any", version="a", call=tags.call),
        "serving.scale": lambda: backend.serving.scale("any", version="a", replicas=1, call=tags.call),
        "serving.withdraw": lambda: backend.serving.withdraw("any", version="a"),
        "serving.extend": lambda: backend.serving.extend("any", run="r", owner="o", lease_until=0.0),
        "serving.remove": lambda: backend.serving.remove("any"),
        "objects.put": lambda: backend.objects.put("any", bench.model()),
        "objects.remove": lambda: backend.objects.remove("any"),
        "compute.provision": lambda: backend.compute.provision(offer="sim.small", tags=tags),
        "compute.release": lambda: backend.compute.release("any"),
    }
    spoilt.faults.arm(operation=operation, fault="refuse")
    with pytest.raises(ToolError) as caught:
        calls[operation]()
    assert isinstance(caught.value, Refused)
    assert operation in str(caught.value)
