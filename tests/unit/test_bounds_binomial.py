"""Binomial bounds, beside SciPy's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from agent import bounds

COUNTS = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SPENT = tuple(bounds.spent(look) for look in (1, 2, 3))
LEVELS = st.sampled_from((0.05, *SPENT, 0.025, 0.2))


@given(COUNTS, st.floats(1e-6, 1 - 1e-6))
@settings(max_examples=150, deadline=None)
def test_the_tail_is_scipys(counts: tuple[int, int], p: float) -> None:
    count, n = counts
    assert bounds.tail(count, n, p) == pytest.approx(stats.binom.cdf(count, n, p), abs=1e-9, rel=1e-6)


@given(COUNTS, LEVELS)
@settings(max_examples=40, deadline=None)
def test_the_bounds_are_clopper_and_pearsons(counts: tuple[int, int], alpha: float) -> None:
    count, n = counts
    exact = stats.binomtest(count, n)
    assert bounds.upper(count, n, alpha) == pytest.approx(
        exact.proportion_ci(1 - 2 * alpha, method="exact").high, abs=1e-9
    )
    assert bounds.lower(count, n, alpha) == pytest.approx(
        exact.proportion_ci(1 - 2 * alpha, method="exact").low, abs=1e-9
    )


@pytest.mark.parametrize(("n", "high"), [(0, 1.0), (1, 0.955)])
def test_few_requests_prove_nothing(n: int, high: float) -> None:
    assert bounds.upper(0, n, SPENT[0]) == pytest.approx(high)
    assert bounds.lower(0, n) == 0.0


def test_everything_missed_leaves_no_upper_bound() -> None:
    assert bounds.upper(7, 7) == 1.0
    assert bounds.lower(7, 7) > 0.6


@pytest.mark.parametrize("share", [0.0005, 0.001, 0.005, 0.01, 0.05, 0.5])
@pytest.mark.parametrize("alpha", [0.05, *SPENT])
def test_the_count_that_is_needed_proves_it_and_one_less_does_not(share: float, alpha: float) -> None:
    n = bounds.needed(share, alpha)
    assert bounds.upper(0, n, alpha) <= share + 1e-12
    assert bounds.upper(0, n - 1, alpha) > share


def test_what_the_first_look_needs_is_what_the_report_promises() -> None:
    assert bounds.needed(0.005) == math.ceil(math.log(0.045) / math.log(0.995)) == 619
    assert bounds.needed(0.01) == 309


def test_however_many_looks_together_spend_no_more_than_the_level() -> None:
    assert sum(bounds.spent(look) for look in range(1, 1000)) <= bounds.ALPHA
    assert all(bounds.spent(look + 1) < bounds.spent(look) for look in range(1, 50))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.0, 2.0])
def test_a_share_that_is_none_or_all_needs_one_request(share: float) -> None:
    assert bounds.needed(share) == 1


def test_repeated_looks_rarely_promote_what_is_worse_than_demanded() -> None:
    """The union over the looks of falsely proving a true share just above the threshold stays below the level."""
    share, false = 0.0101, 0.0
    for alpha in SPENT:
        n = 2000
        most = max(k for k in range(60) if bounds.upper(k, n, alpha) <= 0.01)
        false += float(stats.binom.cdf(most, n, share))
    assert false <= bounds.ALPHA
