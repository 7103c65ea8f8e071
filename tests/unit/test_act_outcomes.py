"""Acting: what is lost is looked for, what may pass is waited for, and nothing is ever made twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from given import NOW, Story, contract, part, plan, step

from agent import act
from agent.guard import Approved, readmit
from agent.patience import Waits
from agent.state import CallState, Ended, Verdict
from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.faults import FaultKind, Operation
from tools.backends.sim.world import load_world
from tools.dispatch import Dispatcher
from tools.errors import Cause
from tools.ports import Scope
from tools.record import Json
from tools.tool import Call


class Desk:
    """A world, and approved calls on it."""

    def __init__(self, folder: Path, *, atomic: bool = True) -> None:
        self.clock = VirtualClock()
        world = load_world("steady").model_copy(update={"atomic": atomic, "staleness_s": 5.0})
        self.backend = SimBackend(world, clock=self.clock, folder=folder / "objects")
        self.verdicts: dict[str, str] = {}
        self.dispatcher = Dispatcher(self.backend, approved=self.verdicts.get, now=self.clock.now)

    def approved(self, *ids: str, tool: str = "prepare_data", args: Json | None = None) -> list[Approved]:
        """Whatever the guard would say of them: what becomes of an approved call is looked at here."""
        made = []
        for one in (step(i, tool, args) for i in (ids or ("s",))):
            call = Call.of(run="r", step=one.id, attempt=1, tool=tool, args=one.args, limit_s=one.limit_s, owner="ada")
            self.verdicts[call.id] = call.digest
            made.append(readmit(Verdict(call=call, ruling="approved", policies=(), reasons=(), facts={})))
        return made

    def perform(self, *ids: str, **more: object) -> list[Ended]:
        return act.perform(self.approved(*ids, **more), self.dispatcher, Waits(clock=self.clock))  # type: ignore[arg-type]

    def resume(self) -> Ended:
        ended = act.resume(self.approved()[0], self.dispatcher, Waits(clock=self.clock))
        assert ended is not None
        return ended

    def jobs(self) -> list[str]:
        """Calls of every job that was ever made."""
        return [job.call for job in self.backend.snapshot().jobs]

    def left(self) -> list[str]:
        """Calls of the jobs that are not over."""
        return [o.call for o in self.backend.jobs.owned(Scope())]

    def arm(self, operation: Operation, fault: FaultKind, times: int | None = 1, *, skip: int = 0) -> None:
        self.backend.faults.arm(operation=operation, fault=fault, times=times, skip=skip)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


LOST: list[FaultKind] = ["timeout_before", "timeout_after", "lose_answer", "answer_500", "answer_500_after"]


def test_calls_are_performed_together_and_answered_in_their_order(desk: Desk) -> None:
    ended = desk.perform("a", "b", "c")
    assert [e.call for e in ended] == ["r/a/1", "r/b/1", "r/c/1"]
    assert {e.phase for e in ended} == {"running"}
    assert sorted(desk.jobs()) == ["r/a/1", "r/b/1", "r/c/1"]


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("atomic", [True, False])
def test_a_lost_answer_is_looked_for_and_never_guessed(tmp_path: Path, fault: FaultKind, atomic: bool) -> None:
    desk = Desk(tmp_path, atomic=atomic)
    desk.arm("jobs.submit", fault)
    (ended,) = desk.perform()
    assert (ended.phase, ended.handle) == ("running", "sim-job-1")
    assert desk.jobs() == ["r/s/1"]


@pytest.mark.parametrize("first", LOST)
@pytest.mark.parametrize("second", LOST)
def test_two_lost_answers_in_a_row_still_make_one_thing(desk: Desk, first: FaultKind, second: FaultKind) -> None:
    desk.arm("jobs.submit", first)
    desk.arm("jobs.submit", second)
    (ended,) = desk.perform()
    assert ended.phase == "running"
    assert desk.jobs() == ["r/s/1"]


@pytest.mark.parametrize("fault", ["timeout_after", "lose_answer"])
def test_a_list_that_lies_is_waited_out_before_anything_is_made_again(tmp_path: Path, fault: FaultKind) -> None:
    desk = Desk(tmp_path, atomic=False)
    desk.arm("jobs.submit", fault)
    desk.arm("jobs.find", "stale")
    (ended,) = desk.perform()
    assert ended.phase == "running"
    assert desk.jobs() == ["r/s/1"]


def test_what_stays_unknown_but_is_known_to_be_absent_may_be_tried_again(desk: Desk) -> None:
    desk.arm("jobs.submit", "timeout_before", None)
    (ended,) = desk.perform()
    assert (ended.phase, ended.cause) == ("failed", "network")
    assert desk.jobs() == []


def test_what_cannot_be_looked_for_is_not_tried_again(desk: Desk) -> None:
    """A second attempt has another call id: it could make the same thing twice."""
    desk.arm("jobs.submit", "lose_answer")
    desk.arm("jobs.find", "answer_500", None)
    (ended,) = desk.perform()
    assert (ended.phase, ended.cause) == ("failed", "unknown")
    assert "cannot be seen what became of r/s/1" in ended.message


def test_what_may_pass_is_waited_for_as_long_as_the_backend_says(desk: Desk) -> None:
    desk.backend.faults.arm(operation="jobs.submit", fault="throttle", times=3, retry_after_s=7.0)
    (ended,) = desk.perform()
    assert ended.phase == "running"
    assert 21.0 <= desk.clock.now() - VirtualClock().now() <= 21.1


def test_patience_ends(desk: Desk) -> None:
    desk.backend.faults.arm(operation="jobs.submit", fault="throttle", times=None, retry_after_s=1000.0)
    (ended,) = desk.perform()
    assert (ended.phase, ended.cause) == ("failed", "capacity")
    assert len(desk.backend.faults.fired) == 1  # it asks for more time than there is: nothing is asked sooner
    assert desk.clock.now() == VirtualClock().now()


def test_what_is_refused_is_not_asked_twice(desk: Desk) -> None:
    desk.arm("jobs.submit", "refuse", None)
    (ended,) = desk.perform()
    assert (ended.phase, ended.cause) == ("failed", "permission")
    assert len(desk.backend.faults.fired) == 1


@pytest.mark.parametrize(
    ("tool", "args", "cause"),
    [
        ("deploy_model", {"endpoint": "tumours", "version": "v", "model": "nowhere", "lease_s": 9.0}, "data_missing"),
        ("shift_traffic", {"endpoint": "tumours", "version": "v", "percent": 9}, "data_missing"),
        ("prepare_data", {"tables": 5}, "data_invalid"),
        ("select_model", {"candidates": [{}], "metric": "f1", "direction": "max"}, "unknown"),
        ("select_model", {"candidates": [{"key": "k", "value": "x"}], "metric": "f1", "direction": "max"}, "unknown"),
    ],
)
def test_whatever_goes_wrong_becomes_a_typed_failure(desk: Desk, tool: str, args: Json, cause: Cause) -> None:
    (ended,) = desk.perform(tool=tool, args=args)
    assert (ended.phase, ended.cause) == ("failed", cause)
    assert ended.message


@pytest.mark.parametrize("served", [False, True])
def test_what_was_brought_for_a_run_alone_goes_with_it_unless_it_is_served(
    desk: Desk, tmp_path: Path, served: bool
) -> None:
    folder = tmp_path / "brought"
    folder.mkdir()
    (folder / "model.json").write_text('{"label": "y", "task": "regression"}')
    (approved,) = desk.approved("find", tool="bring_model", args={"folder": str(folder)})
    (ended,) = act.perform([approved], desk.dispatcher, Waits(clock=desk.clock))
    assert ended.result is not None
    args = {"endpoint": "tumours", "version": "v", "model": ended.result["key"], "lease_s": 9.0}
    (deploy,) = desk.approved("deploy", tool="deploy_model", args=args)
    states = [CallState(verdict=approved.verdict, phase="done", ended=ended, started_at=0.0)]
    states += [CallState(verdict=deploy.verdict, phase="done", started_at=0.0)] if served else []
    for _ in range(2):
        act.put_away(states, desk.dispatcher)
    assert bool(desk.backend.objects.names("imports/")) is served


def test_every_fault_of_wrong_arguments_is_kept(desk: Desk) -> None:
    (ended,) = desk.perform(args={"tables": [{"source": 5, "format": "xml"}]})
    assert len(ended.faults) >= 3


def test_one_call_that_fails_does_not_take_the_others_with_it(desk: Desk) -> None:
    desk.backend.faults.arm(operation="jobs.submit", fault="refuse", token="r/b/")
    assert [e.phase for e in desk.perform("a", "b", "c")] == ["running", "failed", "running"]


def test_after_a_restart_what_is_there_is_adopted(desk: Desk) -> None:
    desk.perform()
    assert desk.resume().handle == "sim-job-1"
    assert desk.jobs() == ["r/s/1"]


def test_after_a_restart_what_is_not_there_is_made_now(desk: Desk) -> None:
    assert desk.resume().handle == "sim-job-1"
    assert desk.jobs() == ["r/s/1"]


def running(desk: Desk) -> CallState:
    """A prepared call that runs, as the journal has it."""
    story = Story(contract(part()), plan(step("s")))
    story.begun("s")
    desk.verdicts["r/s/1"] = story.run.calls["r/s/1"].call.digest
    (ended,) = act.perform([readmit(story.run.calls["r/s/1"].verdict)], desk.dispatcher, Waits(clock=desk.clock))
    story.tell("outcome", ended, at=desk.clock.now())
    return story.run.calls["r/s/1"]


def test_a_look_tells_nothing_while_the_work_goes_on_and_its_result_afterwards(desk: Desk) -> None:
    state = running(desk)
    assert act.look(state, desk.dispatcher) is None
    desk.clock.sleep(60.0)
    ended = act.look(state, desk.dispatcher)
    assert ended is not None
    assert ended.phase == "done"
    assert ended.result is not None
    assert ended.result["key"] == "jobs/sim-job-1"


def test_a_look_that_fails_is_no_failure_of_the_work(desk: Desk) -> None:
    state = running(desk)
    desk.clock.sleep(60.0)
    desk.arm("jobs.poll", "answer_500")
    assert act.look(state, desk.dispatcher) is None
    found = act.look(state, desk.dispatcher)
    assert found is not None
    assert found.phase == "done"


@pytest.mark.parametrize("cause", ["out_of_memory_device", "node_lost", "user_code_error"])
def test_a_failed_job_is_recorded_with_its_cause(desk: Desk, cause: Cause) -> None:
    desk.backend.faults.arm(operation="jobs.submit", fault="fail_job", cause=cause)
    state = running(desk)
    desk.clock.sleep(60.0)
    ended = act.look(state, desk.dispatcher)
    assert ended is not None
    assert (ended.phase, ended.cause) == ("failed", cause)


def test_work_that_nobody_sees_end_is_given_up_after_its_limit_and_its_lease(desk: Desk) -> None:
    state = running(desk)
    desk.arm("jobs.poll", "answer_500", None)
    assert act.overdue(state, desk.dispatcher, now=NOW + 120.0 + act.OVERDUE_S) is None
    ended = act.overdue(state, desk.dispatcher, now=NOW + 120.1 + act.OVERDUE_S)
    assert ended is not None
    assert (ended.phase, ended.cause) == ("failed", "timeout")
    assert desk.left() == []


def test_stopping_ends_what_can_be_ended(desk: Desk) -> None:
    state = running(desk)
    desk.arm("jobs.cancel", "answer_500")
    act.stop([state], desk.dispatcher)
    assert desk.left() == ["r/s/1"]
    act.stop([state], desk.dispatcher)
    assert desk.left() == []
