"""Every backend's jobs keep what `tools.ports.Jobs` promises."""

from __future__ import annotations

import pytest
from benches import CLAIMED, OWNER, Bench

from tools.errors import Conflict, Invalid, NotFound
from tools.ports import JobSpec, Scope


def test_a_job_runs_to_its_end_and_leaves_claims_output_and_lines(bench: Bench) -> None:
    jobs, before = bench.backend.jobs, bench.now()
    job = jobs.submit(spec=bench.job("quick"), tags=bench.tags()).id
    bench.over(job)
    state = jobs.poll(job)
    assert (state.phase, state.failure, state.result) == ("succeeded", None, {"claimed": CLAIMED})
    assert state.started is not None
    assert state.ended is not None
    assert before - 1 <= state.started <= state.ended <= bench.now() + 1
    assert [line for line in jobs.logs(job) if line in ("one", "two", "three")] == ["one", "two", "three"]
    assert len(jobs.logs(job, tail=1)) == 1
    left = bench.backend.objects.fetch(f"jobs/{job}")
    assert (left / "metrics.json").is_file()
    assert bench.backend.objects.fetch(f"jobs/{job}/metrics.json").is_file()
    jobs.cancel(job)
    assert jobs.poll(job) == state


def test_a_job_that_fails_says_why_and_has_no_result(bench: Bench) -> None:
    job = bench.backend.jobs.submit(spec=bench.job("failing"), tags=bench.tags()).id
    bench.over(job)
    state = bench.backend.jobs.poll(job)
    assert (state.phase, state.result) == ("failed", None)
    assert state.failure is not None
    assert state.failure.cause == "user_code_error"
    with pytest.raises(NotFound):
        bench.backend.objects.fetch(f"jobs/{job}")


def test_a_call_id_starts_one_job_which_find_adopts(bench: Bench) -> None:
    jobs, tags = bench.backend.jobs, bench.tags(run="twice")
    assert jobs.find(tags.call) is None
    job = jobs.submit(spec=bench.job("endless"), tags=tags).id
    if jobs.promise.atomic:
        with pytest.raises(Conflict):
            jobs.submit(spec=bench.job("endless"), tags=tags)
    found = jobs.find(tags.call)
    assert found is not None
    assert (found.id, found.over) == (job, False)
    assert [o.id for o in jobs.owned(Scope(run="twice"))] == [job]
    jobs.cancel(job)
    after = jobs.find(tags.call)
    assert after is not None
    assert (after.id, after.phase) == (job, "cancelled")
    if jobs.promise.atomic:
        with pytest.raises(Conflict):
            jobs.submit(spec=bench.job("endless"), tags=tags)


def test_a_job_says_whose_it_is_until_it_is_cancelled_once_or_twice(bench: Bench) -> None:
    jobs, tags = bench.backend.jobs, bench.tags(run="whose")
    job = jobs.submit(spec=bench.job("endless"), tags=tags).id
    assert jobs.poll(job).result is None
    assert job in {o.id for o in jobs.owned(Scope())}
    assert not [o for o in jobs.owned(Scope(run="nobody's")) if o.id == job]
    (seen,) = jobs.owned(Scope(run="whose"))
    assert (seen.kind, seen.id, seen.run, seen.call, seen.owner) == ("job", job, "whose", tags.call, OWNER)
    assert seen.lease_until == pytest.approx(tags.lease_until)
    jobs.cancel(job)
    jobs.cancel(job)
    assert jobs.poll(job).phase == "cancelled"
    assert not jobs.owned(Scope(run="whose"))


def test_a_job_that_is_not_there_is_not_found_except_to_end_it(bench: Bench) -> None:
    jobs = bench.backend.jobs
    for job in ("never-was", "../elsewhere", ""):
        with pytest.raises(NotFound):
            jobs.poll(job)
        with pytest.raises(NotFound):
            jobs.logs(job)
        jobs.cancel(job)
    assert jobs.find("never/was/1") is None


def test_a_hard_limit_and_a_lapsed_lease_end_a_job(bench: Bench) -> None:
    jobs = bench.backend.jobs
    limited = jobs.submit(spec=bench.job("endless", limit_s=bench.moment), tags=bench.tags(run="ends")).id
    leased = jobs.submit(spec=bench.job("endless"), tags=bench.tags(run="ends", lease_s=bench.moment)).id
    for job in (limited, leased):
        bench.over(job)
        state = jobs.poll(job)
        assert state.phase in ("failed", "cancelled")
        assert state.result is None
    failure = jobs.poll(limited).failure
    assert failure is not None
    assert failure.cause == "timeout"
    assert not jobs.owned(Scope(run="ends"))


def test_a_job_that_cannot_start_names_every_fault_and_leaves_nothing(bench: Bench) -> None:
    jobs, tags = bench.backend.jobs, bench.tags(run="invalid")
    wrong = JobSpec(program="command", mounts={"a": "no/such", "b": "../up"}, time_limit_s=1)
    with pytest.raises(Invalid) as caught:
        jobs.submit(spec=wrong, tags=tags)
    assert len(caught.value.faults) >= 3
    assert jobs.find(tags.call) is None
    assert not jobs.owned(Scope(run="invalid"))
