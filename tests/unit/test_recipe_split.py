"""Parting rows: every row once, classes in proportion, groups whole, time in order."""

from __future__ import annotations

import numpy as np
import pytest

from tools.recipes.data.split import Parts, at_random, by_class, by_group, by_time

SHARES = [(0.2, 0.2), (0.5, 0.1), (0.05, 0.3)]


def whole(parts: Parts) -> list[int]:
    return sorted([*parts.train, *parts.validation, *parts.holdout])


@pytest.mark.parametrize(("holdout", "validation"), SHARES)
@pytest.mark.parametrize("n", [20, 101, 569])
def test_every_row_is_in_exactly_one_part(n: int, holdout: float, validation: float) -> None:
    parts = at_random(n, holdout, validation, seed=3)
    assert whole(parts) == list(range(n))
    assert len(parts.holdout) == max(1, round(n * holdout))
    assert len(parts.validation) == max(1, round((n - len(parts.holdout)) * validation))


def test_classes_keep_their_share_in_every_part() -> None:
    codes = np.array([0] * 357 + [1] * 212)
    parts = by_class(codes, 0.2, 0.2, seed=0)
    assert whole(parts) == list(range(569))
    assert len(parts.holdout) == 114
    for part in (parts.train, parts.validation, parts.holdout):
        assert abs(np.mean(codes[part]) - 212 / 569) < 0.5 / len(part) + 0.01


def test_a_rare_class_is_not_lost_from_training() -> None:
    codes = np.array([0] * 50 + [1] * 5)
    parts = by_class(codes, 0.2, 0.2, seed=1)
    assert [int(codes[p].sum()) for p in (parts.train, parts.validation, parts.holdout)] == [3, 1, 1]


def test_the_seed_decides_and_nothing_else() -> None:
    first, again, other = (at_random(200, 0.2, 0.2, seed) for seed in (7, 7, 8))
    assert list(first.holdout) == list(again.holdout)
    assert list(first.validation) == list(again.validation)
    assert list(first.holdout) != list(other.holdout)


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_never_divided(seed: int) -> None:
    groups = np.random.default_rng(seed).integers(0, 12, size=300)
    parts = by_group(groups, 0.25, 0.25, seed)
    assert whole(parts) == list(range(300))
    sets = [set(groups[p]) for p in (parts.train, parts.validation, parts.holdout)]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]
    assert 0.1 < len(parts.holdout) / 300 < 0.4


def test_three_groups_give_one_to_each_part() -> None:
    parts = by_group(np.repeat([0, 1, 2], 10), 0.2, 0.2, seed=0)
    assert sorted(map(len, (parts.train, parts.validation, parts.holdout))) == [10, 10, 10]


def test_the_latest_rows_are_held_out() -> None:
    times = np.random.default_rng(0).permutation(100).astype(float)
    parts = by_time(times, 0.2, 0.25, None)
    assert times[parts.train].max() < times[parts.validation].min()
    assert times[parts.validation].max() < times[parts.holdout].min()
    assert [len(parts.train), len(parts.validation), len(parts.holdout)] == [60, 20, 20]


def test_rows_from_an_instant_on_are_held_out() -> None:
    parts = by_time(np.arange(10.0), 0.5, 0.3, at=8.0)
    assert list(parts.holdout) == [8, 9]
    assert list(parts.validation) == [6, 7]


def test_rows_of_one_instant_stay_together() -> None:
    times = np.array([1.0] * 5 + [2.0] * 5 + [3.0] * 5)
    parts = by_time(times, 0.2, 0.2, None)
    assert list(times[parts.holdout]) == [3.0] * 5
    assert list(times[parts.validation]) == [2.0] * 5


def test_rows_without_a_time_are_trained_on() -> None:
    parts = by_time(np.array([np.nan, 1.0, 2.0, 3.0, np.nan, 4.0]), 0.25, 0.25, None)
    assert list(parts.train) == [0, 1, 2, 4]
    assert whole(parts) == list(range(6))


@pytest.mark.parametrize("seed", range(3))
def test_without_a_share_for_it_the_holdout_is_empty_and_every_row_is_learnt_from(seed: int) -> None:
    groups = np.random.default_rng(seed).integers(0, 12, size=100)
    for parts in (
        at_random(100, 0.0, 0.2, seed),
        by_class(groups, 0.0, 0.2, seed),
        by_group(groups, 0.0, 0.2, seed),
        by_time(np.arange(100.0), 0.0, 0.2, None),
    ):
        assert len(parts.holdout) == 0
        assert whole(parts) == list(range(100))
        assert 5 < len(parts.validation) < 40


def test_times_that_are_all_missing_hold_nothing_out() -> None:
    parts = by_time(np.full(5, np.nan), 0.2, 0.2, None)
    assert list(parts.train) == list(range(5))
