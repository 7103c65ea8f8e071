"""Latencies as bins: every answer in exactly one, few of them, and the same bounds always."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tools.latency import histogram, traffic, whole


@given(st.lists(st.floats(0, 1e5), max_size=300))
def test_every_answer_is_in_the_bin_whose_bound_is_the_next_above_it(samples: list[float]) -> None:
    bins = histogram(samples)
    bounds = [bound for bound, _ in bins]
    assert bounds == sorted(set(bounds))
    assert len(bins) <= 62
    assert all(count > 0 for _, count in bins)
    for place, (bound, _) in enumerate(bins):
        assert sum(count for _, count in bins[: place + 1]) == sum(ms <= bound for ms in samples)


@given(st.floats(0.11, 1e5))
def test_a_bound_is_at_most_a_third_above_what_is_in_its_bin(ms: float) -> None:
    ((bound, count),) = histogram([ms])
    assert count == 1
    assert ms <= bound < 1.33 * ms


def test_bins_are_read_as_people_write_numbers_and_failures_are_in_none() -> None:
    seen = traffic("v1", 0.0, 9.0, [0.0, 0.1, 1.0, 1.1, 12.0, -1.0], [])
    assert seen.histogram_ms == ((0.1, 2), (1.0, 1), (1.26, 1), (12.6, 1))
    assert (seen.requests, seen.errors) == (6, 1)


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=100))
def test_the_whole_histogram_has_every_bin_between_its_ends_once(samples: list[float]) -> None:
    edges, counts = whole(histogram(samples))
    assert list(edges) == sorted(set(edges))
    assert len(edges) == len(counts) + 1
    assert sum(counts) == len(samples)
    assert counts[0] > 0
    assert counts[-1] > 0
    assert whole(()) == ((), ())
