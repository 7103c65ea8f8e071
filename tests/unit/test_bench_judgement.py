"""What a benchmark says follows from its medians."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from evals.bench_durable import Turn, judge
from evals.bench_engines import insert
from evals.bench_killed import Resumed
from evals.bench_series import Measurement, Series, Target

INSERT, LANGGRAPH = 100.0, 1000.0


def _turns(*wall_us: float, deciding_us: float = 0.0, grown: float = 600.0) -> list[Turn]:
    return [Turn(wall_us=wall, cpu_us=wall / 2, bytes=grown, deciding_us=deciding_us) for wall in wall_us]


def _judged(
    agent: list[Turn], later: list[Turn] | None = None, *, insert: list[Turn] | None = None, beyond_s: float = 0.1
) -> tuple[bool, ...]:
    """Which targets are met: insert, LangGraph, growth, history, kill."""
    others = {"insert": insert or _turns(INSERT), "langgraph": _turns(*[10 * t.wall_us for t in insert or _turns(100)])}
    found = {10: others | {"agent": agent}, 1000: others | {"agent": later or agent}}
    killed = {h: [Resumed(started=1.0 + beyond_s, imported=1.0)] for h in found}
    return tuple(target.met for target in judge(found, killed, "").targets)


def test_one_slow_repeat_does_not_move_the_median() -> None:
    assert Series.of("x", "ms", [90, 100, 500]).median == 100


def test_nothing_is_said_of_what_was_never_measured() -> None:
    with pytest.raises(ValueError, match="never measured"):
        Series.of("x", "ms", [])


def test_the_step_is_judged_against_both_comparators() -> None:
    assert _judged(_turns(240)) == (True, True, True, True, True)
    assert _judged(_turns(251))[:2] == (False, False)
    assert _judged(_turns(250))[:2] == (True, True)


def test_the_policy_decision_is_judged_apart() -> None:
    assert _judged(_turns(900, deciding_us=660))[:2] == (True, True)
    assert _judged(_turns(900, deciding_us=600))[:2] == (False, False)


def test_a_slow_spell_of_the_machine_counts_for_neither_side() -> None:
    assert all(_judged(_turns(240, 720), insert=_turns(100, 300)))


def test_growth_history_and_what_follows_a_kill_are_judged_for_themselves() -> None:
    assert _judged(_turns(200), _turns(200, grown=4097))[2:] == (False, True, True)
    assert _judged(_turns(200), _turns(251))[2:] == (True, False, True)
    assert _judged(_turns(200), beyond_s=0.31)[2:] == (True, True, False)


def test_a_missed_target_is_printed_as_missed() -> None:
    series = (Series.of("x", "ms", [1.0]),)
    printed = str(Measurement(name="m", series=series, targets=(Target(says="at most 0 ms", met=False),)))
    assert "MISSED at most 0 ms" in printed


def test_the_compared_insert_commits_every_step(tmp_path: Path) -> None:
    with insert(tmp_path, 5, 2) as steps, closing(sqlite3.connect(tmp_path / "insert.db")) as reader:
        for lines in (2, 7):
            assert reader.execute("SELECT count(*) FROM line").fetchone() == (lines,)
            assert lines == 7 or steps().steps == 5
