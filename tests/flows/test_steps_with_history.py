"""A round of the loop is as much work after hundreds of steps as after a few: nothing looks at all that was done."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from agent.advance import advance
from agent.record.store import Store
from evals.bench_agent import agent, begun, longer, opened
from evals.bench_durable import GROWTH_BYTES, stored
from tools.dispatch import Dispatcher
from tools.tool import Call, Outcome

MORE = 4
FEW, MANY = 12, 112


class EnoughError(BaseException):
    """No outcome of a call: the round that would follow is not looked at."""


class UntilEnough(Dispatcher):
    """Performs so many calls and no more."""

    left = 0

    def start(self, call: Call) -> Outcome:
        if not UntilEnough.left:
            raise EnoughError
        UntilEnough.left -= 1
        return super().start(call)


def work(do: Callable[[], object]) -> int:
    """Instructions of the interpreter that this takes, the same on every machine."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with suppress(EnoughError):
            do()
    finally:
        sys.settrace(before)
    return count


def _work_of_a_step(folder: Path, history: int) -> float:
    """Of one in the middle of a plan, with that many before it."""
    folder.mkdir()
    with closing(Store(folder / "runs.db")) as store:
        begun(store, "run", steps=history)
        advance(opened(store, "run", owner="before"))
        longer(store, "run", steps=history + MORE + 3)
        world = opened(store, "run", owner="bench", by=UntilEnough)
        UntilEnough.left = 1  # what is made once for a plan is made
        with suppress(EnoughError):
            advance(world)
        UntilEnough.left = MORE
        found = work(lambda: advance(world))
        run = world.book.run
        assert [s.id for s in run.plan.steps if not run.done(s.id)] == [f"step-{history + MORE + 2}"]
    return found / MORE


def test_a_step_is_as_much_work_with_hundreds_behind_it_as_with_a_few(tmp_path: Path) -> None:
    few, many = (_work_of_a_step(tmp_path / str(number), number) for number in (FEW, MANY))
    assert many <= 1.01 * few


def test_a_step_grows_the_file_by_at_most_four_kilobytes(tmp_path: Path) -> None:
    for history in (FEW, MANY):
        folder = tmp_path / str(history)
        folder.mkdir()
        with agent(folder, 40, history) as steps:
            before = stored(folder)
            assert steps().steps == 40
            assert stored(folder) - before <= 40 * GROWTH_BYTES
