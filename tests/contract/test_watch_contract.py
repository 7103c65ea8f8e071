"""What a watcher tells: whose resources changed by themselves, in whatever backend, whatever became of its answer."""

from __future__ import annotations

from benches import Bench

from tools.watching import Seen


def told(bench: Bench, cursor: str, run: str, what: str) -> Seen:
    """The first look since then that names the run."""
    found: list[Seen] = []

    def named() -> bool:
        found.append(bench.backend.watch.since(cursor))
        return run in found[-1].runs

    bench.until(named, what)
    return found[-1]


def now(bench: Bench) -> str:
    """Where everything that has happened is behind."""
    return bench.backend.watch.since("").cursor


def test_a_job_that_ends_is_told_once_of_its_run_alone(bench: Bench) -> None:
    run, other = bench.name("watched"), bench.name("other")
    waiting = bench.backend.jobs.submit(spec=bench.job("endless"), tags=bench.tags(run=other))
    before = now(bench)
    bench.backend.jobs.submit(spec=bench.job("quick"), tags=bench.tags(run=run))
    seen = told(bench, before, run, "the job's end is told")
    assert other not in seen.runs
    bench.wait(bench.step)
    assert run not in bench.backend.watch.since(seen.cursor).runs
    bench.backend.jobs.cancel(waiting.id)


def test_a_job_that_fails_is_told(bench: Bench) -> None:
    run, before = bench.name("failing"), now(bench)
    bench.backend.jobs.submit(spec=bench.job("failing"), tags=bench.tags(run=run))
    told(bench, before, run, "the job's failure is told")


def test_a_job_whose_lease_lapses_is_told(bench: Bench) -> None:
    run, before = bench.name("lapsing"), now(bench)
    bench.backend.jobs.submit(spec=bench.job("endless"), tags=bench.tags(run=run, lease_s=bench.moment))
    told(bench, before, run, "the lapse is told")


def test_an_answer_that_was_lost_is_given_again_to_whoever_asks_from_the_same_place(bench: Bench) -> None:
    run, before = bench.name("lost"), now(bench)
    bench.backend.jobs.submit(spec=bench.job("quick"), tags=bench.tags(run=run))
    told(bench, before, run, "the end is told")
    assert run in bench.backend.watch.since(before).runs


def test_whoever_knows_nothing_is_told_everything(bench: Bench) -> None:
    run, before = bench.name("known"), now(bench)
    bench.backend.jobs.submit(spec=bench.job("quick"), tags=bench.tags(run=run))
    told(bench, before, run, "the end is told")
    for cursor in ("", "nonsense", "-3", "９", "9" * 400, "a:b:c", ":"):
        assert run in bench.backend.watch.since(cursor).runs


def test_what_a_run_does_itself_is_not_told(bench: Bench) -> None:
    run, before = bench.name("doing"), now(bench)
    job = bench.backend.jobs.submit(spec=bench.job("endless"), tags=bench.tags(run=run))
    bench.wait(bench.step)
    assert run not in bench.backend.watch.since(before).runs
    bench.backend.jobs.cancel(job.id)
