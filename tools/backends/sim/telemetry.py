"""Latency, errors and agreement of a version, counted from what its endpoint's requests left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from tools import latency
from tools.backends.sim.callers import inputs
from tools.backends.sim.gate import Gate, Moment
from tools.backends.sim.state import Version
from tools.errors import NotFound
from tools.inputs import Inputs
from tools.ports import Agreement, Telemetry, Traffic


class SimTelemetry(Telemetry):
    """Measures as a router would."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def traffic(
        self, endpoint: str, *, version: str, since: float, thresholds_ms: Sequence[float], skip: int = 0
    ) -> Traffic:
        def read(moment: Moment) -> Traffic:
            samples = sorted(s for s in self._known(endpoint, version).samples if s.at >= since)
            until = max(since, moment.now)
            counted = [s.ms if s.ok else latency.REFUSED if s.refused else -1.0 for s in samples[max(0, skip) :]]
            return latency.traffic(version, since, until, counted, thresholds_ms)

        return self._gate.call("telemetry.traffic", f"{endpoint}:{version}", read)

    def agreement(self, endpoint: str, *, version: str, since: float) -> Agreement:
        def read(moment: Moment) -> Agreement:
            del moment
            made = [c for c in self._known(endpoint, version).comparisons if c.at >= since]
            counts = Counter(c.kind for c in made)
            apart = [c.difference for c in made if c.difference is not None]
            return Agreement(
                version=version,
                compared=counts["agreed"] + counts["differed"],
                agreed=counts["agreed"],
                unanswered=counts["unanswered"],
                difference=fmean(apart) if apart else None,
            )

        return self._gate.call("telemetry.agreement", f"{endpoint}:{version}", read)

    def inputs(self, endpoint: str, *, version: str, since: float, until: float | None = None) -> Inputs:
        def read(moment: Moment) -> Inputs:
            ends = moment.now if until is None else min(until, moment.now)
            known = self._known(endpoint, version)
            return inputs(self._gate.state, endpoint, known, start=self._gate.clock.start, since=since, until=ends)

        return self._gate.call("telemetry.inputs", f"{endpoint}:{version}", read)

    def _known(self, endpoint: str, version: str) -> Version:
        there = self._gate.state.endpoint(endpoint)
        known = None if there is None else there.versions.get(version) or there.withdrawn.get(version)
        if known is None:
            raise NotFound(f"endpoint {endpoint} has measured no version {version}")
        return known
