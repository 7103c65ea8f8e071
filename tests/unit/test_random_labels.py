"""What chance gives, against counting and known values."""

from __future__ import annotations

from itertools import product

import pytest

from evals.random_labels import Result, chance, span


def test_chance_is_the_share_of_all_coin_rows() -> None:
    rows = list(product((0, 1), repeat=10))
    assert chance(10, 0.6) == sum(sum(r) >= 6 for r in rows) / len(rows)
    assert chance(100, 0.6) == pytest.approx(0.028444, abs=1e-6)


def test_the_range_holds_ninety_nine_in_a_hundred() -> None:
    assert span([0.5] * 10) == (1, 9)
    assert span([0.0] * 5) == (0, 0)
    low, high = span([0.028444] * 200)
    assert (low, high) == (1, 13)


def test_only_more_than_chance_is_a_failure() -> None:
    assert Result(sets=200, met=0, expected=5.7, low=1, high=13).fair
    assert not Result(sets=200, met=14, expected=5.7, low=1, high=13).fair
