"""Who may change the world: before every change the owner is asked, and an earlier one is turned away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent import act
from agent.errors import Broken, Busy
from agent.guard import readmit
from agent.patience import Waits
from agent.state import CallState, Verdict
from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.faults import EFFECTS
from tools.backends.sim.world import load_world
from tools.dispatch import Dispatcher
from tools.epochs import Epochs, Tenure
from tools.errors import Refused, Superseded
from tools.held import CHANGES, held
from tools.record import Json
from tools.tool import Call

PREPARE: Json = {
    "tables": [{"name": "sklearn:breast_cancer", "source": "sklearn:breast_cancer", "format": "bundled"}],
    "task": "classification",
    "label": "target",
}


class Desk:
    """A world, a dispatcher of an owner with epoch 2, and one approved call."""

    def __init__(self, current: Callable[[], bool] = lambda: True) -> None:
        self.clock = VirtualClock()
        self.world = SimBackend(load_world("steady"), clock=self.clock)
        self.call = Call.of(run="r", step="s", attempt=1, tool="prepare_data", args=PREPARE, limit_s=50.0, owner="ada")
        verdicts = {self.call.id: self.call.digest}
        self.dispatcher = Dispatcher(self.world, approved=verdicts.get, now=self.clock.now, epoch=2, current=current)
        self.verdict = Verdict(call=self.call, ruling="approved", policies=(), reasons=(), facts={})

    def perform(self) -> object:
        return act.perform([readmit(self.verdict)], self.dispatcher, Waits(clock=self.clock))


def test_what_is_asked_about_is_what_changes_a_simulated_world() -> None:
    assert {f"{port}.{method}" for port, methods in CHANGES.items() for method in methods} == EFFECTS


def test_the_owner_is_asked_before_each_change_and_not_before_a_look(tmp_path: Path) -> None:
    asked: list[int] = []
    world = SimBackend(load_world("steady"), clock=VirtualClock())
    view = held(world, lambda: asked.append(len(world.effects)))
    (tmp_path / "a").write_text("1")
    view.objects.put("a", tmp_path / "a")
    view.objects.put("b", tmp_path / "a")
    assert view.objects.names("") == ["a", "b"]
    assert view.jobs.promise == world.jobs.promise
    assert asked == [0, 1]


def test_the_latest_owner_of_each_run_is_heard_and_no_earlier_one() -> None:
    epochs = Epochs()
    for run, epoch in (("r", 3), ("r", 3), ("other", 1), ("r", 4)):
        epochs.hear(Tenure(run=run, epoch=epoch))
    assert epochs.rises == 3
    with pytest.raises(Refused, match="run r has been taken over by another process"):
        epochs.hear(Tenure(run="r", epoch=3))


def test_one_who_is_no_longer_the_owner_acts_no_more_and_writes_no_outcome() -> None:
    desk = Desk(current=lambda: False)
    with pytest.raises(Busy, match="run r has been taken over by another process"):
        desk.perform()
    assert desk.world.effects == ()


def test_one_whose_successor_the_world_knows_acts_no_more_whatever_it_believes_itself() -> None:
    desk = Desk()
    desk.world.fenced(run="r", epoch=3)
    with pytest.raises(Busy):
        desk.perform()
    assert desk.world.effects == ()


def test_one_who_cannot_know_whether_it_is_the_owner_does_not_act() -> None:
    def current() -> bool:
        raise Broken("the store is not there")

    desk = Desk(current=current)
    with pytest.raises(Broken, match="not there"):
        desk.perform()
    assert desk.world.effects == ()


def test_work_of_a_run_that_was_taken_over_is_not_ended_by_its_earlier_owner() -> None:
    desk = Desk()
    desk.perform()
    (job,) = desk.world.snapshot().jobs
    desk.world.fenced(run="r", epoch=3)
    state = CallState(verdict=desk.verdict, phase="running", handle=job.id)
    with pytest.raises(Busy):
        act.stop([state], desk.dispatcher)
    assert not desk.world.jobs.poll(job.id).over


def test_the_dispatcher_of_one_who_comes_late_turns_it_away_at_once() -> None:
    desk = Desk()
    desk.world.fenced(run="r", epoch=3)
    with pytest.raises(Superseded):
        desk.dispatcher.follow(desk.call, "sim-job-1")
