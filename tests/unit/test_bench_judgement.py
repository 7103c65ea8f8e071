"""What a benchmark says follows from its medians."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from evals.bench_durable import Turn, insert, judge
from evals.bench_series import Measurement, Series, Target


def _turns(*wall_us: float) -> list[Turn]:
    return [Turn(wall_us=wall, cpu_us=wall / 2, bytes=600.0) for wall in wall_us]


def _judged(agent_us: float) -> tuple[bool, ...]:
    found = {"insert": _turns(100), "agent": _turns(agent_us), "langgraph": _turns(1000)}
    return tuple(target.met for target in judge(found, "").targets)


def test_one_slow_repeat_does_not_move_the_median() -> None:
    assert Series.of("x", "ms", [90, 100, 500]).median == 100


def test_nothing_is_said_of_what_was_never_measured() -> None:
    with pytest.raises(ValueError, match="never measured"):
        Series.of("x", "ms", [])


def test_the_step_is_judged_against_both_comparators() -> None:
    assert _judged(400) == (True, True)
    assert _judged(450) == (False, True)
    assert _judged(501) == (False, False)


def test_a_slow_spell_of_the_machine_counts_for_neither_side() -> None:
    found = {"insert": _turns(100, 300), "agent": _turns(390, 1170), "langgraph": _turns(1000, 3000)}
    assert all(target.met for target in judge(found, "").targets)


def test_a_missed_target_is_printed_as_missed() -> None:
    series = (Series.of("x", "ms", [1.0]),)
    printed = str(Measurement(name="m", series=series, targets=(Target(says="at most 0 ms", met=False),)))
    assert "MISSED at most 0 ms" in printed


def test_the_compared_insert_commits_every_step(tmp_path: Path) -> None:
    with insert(tmp_path, 5) as steps:
        assert steps() == 5
        with closing(sqlite3.connect(tmp_path / "insert.db")) as reader:
            assert reader.execute("SELECT count(*) FROM line").fetchone() == (5,)
