"""Paired comparisons against computations by hand and known truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import final

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from tools.recipes.answers.comparing import paired
from tools.recipes.records import Against, Compared, Measure

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

AGAINST = Against(to="incumbent", name="running")


@final
@dataclass(frozen=True, kw_only=True)
class Errors:
    """An answer whose metric is a mean over units: what the comparison draws unit by unit."""

    each: Floats

    @property
    def units(self) -> int:
        return len(self.each)

    def value(self, measure: Measure) -> float | None:
        known = self.each[np.isfinite(self.each)]
        return float(known.mean()) if len(known) else None

    def take(self, units: Ints) -> Errors:
        return Errors(each=self.each[units])

    def trials(self, measure: Measure) -> tuple[int, int] | None:
        return None

    def resampled(self, measure: Measure, *, resamples: int, seed: int) -> Floats:
        raise AssertionError("a comparison pairs its own draws")

    def section(self) -> Mapping[str, object]:
        return {}

    def columns(self) -> Sequence[pl.Series]:
        return ()

    def notes(self) -> Sequence[str]:
        return ()


@final
@dataclass(frozen=True, kw_only=True)
class Classes:
    """An answer in two classes, with accuracy and the F1 of the second by definition."""

    labels: Ints
    predicted: Ints
    classes: tuple[str, ...] = ("no", "yes")

    @property
    def units(self) -> int:
        return len(self.labels)

    def target(self, of: str | None) -> int | None:
        return 1

    def value(self, measure: Measure) -> float | None:
        if measure.metric == "accuracy":
            return float((self.labels == self.predicted).mean())
        hits = int(((self.labels == 1) & (self.predicted == 1)).sum())
        named = int((self.labels == 1).sum() + (self.predicted == 1).sum())
        return 2 * hits / named if named else 0.0

    def take(self, units: Ints) -> Classes:
        return Classes(labels=self.labels[units], predicted=self.predicted[units])

    def trials(self, measure: Measure) -> tuple[int, int] | None:
        return None

    def resampled(self, measure: Measure, *, resamples: int, seed: int) -> Floats:
        raise AssertionError("a comparison pairs its own draws")

    def section(self) -> Mapping[str, object]:
        return {}

    def columns(self) -> Sequence[pl.Series]:
        return ()

    def notes(self) -> Sequence[str]:
        return ()


def compare(
    a: Errors | Classes, b: Errors | Classes, metric: str = "mae", confidence: float = 0.95, resamples: int = 1000
) -> Compared:
    measure = Measure(metric=metric, confidence=confidence)
    return paired(measure, a, b, against=AGAINST, resamples=resamples, seed=7)


def known(value: float | None) -> float:
    assert value is not None
    return value


def judged(n: int, right: float, seed: int) -> Classes:
    rng = np.random.default_rng(seed)
    labels = np.random.default_rng(99).integers(0, 2, size=n)
    return Classes(labels=labels, predicted=np.where(rng.random(n) < right, labels, 1 - labels))


def test_the_difference_is_value_minus_other_in_the_metrics_unit() -> None:
    found = compare(Errors(each=np.arange(10.0)), Errors(each=np.arange(10.0) + 2))
    assert (found.value, found.other, found.difference) == (4.5, 6.5, -2.0)
    assert (found.metric, found.to, found.name) == ("mae", "incumbent", "running")


def test_what_is_hard_for_both_cancels_out() -> None:
    hard = np.random.default_rng(0).normal(scale=100, size=400)
    noise = np.random.default_rng(1).normal(scale=0.1, size=400)
    found = compare(Errors(each=hard + noise + 0.1), Errors(each=hard))
    assert 0 < known(found.low) < known(found.high) < 0.2
    assert known(found.p_value) < 0.01


def test_the_interval_of_a_mean_difference_is_that_of_the_normal_theory() -> None:
    delta = np.random.default_rng(2).normal(loc=0.3, size=500)
    found = compare(Errors(each=delta), Errors(each=np.zeros(500)), resamples=4000)
    half = 1.96 * delta.std() / math.sqrt(500)
    assert found.low == pytest.approx(delta.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(delta.mean() + half, abs=0.1 * half)
    assert found.bound_low == pytest.approx(delta.mean() - half * 1.645 / 1.96, abs=0.1 * half)


@pytest.mark.parametrize("metric", ["accuracy", "f1"])
def test_joint_cells_resample_as_rows_do(metric: str) -> None:
    a, b = judged(300, 0.85, 1), judged(300, 0.8, 2)
    rng = np.random.default_rng(3)
    draws = []
    for rows in rng.integers(0, 300, size=(3000, 300)):
        one, two = (known(x.take(rows).value(Measure(metric=metric))) for x in (a, b))
        draws.append(one - two)
    found = compare(a, b, metric, resamples=3000)
    assert found.low == pytest.approx(float(np.quantile(draws, 0.025)), abs=0.008)
    assert found.high == pytest.approx(float(np.quantile(draws, 0.975)), abs=0.008)


def test_the_p_value_of_accuracies_is_near_the_exact_sign_test() -> None:
    a, b = judged(400, 0.86, 1), judged(400, 0.8, 2)
    only_a = int(((a.predicted == a.labels) & (b.predicted != b.labels)).sum())
    only_b = int(((a.predicted != a.labels) & (b.predicted == b.labels)).sum())
    n, k = only_a + only_b, min(only_a, only_b)
    exact = min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n)
    assert compare(a, b, "accuracy", resamples=5000).p_value == pytest.approx(exact, abs=0.03)


def test_identical_models_differ_by_nothing_and_surely_so() -> None:
    a = judged(50, 0.8, 1)
    found = compare(a, a, "f1")
    assert (found.difference, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_equal_models_are_told_apart_as_seldom_as_promised() -> None:
    false = 0
    for seed in range(200):
        found = compare(judged(150, 0.8, 2 * seed), judged(150, 0.8, 2 * seed + 1), "accuracy", resamples=300)
        false += known(found.p_value) < 0.05
    assert false <= 20


def test_a_metric_undefined_for_one_model_leaves_the_difference_open() -> None:
    found = compare(Errors(each=np.full(9, np.nan)), Errors(each=np.ones(9)))
    assert (found.value, found.other, found.difference, found.low, found.p_value) == (None, 1.0, None, None, None)


def test_one_unit_gives_a_difference_without_limits() -> None:
    found = compare(Errors(each=np.array([1.0])), Errors(each=np.array([3.0])))
    assert found.difference == -2.0
    assert (found.low, found.high, found.bound_low, found.bound_high, found.p_value) == (None,) * 5


def test_few_units_never_claim_more_than_their_signs_can() -> None:
    found = compare(Errors(each=np.zeros(3)), Errors(each=np.ones(3)))
    assert (found.low, found.bound_low, found.p_value) == (None, None, 0.25)
    five = compare(Errors(each=np.zeros(5)), Errors(each=np.ones(5)))
    assert (five.low, five.bound_low) == (None, -1.0)


def test_models_asked_about_other_rows_are_not_paired() -> None:
    with pytest.raises(ValueError, match="3 units cannot be paired with 4"):
        compare(Errors(each=np.zeros(3)), Errors(each=np.zeros(4)))


def test_the_same_seed_gives_the_same_comparison() -> None:
    a, b = judged(80, 0.9, 1), judged(80, 0.7, 2)
    assert compare(a, b, "f1") == compare(a, b, "f1")


def test_a_share_of_the_other_is_as_unsure_as_both_are() -> None:
    """Twice the other, where the truth is exactly twice: with the other's value taken as exact this was met in 17 %."""
    met, rng = 0, np.random.default_rng(4)
    for _ in range(200):
        labels = np.ones(200, dtype=np.int64)
        a, b = (Classes(labels=labels, predicted=(rng.random(200) < p).astype(np.int64)) for p in (0.6, 0.3))
        found = compare(a, b, "accuracy", resamples=300)
        met += known(found.share.bound_low) >= 1.0
    assert met <= 18


def test_the_limits_of_a_share_are_those_of_the_ratio_of_paired_resamples() -> None:
    rng = np.random.default_rng(5)
    base = rng.lognormal(size=400)
    found = compare(Errors(each=0.7 * base), Errors(each=base))
    assert found.share.low == pytest.approx(-0.3)
    assert found.share.bound_high == pytest.approx(-0.3)
    assert known(found.high) - known(found.low) > 0.02, "the difference itself is less sure"


def test_nothing_is_a_share_of_nothing() -> None:
    found = compare(Errors(each=np.ones(50)), Errors(each=np.zeros(50)))
    assert (found.share.low, found.share.bound_low) == (None, None)
    same = compare(Errors(each=np.zeros(50)), Errors(each=np.zeros(50)))
    assert (same.share.low, same.share.high) == (0.0, 0.0)
