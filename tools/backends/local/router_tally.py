"""What the router measured of one version: samples for exact answers, counters for `/metrics`."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from typing import Literal, NamedTuple

KEPT = 200_000
"""Samples kept of one version, at least; at most twice as many (16 bytes each)."""
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram, in seconds."""
FAILED = -1.0
"""The latency of a request that was not answered."""

Outcome = Literal["ok", "error", "refused"]


class Samples(NamedTuple):
    """Latencies in ms in the order of the answers, `FAILED` for errors, as 64-bit floats."""

    since: float
    """Later than asked for when older samples are no longer kept."""
    raw: bytes


class Tally:
    """Outcomes of one version's requests.

    A request the server refused as malformed (4xx) says something about the client and nothing about the
    version: it is counted as `refused` and is no sample.
    """

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._at = array("d")
        self._ms = array("d")
        self._dropped = False
        self.counts: dict[Outcome, int] = {"ok": 0, "error": 0, "refused": 0}
        self.buckets = [0] * (len(BUCKETS_S) + 1)
        self.seconds = 0.0

    def answered(self, *, at: float, ms: float) -> None:
        self.counts["ok"] += 1
        self.buckets[bisect_left(BUCKETS_S, ms / 1000)] += 1
        self.seconds += ms / 1000
        self._sample(at, ms)

    def failed(self, *, at: float) -> None:
        self.counts["error"] += 1
        self._sample(at, FAILED)

    def refused(self) -> None:
        self.counts["refused"] += 1

    def since(self, time: float) -> Samples:
        """The samples answered at or after that time."""
        first = bisect_left(self._at, time)
        start = self._at[0] if self._dropped and first == 0 else time
        return Samples(start, self._ms[first:].tobytes())

    def _sample(self, at: float, ms: float) -> None:
        if self._at and at < self._at[-1]:
            at = self._at[-1]  # the wall clock went back; the order of answers is what counts
        self._at.append(at)
        self._ms.append(ms)
        if len(self._at) >= 2 * self._kept:
            del self._at[: self._kept], self._ms[: self._kept]
            self._dropped = True


def exposition(endpoint: str, tallies: Mapping[str, Tally]) -> str:
    """Prometheus text format 0.0.4: requests by outcome and the latency histogram, per version."""
    lines = [
        "# HELP goalkeeper_requests_total Inference requests by outcome.",
        "# TYPE goalkeeper_requests_total counter",
    ]
    for version, tally in tallies.items():
        labels = f'endpoint="{endpoint}",version="{version}"'
        lines += [f'goalkeeper_requests_total{{{labels},outcome="{o}"}} {n}' for o, n in tally.counts.items()]
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
