"""What is in a world: jobs, endpoints, machines, objects and the log. Holds it; decides nothing."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from tools.backends.sim.effects import Effect, Event
from tools.backends.sim.faults import Operation
from tools.backends.sim.world import Behaviour, World
from tools.epochs import Epochs
from tools.fence import Rollout
from tools.language import speaking, tr
from tools.ports import EndpointState, Failure, JobSpec, Kind, Machine, Owned, ServeSpec, Tags, VersionState
from tools.recipes.records import PrepareResult
from tools.record import Json

Tree = Mapping[str, bytes]
"""Path inside a folder → content; a file is the single path ``""``."""
Phase = Literal["queued", "running", "succeeded", "failed", "cancelled"]


@dataclass(slots=True, kw_only=True)
class Job:
    id: str
    spec: JobSpec
    tags: Tags
    submitted: float
    starts: float
    ends: float
    """When the program would end by itself."""
    doom: Failure | None = None
    """How it will fail, when a fault was armed."""
    phase: Phase = "queued"
    ended: float | None = None
    result: Json | None = None
    failure: Failure | None = None
    sent: int = 0
    """Requests a `load` has sent so far, and how many had no answer."""
    lost: int = 0
    stalled: bool = False
    """It does not end by itself when its lease lapses."""
    random: random.Random

    @property
    def over(self) -> bool:
        return self.phase not in ("queued", "running")


class Sample(NamedTuple):
    """One request as the router saw it."""

    at: float
    ms: float
    ok: bool
    refused: bool = False
    """With 4xx; then it is not ok either."""


class Comparison(NamedTuple):
    """What became of one copy that a shadow got."""

    at: float
    kind: Literal["agreed", "differed", "unanswered"]
    difference: float | None = None


@dataclass(slots=True, kw_only=True)
class Version:
    spec: ServeSpec
    call: str
    behaviour: Behaviour
    deployed: float
    digest: str
    random: random.Random
    """For the copies it gets: they change nothing of what callers see."""
    replicas: int
    """Servers that are asked for."""
    coming: list[float]
    """When each of those that are not ready yet will be."""
    state: Literal["starting", "ready", "failed"] = "starting"
    ready: int = 0
    """Servers that answer."""
    weight: int = 0
    samples: list[Sample] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)

    def view(self) -> VersionState:
        with speaking(self.spec.language):
            failed = tr("the model could not be loaded")
        return VersionState(
            name=self.spec.version,
            state=self.state,
            weight=self.weight,
            model=self.spec.model,
            digest=self.digest if self.state == "ready" else None,
            replicas=self.replicas,
            ready=self.ready,
            detail=failed if self.state == "failed" else "",
        )


@dataclass(slots=True, kw_only=True)
class Endpoint:
    name: str
    tags: Tags
    run: str
    owner: str
    lease_until: float
    started: float
    ended: float | None = None
    versions: dict[str, Version] = field(default_factory=dict)
    shadow: str | None = None
    withdrawn: dict[str, Version] = field(default_factory=dict)
    """Their measurements are kept."""
    stalled: bool = False
    rollout: Rollout | None = None

    def held(self, now: float) -> Rollout | None:
        """The rollout under way, unless what it was deployed with has lapsed."""
        return self.rollout if self.rollout is not None and now < self.rollout.until else None

    @property
    def url(self) -> str:
        return f"sim://{self.name}"

    def view(self) -> EndpointState:
        return EndpointState(
            name=self.name,
            url=self.url,
            versions=tuple(v.view() for v in self.versions.values()),
            shadow=self.shadow,
            run=self.run,
            owner=self.owner,
            lease_until=self.lease_until,
            started=self.started,
        )


@dataclass(slots=True, kw_only=True)
class Rented:
    """A machine."""

    id: str
    offer: str
    tags: Tags
    started: float
    ready_at: float
    state: Literal["starting", "ready", "released"] = "starting"
    ended: float | None = None
    stalled: bool = False

    def view(self) -> Machine:
        return Machine(id=self.id, offer=self.offer, state=self.state, lease_until=self.tags.lease_until)


@dataclass(slots=True, kw_only=True)
class State:
    """The world as it is; every change of it is in `log`."""

    world: World
    seed: int
    jobs: dict[str, Job] = field(default_factory=dict)
    endpoints: list[Endpoint] = field(default_factory=list)
    """Those that ended as well: a stale list may still show them."""
    machines: dict[str, Rented] = field(default_factory=dict)
    objects: dict[str, Tree] = field(default_factory=dict)
    quality: dict[str, float] = field(default_factory=dict)
    """Digest of a model → how good it is on validation, 0..1."""
    prepared: dict[str, PrepareResult] = field(default_factory=dict)
    """Digest of the training part → what is known of the data."""
    deploys: int = 0
    epochs: Epochs = field(default_factory=Epochs)
    log: list[Effect] = field(default_factory=list)

    def endpoint(self, name: str) -> Endpoint | None:
        """The endpoint of that name that lives."""
        return next((e for e in self.endpoints if e.name == name and e.ended is None), None)

    def draw(self, *about: str) -> random.Random:
        """Random numbers that depend on the seed and on what they are about, not on when they are drawn."""
        return random.Random("/".join((str(self.seed), *about)))

    def called(self, at: float, kind: Operation, *, token: str = "", target: str, args: Json | None = None) -> None:
        """Log a change that a call made."""
        self._log(Effect(sequence=0, at=at, by="call", kind=kind, token=token, target=target, args=args or {}))

    def happened(self, at: float, kind: Event, *, token: str = "", target: str) -> None:
        """Log a change that the world made by itself."""
        self._log(Effect(sequence=0, at=at, by="world", kind=kind, token=token, target=target))

    def _log(self, effect: Effect) -> None:
        self.log.append(effect.model_copy(update={"sequence": len(self.log) + 1}))


def owned(kind: Kind, id_: str, tags: Tags, *, started: float, detail: str) -> Owned:
    """A resource as the sweeper sees it."""
    return Owned(
        kind=kind,
        id=id_,
        run=tags.run,
        call=tags.call,
        owner=tags.owner,
        lease_until=tags.lease_until,
        started=started,
        detail=detail,
    )


def seen(created: float, ended: float | None, horizon: float) -> bool:
    """Whether a list that shows the world as of `horizon` holds a resource."""
    return created <= horizon and (ended is None or ended > horizon)


def digest_of(tree: Tree) -> str:
    """The digest that `tools.digest` gives the same content on a disk."""
    if set(tree) == {""}:
        return hashlib.sha256(tree[""]).hexdigest()
    whole = hashlib.sha256()
    for name, content in sorted(tree.items()):
        whole.update(f"{len(name.encode())}:{name}:{hashlib.sha256(content).hexdigest()}\n".encode())
    return whole.hexdigest()


def resolve(objects: Mapping[str, Tree], key: str) -> Tree | None:
    """The content under a key, which may point into a stored folder, or be a folder of other keys."""
    below = {
        f"{name.removeprefix(key + '/')}/{path}".rstrip("/"): content
        for name, tree in objects.items()
        if name.startswith(key + "/")
        for path, content in tree.items()
    }
    if key in objects or below:
        return {**objects.get(key, {}), **below}
    parts = key.split("/")
    for cut in range(len(parts) - 1, 0, -1):
        tree = objects.get("/".join(parts[:cut]))
        if tree is not None:
            return _inside(tree, "/".join(parts[cut:]))
    return None


def _inside(tree: Tree, path: str) -> Tree | None:
    if path in tree:
        return {"": tree[path]}
    found = {name.removeprefix(path + "/"): content for name, content in tree.items() if name.startswith(path + "/")}
    return found or None
