"""Goals about an endpoint that runs: back to a version, another size, longer, a look at it, its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent import rollout
from agent.brain.rules.planning import serving, strategies
from agent.brain.rules.planning.draft import Draft
from agent.contract import Part
from agent.plan import Range, ref
from agent.survey import servers, wanted_version
from tools.record import Json

LATELY_S = 900.0
"""How far back a diagnosis looks at what callers got."""


def inspect(d: Draft) -> str:
    return d.add("inspect", "inspect_endpoint", {"endpoint": d.endpoint})


def roll_back(d: Draft) -> None:
    """To a version that is still there by its traffic alone; else it is deployed again and takes over."""
    state = serving.there(d)
    to = wanted_version(d.part) or d.survey.previous.get(d.endpoint) or "previous"
    version = to.rpartition(":")[2]
    if state is not None and state.version(version) is None:
        _deploy_again(d, to)
        return
    seen = inspect(d)
    back, model = go_back(d, version, seen)
    if any(c.where == "live" for c in d.part.clauses):
        watch_version(d, back, model, version, since=ref(back, "at"), seen=seen)


def go_back(d: Draft, version: str, seen: str, *, name: str = "roll-back") -> tuple[str, str]:
    """All the traffic to a version that is still there, with as many servers as what it replaces: the step, and the
    version's model."""
    state, before = serving.there(d), serving.incumbent(d)
    args: Json = {"endpoint": d.endpoint, "to": version}
    known = state.version(version) if state is not None else None
    if known is not None and before is not None and known.replicas < before.replicas:
        args |= {
            "replicas": before.replicas,
            "added": before.replicas - known.replicas,
            "for_s": _left_s(d),
        }
    back = d.add(name, "rollback_endpoint", args, seconds=Range(low=0.0, high=8.0), needs=(seen,))
    return back, known.model if known is not None else ""


def _deploy_again(d: Draft, to: str) -> None:
    """`NAME:VERSION` of the registry, in the place of what serves."""
    name, _, version = to.rpartition(":")
    found = d.add("find", "find_model", {"name": name or d.endpoint, "version": version})
    d.facts["registered"] = (found,)
    d.facts["version"] = serving.deploy(d)
    d.facts["traffic"] = strategies.shift(d)
    d.facts["kept"] = serving.keep(d)
    d.facts["withdrawn"] = serving.withdraw(d)


def scale(d: Draft) -> None:
    """To the number that the goal names; with live clauses it is watched, and goes back when they are broken."""
    seen = inspect(d)
    done = resize(d, rollout.replicas(d.part, serving.there(d)), seen)
    if any(c.where == "live" for c in d.part.clauses):
        watch_serving(d, done, seen, since=ref(done, "at"))


def resize(d: Draft, wanted: int, seen: str, *, name: str = "scale") -> str:
    """So many servers of what serves."""
    now = serving.incumbent(d)
    added = max(0, wanted - now.replicas) if now is not None else wanted
    args: Json = {
        "endpoint": d.endpoint,
        "version": now.name if now is not None else None,
        "replicas": wanted,
        "added": added,
        "for_s": _left_s(d) if added else 0.0,
    }
    return d.add(name, "scale_endpoint", args, seconds=Range(low=0.0, high=8.0), needs=(seen,))


def watch_serving(d: Draft, before: str, seen: str, *, since: Json | None) -> None:
    """A watch of what serves, after the step before it."""
    now = serving.incumbent(d)
    model, name = (now.model, now.name) if now is not None else ("", "")
    watch_version(d, before, model, name, since=since, seen=seen)


def _left_s(d: Draft) -> float:
    """How long the endpoint still lives, and what is added to it as long."""
    state = serving.there(d)
    return max(0.0, state.lease_until - d.survey.at) if state is not None else 0.0


def watch(d: Draft) -> None:
    """One check of what serves, with the requests that were registered with its model."""
    seen = inspect(d)
    watch_serving(d, seen, seen, since=None)


def watch_version(d: Draft, before: str, model: str, version: str, *, since: Json | None, seen: str) -> None:
    """Under load, like the last stage of a rollout."""
    name, _, registered = model.removeprefix("models/").rpartition("/")
    found = d.add("find", "find_model", {"name": name or d.endpoint, "version": registered or None})
    stage = rollout.stages(d.part, load_rps=d.terms.load_rps, alone=True)[-1]
    state = serving.there(d)
    args: Json = {
        "endpoint": d.endpoint,
        "url": state.url if state is not None else "",
        "version": version,
        "data": ref(found, "data"),
        "label": ref(found, "label"),
        "since": since if since is not None else ref(seen, "at"),
        "whole": state is None or sum(v.weight > 0 for v in state.versions) <= 1,
        **serving.load(d, stage),
    }
    d.facts["live"] = (serving.monitor(d, "monitor", args, (before, found), serving.watched(d), round_=0),)


def watch_on(d: Draft) -> None:
    """Twice as long from now on; the requests before it count as well."""
    last = next(s for s in reversed(d.steps) if s.tool == "monitor_endpoint")
    round_ = last.round + 1
    args = last.args | {"seconds": 2 * float(last.args["seconds"]), "seed": d.seed(100 + round_)}
    args["stops"] = rollout.stops(d.part, sent=float(args["seconds"]) * float(args["rate_rps"]), stages=1)
    serving.monitor(d, f"monitor-longer{round_}", args, last.needs, serving.watched(d), round_=round_)


def diagnose(d: Draft) -> None:
    """What the endpoint is and what its callers got; nothing is sent and nothing changes."""
    seen = inspect(d)
    d.add("measure", "read_traffic", {"endpoint": d.endpoint, "seconds": LATELY_S}, needs=(seen,))


def clean_up(d: Draft) -> None:
    """End what the goal names, by its id."""
    for number, one in enumerate(d.survey.meant(d.part), start=1):
        d.add(
            f"release-{number}", "release_resource", {"kind": one.kind, "id": one.id}, seconds=Range(low=0.0, high=8.0)
        )


def extend(d: Draft) -> None:
    """Let the endpoint live as long as the goal says, from now on."""
    args: Json = {
        "endpoint": d.endpoint,
        "owner": d.terms.owner,
        "for_s": d.part.rollout.lease_s or d.terms.lease_s,
        "replicas": servers(serving.there(d)),
    }
    d.add("extend", "extend_lease", args, needs=(inspect(d),))


GOALS: Mapping[str, Callable[[Draft], None]] = {
    "rollback": roll_back,
    "scale": scale,
    "watch": watch,
    "diagnose": diagnose,
    "cleanup": clean_up,
}


def goal(part: Part, d: Draft) -> Callable[[Draft], None] | None:
    """What plans a part about something that runs; None for any other part."""
    if rollout.only_longer(part) and serving.there(d) is not None:
        return extend
    return GOALS.get(part.task)
