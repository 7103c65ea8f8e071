"""Latencies as counts and quantiles: the same arithmetic for every place that measures them."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

from tools.ports import Traffic

PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}
REFUSED = -2.0
"""Stands for the latency of a request that was refused as malformed (4xx); any other negative one is a failure."""
STEPS, REACH = 4, 18
"""Ranks that are kept around a quantile: so many a standard deviation of its rank, and so many to either side."""
BINS_A_DECADE = 10
SMALLEST_MS = 0.1
"""The upper bound of the first bin: 0.1 ms to 100 s take 61 bins."""

ANSWER_WITHIN_S = 30.0
"""After how long a router gives up on an answer of a version: then it is an error."""


def traffic(
    version: str, since: float, until: float, samples: Sequence[float], thresholds_ms: Sequence[float]
) -> Traffic:
    """Exact counts and quantiles of latencies in ms; a negative one is a request that failed or was refused.

    A percentile p of n answers is the nearest rank: the ceil(p·n/100)-th smallest.
    """
    answered = sorted(ms for ms in samples if ms >= 0)
    ranks = {name: -(-percent * len(answered) // 100) for name, percent in PERCENTILES.items()}
    refused = sum(ms == REFUSED for ms in samples)
    return Traffic(
        version=version,
        since=since,
        until=until,
        requests=len(samples) - refused,
        errors=len(samples) - refused - len(answered),
        refused=refused,
        over={repr(float(limit)): len(answered) - bisect_right(answered, limit) for limit in thresholds_ms},
        quantiles_ms={name: answered[rank - 1] for name, rank in ranks.items()} if answered else {},
        ranks_ms={name: around(answered, percent / 100) for name, percent in PERCENTILES.items()} if answered else {},
        histogram_ms=histogram(answered),
    )


def around(answered: Sequence[float], quantile: float) -> tuple[tuple[int, float], ...]:
    """(rank, latency) of sorted latencies, some standard deviations of the rank to either side of a quantile."""
    n = len(answered)
    middle, step = n * quantile, math.sqrt(n * quantile * (1 - quantile)) / STEPS
    ranks = {min(n, max(1, round(middle + k * step))) for k in range(-REACH, REACH + 1)}
    return tuple((rank, answered[rank - 1]) for rank in sorted(ranks))


def histogram(answered: Sequence[float]) -> tuple[tuple[float, int], ...]:
    """(upper bound in ms, answers above the bound before and not above this one); bounds 0.1 · 10^(k/10)."""
    counts = Counter(_bin(ms) for ms in answered)
    return tuple((_bound(place), counts[place]) for place in sorted(counts))


def whole(bins: Sequence[tuple[float, int]]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """(edges, counts) of a histogram with the empty bins between its first and its last put back; edges are in ms and
    one more than the counts."""
    if not bins:
        return (), ()
    known = {_bin(bound): count for bound, count in bins}
    places = range(min(known), max(known) + 1)
    first = _bound(places[0] - 1) if places[0] > 0 else 0.0
    return (first, *(_bound(place) for place in places)), tuple(known.get(place, 0) for place in places)


def _bin(ms: float) -> int:
    if ms <= SMALLEST_MS:
        return 0
    place = math.ceil(BINS_A_DECADE * math.log10(ms / SMALLEST_MS))
    # bounds are rounded for people, so the logarithm may be off by one bin at a bound
    return place - 1 if ms <= _bound(place - 1) else place if ms <= _bound(place) else place + 1


def _bound(place: int) -> float:
    return float(f"{SMALLEST_MS * 10 ** (place / BINS_A_DECADE):.3g}")
