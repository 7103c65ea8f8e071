"""Drift's statistics beside SciPy's own, and what chance makes of them: alarms keep their rate, trivia raise none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tools.inputs import Binned
from tools.recipes.drift_records import DriftArgs, Shift
from tools.recipes.drift_statistics import by_chance, fisher, holm, homogeneity, pooled, psi, shifts

EVEN = (100,) * 10


def drawn(seed: int, rows: int, shares: tuple[float, ...] = (0.1,) * 10) -> tuple[int, ...]:
    return tuple(int(n) for n in np.random.default_rng(seed).multinomial(rows, shares))


def judged(*compared: tuple[tuple[int, ...], tuple[int, ...]], alarm_rate: float = 0.001) -> tuple[Shift, ...]:
    named = tuple(Binned(name=f"x{k}", reference=r, served=s) for k, (r, s) in enumerate(compared))
    return shifts(DriftArgs(compared=named, alarm_rate=alarm_rate, threshold=0.1)).shifts


@pytest.mark.parametrize("seed", range(5))
def test_the_statistic_is_scipys_power_divergence(seed: int) -> None:
    reference, served = drawn(seed, 800), drawn(seed + 100, 500)
    theirs = stats.chi2_contingency(np.array([reference, served]), correction=False, lambda_="cressie-read")
    statistic, p = homogeneity(reference, served)
    assert statistic == pytest.approx(theirs.statistic)
    assert p == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize("table", [[[3, 497], [20, 480]], [[0, 900], [40, 460]], [[5, 5], [500, 1]], [[1, 0], [0, 1]]])
def test_two_bins_are_judged_exactly(table: list[list[int]]) -> None:
    assert fisher(np.array(table, dtype=float)) == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-6)


def test_where_two_bins_are_left_the_exact_test_decides() -> None:
    assert homogeneity((900, 40), (480, 60))[1] == pytest.approx(stats.fisher_exact([[900, 40], [480, 60]]).pvalue)


def test_holm_is_the_step_down_of_the_sorted_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_index_is_that_of_its_definition() -> None:
    p, q = np.array(EVEN) + 0.5, np.array([200, *(89,) * 9]) + 0.5
    p, q = p / p.sum(), q / q.sum()
    assert psi(EVEN, (200, *(89,) * 9)) == pytest.approx(
        sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    )
    assert psi(EVEN, EVEN) == 0.0


def test_what_chance_alone_gives_is_the_mean_of_the_index_without_drift() -> None:
    found = [psi(drawn(k, 400), drawn(k + 5000, 600)) for k in range(400)]
    assert np.mean(found) == pytest.approx(by_chance(drawn(0, 400), drawn(1, 600)), rel=0.05)


def test_sparse_bins_are_put_together_without_losing_a_row() -> None:
    table = np.array([[500, 490, 3, 0, 2, 1], [260, 230, 4, 1, 0, 5]], dtype=float)
    found = pooled(table)
    assert found.sum(axis=1).tolist() == table.sum(axis=1).tolist()
    assert found.shape == (2, 2), "all that is sparse is still too small to stand alone"


def test_which_bins_are_put_together_does_not_depend_on_the_difference() -> None:
    one = pooled(np.array([[400, 300, 20, 0], [200, 150, 0, 10]], dtype=float))
    other = pooled(np.array([[400, 300, 0, 10], [200, 150, 20, 0]], dtype=float))
    assert one.sum(axis=0).tolist() == other.sum(axis=0).tolist()


@pytest.mark.parametrize(
    ("reference", "served"),
    [
        ((0, 0, 0), (5, 5, 0)),
        ((9, 1, 0), (0, 0, 0)),
        ((0,), (0,)),
        ((50,), (70,)),
        ((1, 0), (0, 1)),
        ((10**9, 1), (1, 0)),
    ],
)
def test_counts_that_say_nothing_raise_no_alarm_and_no_error(
    reference: tuple[int, ...], served: tuple[int, ...]
) -> None:
    (found,) = judged((reference, served))
    assert not found.drifted
    assert 0 <= found.p <= 1
    assert math.isfinite(found.psi)


def test_a_large_window_does_not_alarm_on_a_trifle() -> None:
    served = tuple(100_000 + (3000 if k < 5 else -3000) for k in range(10))
    (found,) = judged(((100_000,) * 10, served))
    assert found.adjusted < 1e-9, "it is beyond chance"
    assert not found.drifted, "and too small to matter"


def test_a_small_reference_does_not_alarm_on_noise() -> None:
    many = [judged((drawn(k, 60), drawn(k + 9000, 500)))[0] for k in range(300)]
    assert sum(shift.psi > 0.25 for shift in many) > 30, "uncorrected, it would"
    assert not any(shift.drifted for shift in many)


def test_values_outside_the_range_of_training_are_drift() -> None:
    (found,) = judged(((0, *EVEN, 0), (0, *(40,) * 10, 100)))
    assert found.drifted


def test_more_features_ask_for_more_evidence() -> None:
    edge = (tuple(EVEN), (80, 80, 80, 40, 40, 40, 40, 50, 50, 0))
    alone = judged(edge, alarm_rate=1e-12)[0]
    among = judged(edge, *[(EVEN, (50,) * 10)] * 40, alarm_rate=1e-12)[0]
    assert among.adjusted == pytest.approx(min(1.0, 41 * alone.p))


def test_the_corrected_tests_alone_keep_a_rate_at_which_alarms_can_be_counted() -> None:
    rng, rare = np.random.default_rng(3), (0.4, 0.3, 0.2, 0.06, 0.02, 0.01, 0.01)
    alarms = 0
    for _ in range(600):
        compared = [
            (tuple(map(int, rng.multinomial(300, rare))), tuple(map(int, rng.multinomial(500, rare)))) for _ in range(6)
        ]
        alarms += any(shift.adjusted <= 0.05 for shift in judged(*compared))
    assert alarms <= 46, "a rate of 5 % gives as many as that once in a thousand times"
