"""Watching a version under real requests: latency and errors as the router measures them.

What breaks a promise beyond doubt ends the watch at once; what is beyond doubt stands in the call itself.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tools import jobs
from tools.errors import Failed, NotFound
from tools.language import tr
from tools.latency import ANSWER_WITHIN_S
from tools.ports import Agreement, JobState, Traffic
from tools.recipes.records import LoadArgs, LoadResult
from tools.record import Record
from tools.tool import Effect, Outcome, Running, Site, Tool

WARM_UP = 20
"""Requests dropped from the start of a watch: caches fill, connections open."""


class Stop(Record):
    """When to end the watch: so many requests missed what they must not."""

    metric: str
    threshold_ms: float | None = None
    """Answers slower than this count; None: errors do."""
    most: tuple[tuple[int, int], ...]
    """(requests, misses) rising: that many misses among at most so many requests are too many."""


class MonitorEndpoint(Record):
    endpoint: str
    url: str
    version: str
    data: str
    """Object key of the prepared data: requests are drawn from its validation part."""
    label: str | None
    since: float
    """Epoch seconds from which the weights held."""
    seconds: float = Field(gt=0)
    rate_rps: float = Field(gt=0)
    thresholds_ms: tuple[float, ...] = ()
    whole: bool = False
    """The version gets all the traffic: whatever the load saw fail was this version's answer."""
    shadow: bool = False
    """The version gets copies: how its answers compare with those that callers got is measured too."""
    beside: str | None = None
    """The version that is measured over the same time, to compare with."""
    compared: tuple[Literal["p50", "p95", "p99"], ...] = ()
    """The quantiles that are compared with the other's."""
    stops: tuple[Stop, ...] = ()
    seed: int = 0


class Monitored(Record):
    traffic: Traffic
    load: LoadResult
    whole: bool = False
    beside: Traffic | None = None
    """The other version over the same time; None when there was none."""
    agreement: Agreement | None = None
    stopped: str = ""
    """The metric that ended the watch early."""


def _start(args: MonitorEndpoint, site: Site) -> Running:
    load = LoadArgs(
        url=args.url,
        model=args.endpoint,
        label=args.label,
        rate_rps=args.rate_rps,
        seconds=args.seconds,
        seed=args.seed,
    )
    return jobs.start(jobs.recipe("load", load, site=site, mounts={"data": args.data}), site)


def _follow(args: MonitorEndpoint, site: Site, handle: str) -> Outcome:
    """The measurement once the load is over and a shadow has answered its copies, or as soon as a stop is reached;
    then the load is ended."""

    def measured(load: LoadResult, state: JobState) -> Monitored:
        del state
        return _measured(args, site, load)

    if args.stops and (stop := _reached(args, site, handle)) is not None:
        seen = _measured(args, site, None).model_copy(update={"stopped": stop.metric})
        jobs.stop(args, site, handle)
        return jobs.done(seen)
    if args.shadow and _copies_are_due(args, site, handle):
        return Running(handle=handle)
    return jobs.follow(site, handle, LoadResult, measured)


def _copies_are_due(args: MonitorEndpoint, site: Site, handle: str) -> bool:
    """Whether the load is over and its last copies may still be answered: what hangs must not go unseen."""
    try:
        state = site.backend.jobs.poll(handle)
        if state.phase != "succeeded" or site.now >= (state.ended or args.since + args.seconds) + ANSWER_WITHIN_S:
            return False
        return _agreement(args, site).waiting > 0
    except NotFound:
        return False  # following says what is gone


def _reached(args: MonitorEndpoint, site: Site, handle: str) -> Stop | None:
    """The first stop that is reached while the load goes on, or was when it was ended for that."""
    try:
        phase = site.backend.jobs.poll(handle).phase
    except NotFound:
        return None
    if phase not in ("running", "cancelled"):
        return None
    try:
        traffic = _traffic(args, site, args.version, _thresholds(args))
    except NotFound:
        return None  # the version is gone: what became of the load tells
    return next((s for s in args.stops if _too_many(s, traffic)), None)


