"""Latency and errors of a version, counted from the samples its endpoint's requests left."""

from __future__ import annotations

from collections.abc import Sequence

from tools.backends.sim.gate import Gate, Moment
from tools.backends.sim.state import Sample
from tools.errors import NotFound
from tools.ports import Telemetry, Traffic

PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}


class SimTelemetry(Telemetry):
    """Measures as a router would: a percentile p of n answers is the ceil(p·n/100)-th smallest."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def traffic(
        self, endpoint: str, *, version: str, since: float, thresholds_ms: Sequence[float], skip: int = 0
    ) -> Traffic:
        def read(moment: Moment) -> Traffic:
            there = self._gate.state.endpoint(endpoint)
            known = None if there is None else there.versions.get(version) or there.withdrawn.get(version)
            if known is None:
                raise NotFound(f"endpoint {endpoint} has measured no version {version}")
            samples = sorted(s for s in known.samples if s.at >= since)
            return _summary(version, since, moment.now, samples[max(0, skip) :], thresholds_ms)

        return self._gate.call("telemetry.traffic", f"{endpoint}:{version}", read)


def _summary(
    version: str, since: float, until: float, samples: Sequence[Sample], thresholds_ms: Sequence[float]
) -> Traffic:
    answered = sorted(s.ms for s in samples if s.ok)
    ranks = {name: -(-percent * len(answered) // 100) for name, percent in PERCENTILES.items()}
    return Traffic(
        version=version,
        since=since,
        until=max(since, until),
        requests=len(samples),
        errors=len(samples) - len(answered),
        over={repr(float(limit)): sum(ms > limit for ms in answered) for limit in thresholds_ms},
        quantiles_ms={name: answered[rank - 1] for name, rank in ranks.items()} if answered else {},
    )
