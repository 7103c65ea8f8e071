"""When a watch of a shadow is over: not before its copies were answered, or could not be any more."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from tools import latency
from tools.latency import ANSWER_WITHIN_S
from tools.monitor import Monitored, MonitorEndpoint, Stop, monitor_endpoint
from tools.ports import Agreement, Backend, JobState, Tags, Traffic
from tools.tool import Done, Running, Site

ENDED = 100.0
LOAD = {"sent": 400, "answered": 400, "failed": 0, "seconds": 4.0}


class Router:
    """What a router tells of a shadow that leaves some copies without an answer."""

    def __init__(self, *, waiting: int = 0, refused: int = 0) -> None:
        self.waiting = waiting
        self._samples = [5.0] * (400 - waiting - refused) + [latency.REFUSED] * refused

    def traffic(
        self, endpoint: str, *, version: str, since: float, thresholds_ms: Sequence[float], skip: int = 0
    ) -> Traffic:
        del endpoint, skip
        samples = self._samples if version == "v2" else [5.0] * 400
        return latency.traffic(version, since, ENDED, samples, thresholds_ms)

    def agreement(self, endpoint: str, *, version: str, since: float) -> Agreement:
        del endpoint, since
        return Agreement(version=version, compared=300, agreed=300, unanswered=0, waiting=self.waiting)


class Load:
    """A load job at one phase of its life; whether it was cancelled."""

    def __init__(self, *, over: bool = True) -> None:
        self._over = over
        self.cancelled = False

    def poll(self, job: str) -> JobState:
        if not self._over:
            return JobState(id=job, phase="running")
        return JobState(id=job, phase="succeeded", ended=ENDED, result=LOAD)

    def cancel(self, job: str) -> None:
        self.cancelled = True


def watched(router: Router, *, at: float, load: Load | None = None, **more: object) -> Running | Monitored:
    """What the watch says at that time."""
    fields: dict[str, object] = {"endpoint": "e", "url": "u", "version": "v2", "data": "d", "label": None}
    fields |= {"since": 90.0, "seconds": 4.0, "rate_rps": 100.0, "shadow": True, "beside": "v1"}
    args = MonitorEndpoint.model_validate(fields | more)
    backend = cast(Backend, SimpleNamespace(jobs=load or Load(), telemetry=router))
    tags = Tags(run="r", call="r/m/1", owner="ada", lease_until=1e9)
    assert monitor_endpoint.follow is not None
    outcome = monitor_endpoint.follow(args, Site(backend=backend, tags=tags, limit_s=600.0, now=at), "job")
    if isinstance(outcome, Running):
        return outcome
    assert isinstance(outcome, Done)
    return Monitored.model_validate(outcome.result)


def test_a_shadow_that_hangs_is_waited_for_as_long_as_its_router_does_and_then_it_missed() -> None:
    router = Router(waiting=80)
    assert isinstance(watched(router, at=ENDED + 1.0), Running)
    assert isinstance(watched(router, at=ENDED + ANSWER_WITHIN_S - 0.1), Running)
    late = watched(router, at=ENDED + ANSWER_WITHIN_S)
    assert isinstance(late, Monitored)
    assert late.agreement is not None
    assert late.agreement.waiting == 80


def test_a_shadow_that_has_answered_everything_is_not_waited_for() -> None:
    assert isinstance(watched(Router(), at=ENDED), Monitored)


def test_a_version_that_answers_callers_is_not_waited_for() -> None:
    assert isinstance(watched(Router(waiting=80), at=ENDED, shadow=False), Monitored)


@pytest.mark.parametrize(("refused", "stopped"), [(150, "error_rate"), (3, "")])
def test_requests_that_are_refused_end_a_watch_like_those_that_fail(refused: int, stopped: str) -> None:
    load = Load(over=False)
    stops = (Stop(metric="error_rate", most=((500, 40),)),)
    found = watched(Router(refused=refused), at=95.0, load=load, shadow=False, stops=stops)
    assert (found.stopped if isinstance(found, Monitored) else "") == stopped
    assert load.cancelled == bool(stopped)
    if isinstance(found, Monitored):
        assert (found.load.failed, found.traffic.refused) == (refused, refused)
