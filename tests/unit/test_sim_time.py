"""Virtual time: what happens by itself, in order, and the same however the time was passed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.world import Behaviour, Duration, Learner, World
from tools.errors import Conflict
from tools.ports import JobSpec, Offer, Scope, ServeSpec, Tags, Traffic

START = 1000.0
WORLD = World(
    name="unit",
    queue_s=2,
    durations={"command": Duration(median_s=10)},
    learner=Learner(start=0.6, plateau=0.9),
    ready_s=5,
    good=Behaviour(p50_ms=5),
    bad=Behaviour(p50_ms=500, error_rate=0.2),
    bad_deploys=(2,),
    offers=(Offer(id="m", backend="sim", cpus=1, memory_gb=1, usd_micro_per_hour=1),),
    provision_s=7,
)


def backend(world: World = WORLD) -> SimBackend:
    made = SimBackend(world, seed=3, clock=VirtualClock(START))
    made.store("models/m", {"model.json": b"{}"})
    return made


def tags(call: str, *, lease_s: float = 1e6) -> Tags:
    return Tags(run="r", call=call, owner="o", lease_until=START + lease_s)


def command(**script: object) -> JobSpec:
    return JobSpec(program="command", argv=("train",), args={"sim": script}, time_limit_s=1e6)


def load(seconds: float, rate: float = 10.0) -> JobSpec:
    args = {"url": "sim://e", "model": "e", "label": "y", "rate_rps": rate, "seconds": seconds}
    return JobSpec(program="load", args=args, time_limit_s=1e6)


def serve(sim: SimBackend, *versions: str, lease_s: float = 1e6) -> None:
    for version in versions:
        spec = ServeSpec(endpoint="e", version=version, model="models/m")
        sim.serving.deploy(spec=spec, tags=tags(f"r/{version}/1", lease_s=lease_s))
    sim.advance(WORLD.ready_s)


def traffic(sim: SimBackend, version: str) -> Traffic:
    return sim.telemetry.traffic("e", version=version, since=0.0, thresholds_ms=[50.0])


def test_the_clock_stands_still_until_told_and_never_goes_back() -> None:
    clock = VirtualClock(START)
    assert clock.now() == START
    clock.sleep(2.5)
    clock.sleep_until(START + 1)
    assert clock.now() == START + 2.5
    clock.sleep_until(START + 4)
    assert clock.now() == START + 4
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="time cannot pass"):
            clock.advance(wrong)


def test_a_job_waits_runs_with_progress_and_ends_when_the_time_has_come() -> None:
    sim = backend()
    job = sim.jobs.submit(spec=command(), tags=tags("r/a/1")).id
    assert sim.jobs.poll(job).phase == "queued"
    sim.advance(2 + 5)
    running = sim.jobs.poll(job)
    assert (running.phase, running.started) == ("running", START + 2)
    assert running.progress is not None
    assert running.progress.fraction == pytest.approx(0.5)
    sim.advance(4.999)
    assert sim.jobs.poll(job).phase == "running"
    sim.advance(0.001)
    ended = sim.jobs.poll(job)
    assert (ended.phase, ended.ended, ended.progress) == ("succeeded", START + 12, None)


@given(st.lists(st.floats(0.01, 20), min_size=1, max_size=12))
def test_many_small_steps_and_one_leap_lead_to_the_same_world(steps: list[float]) -> None:
    worlds = []
    for pieces in ([60.0], [*steps, 60.0]):
        sim = backend()
        serve(sim, "v1", lease_s=40)
        sim.serving.split("e", weights={"v1": 100}, call="r/w/1")
        sim.jobs.submit(spec=load(30), tags=tags("r/l/1"))
        sim.jobs.submit(spec=command(seconds=20, exit=3), tags=tags("r/c/1", lease_s=10))
        sim.compute.provision(offer="m", tags=tags("r/m/1", lease_s=25))
        end = sim.clock.now() + 60.0
        for piece in pieces:
            sim.advance(min(piece, end - sim.clock.now()))
            sim.jobs.owned(Scope())
        worlds.append(sim)
    leap, small = worlds
    assert small.clock.now() == pytest.approx(leap.clock.now())
    assert small.effects == leap.effects
    assert [e.at for e in leap.effects] == sorted(e.at for e in leap.effects)
    assert [small.jobs.poll(j.id).result for j in small.snapshot().jobs] == [
        leap.jobs.poll(j.id).result for j in leap.snapshot().jobs
    ]


def test_leases_and_limits_end_things_at_their_time() -> None:
    sim = backend()
    serve(sim, "v1", lease_s=30)
    job = sim.jobs.submit(spec=command(seconds=1000), tags=tags("r/j/1", lease_s=20)).id
    limited = sim.jobs.submit(spec=command(seconds=1000).model_copy(update={"time_limit_s": 8}), tags=tags("r/k/1")).id
    sim.advance(100)
    ended = {e.target: (e.kind, e.at) for e in sim.effects if e.by == "world"}
    assert ended[job] == ("job.lapsed", START + 20)
    assert ended[limited] == ("job.failed", START + WORLD.ready_s + WORLD.queue_s + 8)
    assert ended["e"] == ("endpoint.lapsed", START + 30)
    assert not sim.jobs.owned(Scope())
    assert not sim.serving.owned(Scope())


def test_requests_go_where_the_weights_were_when_they_were_sent() -> None:
    sim = backend(WORLD.model_copy(update={"bad_deploys": ()}))
    serve(sim, "v1", "v2")
    sim.serving.split("e", weights={"v1": 100}, call="r/w/1")
    job = sim.jobs.submit(spec=load(40), tags=tags("r/l/1")).id
    sim.advance(WORLD.queue_s + 20)
    sim.serving.split("e", weights={"v2": 100}, call="r/w/2")
    sim.advance(20)
    first, second = traffic(sim, "v1"), traffic(sim, "v2")
    assert (first.requests, second.requests) == (201, 199)
    assert sim.jobs.poll(job).result == {"sent": 400, "answered": 400, "failed": 0, "seconds": 40.0}


def test_requests_without_anybody_to_answer_are_lost() -> None:
    sim = backend()
    early = sim.jobs.submit(spec=load(10), tags=tags("r/l/1")).id
    sim.advance(100)
    result = sim.jobs.poll(early).result
    assert result is not None
    assert (result["sent"], result["failed"]) == (100, 100)


def test_the_deployment_that_is_bad_is_slow_and_fails_and_a_good_one_can_be_spoilt() -> None:
    sim = backend()
    serve(sim, "v1", "v2")
    sim.serving.split("e", weights={"v1": 50, "v2": 50}, call="r/w/1")
    sim.jobs.submit(spec=load(60), tags=tags("r/l/1"))
    sim.advance(100)
    good, bad = traffic(sim, "v1"), traffic(sim, "v2")
    assert (good.errors, good.over["50.0"]) == (0, 0)
    assert bad.errors > 0.1 * bad.requests
    assert bad.over["50.0"] == bad.requests - bad.errors
    sim.spoil("e", "v1")
    sim.jobs.submit(spec=load(60), tags=tags("r/l/2"))
    sim.advance(100)
    assert traffic(sim, "v1").errors > 0


def test_measurements_of_a_withdrawn_version_are_kept() -> None:
    sim = backend()
    serve(sim, "v1")
    sim.serving.split("e", weights={"v1": 100}, call="r/w/1")
    sim.jobs.submit(spec=load(10), tags=tags("r/l/1"))
    sim.advance(20)
    sim.serving.withdraw("e", version="v1")
    assert traffic(sim, "v1").requests == 100


def test_a_version_that_cannot_start_is_failed() -> None:
    sim = backend(WORLD.model_copy(update={"good": Behaviour(p50_ms=5, starts=False)}))
    serve(sim, "v1")
    (version,) = sim.serving.state("e").versions
    assert (version.state, version.digest) == ("failed", None)
    assert version.detail


@pytest.mark.parametrize("atomic", [True, False])
def test_a_port_that_is_not_atomic_creates_twice(atomic: bool) -> None:
    sim = backend(WORLD.model_copy(update={"atomic": atomic}))
    assert sim.jobs.promise.atomic is atomic
    sim.jobs.submit(spec=command(), tags=tags("r/a/1"))
    if atomic:
        with pytest.raises(Conflict):
            sim.jobs.submit(spec=command(), tags=tags("r/a/1"))
    else:
        sim.jobs.submit(spec=command(), tags=tags("r/a/1"))
    assert len(sim.jobs.owned(Scope())) == (1 if atomic else 2)


def test_the_log_counts_changes_only_and_the_snapshot_shows_what_is_left() -> None:
    sim = backend()
    job = sim.jobs.submit(spec=command(), tags=tags("r/a/1")).id
    for _ in range(3):
        sim.jobs.cancel(job)
        sim.jobs.cancel("never-was")
        sim.store("models/m", {"model.json": b"{}"})
    assert [(e.sequence, e.kind, e.token) for e in sim.effects] == [
        (1, "objects.put", ""),
        (2, "jobs.submit", "r/a/1"),
        (3, "jobs.cancel", "r/a/1"),
    ]
    snapshot = sim.snapshot()
    assert [(j.id, j.phase) for j in snapshot.jobs] == [(job, "cancelled")]
    assert set(snapshot.objects) == {"models/m"}


def shadowed(agreement: float = 0.9, difference: float | None = None, **bad: float) -> SimBackend:
    """A second deployment in the shadow of the first, a minute under load."""
    behaviour = Behaviour.model_validate({"p50_ms": 500, "agreement": agreement, "difference": difference, **bad})
    sim = backend(WORLD.model_copy(update={"bad": behaviour}))
    serve(sim, "v1", "v2")
    sim.serving.split("e", weights={"v1": 100}, call="r/w/1")
    sim.serving.mirror("e", version="v2", call="r/m/1")
    sim.jobs.submit(spec=load(60), tags=tags("r/l/1"))
    sim.advance(100)
    return sim


def test_a_shadow_answers_as_its_world_says_and_is_heard_by_nobody() -> None:
    sim = shadowed(agreement=0.9, error_rate=0.2)
    seen, copied = sim.telemetry.agreement("e", version="v2", since=0.0), traffic(sim, "v2")
    assert (seen.compared + seen.unanswered, copied.requests) == (600, 600)
    assert (seen.unanswered, seen.dropped, seen.difference) == (copied.errors, 0, None)
    assert 0.85 < seen.agreed / seen.compared < 0.95
    assert 80 < seen.unanswered < 160
    assert copied.over["50.0"] == copied.requests - copied.errors
    assert sim.jobs.poll("sim-job-1").result == {"sent": 600, "answered": 600, "failed": 0, "seconds": 60.0}
    assert shadowed(agreement=0.9, error_rate=0.2).telemetry.agreement("e", version="v2", since=0.0) == seen


def test_a_shadow_that_answers_with_numbers_tells_how_far_they_are_off() -> None:
    assert shadowed(difference=0.25).telemetry.agreement("e", version="v2", since=0.0).difference == 0.25


def test_a_shadow_changes_nothing_of_what_callers_measure() -> None:
    alone = backend()
    serve(alone, "v1", "v2")
    alone.serving.split("e", weights={"v1": 100}, call="r/w/1")
    alone.jobs.submit(spec=load(60), tags=tags("r/l/1"))
    alone.advance(100)
    assert traffic(alone, "v1") == traffic(shadowed(), "v1")


def test_servers_that_are_added_answer_later_and_those_that_go_are_gone_at_once() -> None:
    sim = backend()
    serve(sim, "v1")

    def scale(replicas: int) -> tuple[int, int, str]:
        version = sim.serving.scale("e", version="v1", replicas=replicas, call="r/s/1").versions[0]
        return version.replicas, version.ready, version.state

    assert scale(3) == (3, 1, "ready")
    sim.advance(WORLD.ready_s / 2)
    assert scale(4) == (4, 1, "ready")
    sim.advance(WORLD.ready_s / 2)
    assert sim.serving.state("e").versions[0].ready == 3
    assert scale(2) == (2, 2, "ready")
    sim.advance(WORLD.ready_s)
    assert scale(2) == (2, 2, "ready")
    assert scale(0) == (0, 0, "ready")
    assert scale(1) == (1, 0, "starting")
    sim.advance(WORLD.ready_s)
    assert scale(1) == (1, 1, "ready")
    kinds = [e.kind for e in sim.effects if e.target == "e:v1"]
    assert kinds == [
        "serving.deploy",
        "version.ready",
        "serving.scale",
        "serving.scale",
        "version.scaled",
        "serving.scale",
        "serving.scale",
        "serving.scale",
        "version.ready",
    ]


def test_a_version_that_has_failed_starts_anew_when_it_is_scaled() -> None:
    sim = backend(WORLD.model_copy(update={"good": Behaviour(p50_ms=5, starts=False)}))
    serve(sim, "v1")
    assert sim.serving.state("e").versions[0].state == "failed"
    again = sim.serving.scale("e", version="v1", replicas=1, call="r/s/1").versions[0]
    assert (again.state, again.replicas, again.ready) == ("starting", 1, 0)
