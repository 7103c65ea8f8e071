"""Latency and errors of a version, exact, from what the router of its endpoint measured."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

from tools.backends.local.serving_client import Control
from tools.errors import Transient
from tools.ports import Telemetry, Traffic

PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}


class LocalTelemetry(Telemetry):
    """Asks the router for its samples and counts here, so that counting never delays a request."""

    def __init__(self, *, runtime: Path) -> None:
        self._runtime = runtime

    def traffic(
        self, endpoint: str, *, version: str, since: float, thresholds_ms: Sequence[float], skip: int = 0
    ) -> Traffic:
        """What was answered at or after `since`, without the first `skip` requests of that span.

        `Traffic.since` is later than asked for when the router no longer keeps samples that old.
        """
        path = f"/versions/{version}/samples?since={since!r}"
        answer = Control(self._runtime, endpoint).ask("GET", path)
        try:
            start, until = float(answer.headers["x-since"]), float(answer.headers["x-until"])
            samples = array("d", answer.body)
        except (KeyError, ValueError) as error:
            raise Transient(f"the router of endpoint {endpoint} gave samples that cannot be read") from error
        return summary(version, start, until, samples[max(0, skip) :], thresholds_ms)


def summary(
    version: str, since: float, until: float, samples: Sequence[float], thresholds_ms: Sequence[float]
) -> Traffic:
    """Exact counts and quantiles of latencies in ms; a negative one is a request that failed.

    A percentile p of n answers is the nearest rank: the ceil(p·n/100)-th smallest.
    """
    answered = sorted(ms for ms in samples if ms >= 0)
    ranks = {name: -(-percent * len(answered) // 100) for name, percent in PERCENTILES.items()}
    return Traffic(
        version=version,
        since=since,
        until=until,
        requests=len(samples),
        errors=len(samples) - len(answered),
        over={repr(float(limit)): sum(ms > limit for ms in answered) for limit in thresholds_ms},
        quantiles_ms={name: answered[rank - 1] for name, rank in ranks.items()} if answered else {},
    )
