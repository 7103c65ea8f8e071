"""Random goals, said in many ways, come back as the contracts they were made from."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from evals.spoken.goals import goal, goals
from evals.spoken.telling import TONGUES, phrases
from evals.understanding import Result, grave, judge, scores

_GOALS = 400
_FIELDS = 0.98
_WHOLE = 0.93


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return judge(goals(11, _GOALS))


def test_nearly_every_stated_field_survives_the_round_trip_in_both_languages(results: list[Result]) -> None:
    reached = scores(results)
    assert set(reached) == set(TONGUES)
    for tongue, score in reached.items():
        faults = [(r.case["text"], f.path, f.fault) for r in results if r.language == tongue for f in r.faults]
        assert score.accuracy >= _FIELDS, faults
        assert score.whole / score.goals >= _WHOLE, faults


def test_random_goals_show_every_kind_of_work_and_both_tongues(results: list[Result]) -> None:
    tasks = {part["task"] for r in results for part in r.case["contract"]["parts"]}
    assert {
        "classification",
        "regression",
        "forecasting",
        "recommendation",
        "clustering",
        "deploy",
        "rollback",
    } <= tasks
    assert {"scale", "watch", "evaluate", "compare", "estimate", "cleanup", "diagnose"} <= tasks


def test_no_budget_no_gpu_and_no_deployment_is_invented(results: list[Result]) -> None:
    assert len(grave(results)) <= _GOALS // 100, grave(results)


@seed(20_260_302)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_a_goal_of_ours_is_never_refused_and_never_spends_unasked(chance: Random) -> None:
    (result,) = judge([goal(chance)])
    assert not [f for f in result.faults if f.path == "refused"]
    assert not [line for line in grave([result]) if line.startswith(("a budget", "a GPU"))]


def test_both_languages_say_the_same_things() -> None:
    english, chinese = (phrases(tongue) for tongue in TONGUES)
    assert english.keys() == chinese.keys()
    nested = [key for key, value in english.items() if isinstance(value, dict)]
    for key in nested:
        if key not in ("clock", "every_word"):
            assert english[key].keys() == chinese[key].keys()


def test_goals_are_the_same_for_the_same_seed() -> None:
    assert goals(3, 20) == goals(3, 20)
    assert goals(3, 20) != goals(4, 20)
