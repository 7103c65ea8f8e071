"""A clock that is set between two processes: nothing that is journalled comes back to life or lives longer for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated import ACCURACY, LATENCY, Stage, classify

from agent.act import OVERDUE_S
from agent.clock import Clock
from agent.documents import RunView
from agent.errors import InvalidRequest
from agent.stopping import Stopping
from tools.backends.sim.clock import VirtualClock

DAY = 86_400.0
PRODUCTION = classify(ACCURACY, LATENCY, rollout="canary", environment="production")
JUMPS = [-365 * DAY, -DAY, 0.0, DAY, 365 * DAY]


class Set:
    """The machine's clock as another process finds it: the same time passes on it."""

    def __init__(self, clock: VirtualClock, by: float) -> None:
        self._clock, self._by = clock, by

    def now(self) -> float:
        return self._clock.now() + self._by

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


def interrupted(stage: Stage) -> str:
    """A run that was left while its first job runs."""
    stopping = Stopping()

    def watch(view: RunView) -> None:
        if "jobs.submit" in stage.kinds():
            stopping.ask()

    with stage.begun() as (session, run), pytest.raises(KeyboardInterrupt):
        session.drive(run, watch=watch, stopping=stopping)
    return run


@pytest.mark.parametrize("by", [j for j in JUMPS if j <= 0])
def test_what_is_left_of_a_deadline_is_what_was_left_of_it(tmp_path: Path, by: float) -> None:
    stage = Stage(tmp_path, classify(ACCURACY, LATENCY, rollout="canary", deadline_s=90.0))
    run = interrupted(stage)
    began = stage.clock.now()
    stage.backend.faults.arm(operation="jobs.poll", fault="throttle", times=None)
    with stage.session(clock=Set(stage.clock, by)) as session:
        document = session.drive(run)
        decided = next(event.at for event in session.events(run) if event.kind == "decision")
        goal = next(event.at for event in session.events(run))
    assert document.run.reason == "the deadline of 90 s has passed"
    assert 90.0 <= decided - goal <= 120.0
    assert stage.clock.now() - began <= 150.0 + OVERDUE_S  # what is not seen to end is given up after its limit


@pytest.mark.parametrize("by", [DAY, 365 * DAY])
def test_time_that_seems_to_have_passed_counts_and_work_that_is_seen_running_goes_on(tmp_path: Path, by: float) -> None:
    stage = Stage(tmp_path, classify(ACCURACY, deadline_s=600.0))
    run = interrupted(stage)
    with stage.session(clock=Set(stage.clock, by)) as session:
        assert session.drive(run).run.reason == "the deadline of 600 s has passed"
    other = Stage(tmp_path / "other", classify(ACCURACY))
    run = interrupted(other)
    submitted = [e.token for e in other.calls("jobs.submit")]
    with other.session(clock=Set(other.clock, by)) as session:
        assert session.drive(run).run.exit_code == 0
    assert len(set(submitted)) == len(submitted)
    assert [e.token for e in other.calls("jobs.submit")][: len(submitted)] == submitted
    assert "jobs.cancel" not in other.kinds()


def asked(stage: Stage) -> tuple[str, float]:
    """A run that waits for an approval, and how long that holds."""
    session, document = stage.run()
    with session:
        run = session._fold(document.run.id)
    (question, *_) = run.pending.values()
    return document.run.id, question.expires - stage.clock.now()


@pytest.mark.parametrize("by", [j for j in JUMPS if j <= 0])
def test_a_question_expires_when_its_time_has_passed_and_not_later(tmp_path: Path, by: float) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    run, left = asked(stage)
    clock: Clock = Set(stage.clock, by)
    with stage.session(clock=clock) as session:
        suspended = session.wake(run)
        assert (suspended.ended, suspended.waits) == (False, True)
        assert suspended.due is not None
        assert suspended.due - clock.now() == pytest.approx(left)  # by the clock that will wake it
        clock.sleep(left + 1.0)
        assert session.drive(run).run.exit_code in (3, 4)
        assert session._fold(run).pending == {}


@pytest.mark.parametrize("by", JUMPS)
def test_what_has_expired_stays_expired(tmp_path: Path, by: float) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    run, left = asked(stage)
    stage.clock.sleep(left + 1.0)
    with stage.session() as session:
        before = session.drive(run).run
    with stage.session(clock=Set(stage.clock, by)) as session:
        assert session.drive(run).run == before
        with pytest.raises(InvalidRequest):
            session.answer(run, approve=True, who="ada")


@pytest.mark.parametrize("by", JUMPS)
def test_a_run_goes_on_whatever_the_clock_says_and_its_journal_never_goes_back(tmp_path: Path, by: float) -> None:
    stage = Stage(tmp_path, PRODUCTION)
    run, _ = asked(stage)
    with stage.session(clock=Set(stage.clock, by)) as session:
        if by <= 0:
            session.wake(run)
        else:
            session.drive(run)
        at = [event.at for event in session.events(run)]
    assert at == sorted(at)
