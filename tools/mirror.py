"""Shadows: a version that gets a copy of every request and answers nobody."""

from __future__ import annotations

from tools.errors import NotFound
from tools.ports import EndpointState
from tools.record import Record
from tools.tool import Done, Effect, Outcome, Site, Tool


class MirrorTraffic(Record):
    """Copy every request to a version too, beside the one that answers; or end that."""

    endpoint: str
    version: str
    incumbent: str | None = None
    """Who answers the callers. None: the version is alone, and there is nothing that could be copied."""
    on: bool = True
    """False: this version gets no copies any more; another that does keeps them."""


class Mirrored(Record):
    endpoint: str
    version: str
    shadow: str | None
    """The version that gets copies now."""
    at: float
    """Epoch seconds from which that holds."""


def _mirrored(state: EndpointState, args: MirrorTraffic, at: float) -> Done:
    made = Mirrored(endpoint=args.endpoint, version=args.version, shadow=state.shadow, at=at)
    return Done(result=made.model_dump(mode="json"))


def _mirror(args: MirrorTraffic, site: Site) -> Done:
    serving = site.backend.serving
    if args.incumbent is None:
        return _mirrored(serving.state(args.endpoint), args, site.now)
    if args.on:
        return _mirrored(serving.mirror(args.endpoint, version=args.version, call=site.tags.call), args, site.now)
    state = serving.state(args.endpoint)
    if state.shadow == args.version:  # another's shadow is not ours to end
        state = serving.mirror(args.endpoint, version=None, call=site.tags.call)
    return _mirrored(state, args, site.now)


def _mirrors(args: MirrorTraffic, site: Site) -> Outcome | None:
    """Whether it holds already: mirroring is an absolute state."""
    try:
        state = site.backend.serving.state(args.endpoint)
    except NotFound:
        return None
    holds = args.incumbent is None or (state.shadow == args.version) is args.on
    return _mirrored(state, args, site.now) if holds else None


mirror_traffic = Tool(
    name="mirror_traffic",
    does="Copy every request to a version whose answers reach no caller, or end that.",
    effect=Effect.CHANGES,
    args=MirrorTraffic,
    result=Mirrored,
    requires=("version",),
    provides=("mirrored",),
    judged=("endpoint", "version", "on"),
    uses="serving",
    undo="rollback_endpoint",
    start=_mirror,
    find=_mirrors,
)
