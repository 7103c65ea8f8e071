"""Endpoints of a simulated world: versions get ready in virtual time and answer as the world says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tools import fence
from tools.backends.sim.gate import Gate, Moment
from tools.backends.sim.state import Endpoint, Version, digest_of, owned, resolve, seen
from tools.errors import Conflict, Invalid, NotFound, Transient
from tools.ports import EndpointState, Owned, Promise, Scope, ServeSpec, Serving, Tags

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")


class SimServing(Serving):
    """Endpoints by name; a version is known by the call that deployed it."""

    def __init__(self, gate: Gate) -> None:
        world = gate.state.world
        self._gate = gate
        self._state = gate.state
        self.promise = Promise(atomic=world.atomic, staleness_s=world.staleness_s)

    def deploy(self, *, spec: ServeSpec, tags: Tags) -> EndpointState:
        return self._gate.call("serving.deploy", tags.call, lambda moment: self._deploy(spec, tags, moment))

    def _deploy(self, spec: ServeSpec, tags: Tags, moment: Moment) -> EndpointState:
        state, world = self._state, self._state.world
        if not NAME.fullmatch(spec.endpoint):
            raise Invalid(f"endpoint name {spec.endpoint!r}: use letters, digits, '_', '-' and '.', at most 63")
        endpoint = state.endpoint(spec.endpoint)
        if endpoint is not None and (there := endpoint.versions.get(spec.version)) is not None:
            raise Conflict(f"endpoint {spec.endpoint} has a version {spec.version}, deployed by call {there.call}")
        if self.promise.atomic and self._holding(tags.call) is not None:
            raise Conflict(f"a version deployed by call {tags.call} exists")
        model = resolve(state.objects, spec.model)
        if model is None:
            raise NotFound(f"there is no object {spec.model!r}")
        if endpoint is None:
            endpoint = _new(spec.endpoint, tags, moment.now)
            state.endpoints.append(endpoint)
        endpoint.rollout = fence.deployed(
            endpoint.held(moment.now),
            endpoint=spec.endpoint,
            call=tags.call,
            version=spec.version,
            there=tuple(endpoint.versions),
            until=tags.lease_until,
        )
        state.deploys += 1
        endpoint.versions[spec.version] = Version(
            spec=spec,
            call=tags.call,
            behaviour=world.bad if state.deploys in world.bad_deploys else world.good,
            deployed=moment.now,
            replicas=spec.replicas,
            coming=[moment.now + world.ready_s] * spec.replicas,
            digest=digest_of(model),
            random=state.draw("copies", spec.endpoint, spec.version),
        )
        args = {"spec": spec.model_dump(mode="json"), "tags": tags.model_dump(mode="json")}
        state.called(moment.now, "serving.deploy", token=tags.call, target=f"{spec.endpoint}:{spec.version}", args=args)
        return endpoint.view()

    def split(self, endpoint: str, *, weights: Mapping[str, int], call: str) -> EndpointState:
        def change(moment: Moment) -> EndpointState:
            there = self._known(endpoint)
            _check(there, weights)
            there.rollout = fence.weighed(there.held(moment.now), endpoint=endpoint, call=call, weights=weights)
            before = {name: v.weight for name, v in there.versions.items()}
            after = {name: weights.get(name, 0) for name in there.versions}
            for name, version in there.versions.items():
                version.weight = after[name]
            if there.shadow is not None and after[there.shadow] > 0:
                there.shadow = None
            if before != after:
                args = {"weights": dict(weights)}
                self._state.called(moment.now, "serving.split", token=call, target=endpoint, args=args)
            return there.view()

        return self._gate.call("serving.split", call, change)

    def mirror(self, endpoint: str, *, version: str | None, call: str) -> EndpointState:
        def change(moment: Moment) -> EndpointState:
            there = self._known(endpoint)
            fence.mirrored(there.held(moment.now), endpoint=endpoint, call=call, version=version)
            if version not in (None, there.shadow):
                _check_shadow(_version(there, version))
            if there.shadow != version:
                there.shadow = version
                args = {"version": version}
                self._state.called(moment.now, "serving.mirror", token=call, target=endpoint, args=args)
            return there.view()

        return self._gate.call("serving.mirror", call, change)

    def scale(self, endpoint: str, *, version: str, replicas: int, call: str) -> EndpointState:
        def change(moment: Moment) -> EndpointState:
            there = self._known(endpoint)
            known = _version(there, version)
            _check_replicas(there, known, replicas)
            if known.replicas != replicas or known.state == "failed":
                _resize(known, replicas, ready_at=moment.now + self._state.world.ready_s)
                args = {"replicas": replicas}
                self._state.called(moment.now, "serving.scale", token=call, target=f"{endpoint}:{version}", args=args)
            return there.view()

        return self._gate.call("serving.scale", call, change)

    def withdraw(self, endpoint: str, *, version: str) -> None:
        def end(moment: Moment) -> None:
            there = self._state.endpoint(endpoint)
            if there is not None and version in there.versions:
                there.withdrawn[version] = there.versions.pop(version)
                there.rollout = fence.withdrawn(there.rollout, version=version)
                there.shadow = None if there.shadow == version else there.shadow
                self._state.called(moment.now, "serving.withdraw", target=f"{endpoint}:{version}")

        self._gate.call("serving.withdraw", f"{endpoint}:{version}", end)

    def extend(self, endpoint: str, *, run: str, owner: str, lease_until: float) -> EndpointState:
        def change(moment: Moment) -> EndpointState:
            there = self._known(endpoint)
            if (there.run, there.owner, there.lease_until) != (run, owner, lease_until):
                there.run, there.owner, there.lease_until = run, owner, lease_until
                args = {"run": run, "owner": owner, "lease_until": lease_until}
                self._state.called(moment.now, "serving.extend", target=endpoint, args=args)
            return there.view()

        return self._gate.call("serving.extend", endpoint, change)

    def remove(self, endpoint: str) -> None:
        def end(moment: Moment) -> None:
            there = self._state.endpoint(endpoint)
            if there is not None:
                there.ended = moment.now
                self._state.called(moment.now, "serving.remove", token=there.tags.call, target=endpoint)

        self._gate.call("serving.remove", endpoint, end)

    def state(self, endpoint: str) -> EndpointState:
        return self._gate.call("serving.state", endpoint, lambda _: self._known(endpoint).view())

    def find(self, call: str) -> EndpointState | None:
        def look(moment: Moment) -> EndpointState | None:
            there = self._holding(call, before=moment.horizon)
            return None if there is None else there.view()

        return self._gate.call("serving.find", call, look)

    def owned(self, scope: Scope) -> Sequence[Owned]:
        def look(moment: Moment) -> Sequence[Owned]:
            return [
                owned("endpoint", e.name, _tags(e), started=e.started, detail=", ".join(e.versions))
                for e in self._state.endpoints
                if scope.run in (None, e.run) and seen(e.started, e.ended, moment.horizon)
            ]

        return self._gate.call("serving.owned", scope.run or "", look)

    def spoil(self, endpoint: str, version: str) -> None:
        """The world's own doing: from now on the version answers as a bad one. NotFound."""
        self._gate.settle()
        there = self._known(endpoint).versions.get(version)
        if there is None:
            raise NotFound(f"endpoint {endpoint} has no version {version}")
        there.behaviour = self._state.world.bad
        target = f"{endpoint}:{version}"
        self._state.happened(self._gate.clock.now(), "version.spoilt", token=there.call, target=target)

    def _known(self, name: str) -> Endpoint:
        endpoint = self._state.endpoint(name)
        if endpoint is None:
            raise NotFound(f"there is no endpoint {name!r}")
        return endpoint

    def _holding(self, call: str, *, before: float = float("inf")) -> Endpoint | None:
        """The living endpoint with a version of this call that was deployed by then."""
        for endpoint in self._state.endpoints:
            deployed = (version.deployed for version in endpoint.versions.values() if version.call == call)
            if endpoint.ended is None and any(at <= before for at in deployed):
                return endpoint
        return None


