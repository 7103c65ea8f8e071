"""One worker on the store of one home: what it carries on, what it leaves alone, and how it goes on after trouble."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from simulated import ACCURACY, LATENCY, Stage, classify

from agent.record.store import RunRow, Store
from agent.stopping import Stopping
from agent.working.worker import Until, Worked, Worker
from agent.working.works import Looked, Works
from tools.backends.sim.faults import Fault
from tools.backends.sim.world import World, load_world
from tools.watching import Seen

PRODUCTION = classify(ACCURACY, LATENCY, rollout="canary", environment="production")
SERVED = classify(ACCURACY, LATENCY, rollout="canary")
LEARNT = classify(ACCURACY, rollout="none")


def works(stage: Stage) -> Works:
    with stage.session() as session:
        return Works(
            settings=stage.settings,
            backend=stage.backend,
            brain=stage.brain,
            clock=stage.clock,
            policies=session._policies,
        )


def worked(stage: Stage, until: Until = "idle", *, most: int = 8, of: Works | None = None) -> tuple[Worked, list[str]]:
    told: list[str] = []
    made, stopping = of or works(stage), Stopping()
    made.begin(stopping)
    done = Worker(made, stopping=stopping, most=most, tell=told.append).work(until)
    made.close()
    return done, told


def begun(stage: Stage, count: int = 1) -> list[str]:
    """Runs that were begun and left."""
    with stage.session() as session:
        runs = [session.start(stage.request(accept=True)) for _ in range(count)]
        for run in runs:
            session.leave(run)
    return runs


def statuses(stage: Stage, runs: list[str]) -> set[str]:
    with stage.session() as session:
        return {session.show(run).run.status for run in runs}


def test_it_carries_every_run_that_was_left_to_its_end(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    runs = begun(stage, 3)
    done, told = worked(stage, most=2)
    assert (done.ended, done.failed, told) == (3, 0, [])
    assert statuses(stage, runs) == {"done"}


def test_a_run_whose_process_was_killed_is_carried_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    (run,) = begun(stage)
    with sqlite3.connect(stage.settings.home / "goalkeeper.db") as db:
        db.execute("UPDATE runs SET owner = '999999999@1', due = NULL, woken = NULL, epoch = epoch + 1")
    worked(stage)
    assert statuses(stage, [run]) == {"done"}


def test_what_waits_for_a_person_is_left_alone_until_they_answer(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    (run,) = begun(stage)
    worked(stage)
    assert statuses(stage, [run]) == {"waiting"}
    again, _ = worked(stage)
    assert again.looked == 0
    with stage.session() as session:
        session.answer(run, approve=True, who="bob")
    worked(stage)
    assert statuses(stage, [run]) == {"done"}


def test_once_looks_at_each_wanted_run_one_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    runs = begun(stage, 2)
    done, _ = worked(stage, "once")
    assert (done.looked, done.ended) == (2, 0)
    assert statuses(stage, runs) == {"running"} or statuses(stage, runs) == {"waiting"}


def test_a_run_of_another_place_is_told_of_and_does_not_stand_before_the_others(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    stage.settings = stage.settings.model_copy(update={"runtime": tmp_path / "elsewhere"})
    strangers = begun(stage, 3)
    stage.settings = stage.settings.model_copy(update={"runtime": tmp_path / "runtime"})
    ours = begun(stage, 2)
    done, told = worked(stage, most=1)
    assert done.ended == 2
    assert statuses(stage, ours) == {"done"}
    assert sorted(line.split()[1] for line in told) == sorted(strangers)
    assert "it began with the runtime folder" in told[0]
    with stage.session() as session:  # whoever is of their place finds them at once
        assert all((session._store.row(run).due or math.inf) <= stage.clock.now() for run in strangers)


def test_a_run_that_ends_between_a_look_at_its_row_and_the_claim_ends_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    (run,) = begun(stage)
    late = works(stage)
    row = late.rows.row(run)
    assert worked(stage)[0].ended == 1
    before = late.rows.lines(run)
    assert late.wake(run, row).ended
    assert late.rows.lines(run) == before
    late.close()


class Failing(Works):
    """Works on which the first looks at one run fail with a defect."""

    left = 2
    run = ""

    def _woken(self, run: str, row: RunRow) -> Looked:
        if run == self.run and self.left:
            self.left -= 1
            raise ZeroDivisionError("a defect")
        return super()._woken(run, row)


def test_a_defect_in_one_run_is_told_and_tried_again_while_the_others_go_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    runs = begun(stage, 2)
    made = works(stage)
    made.__class__ = Failing
    assert isinstance(made, Failing)
    made.run = runs[0]
    done, told = worked(stage, of=made)
    assert done.failed >= 1
    assert f"run {runs[0]} is looked at again in 1 s: ZeroDivisionError: a defect" in told
    assert statuses(stage, runs[1:]) == {"done"}


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["lose_answer", "refuse"])
def test_a_watcher_that_never_answers_costs_time_and_nothing_else(tmp_path: Path, fault: str) -> None:
    broken = Fault.model_validate({"operation": "watch.since", "fault": fault, "times": None})
    stage = Stage(tmp_path, classify(ACCURACY), world=_faulty(broken))
    runs = begun(stage)
    done, told = worked(stage)
    assert (done.ended, told) == (1, [])
    assert statuses(stage, runs) == {"done"}


@pytest.mark.slow
def test_a_watcher_that_repeats_and_invents_changes_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    runs = begun(stage, 2)
    stage.backend.watch = Babbling((*runs, "no-such-run", "", "x" * 5000))
    done, told = worked(stage)
    assert (done.ended, told) == (2, [])
    submitted = [e.token for e in stage.backend.effects if e.kind == "jobs.submit"]
    assert len(submitted) == len(set(submitted))


class Babbling:
    """Tells of the same runs again and again."""

    def __init__(self, runs: tuple[str, ...]) -> None:
        self._runs = runs
        self._looks = 0

    def since(self, cursor: str) -> Seen:
        self._looks += 1
        return Seen(cursor=cursor, runs=self._runs if self._looks % 3 == 0 and self._looks < 30 else ())


def _faulty(fault: Fault) -> World:
    return load_world("steady").model_copy(update={"faults": (fault,)})


def test_two_workers_of_one_home_share_its_runs(tmp_path: Path) -> None:
    stage = Stage(tmp_path, LEARNT)
    runs = begun(stage, 4)
    done: list[Worked] = []
    threads = [threading.Thread(target=lambda: done.append(worked(stage)[0])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert sum(one.ended for one in done) == 4
    assert statuses(stage, runs) == {"done"}
    submitted = [e.token for e in stage.backend.effects if e.kind == "jobs.submit"]
    assert len(submitted) == len(set(submitted))


def test_asked_to_stop_it_leaves_at_once_and_its_runs_are_nobodys(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    begun(stage, 2)
    made, stopping = works(stage), Stopping()
    made.begin(stopping)
    worker = Worker(made, stopping=stopping, tell=lambda _: None)
    thread = threading.Thread(target=worker.work)
    stopping.ask()
    thread.start()
    thread.join(30.0)
    assert not thread.is_alive()
    assert {row.owner for row in made.rows.rows()} == {None}
    made.close()
    worked(stage)


def test_a_store_that_goes_away_is_waited_for_and_told_of_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY))
    made, stopping, told = works(stage), Stopping(), list[str]()
    made.begin(stopping)
    (run,) = begun(stage)
    made._store_ = Gone(stage.settings.home / "goalkeeper.db")
    thread = threading.Thread(target=Worker(made, stopping=stopping, tell=told.append).work)
    thread.start()
    _until(lambda: len(told) == 1)
    made._store_.there = True
    _until(lambda: statuses(stage, [run]) == {"done"})
    stopping.ask()
    thread.join(30.0)
    assert told == ["the store does not answer, and is waited for: the disk is full", "the store answers again"]
    made.close()


class Gone(Store):
    """A store that answers nothing for a while."""

    there = False

    def wanted(self, *, now: float, most: int) -> list[str]:
        if not self.there:
            from agent.record.engine import Unreachable

            raise Unreachable("the disk is full")
        return super().wanted(now=now, most=most)


def _until(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
