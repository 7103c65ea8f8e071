"""Going back: all traffic to a version that was good, its former size, and the end of the other."""

from __future__ import annotations

from pydantic import Field

from tools import served
from tools.errors import Failed, NotFound
from tools.language import tr
from tools.ports import EndpointState
from tools.record import Record
from tools.scale import ScaleEndpoint, sized
from tools.tool import Done, Effect, Outcome, Site, Tool
from tools.traffic import Shifted


class RollbackEndpoint(Record):
    """Give all traffic back to a version that was good, as it was before."""

    endpoint: str
    to: str
    withdraw: str | None = None
    """The version to take away once it has no traffic. One that never had any leaves the weights as they are."""
    replicas: int | None = Field(default=None, ge=1)
    """Bring `to` back to that many servers, where it has another number."""
    added: int | None = Field(default=None, ge=0)
    """How many of them are servers more than the endpoint had: what it costs is theirs."""
    for_s: float = Field(default=0.0, ge=0)
    """How long those may live."""
    asked: float | None = None
    """Epoch seconds at which the call was made; settled then, and not by who plans it."""


def _rollback(args: RollbackEndpoint, site: Site) -> Outcome:
    """Traffic first, then size, then what is to go: nobody waits for a server that is still to start."""
    serving = site.backend.serving
    state = serving.state(args.endpoint)
    if args.withdraw is not None and state.shadow == args.withdraw:
        state = serving.mirror(args.endpoint, version=None, call=site.tags.call)
    leaving = None if args.withdraw is None else state.version(args.withdraw)
    if args.withdraw is None or (leaving is not None and leaving.weight > 0):
        state = serving.split(args.endpoint, weights={args.to: 100}, call=site.tags.call)
    there = state.version(args.to)
    if there is None or there.weight == 0:
        raise _no_traffic(args)
    if args.replicas is not None and there.replicas != args.replicas:
        serving.scale(args.endpoint, version=args.to, replicas=args.replicas, call=site.tags.call)
    if args.withdraw is not None:
        serving.withdraw(args.endpoint, version=args.withdraw)
    served.note(args.endpoint, there, site, asked=args.asked)
    return _back(args, site, args.endpoint)


def _back(args: RollbackEndpoint, site: Site, handle: str) -> Outcome:
    """Done once everything is as before, every server included."""
    try:
        state = site.backend.serving.state(handle)
    except NotFound as error:
        raise Failed(tr("endpoint {endpoint} ended while it was scaled", endpoint=handle), cause="node_lost") from error
    there = state.version(args.to)
    if there is None or there.weight == 0:
        raise _no_traffic(args)
    if args.replicas is not None:
        size = ScaleEndpoint(endpoint=args.endpoint, version=args.to, replicas=args.replicas)
        if not isinstance(waiting := sized(state, size, site), Done):
            return waiting
    weights = {v.name: v.weight for v in state.versions if v.weight > 0}
    made = Shifted(endpoint=args.endpoint, version=args.to, weights=weights, at=site.now)
    return Done(result=made.model_dump(mode="json"))


def _no_traffic(args: RollbackEndpoint) -> Failed:
    return Failed(
        tr(
            "{endpoint} gives {to} no traffic, and that is where it was to go back to",
            endpoint=args.endpoint,
            to=args.to,
        )
    )


def _went_back(args: RollbackEndpoint, site: Site) -> Outcome | None:
    """Read back; what is not so is to be done, unless somebody has decided about the endpoint since."""
    try:
        state = site.backend.serving.state(args.endpoint)
    except NotFound:
        return None
    there, by = state.version(args.to), served.superseded(args.endpoint, site, asked=args.asked)
    if there is not None and _is_back(state, args):
        if by is None:
            served.note(args.endpoint, there, site, asked=args.asked)
        return _back(args, site, args.endpoint)
    if by is not None:
        raise served.overtaken(args.endpoint, by)
    return None


def _is_back(state: EndpointState, args: RollbackEndpoint) -> bool:
    """Traffic, size and versions are as asked for; whether every server answers is another question."""
    there = state.version(args.to)
    if there is None or (args.replicas is not None and there.replicas != args.replicas):
        return False
    if args.withdraw is None:
        return there.weight == 100
    return there.weight > 0 and args.withdraw != state.shadow and state.version(args.withdraw) is None


rollback_endpoint = Tool(
    name="rollback_endpoint",
    does="Give all traffic back to a version that was good, at its former size, and withdraw the other.",
    effect=Effect.CHANGES,
    args=RollbackEndpoint,
    result=Shifted,
    requires=("endpoint",),
    provides=("rolled_back",),
    judged=("endpoint", "to", "withdraw", "replicas", "added", "for_s"),
    uses="serving",
    fix=lambda args, now: {"asked": now},
    start=_rollback,
    follow=_back,
    find=_went_back,
)