def _new(name: str, tags: Tags, now: float) -> Endpoint:
    return Endpoint(name=name, tags=tags, run=tags.run, owner=tags.owner, lease_until=tags.lease_until, started=now)


def _tags(endpoint: Endpoint) -> Tags:
    """What the endpoint says of itself now: it may have been handed over."""
    return Tags(run=endpoint.run, call=endpoint.tags.call, owner=endpoint.owner, lease_until=endpoint.lease_until)


def _check(endpoint: Endpoint, weights: Mapping[str, int]) -> None:
    faults = [
        f"weights.{name}: endpoint {endpoint.name} has no version {name}"
        for name in weights
        if name not in endpoint.versions
    ]
    faults += [f"weights.{name}: {w} is not within 0..100" for name, w in weights.items() if not 0 <= w <= 100]
    if sum(weights.values()) != 100:
        faults.append(f"weights: they add up to {sum(weights.values())} and not to 100")
    _check_fit([v for name, v in endpoint.versions.items() if weights.get(name, 0) > 0], faults)


def _check_fit(chosen: Sequence[Version], faults: Sequence[str]) -> None:
    """That versions may get requests. Invalid with all that is wrong; Transient when one is not ready yet."""
    wrong = [*faults]
    wrong += [f"version {v.spec.version} has failed and can get no traffic" for v in chosen if v.state == "failed"]
    wrong += [f"version {v.spec.version} is to have no server: scale it first" for v in chosen if v.replicas == 0]
    if wrong:
        raise Invalid(*wrong)
    if waiting := [v.spec.version for v in chosen if v.state == "starting" and v.weight == 0]:
        raise Transient(f"not ready for traffic yet: {', '.join(waiting)}", why="capacity")


def _check_shadow(version: Version) -> None:
    faults = [f"version {version.spec.version} has traffic and can be no shadow"] if version.weight else []
    _check_fit([version], faults)


def _check_replicas(endpoint: Endpoint, version: Version, replicas: int) -> None:
    name = version.spec.version
    if replicas < 0:
        raise Invalid(f"replicas {replicas}: give 0 or more")
    if replicas == 0 and version.weight:
        raise Invalid(f"version {name} has traffic and needs a server: give its traffic to another version first")
    if replicas == 0 and name == endpoint.shadow:
        raise Invalid(f"version {name} is the shadow and needs a server: end the shadowing first")


def _resize(version: Version, replicas: int, *, ready_at: float) -> None:
    """More servers get ready later; those that go have nothing in flight, since answers take no virtual time."""
    if replicas == 0:
        version.state = "ready"
    elif version.state == "failed" or version.replicas == 0:
        version.state = "starting"
    version.replicas = replicas
    version.ready = min(version.ready, replicas)
    version.coming = sorted(version.coming)[: replicas - version.ready]
    version.coming += [ready_at] * (replicas - version.ready - len(version.coming))


def _version(endpoint: Endpoint, name: str | None) -> Version:
    version = None if name is None else endpoint.versions.get(name)
    if version is None:
        raise NotFound(f"endpoint {endpoint.name} has no version {name}: deploy it first")
    return version
