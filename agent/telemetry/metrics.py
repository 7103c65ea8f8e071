"""Figures of the agent itself, for Prometheus: counted as lines are stored, read when somebody scrapes.

Every label takes its values from a closed set. A step costs a few microseconds; nothing is computed for a scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from agent.documents import Status
from agent.lines import Consulted, Ended, Intent, Settled, Verdict
from agent.state import Run
from agent.telemetry import names
from agent.telemetry.observer import Activation, WakeCause
from agent.upkeep import Checked, Reacted
from tools.errors import Passing
from tools.record import Record
from tools.tool import Call

MICRO = 1_000_000
SUSPENDED = "suspended"
STATUSES = frozenset({*get_args(Status), SUSPENDED})
_COMMIT = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)
_STEP = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
_AGE = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0)


class Metrics:
    """An observer that counts, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._policies = names.Policies()
        self._of: dict[tuple[object, ...], Callable[[float], None]] = {}

        def counter(name: str, said: str, *labels: str) -> Counter:
            return Counter(f"goalkeeper_{name}", said, labels, registry=registry)

        def histogram(name: str, said: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(f"goalkeeper_{name}", said, labels, buckets=tuple(buckets), registry=registry)

        def gauge(name: str, said: str, *labels: str) -> Gauge:
            return Gauge(f"goalkeeper_{name}", said, labels, registry=registry)

        self._activations = counter("activations_total", "Passes over runs.", "outcome")
        self._steps = counter("steps_total", "Calls that are over.", "tool", "effect", "outcome")
        self._failures = counter("step_failures_total", "Calls that failed.", "cause")
        self._duration = histogram("step_seconds", "From a call's intent to its outcome.", _STEP, "tool")
        self._judged = counter("judged_total", "Calls that the policies judged.", "tool", "ruling")
        self._refused = counter("refused_total", "Refusals by policy.", "policy")
        self._commits = histogram("commit_seconds", "Storing the lines of a round.", _COMMIT)
        self._reserved = counter("reserved_usd_total", "Money reserved for calls, in US dollars.")
        self._settled = counter("settled_usd_total", "Money that calls came to, in US dollars.")
        self._retries = counter("retries_total", "Calls that were made again.", "why")
        self._models = counter("model_calls_total", "Questions to a language model.", "purpose", "outcome")
        self._tokens = counter("model_tokens_total", "Tokens of language models.", "direction")
        self._woken = counter("wakeups_total", "Runs that were looked at.", "cause")
        self._age = histogram("queue_age_seconds", "From when a run was due to when it was looked at.", _AGE)
        self._checks = counter("checks_total", "Checks of what is looked after.", "health")
        self._alarms = counter("alarms_total", "Checks that found something proven wrong.", "cause")
        self._reactions = counter("reactions_total", "What was done about it.", "what", "trigger")
        self._lost = counter("lease_losses_total", "Runs that this process owned and does not any more.")
        self._jumps = counter("clock_jumps_total", "How often the machine's clock was set.")
        self._runs = gauge("runs", "Runs by status.", "status")
        self._suspended = gauge("suspended_runs", "Runs that wait and that nobody drives.")

    @contextmanager
    def activation(self, run: str, *, epoch: int) -> Iterator[Activation]:
        seen = Activation(run=run, epoch=epoch)
        try:
            yield seen
        finally:
            self._add(self._activations, seen.outcome)

    @contextmanager
    def planning(self, run: str) -> Iterator[None]:
        yield

    def committed(self, run: Run, records: Sequence[Record], *, epoch: int, seconds: float) -> None:
        self._commits.observe(seconds)
        for record in records:
            match record:
                case Verdict():
                    self._verdict(record)
                case Intent():
                    self._reserved.inc(run.calls[record.call].verdict.reserve_micro / MICRO)
                case Ended() if record.phase != "running":
                    self._ended(run, record)
                case Settled():
                    self._settled.inc(record.usd_micro / MICRO)
                case Consulted():
                    self._consulted(record)
                case Checked():
                    self._checked(record)
                case Reacted():
                    self._add(self._reactions, record.what, record.trigger)
                case _:
                    pass

    def _verdict(self, record: Verdict) -> None:
        self._add(self._judged, names.tool(record.call.tool), record.ruling)
        for policy in record.policies if record.ruling == "refused" else ():
            self._add(self._refused, self._policies.name(policy))

    def _ended(self, run: Run, record: Ended) -> None:
        state = run.calls[record.call]
        tool = names.tool(state.call.tool)
        self._add(self._steps, tool, names.effect(tool), record.phase)
        if record.cause is not None:
            self._add(self._failures, record.cause)
        if state.started_at is not None and state.ended_at is not None:
            self._observe(self._duration, state.ended_at - state.started_at, tool)
        self._settled.inc(record.settled_micro / MICRO)

    def _checked(self, record: Checked) -> None:
        self._add(self._checks, record.health)
        if record.trouble:
            self._add(self._alarms, record.cause or "unknown")

    def _consulted(self, record: Consulted) -> None:
        self._add(self._models, record.purpose, record.outcome)
        self._tokens.labels("in").inc(record.tokens_in)
        self._tokens.labels("out").inc(record.tokens_out)

    def retried(self, call: Call, why: Passing, wait_s: float) -> None:
        self._add(self._retries, why)

    def woken(self, run: str, cause: WakeCause, *, late_s: float) -> None:
        self._add(self._woken, cause)
        self._age.observe(max(0.0, late_s))

    def lost(self, run: str, *, epoch: int) -> None:
        self._lost.inc()

    def standing(self, counts: Mapping[str, int]) -> None:
        for status in STATUSES:
            self._runs.labels(status).set(counts.get(status, 0))
        self._suspended.set(counts.get(SUSPENDED, 0))

    def jumped(self, seconds: float) -> None:
        self._jumps.inc()

    def _add(self, metric: Counter, *labels: str) -> None:
        key = (metric, *labels)
        if (add := self._of.get(key)) is None:
            add = self._of[key] = metric.labels(*labels).inc
        add(1.0)

    def _observe(self, metric: Histogram, value: float, *labels: str) -> None:
        key = (metric, *labels)
        if (observe := self._of.get(key)) is None:
            observe = self._of[key] = metric.labels(*labels).observe
        observe(value)
