"""Exact binomial bounds, without a data library: what a count of requests proves.

Clopper and Pearson (1934), by bisection on the binomial tail; limits of a quantile are order statistics, whose ranks
the same tail gives. A promotion may be tested again, so its error of 5 % is spent over the looks: most on the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

ALPHA = 0.05
FIRST = 0.045
"""What the first look at a question may use of `ALPHA`."""

EARLY = 2
"""An abort condition is looked at during a watch and at its end: each has this part of its error of a false alarm."""


def spent(look: int) -> float:
    """Share of `ALPHA` that a look at the same question may use: the first `FIRST`, each later one half of what is
    left, so that any number of looks together stays below `ALPHA`."""
    return FIRST if look <= 1 else (ALPHA - FIRST) / 2 ** (look - 1)


def tail(count: int, n: int, p: float) -> float:
    """P(X <= count) for X ~ Bin(n, p)."""
    if count < 0:
        return 0.0
    if p <= 0.0 or count >= n:
        return 1.0
    if p >= 1.0:
        return 0.0
    # From the side on which terms fall away from the count, and the other side as the rest.
    return _falling(count, n, p) if count < n * p else 1.0 - _falling(n - count - 1, n, 1.0 - p)


def _falling(count: int, n: int, p: float) -> float:
    """P(X <= count) where the count lies below the mean: each term is smaller than the one before."""
    log_term = math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
    log_term += count * math.log(p) + (n - count) * math.log1p(-p)
    total, term, odds = 0.0, 1.0, (1.0 - p) / p
    for k in range(count, -1, -1):
        total += term
        term *= k * odds / (n - k + 1)
        if term < total * _NOTHING:
            break
    return min(1.0, total * math.exp(log_term))


_NOTHING = 1e-18
"""A part of a sum that a float cannot hold; the terms after it are smaller still."""


def upper(count: int, n: int, alpha: float = ALPHA) -> float:
    """The largest p that `count` successes in `n` trials do not rule out at level `alpha`."""
    if n == 0 or count >= n:
        return 1.0
    return _bisect(lambda p: tail(count, n, p) > alpha)


def lower(count: int, n: int, alpha: float = ALPHA) -> float:
    """The smallest p that the counts do not rule out at level `alpha`."""
    if n == 0 or count <= 0:
        return 0.0
    return _bisect(lambda p: 1.0 - tail(count - 1, n, p) < alpha)


def _bisect(below: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if below(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2


def needed(share: float, alpha: float = FIRST) -> int:
    """How many requests without a single miss prove that the share of misses is at most `share`.

    (1 - share)^n <= alpha; with alpha 0.045 that is 619 for 0.005 and 309 for 0.01.
    """
    if share <= 0.0:
        return 1
    return 1 if share >= 1.0 else math.ceil(math.log(alpha) / math.log1p(-share))


@lru_cache(maxsize=4096)
def most(n: int, share: float, alpha: float) -> int:
    """The largest count among `n` that a share of misses does not rule out at level `alpha`; one more does."""
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if 1.0 - tail(middle, n, share) < alpha:  # P(X > middle)
            high = middle
        else:
            low = middle + 1
    return low


Ranks = Sequence[tuple[int, float]]
"""(rank, that many-th smallest of n values), ranks rising."""


def quantile_above(ranks: Ranks, n: int, quantile: float, alpha: float) -> float:
    """The smallest known value that the quantile exceeds with probability `alpha` at most; infinite when none is.

    X_(r) < Q means that r or more of n values lie below Q, each with probability `quantile` at most.
    """
    place = _first(len(ranks), lambda k: 1.0 - tail(ranks[k][0] - 1, n, quantile) <= alpha)
    return math.inf if place == len(ranks) else ranks[place][1]


def quantile_below(ranks: Ranks, n: int, quantile: float, alpha: float) -> float:
    """The largest known value that exceeds the quantile with probability `alpha` at most; else minus infinity."""
    place = _first(len(ranks), lambda k: tail(ranks[k][0] - 1, n, quantile) > alpha)
    return -math.inf if place == 0 else ranks[place - 1][1]


def _first(size: int, holds: Callable[[int], bool]) -> int:
    """The first place at which what stays true from there on is true; `size` when it never is."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
