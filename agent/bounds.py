"""Exact binomial bounds, without a data library: what a count of requests proves.

Clopper and Pearson (1934), by bisection on the binomial tail. A promotion is tested at most three
times, so its error of 5 % is spent over the looks: most on the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable

ALPHA = 0.05
SPENT = (0.045, 0.0025, 0.0025)
"""Share of `ALPHA` that each look at the same question may use; their sum is `ALPHA`."""


def tail(count: int, n: int, p: float) -> float:
    """P(X <= count) for X ~ Bin(n, p)."""
    if p <= 0.0:
        return 1.0
    if p >= 1.0:
        return 1.0 if count >= n else 0.0
    log_p, log_q = math.log(p), math.log1p(-p)
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * log_p + (n - k) * log_q
        for k in range(max(0, count - _REACH), count + 1)
    ]
    top = max(logs)
    return min(1.0, math.exp(top) * math.fsum(math.exp(v - top) for v in logs))


_REACH = 5000
"""Terms further below the count than this add nothing that a float can hold for the counts met here."""


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


def needed(share: float, alpha: float = SPENT[0]) -> int:
    """How many requests without a single miss prove that the share of misses is at most `share`.

    (1 - share)^n <= alpha; with alpha 0.045 that is 619 for 0.005 and 309 for 0.01.
    """
    if share <= 0.0:
        return 1
    return 1 if share >= 1.0 else math.ceil(math.log(alpha) / math.log1p(-share))
