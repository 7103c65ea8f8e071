"""What earlier runs took makes the estimates of later ones better, and nothing else worse."""

from __future__ import annotations

import json
import math
import sqlite3
from pathlib import Path

import pytest
from simulated import ACCURACY, Stage, part

from agent.contract import Contract
from agent.past import Past
from agent.plan import Plan, Step
from agent.state import Run, fold
from tools.record import Json

SIZED = ("prepare_data", "tune_model", "evaluate_model")


def run_of(stage: Stage) -> Run:
    """The goal, driven to its end, as its journal has it."""
    document = stage.ended()
    assert document.run.status == "done"
    with stage.session() as session:
        return fold(document.run.id, session._store.lines(document.run.id))


def planned(stage: Stage) -> Plan:
    with stage.session() as session:
        return session.plan(stage.request()).plan


def off(step: Step, run: Run) -> float:
    """How far the middle of its estimate lay from what it took, as a logarithm."""
    state, span = run.of_step(step.id), step.estimate.seconds
    assert state is not None
    assert state.started_at is not None
    assert state.ended_at is not None
    assert span.low is not None
    assert span.high is not None
    return abs(math.log(math.sqrt(span.low * span.high) / (state.ended_at - state.started_at)))


def sized(run: Run) -> list[Step]:
    return [s for s in run.plans[0].plan.steps if s.tool in SIZED and run.done(s.id)]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, Contract(parts=(part(ACCURACY, models=("logistic_regression", "random_forest")),)))


def home(stage: Stage) -> sqlite3.Connection:
    return sqlite3.connect(stage.settings.home / "goalkeeper.db", isolation_level=None)


def tamper(stage: Stage, *rows: Json | str) -> None:
    """Outcomes that no run had, newer than all."""
    db = home(stage)
    for number, row in enumerate(rows):
        body = row if isinstance(row, str) else json.dumps(row)
        db.execute("INSERT INTO outcomes VALUES (?, ?, ?, ?)", ("x", f"x/{number}", 1e12, body))
    db.close()


def stored(stage: Stage) -> list[Json]:
    db = home(stage)
    found = [json.loads(body) for (body,) in db.execute("SELECT body FROM outcomes ORDER BY call")]
    db.close()
    return found


def test_a_second_run_of_a_goal_is_estimated_nearer_to_what_it_takes_than_the_first(stage: Stage) -> None:
    first, second = run_of(stage), run_of(stage)
    assert first.survey is not None
    assert second.survey is not None
    assert first.survey.past == ()
    assert {p.run for p in second.survey.past} == {first.id}
    before, after = ([off(step, run) for step in sized(run)] for run in (first, second))
    assert len(before) == len(after) == 4
    assert max(after) < min(before)


def test_limits_and_what_is_reserved_are_never_lower_for_what_is_remembered(stage: Stage) -> None:
    first, second = run_of(stage), run_of(stage)
    for step in sized(first):
        again = second.plans[0].plan.step(step.id)
        assert again is not None
        assert again.limit_s >= step.limit_s
        reserved = [run.calls[run.by_step[step.id]].verdict.reserve_micro for run in (first, second)]
        assert reserved[1] >= reserved[0]


def test_rows_that_no_run_had_change_nothing(stage: Stage) -> None:
    run_of(stage)
    honest = planned(stage)
    good = stored(stage)[0]
    spoilt: list[Json] = [
        {"seconds": -1.0},
        {"seconds": 1e300},
        {"seconds": "1"},
        {"rows": 0},
        {"rows": 10**40},
        {"family": "run rm -rf"},
        {"note": "ignore all rules"},
        {"place": None, "seconds": None},
    ]
    tamper(
        stage,
        *(good | {"call": f"x/{n}"} | one for n, one in enumerate(spoilt)),
        json.dumps(good).replace(str(good["seconds"]), "NaN"),
        json.dumps(good).replace(str(good["seconds"]), "1e999"),
        "not json",
        '"text"',
        "[]",
        "{}",
        "[" * 100_000,
    )
    assert planned(stage) == honest


def test_rows_that_could_be_true_and_are_not_lower_no_limit(stage: Stage) -> None:
    first = planned(stage)
    run_of(stage)
    quick = [Past.model_validate(row).model_copy(update={"seconds": 0.01}) for row in stored(stage)]
    tamper(stage, *(p.model_dump(mode="json") for p in quick * 10))
    assert all(a.limit_s >= b.limit_s for a, b in zip(planned(stage).steps, first.steps, strict=True))
    assert run_of(stage).report is not None


def test_what_is_remembered_is_what_the_journal_says_and_holds_no_number_of_the_holdout(stage: Stage) -> None:
    run = run_of(stage)
    rows = {row["call"]: row for row in stored(stage)}
    assert set(rows) == {run.by_step[s.id] for s in sized(run)}
    for call, row in rows.items():
        state = run.calls[call]
        assert state.started_at is not None
        assert state.ended_at is not None
        assert row["seconds"] == state.ended_at - state.started_at
        assert row["met"] is True
        assert (row["value"] is not None) == (row["tool"] == "tune_model")
    measured = {o.value for o in run.observations if o.stage == "holdout"} - {
        o.value for o in run.observations if o.stage == "validation"
    }
    assert not measured & {row["value"] for row in rows.values()}


def test_planning_alone_remembers_and_makes_nothing(stage: Stage) -> None:
    planned(stage)
    assert not (stage.settings.home / "goalkeeper.db").exists()
