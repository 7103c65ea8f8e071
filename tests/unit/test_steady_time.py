"""Time that cannot be set: clocks that jump move nothing, and a run's own time never goes back."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from agent.clock import RunClocks, SteadyClock
from tools.steady import NEAR_S, RATE, Steady, steady

DAY = 86_400.0
ROOT = Path(__file__).parents[2]


class Machine:
    """Both clocks of a machine, and hands that set one of them."""

    def __init__(self) -> None:
        self.wall, self.up = 1_767_225_600.0, 4_321.0
        self.jumps: list[float] = []
        self.steady = Steady(wall=lambda: self.wall, up=lambda: self.up)
        self.steady.jumped = self.jumps.append

    def pass_(self, seconds: float, *, drift: float = 0.0) -> float:
        """Time passes; the wall clock drifts by that much a second."""
        self.up += seconds
        self.wall += seconds * (1.0 + drift)
        return self.steady.now()


@pytest.mark.parametrize("jump", [-365 * DAY, -DAY, -30.0, 30.0, DAY, 365 * DAY])
def test_a_clock_that_is_set_moves_nothing_and_is_told_once(jump: float) -> None:
    machine = Machine()
    began = machine.steady.now()
    machine.pass_(10.0)
    machine.wall += jump
    for _ in range(50):
        machine.pass_(10.0)
    assert machine.steady.now() == pytest.approx(began + 510.0, abs=0.01)
    assert machine.jumps == [pytest.approx(jump, abs=0.1)]
    machine.wall -= jump  # and set right again
    machine.pass_(10.0)
    assert machine.jumps[1:] == [pytest.approx(-jump, abs=0.1)]
    assert machine.steady.now() == pytest.approx(began + 520.0, abs=0.01)


def test_sleep_of_the_machine_counts() -> None:
    machine = Machine()
    began = machine.steady.now()
    assert machine.pass_(8 * 3600.0) == began + 8 * 3600.0
    assert machine.jumps == []


@pytest.mark.parametrize("drift", [-0.0002, 0.0002])
def test_a_drift_is_followed_and_is_no_jump(drift: float) -> None:
    machine = Machine()
    for _ in range(20_000):
        machine.pass_(60.0, drift=drift)
    assert machine.jumps == []
    assert abs(machine.steady.now() - machine.wall) < 0.1


def test_many_small_settings_move_it_no_faster_than_a_drift_does() -> None:
    machine = Machine()
    began = machine.steady.now()
    for _ in range(1000):
        machine.wall += 0.9 * NEAR_S  # always below what would be told as a jump, as far as it is followed
        machine.pass_(1.0)
    passed = machine.steady.now() - began
    assert 1000.0 <= passed <= 1000.0 * (1 + RATE) + 1.0
    assert machine.jumps


def test_it_never_goes_back_whatever_the_wall_clock_does() -> None:
    machine, before = Machine(), 0.0
    for n in range(2000):
        machine.wall += (-1.0) ** n * (n % 7) * 0.3
        now = machine.pass_(0.3)
        assert now > before
        before = now


def test_it_is_real_time_and_the_same_for_the_whole_process() -> None:
    import time

    assert abs(SteadyClock().now() - time.time()) < 2.0
    assert steady() is steady()


class Still:
    """A clock with hands."""

    def __init__(self, at: float) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_a_runs_time_goes_on_from_its_journal_when_the_clock_went_back() -> None:
    wall = Still(1_000_000.0 - DAY)
    clocks = RunClocks(wall)
    clock = clocks.of("r", 1_000_000.0)
    assert clock.now() == 1_000_000.0
    clock.sleep(60.0)
    assert clock.now() == 1_000_060.0  # not frozen until the day has been caught up
    assert clocks.of("r", 1_000_000.0).now() == 1_000_060.0  # taken over again after it was let go
    forward = RunClocks(Still(1_000_000.0 + DAY)).of("r", 1_000_000.0)
    assert forward.now() == 1_000_000.0 + DAY
    assert forward.ahead == 0.0


READERS = {
    "agent/working/queue.py": "messages go by the database's wall clock; when a run is due stands in its row",
    "agent/brain/llm/client/wire.py": "an HTTP date is the server's wall clock, and what it asks for is bounded",
}
"""File of the agent → why it reads the wall clock itself."""


def test_the_agent_reads_the_wall_clock_in_one_place() -> None:
    """`tools.steady` alone; what runs on its own as a job or a server tells the time of what it saw."""
    readers = {str(p.relative_to(ROOT)) for p in (ROOT / "agent").rglob("*.py") if any(_wall(p))}
    assert readers == set(READERS)


def _wall(path: Path) -> list[ast.Attribute]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    names = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
    return [n for n in found if (n.value.id, n.attr) in names]  # type: ignore[attr-defined]
