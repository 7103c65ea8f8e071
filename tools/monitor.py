"""Watching a version under real requests: latency and errors as the router measures them."""

from __future__ import annotations

from pydantic import Field

from tools import jobs
from tools.ports import JobState, Traffic
from tools.recipes.records import LoadArgs, LoadResult
from tools.record import Record
from tools.tool import Effect, Outcome, Running, Site, Tool

WARM_UP = 20
"""Requests dropped from the start of a watch: caches fill, connections open."""


class MonitorEndpoint(Record):
    endpoint: str
    url: str
    version: str
    data: str
    """Object key of the prepared data: requests are drawn from its validation part."""
    label: str
    since: float
    """Epoch seconds from which the weights held."""
    seconds: float = Field(gt=0)
    rate_rps: float = Field(gt=0)
    thresholds_ms: tuple[float, ...] = ()
    whole: bool = False
    """The version gets all the traffic: whatever the load saw fail was this version's answer."""
    seed: int = 0


class Monitored(Record):
    traffic: Traffic
    load: LoadResult
    whole: bool = False


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
    def measured(load: LoadResult, state: JobState) -> Monitored:
        del state
        traffic = site.backend.telemetry.traffic(
            args.endpoint, version=args.version, since=args.since, thresholds_ms=args.thresholds_ms, skip=WARM_UP
        )
        return Monitored(traffic=traffic, load=load, whole=args.whole)

    return jobs.follow(site, handle, LoadResult, measured)


monitor_endpoint = Tool(
    name="monitor_endpoint",
    does="Send real requests drawn from the validation features and measure latency and errors at the router.",
    effect=Effect.CREATES,
    args=MonitorEndpoint,
    result=Monitored,
    requires=("traffic", "data"),
    provides=("live",),
    judged=("endpoint", "rate_rps", "seconds"),
    uses="jobs",
    start=_start,
    follow=_follow,
    find=jobs.find,
    stop=jobs.stop,
)
