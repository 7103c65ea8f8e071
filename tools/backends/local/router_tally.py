"""What the router measured of one version: samples for exact answers, counters for `/metrics`.

The agent's side reads the samples with it.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from tools.latency import REFUSED

KEPT = 200_000
"""Samples kept of one version, at least; at most twice as many (16 bytes each, 24 of a comparison)."""
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram, in seconds."""
FAILED = -1.0
"""The latency of a request that was not answered."""

Outcome = Literal["ok", "error", "refused"]
Copy = Literal["agreed", "differed", "unanswered", "dropped"]
"""What became of a shadow's copy. `unanswered`: the caller was answered and the shadow was not; `dropped`: not sent."""
COPIES: tuple[Copy, ...] = get_args(Copy)
"""A comparison is written as its place in this list."""


class Samples(NamedTuple):
    """Numbers in the order in which they came, as 64-bit floats."""

    since: float
    """Later than asked for when older ones are no longer kept."""
    raw: bytes


class Series:
    """The newest of what was measured, each with its time; `width` numbers at a time."""

    def __init__(self, *, width: int, kept: int) -> None:
        self._width = width
        self._kept = kept
        self._at = array("d")
        self._values = array("d")
        self._cut = False

    def add(self, at: float, *values: float) -> None:
        if self._at and at < self._at[-1]:
            at = self._at[-1]  # the wall clock went back; the order of answers is what counts
        self._at.append(at)
        self._values.extend(values)
        if len(self._at) >= 2 * self._kept:
            del self._at[: self._kept], self._values[: self._kept * self._width]
            self._cut = True

    def since(self, time: float) -> Samples:
        """What came at or after that time."""
        first = bisect_left(self._at, time)
        start = self._at[0] if self._cut and first == 0 else time
        return Samples(start, self._values[first * self._width :].tobytes())


class Tally:
    """Outcomes of one version's requests, and of the copies it got as a shadow.

    A request the server refused as malformed (4xx) says something about the client or about the version: it is
    counted on its own, and whoever knows what was sent decides.
    """

    def __init__(self, *, kept: int = KEPT) -> None:
        self._latencies = Series(width=1, kept=kept)
        self._comparisons = Series(width=2, kept=kept)
        self.counts: dict[Outcome, int] = {"ok": 0, "error": 0, "refused": 0}
        self.copies: dict[Copy, int] = dict.fromkeys(COPIES, 0)
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.seconds = 0.0
        self.waiting = 0
        """Copies that are on their way."""

    def answered(self, *, at: float, ms: float) -> None:
        self.counts["ok"] += 1
        self.buckets[bisect_left(BUCKETS_S, ms / 1000)] += 1
        self.seconds += ms / 1000
        self._latencies.add(at, ms)

    def failed(self, *, at: float) -> None:
        self.counts["error"] += 1
        self._latencies.add(at, FAILED)

    def refused(self, *, at: float) -> None:
        self.counts["refused"] += 1
        self._latencies.add(at, REFUSED)

    def copied(self, copy: Copy, *, at: float, difference: float | None = None) -> None:
        """What became of one copy, and how far its number is off where it has one."""
        self.copies[copy] += 1
        self._comparisons.add(at, COPIES.index(copy), math.nan if difference is None else difference)

    def since(self, time: float) -> Samples:
        """Latencies in ms of what was answered at or after that time; `FAILED` for errors, `REFUSED` for 4xx."""
        return self._latencies.since(time)

    def comparisons(self, time: float) -> Samples:
        """Pairs: the place of the outcome in `COPIES`, and the difference or NaN."""
        return self._comparisons.since(time)


def exposition(endpoint: str, tallies: Mapping[str, Tally]) -> str:
    """Prometheus text format 0.0.4: requests by outcome, copies by outcome, and the latency histogram, per version."""
    lines = [
        "# HELP goalkeeper_requests_total Inference requests by outcome.",
        "# TYPE goalkeeper_requests_total counter",
    ]
    for version, tally in tallies.items():
        labels = f'endpoint="{endpoint}",version="{version}"'
        lines += [f'goalkeeper_requests_total{{{labels},outcome="{o}"}} {n}' for o, n in tally.counts.items()]
    lines += [
        "# HELP goalkeeper_shadow_copies_total Copies of requests that a shadow got, by outcome.",
        "# TYPE goalkeeper_shadow_copies_total counter",
    ]
    for version, tally in tallies.items():
        labels = f'endpoint="{endpoint}",version="{version}"'
        lines += [f'goalkeeper_shadow_copies_total{{{labels},outcome="{o}"}} {n}' for o, n in tally.copies.items()]
    lines += [
        "# HELP goalkeeper_request_seconds Latency of answered requests, measured at the router.",
        "# TYPE goalkeeper_request_seconds histogram",
    ]
    for version, tally in tallies.items():
        lines += _histogram(f'endpoint="{endpoint}",version="{version}"', tally)
    return "\n".join(lines) + "\n"


def _histogram(labels: str, tally: Tally) -> list[str]:
    lines, total = [], 0
    for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), tally.buckets, strict=True):
        total += count
        lines.append(f'goalkeeper_request_seconds_bucket{{{labels},le="{bound}"}} {total}')
    lines.append(f"goalkeeper_request_seconds_sum{{{labels}}} {tally.seconds:.6f}")
    lines.append(f"goalkeeper_request_seconds_count{{{labels}}} {total}")
    return lines