def _too_many(stop: Stop, traffic: Traffic) -> bool:
    """A bound for more requests than were seen holds for those that were: misses only add up."""
    if stop.threshold_ms is None:
        misses, seen = traffic.errors + traffic.refused, traffic.requests + traffic.refused
    else:
        misses, seen = traffic.over.get(repr(stop.threshold_ms), 0), traffic.requests - traffic.errors
    return any(misses >= most for n, most in stop.most if n >= seen > 0)


def _thresholds(args: MonitorEndpoint) -> tuple[float, ...]:
    stops = (s.threshold_ms for s in args.stops if s.threshold_ms is not None)
    return tuple(dict.fromkeys((*args.thresholds_ms, *stops)))


def _traffic(args: MonitorEndpoint, site: Site, version: str, thresholds: tuple[float, ...]) -> Traffic:
    telemetry = site.backend.telemetry
    return telemetry.traffic(args.endpoint, version=version, since=args.since, thresholds_ms=thresholds, skip=WARM_UP)


def _measured(args: MonitorEndpoint, site: Site, load: LoadResult | None) -> Monitored:
    """What the router saw. Without the load's own count, the router's stands for it."""
    beside = None
    if args.beside is not None and args.beside != args.version:
        beside = _comparable(args, _traffic(args, site, args.beside, ()))
    agreement = _agreement(args, site) if args.shadow else None
    traffic = _comparable(args, _traffic(args, site, args.version, _thresholds(args)))
    if load is None:
        failed = traffic.errors + traffic.refused
        answered = traffic.requests - traffic.errors
        seconds = max(0.0, site.now - args.since)
        load = LoadResult(sent=answered + failed, answered=answered, failed=failed, seconds=seconds)
    return Monitored(traffic=traffic, load=load, whole=args.whole, beside=beside, agreement=agreement)


def _comparable(args: MonitorEndpoint, traffic: Traffic) -> Traffic:
    """Without the ranks of quantiles that nothing is compared with."""
    kept = {name: ranks for name, ranks in traffic.ranks_ms.items() if name in args.compared}
    return traffic.model_copy(update={"ranks_ms": kept})


def _agreement(args: MonitorEndpoint, site: Site) -> Agreement:
    return site.backend.telemetry.agreement(args.endpoint, version=args.version, since=args.since)


monitor_endpoint = Tool(
    name="monitor_endpoint",
    does="Send real requests drawn from the validation features and measure latency and errors at the router.",
    effect=Effect.CREATES,
    args=MonitorEndpoint,
    result=Monitored,
    requires=("traffic", "data"),
    provides=("live",),
    judged=("endpoint", "version", "data", "rate_rps", "seconds"),
    uses="jobs",
    start=_start,
    follow=_follow,
    find=jobs.find,
    stop=jobs.stop,
)


class ReadTraffic(Record):
    """What callers got lately; nothing is sent."""

    endpoint: str
    seconds: float = Field(default=3600.0, gt=0)
    since: float | None = None
    """Instead: epoch seconds by the clock of what measures, where the window before ended."""
    thresholds_ms: tuple[float, ...] = ()
    """Answers slower than these are counted."""


class Reading(Record):
    """What the router measured of every version behind an endpoint."""

    at: float
    seconds: float
    versions: tuple[Traffic, ...]


def _read(args: ReadTraffic, site: Site) -> Outcome:
    telemetry = site.backend.telemetry
    since = site.now - args.seconds if args.since is None else args.since
    try:
        state = site.backend.serving.state(args.endpoint)
    except NotFound as error:
        raise Failed(tr("there is no endpoint {endpoint}", endpoint=args.endpoint), cause="data_missing") from error
    seen = []
    for version in state.versions:
        try:
            read = telemetry.traffic(args.endpoint, version=version.name, since=since, thresholds_ms=args.thresholds_ms)
            seen.append(read.model_copy(update={"ranks_ms": {}}))
        except NotFound:
            continue  # it went between the two looks
    return jobs.done(Reading(at=site.now, seconds=args.seconds, versions=tuple(seen)))


read_traffic = Tool(
    name="read_traffic",
    does="Say what the router measured of an endpoint's own traffic lately; send nothing.",
    effect=Effect.READS,
    args=ReadTraffic,
    result=Reading,
    requires=("endpoint",),
    provides=("measured",),
    judged=("endpoint",),
    uses="telemetry",
    start=_read,
)
