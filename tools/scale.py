"""The number of servers of a version: absolute, and done when they answer."""

from __future__ import annotations

from pydantic import Field

from tools.errors import Failed, NotFound
from tools.language import tr
from tools.ports import EndpointState, Progress
from tools.record import Record
from tools.tool import Done, Effect, Outcome, Running, Site, Tool


class ScaleEndpoint(Record):
    """So many servers of one version."""

    endpoint: str
    version: str | None
    """None: there was no such version, nothing is scaled."""
    replicas: int = Field(ge=0)
    added: int = Field(default=0, ge=0)
    """How many servers more than before: what it costs is theirs."""
    for_s: float = Field(default=0.0, ge=0)
    """How long they may live."""
    fewest: bool = False
    """At least that many: a version that has more keeps them."""


class Scaled(Record):
    endpoint: str
    url: str
    version: str | None
    replicas: int
    ready: int
    at: float
    """Epoch seconds at which they were all ready."""


def sized(state: EndpointState, args: ScaleEndpoint, site: Site) -> Outcome:
    """Done once every server answers. Failed when the version is gone or a server of it cannot start."""
    version = None if args.version is None else state.version(args.version)
    if args.version is not None and version is None:
        raise Failed(
            tr("version {version} is no longer behind {endpoint}", version=args.version, endpoint=args.endpoint)
        )
    if version is not None and version.state == "failed":
        raise Failed(
            tr("a server of {version} did not become ready: {detail}", version=version.name, detail=version.detail),
            cause="user_code_error",
        )
    if version is not None and version.ready < args.replicas:
        told = tr(
            "{ready} of {replicas} servers of {version} are ready",
            ready=version.ready,
            replicas=args.replicas,
            version=version.name,
        )
        return Running(handle=args.endpoint, progress=Progress(at=site.now, message=told))
    ready = 0 if version is None else version.ready
    replicas = 0 if version is None else version.replicas
    made = Scaled(endpoint=state.name, url=state.url, version=args.version, replicas=replicas, ready=ready, at=site.now)
    return Done(result=made.model_dump(mode="json"))


def _scale(args: ScaleEndpoint, site: Site) -> Outcome:
    serving = site.backend.serving
    if args.version is None:
        return sized(serving.state(args.endpoint), args, site)
    if args.fewest and _asked_for(state := serving.state(args.endpoint), args):
        return sized(state, args, site)
    state = serving.scale(args.endpoint, version=args.version, replicas=args.replicas, call=site.tags.call)
    return sized(state, args, site)


def _resized(args: ScaleEndpoint, site: Site, handle: str) -> Outcome:
    try:
        return sized(site.backend.serving.state(handle), args, site)
    except NotFound as error:
        raise Failed(tr("endpoint {endpoint} ended while it was scaled", endpoint=handle), cause="node_lost") from error


def _scales(args: ScaleEndpoint, site: Site) -> Outcome | None:
    """The number of servers is an absolute state: what is asked for already is followed."""
    try:
        state = site.backend.serving.state(args.endpoint)
    except NotFound:
        return None
    return sized(state, args, site) if _asked_for(state, args) else None


def _asked_for(state: EndpointState, args: ScaleEndpoint) -> bool:
    """So many servers are asked for already, whether they answer or not."""
    if args.version is None:
        return True
    version = state.version(args.version)
    if version is None:
        return False
    return version.replicas == args.replicas or (args.fewest and version.replicas > args.replicas)


scale_endpoint = Tool(
    name="scale_endpoint",
    does="Set the number of servers of a version and wait until they answer.",
    effect=Effect.CHANGES,
    args=ScaleEndpoint,
    result=Scaled,
    requires=("endpoint",),
    provides=("scaled",),
    judged=("endpoint", "version", "replicas", "added", "for_s"),
    uses="serving",
    undo="rollback_endpoint",
    start=_scale,
    follow=_resized,
    find=_scales,
)
