"""The gate in front of every backend: nothing passes that was not approved, exactly as approved.

It alone opens backends. It recomputes the digest of tool and arguments and compares it with the
journalled verdict before any effect; reads that no verdict covers are limited to tools that read.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ValidationError

from tools.catalogue import BY_NAME
from tools.errors import Invalid, Refused, superseded
from tools.held import held
from tools.ports import Backend, Promise, Tags
from tools.record import Json, Record
from tools.sweep import ALL, Ending, Finding, Whose, here, sweep
from tools.tool import Call, Done, Effect, Outcome, Site, Tool

READ_LIMIT_S = 20.0
GRACE_S = 60.0
"""How much longer than its hard limit a created resource's own lease is."""


class Place(Record):
    """Where the backend lives."""

    name: str
    home: str
    runtime: str
    usd_micro_per_hour: int | None = 0
    world: str = "steady"
    socket: str | None = None
    """For `sim`: the socket of a world that is a process of its own."""
    seed: int = 0
    latency_s: float = 0.0
    """For `sim` behind a socket: how long each call is on its way, in real seconds."""
    start: float | None = None
    """For `sim`: epoch seconds at which its time begins; None is the world's own."""


def open_backend(place: Place) -> Backend:
    """The backend of that name. Its module is imported here and nowhere else."""
    match place.name:
        case "local":
            from tools.backends.local.backend import LocalBackend

            return LocalBackend(
                home=Path(place.home), runtime=Path(place.runtime), usd_micro_per_hour=place.usd_micro_per_hour
            )
        case "sim" if place.socket is not None:
            from tools.backends.sim.client import SimClient

            return SimClient(place.socket, latency_s=place.latency_s)
        case "sim":
            from tools.backends.sim.backend import SimBackend
            from tools.backends.sim.clock import START, VirtualClock
            from tools.backends.sim.world import load_world

            clock = VirtualClock(START if place.start is None else place.start)
            return SimBackend(load_world(place.world), seed=place.seed, clock=clock)
        case _:
            raise Invalid(f"there is no backend {place.name!r}: choose local or sim")


class Ticking(Protocol):
    """The time of a backend that has one of its own."""

    @property
    def passes(self) -> bool:
        """By itself; else only while somebody waits."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


def clock_of(backend: Backend) -> Ticking | None:
    """The clock that a simulated backend's world runs by; None where time is real."""
    clock: Ticking | None = getattr(backend, "clock", None)
    return clock


def sweep_place(
    place: Place, *, release: bool, now: float, whose: Whose = ALL, ending: Ending = lambda _: None
) -> tuple[Finding, ...]:
    """What runs own where that backend lives, and with `release`, the end of what nobody needs.

    `now` is the backend's time; what runs on this machine goes by its own clock.
    """
    if place.name != "local":
        return sweep(open_backend(place), now=now, release=release, whose=whose, ending=ending)
    return here(Path(place.runtime), freeing=release, whose=whose, ending=ending)


class Dispatcher:
    """Performs approved calls, and nothing else."""

    def __init__(
        self,
        backend: Backend,
        *,
        approved: Callable[[str], str | None],
        now: Callable[[], float],
        epoch: int | None = None,
        current: Callable[[], bool] = lambda: True,
    ) -> None:
        """`approved` gives the digest that the journal holds for an approved call id, or None.

        `epoch` is the owner's of the run whose calls come here, which the backend refuses once it has heard of a higher
        one; None where nobody owns one. `current` is asked before every single change: whether it still is the owner's.
        """
        self._backend = backend
        self._approved = approved
        self._now = now
        self._epoch = epoch
        self._current = current
        self._held: dict[str, Backend] = {}

    def start(self, call: Call) -> Outcome:
        """Perform the call. Refused when the journal does not hold a verdict for exactly these arguments."""
        tool = self._admit(call)
        return tool.start(_parse(tool, call.args), self._site(call))

    def follow(self, call: Call, handle: str) -> Outcome:
        """Look at running work; the call itself was admitted when it started."""
        tool = _tool(call.tool)
        if tool.follow is None:
            raise Invalid(f"{call.tool} has no running work")
        return tool.follow(_parse(tool, call.args), self._site(call), handle)

    def find(self, call: Call) -> Outcome | None:
        """What the backend knows of this call, after an unknown outcome."""
        tool = self._admit(call)
        return None if tool.find is None else tool.find(_parse(tool, call.args), self._site(call))

    def staleness_s(self, call: Call) -> float:
        """How long the backend's lists may lie about what this call made."""
        promise = self._promise(call)
        return 0.0 if promise is None or promise.atomic else promise.staleness_s

    def ending_s(self, call: Call) -> float:
        """How long what this call made may go on once it was told to end."""
        promise = self._promise(call)
        return 0.0 if promise is None else promise.ends_within_s

    def _promise(self, call: Call) -> Promise | None:
        backend = self._backend
        promises = {
            "jobs": backend.jobs.promise,
            "serving": backend.serving.promise,
            "machines": backend.compute.promise,
        }
        return promises.get(_tool(call.tool).uses or "")

    def stop(self, call: Call, handle: str) -> None:
        """End running work; idempotent. Refused for a call that was not approved."""
        tool = self._admit(call)
        if tool.stop is not None:
            tool.stop(_parse(tool, call.args), self._site(call), handle)

    def read(self, name: str, args: Json) -> Json:
        """A read-only call that needs no verdict: it has no effect to approve."""
        tool = _tool(name)
        if tool.effect is not Effect.READS:
            raise Refused(f"{name} {tool.effect.value}: only a tool that reads may be called without a verdict")
        tags = Tags(run="", call="", owner="", lease_until=self._now())
        site = Site(backend=self._backend, tags=tags, limit_s=READ_LIMIT_S, now=self._now())
        outcome = tool.start(_parse(tool, args), site)
        if not isinstance(outcome, Done):
            raise Invalid(f"{name} did not answer at once")
        return outcome.result

    def _admit(self, call: Call) -> Tool:
        tool = _tool(call.tool)
        if not call.sealed or self._approved(call.id) != call.digest:
            raise Refused(f"call {call.id} of {call.tool} was not approved with these arguments")
        return tool

    def _site(self, call: Call) -> Site:
        now = self._now()
        tags = Tags(run=call.run, call=call.id, owner=call.owner, lease_until=now + call.limit_s + GRACE_S)
        return Site(backend=self._in_hand(call.run), tags=tags, limit_s=call.limit_s, now=now)

    def _in_hand(self, run: str) -> Backend:
        """The backend for calls of that run. Superseded when the run has another owner by now."""

        def ask() -> None:
            if not self._current():
                raise superseded(run)

        if run not in self._held:
            fenced = self._backend if self._epoch is None else self._backend.fenced(run=run, epoch=self._epoch)
            self._held[run] = held(fenced, ask)
        return self._held[run]


def _tool(name: str) -> Tool:
    tool = BY_NAME.get(name)
    if tool is None:
        raise Invalid(f"there is no tool {name!r}")
    return tool


def _parse(tool: Tool, args: Json) -> BaseModel:
    try:
        return tool.args.model_validate(args)
    except ValidationError as error:
        faults = [f"{tool.name}.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise Invalid(*faults) from error
