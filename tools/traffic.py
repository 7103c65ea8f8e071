"""Traffic: absolute weights, set and read back; leases; and taking versions or endpoints away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from tools import served
from tools.errors import Failed, NotFound
from tools.judged import View
from tools.language import tr
from tools.ports import EndpointState
from tools.record import Json, Record
from tools.tool import Done, Effect, Outcome, Site, Tool


class ShiftTraffic(Record):
    """The share of traffic a version gets; the rest stays with the incumbent."""

    endpoint: str
    version: str
    percent: int = Field(ge=0, le=100)
    incumbent: str | None = None
    """Who keeps the rest. Without one the version gets everything there is."""


class Shifted(Record):
    endpoint: str
    version: str
    weights: Mapping[str, int]
    at: float
    """Epoch seconds from which the weights hold."""


def _weights(args: ShiftTraffic) -> dict[str, int]:
    if args.incumbent is None or args.incumbent == args.version:
        return {args.version: 100}
    return {args.version: args.percent, args.incumbent: 100 - args.percent}


def _held(state: EndpointState, args: ShiftTraffic, at: float) -> Done:
    weights = {v.name: v.weight for v in state.versions if v.weight > 0}
    wanted = {name: weight for name, weight in _weights(args).items() if weight > 0}
    if weights != wanted:
        raise Failed(
            tr(
                "{endpoint} has weights {weights} after {wanted} was set",
                endpoint=args.endpoint,
                weights=weights,
                wanted=wanted,
            ),
            cause="unknown",
        )
    made = Shifted(endpoint=args.endpoint, version=args.version, weights=weights, at=at)
    return Done(result=made.model_dump(mode="json"))


def _shift(args: ShiftTraffic, site: Site) -> Done:
    named = _weights(args)
    others = [v for v in site.backend.serving.state(args.endpoint).versions if v.weight > 0 and v.name not in named]
    if others:
        raise Failed(
            tr(
                "{endpoint} gives traffic to {others} as well, and it would be lost: "
                "settle first which version serves, by `goalkeeper rollback {endpoint} --to VERSION`",
                endpoint=args.endpoint,
                others=", ".join(f"{v.name} ({v.weight} %)" for v in others),
            )
        )
    state = site.backend.serving.split(args.endpoint, weights=_weights(args), call=site.tags.call)
    return _held(state, args, site.now)


def _read_back(args: ShiftTraffic, site: Site) -> Outcome | None:
    try:
        return _held(site.backend.serving.state(args.endpoint), args, site.now)
    except (Failed, NotFound):
        return None


shift_traffic = Tool(
    name="shift_traffic",
    does="Set the share of traffic a version gets and read it back.",
    effect=Effect.CHANGES,
    args=ShiftTraffic,
    result=Shifted,
    requires=("version",),
    provides=("traffic",),
    judged=("endpoint", "version", "percent"),
    uses="serving",
    undo="rollback_endpoint",
    start=_shift,
    find=_read_back,
)


class ExtendLease(Record):
    """Set until when an endpoint may live, and to whom it belongs."""

    endpoint: str
    owner: str
    for_s: float = Field(gt=0)
    exactly: bool = False
    """True: also when that is sooner than its lease is now. Otherwise a lease is never shortened."""
    replicas: int = Field(default=1, ge=1)
    """How many servers are paid for as long."""
    until: float | None = None
    """Epoch seconds: `for_s` after the call was made. Settled then, so that repeating the call sets the same."""


class Extended(Record):
    endpoint: str
    url: str
    lease_until: float
    version: str | None
    replicas: int = 1
    """How many servers it goes on with."""


def _until(args: ExtendLease, site: Site) -> float:
    return site.now + args.for_s if args.until is None else args.until


def _extend(args: ExtendLease, site: Site) -> Done:
    until = _until(args, site)
    if not args.exactly:
        until = max(until, site.backend.serving.state(args.endpoint).lease_until)
    state = site.backend.serving.extend(args.endpoint, run=site.tags.run, owner=args.owner, lease_until=until)
    _note_left(args, state, site)
    return _extended(args, state)


def _extends(args: ExtendLease, site: Site) -> Outcome | None:
    """Read back; what is not so is to be done, unless somebody has decided about the endpoint since."""
    try:
        state = site.backend.serving.state(args.endpoint)
    except NotFound:
        return None
    by = served.superseded(args.endpoint, site, asked=_asked(args))
    until, ours = _until(args, site), (state.run, state.owner) == (site.tags.run, args.owner)
    if ours and (state.lease_until == until if args.exactly else state.lease_until >= until):
        if by is None:
            _note_left(args, state, site)
        return _extended(args, state)
    if by is not None:
        raise served.overtaken(args.endpoint, by)
    return None


def _asked(args: ExtendLease) -> float | None:
    return None if args.until is None else args.until - args.for_s


def _note_left(args: ExtendLease, state: EndpointState, site: Site) -> None:
    serving = max((v for v in state.versions if v.weight > 0), key=lambda v: v.weight, default=None)
    if serving is not None:
        served.note(args.endpoint, serving, site, asked=_asked(args))


def _extended(args: ExtendLease, state: EndpointState) -> Done:
    serving = max(state.versions, key=lambda v: v.weight, default=None)
    made = Extended(
        endpoint=state.name,
        url=state.url,
        lease_until=state.lease_until,
        version=serving.name if serving is not None else None,
        replicas=max(args.replicas, serving.replicas if serving is not None else 0),
    )
    return Done(result=made.model_dump(mode="json"))


extend_lease = Tool(
    name="extend_lease",
    does="Hand an endpoint over by name, with a lease until when it may live.",
    effect=Effect.CHANGES,
    args=ExtendLease,
    result=Extended,
    requires=("version",),
    provides=("kept",),
    judged=("endpoint", "owner", "for_s", "replicas"),
    uses="serving",
    fix=lambda args, now: {"until": now + float(args.get("for_s", 0.0))},
    start=_extend,
    find=_extends,
)


class WithdrawVersion(Record):
    endpoint: str
    version: str | None
    """None: there was no incumbent, nothing is withdrawn."""


class ReleaseResource(Record):
    kind: Literal["job", "endpoint", "machine"]
    id: str


class Released(Record):
    id: str
    existed: bool


def _withdraw(args: WithdrawVersion, site: Site) -> Done:
    if args.version is not None:
        _refuse_shared(args.endpoint, args.version, site)
        site.backend.serving.withdraw(args.endpoint, version=args.version)
    gone = Released(id=f"{args.endpoint}:{args.version}", existed=args.version is not None)
    return Done(result=gone.model_dump(mode="json"))


def _refuse_shared(endpoint: str, version: str, site: Site) -> None:
    """Failed for a version that shares the traffic with another: its callers would be lost with it."""
    try:
        state = site.backend.serving.state(endpoint)
    except NotFound:
        return  # it went with its endpoint
    there = state.version(version)
    others = [v.name for v in state.versions if v.weight > 0 and v.name != version]
    if there is not None and there.weight > 0 and others:
        raise Failed(
            tr(
                "{endpoint} still gives {version} {weight} % of its traffic: give that to {others} first",
                endpoint=endpoint,
                version=version,
                weight=there.weight,
                others=", ".join(others),
            )
        )


def _release(args: ReleaseResource, site: Site) -> Done:
    backend = site.backend
    end = {"job": backend.jobs.cancel, "endpoint": backend.serving.remove, "machine": backend.compute.release}
    try:
        end[args.kind](args.id)
        existed = True
    except NotFound:
        existed = False
    return Done(result=Released(id=args.id, existed=existed).model_dump(mode="json"))


withdraw_version = Tool(
    name="withdraw_version",
    does="Take the replaced version away once the new one has held.",
    effect=Effect.DESTROYS,
    args=WithdrawVersion,
    result=Released,
    requires=("live",),
    provides=("withdrawn",),
    judged=("endpoint", "version"),
    uses="serving",
    start=_withdraw,
    find=lambda args, site: _withdraw(args, site),
)


def _ended_endpoint(args: Json) -> object:
    """The endpoint that ends, when it is one."""
    return args.get("id") if args.get("kind") == "endpoint" else None


release_resource = Tool(
    name="release_resource",
    does="End a job, an endpoint or a machine.",
    effect=Effect.DESTROYS,
    args=ReleaseResource,
    result=Released,
    provides=("released",),
    judged=("kind", "id", View(name="endpoint", kind="text", reads=("kind", "id"), of=_ended_endpoint)),
    start=_release,
    find=lambda args, site: _release(args, site),
)
