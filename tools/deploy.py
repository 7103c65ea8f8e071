"""Deployment: a version behind an endpoint, ready before it gets traffic, under a lease."""

from __future__ import annotations

from pydantic import Field

from tools.errors import Conflict, Failed, NotFound, Unknown
from tools.language import language, tr
from tools.ports import EndpointState, Progress, ServeSpec
from tools.record import Record
from tools.register import NAME
from tools.tool import Done, Effect, Outcome, Running, Site, Tool


class DeployModel(Record):
    endpoint: str = Field(pattern=f"^{NAME}$")
    version: str
    model: str
    """Object key of the model folder."""
    digest: str = ""
    """What the server must report to serve; empty when it is not known."""
    replicas: int = Field(default=1, ge=1)
    lease_s: float = Field(gt=0)
    """How long the endpoint may live if nobody hands it over: the rollout's own length."""


class Deployed(Record):
    endpoint: str
    url: str
    version: str
    digest: str
    """What the server itself reports to serve."""
    incumbent: str | None
    """The version that had the traffic before."""


def _start(args: DeployModel, site: Site) -> Running:
    spec = ServeSpec(
        endpoint=args.endpoint,
        version=args.version,
        model=args.model,
        replicas=args.replicas,
        language=language(),
    )
    tags = site.tags.model_copy(update={"lease_until": site.now + args.lease_s})
    try:
        made = site.backend.serving.deploy(spec=spec, tags=tags)
        if made.lease_until < tags.lease_until:  # it was there before: it must live as long as the rollout
            site.backend.serving.extend(args.endpoint, run=made.run, owner=made.owner, lease_until=tags.lease_until)
    except Conflict:
        state = site.backend.serving.find(site.tags.call)
        if state is None:
            _same_version(args, site)
    return Running(handle=args.endpoint)


def _same_version(args: DeployModel, site: Site) -> None:
    """A version is its content: the same one deployed earlier is adopted, another one is a conflict."""
    try:
        there = site.backend.serving.state(args.endpoint).version(args.version)
    except NotFound as error:
        raise Unknown(tr("endpoint {endpoint} refused the version and is not there", endpoint=args.endpoint)) from error
    if there is None or (args.digest and there.digest not in (None, args.digest)):
        raise Failed(
            tr(
                "endpoint {endpoint} already serves another model as {version}",
                endpoint=args.endpoint,
                version=args.version,
            ),
            cause="unknown",
        )


def _incumbent(state: EndpointState, version: str) -> str | None:
    others = [v for v in state.versions if v.name != version and v.weight > 0]
    return max(others, key=lambda v: v.weight).name if others else None


def _follow(args: DeployModel, site: Site, handle: str) -> Outcome:
    try:
        state = site.backend.serving.state(handle)
    except NotFound as error:
        raise Failed(
            tr("endpoint {endpoint} ended before version {version} was ready", endpoint=handle, version=args.version),
            cause="node_lost",
        ) from error
    version = state.version(args.version)
    if version is None:
        raise Failed(
            tr("version {version} is no longer behind {endpoint}", version=args.version, endpoint=handle),
            cause="unknown",
        )
    if version.state == "starting":
        return Running(handle=handle, progress=Progress(at=site.now, message=tr("loading the model")))
    if version.state == "failed":
        raise Failed(
            tr("version {version} did not become ready: {detail}", version=args.version, detail=version.detail),
            cause="user_code_error",
        )
    if args.digest and version.digest != args.digest:
        raise Failed(
            tr("{endpoint} serves {digest}, not the model that was evaluated", endpoint=handle, digest=version.digest),
            cause="data_invalid",
        )
    made = Deployed(
        endpoint=state.name,
        url=state.url,
        version=args.version,
        digest=version.digest or "",
        incumbent=_incumbent(state, args.version),
    )
    return Done(result=made.model_dump(mode="json"))


def _find(args: DeployModel, site: Site) -> Outcome | None:
    return None if site.backend.serving.find(site.tags.call) is None else Running(handle=args.endpoint)


deploy_model = Tool(
    name="deploy_model",
    does="Start a version behind an endpoint without traffic and wait until the model itself is ready.",
    effect=Effect.CREATES,
    args=DeployModel,
    result=Deployed,
    requires=("registered",),
    provides=("version",),
    judged=("endpoint", "version", "model", "replicas", "lease_s"),
    uses="serving",
    undo="release_resource",
    start=_start,
    follow=_follow,
    find=_find,
)


class InspectEndpoint(Record):
    endpoint: str = Field(pattern=f"^{NAME}$")


class Inspected(Record):
    """An endpoint that is there, or the fact that it is not."""

    state: EndpointState | None
    at: float = 0.0
    """Epoch seconds of the look."""


def _inspect(args: InspectEndpoint, site: Site) -> Done:
    try:
        state: EndpointState | None = site.backend.serving.state(args.endpoint)
    except NotFound:
        state = None
    return Done(result=Inspected(state=state, at=site.now).model_dump(mode="json"))


inspect_endpoint = Tool(
    name="inspect_endpoint",
    does="Look at an endpoint: its versions, weights, owner and lease.",
    effect=Effect.READS,
    args=InspectEndpoint,
    result=Inspected,
    provides=("endpoint",),
    judged=("endpoint",),
    uses="serving",
    start=_inspect,
)
