"""A model whose answers are valid and random, for goals of all kinds: no law is broken, whatever it says."""

from __future__ import annotations

import json

import pytest

from evals.random_goals import goals
from evals.random_model import SEED, main, tried

SAMPLE = 12
THOUSAND = 1_000
PARTS = 8


def test_a_sample_of_random_goals_with_a_random_model_breaks_no_law() -> None:
    summary = tried(goals(SEED, SAMPLE), seed=SEED)
    assert summary.held, summary.broken
    assert summary.goals == SAMPLE
    assert summary.requests > 0
    assert summary.used > 0
    assert summary.effects > 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_thousand_random_goals_with_a_random_model_break_no_law(part: int) -> None:
    summary = tried(goals(SEED, THOUSAND)[part::PARTS], seed=SEED + part)
    assert summary.held, summary.broken


def test_goals_are_random_and_the_same_for_the_same_seed() -> None:
    texts = goals(1, 200)
    assert texts == goals(1, 200)
    assert texts != goals(2, 200)
    assert len(set(texts)) > 100
    assert {"zh", "en"} == {"en" if text.isascii() else "zh" for text in texts}


def test_the_command_tells_what_became_of_every_goal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--goals", "1", "--seed", "3"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["goals"] == 1
    assert "1/1 goals" in told.err
