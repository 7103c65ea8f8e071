"""What is measured of a version, and the exact numbers made of it."""

from __future__ import annotations

import math
from array import array

from hypothesis import given
from hypothesis import strategies as st

from tools.backends.local.router_tally import FAILED, Tally, exposition
from tools.latency import REFUSED
from tools.latency import traffic as summary


def latencies(tally: Tally, since: float) -> list[float]:
    return array("d", tally.since(since).raw).tolist()


def test_only_what_was_answered_since_then_counts() -> None:
    tally = Tally()
    for at in range(10):
        tally.answered(at=float(at), ms=at * 10.0)
    assert latencies(tally, 7.0) == [70.0, 80.0, 90.0]
    assert latencies(tally, 99.0) == []


def test_a_clock_that_goes_back_loses_no_request() -> None:
    tally = Tally()
    for at in (100.0, 50.0, 101.0):
        tally.answered(at=at, ms=1.0)
    assert len(latencies(tally, 100.0)) == 3


def test_old_samples_are_forgotten_and_the_span_says_so() -> None:
    tally = Tally(kept=10)
    for at in range(25):
        tally.answered(at=float(at), ms=float(at))
    kept = tally.since(0.0)
    assert array("d", kept.raw)[-10:].tolist() == [float(n) for n in range(15, 25)]
    assert kept.since == 10.0
    assert tally.counts["ok"] == 25


def test_a_refused_request_is_counted_by_itself() -> None:
    tally = Tally()
    tally.refused(at=0.5)
    tally.failed(at=1.0)
    tally.answered(at=2.0, ms=3.0)
    assert latencies(tally, 0.0) == [REFUSED, FAILED, 3.0]
    assert tally.counts == {"ok": 1, "error": 1, "refused": 1}
    seen = summary("v1", 0.0, 3.0, latencies(tally, 0.0), [1.0])
    assert (seen.requests, seen.errors, seen.refused, seen.over) == (2, 1, 1, {"1.0": 1})


def test_counts_over_a_threshold_are_exact_and_exclude_failures() -> None:
    traffic = summary("v1", 0.0, 9.0, [5.0, 10.0, 10.1, FAILED, 50.0], [10.0, 50])
    assert (traffic.requests, traffic.errors) == (5, 1)
    assert traffic.over == {"10.0": 2, "50.0": 0}


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=300))
def test_a_quantile_is_the_nearest_rank(samples: list[float]) -> None:
    quantiles = summary("v1", 0.0, 1.0, samples, []).quantiles_ms
    for name, q in (("p50", 50), ("p95", 95), ("p99", 99)):
        value = quantiles[name]
        assert sum(s <= value for s in samples) * 100 >= q * len(samples)
        assert sum(s < value for s in samples) * 100 < q * len(samples)
        assert not math.isnan(value)


def test_without_an_answer_there_is_no_quantile() -> None:
    assert summary("v1", 0.0, 1.0, [FAILED], [1.0]).quantiles_ms == {}


def test_the_histogram_is_cumulative_and_ends_with_every_answer() -> None:
    tally = Tally()
    for ms in (0.5, 1.0, 7.0, 20_000.0):
        tally.answered(at=0.0, ms=ms)
    text = exposition("churn", {"v1": tally})
    labels = 'endpoint="churn",version="v1"'
    assert f'goalkeeper_request_seconds_bucket{{{labels},le="0.001"}} 2' in text
    assert f'goalkeeper_request_seconds_bucket{{{labels},le="10.0"}} 3' in text
    assert f'goalkeeper_request_seconds_bucket{{{labels},le="+Inf"}} 4' in text
    assert f'goalkeeper_requests_total{{{labels},outcome="ok"}} 4' in text
