"""How a version gets its traffic: at once, share by share, server by server, or first as a shadow.

Every change is followed by a watch, and nothing follows a watch before it has been judged.
"""

from __future__ import annotations

import math
from itertools import pairwise

from agent import rollout
from agent.brain.rules.planning.draft import Draft, nth
from agent.brain.rules.planning.serving import incumbent, lease_s, servers, there, watch, watched
from agent.plan import Range, ref
from agent.rollout import Stage
from tools.record import Json


def shift(d: Draft) -> tuple[str, ...]:
    """The changes of traffic and their watches. The last watch is the fact `live`."""
    deployed = d.of("version")
    if rollout.stays(d.part, d.survey):
        return _watch_as_it_is(d)
    match rollout.way(d.part, there(d)):
        case "shadow":
            stage = rollout.shadow(d.part, load_rps=d.terms.load_rps)
            mirrored = _mirror(d, "mirror", on=True, needs=(deployed,))
            return promote(d, _shadowed(d, stage, mirrored, round_=0))
        case "rolling":
            return _replace(d)
        case _:
            return _split(d, _stages(d), deployed)


def _watch_as_it_is(d: Draft) -> tuple[str, ...]:
    """Its size, where the goal names another; then one watch of all its traffic."""
    deployed, now, wanted = d.of("version"), incumbent(d), d.part.rollout.replicas
    before = deployed
    if now is not None and wanted is not None and wanted != now.replicas:
        before = _scale(d, f"size-{wanted}", "version", wanted, deployed, added=max(0, wanted - now.replicas))
    return _split(d, rollout.stages(d.part, load_rps=d.terms.load_rps, alone=True)[-1:], before)


def _stages(d: Draft) -> tuple[Stage, ...]:
    return rollout.stages(d.part, load_rps=d.terms.load_rps, alone=incumbent(d) is None)


def _split(d: Draft, stages: tuple[Stage, ...], before: str) -> tuple[str, ...]:
    """Every stage: shift, watch, and only then the next."""
    shifts = []
    compared = rollout.relative(d.part)
    for index, stage in enumerate(stages):
        shifts.append(_shift(d, stage.percent, before))
        last, beside = index == len(stages) - 1, bool(compared) and index == len(stages) - 2
        measures = watched(d) if last else tuple(compared) if beside else ()
        before = watch(d, stage, shifts[-1], measures, beside=beside)
    d.facts["live"] = (before,)
    return tuple(shifts)


def _shift(d: Draft, percent: int, before: str) -> str:
    deployed = d.of("version")
    args: Json = {
        "endpoint": d.endpoint,
        "version": ref(deployed, "version"),
        "percent": percent,
        "incumbent": ref(deployed, "incumbent"),
    }
    name = f"shift-{percent}" + nth(d.level)
    return d.add(name, "shift_traffic", args, seconds=Range(low=0.0, high=1.0), needs=(before,))


def _mirror(d: Draft, name: str, *, on: bool, needs: tuple[str, ...]) -> str:
    deployed = d.of("version")
    args: Json = {
        "endpoint": d.endpoint,
        "version": ref(deployed, "version"),
        "incumbent": ref(deployed, "incumbent"),
        "on": on,
    }
    return d.add(name + nth(d.level), "mirror_traffic", args, seconds=Range(low=0.0, high=1.0), needs=needs)


def _shadowed(d: Draft, stage: Stage, mirrored: str, *, round_: int) -> str:
    """A shadow answers for every live clause, those that compare with the incumbent included."""
    clauses = tuple(c for c in d.part.clauses if c.where == "live")
    return watch(d, stage, mirrored, clauses, round_=round_, beside=True)


def promote(d: Draft, proven: str) -> tuple[str, ...]:
    """From a shadow that met every clause to all the traffic, watched as usual."""
    ended = _mirror(d, "end-mirror", on=False, needs=(proven, d.of("version")))
    return _split(d, (rollout.after_shadow(d.part, load_rps=d.terms.load_rps),), ended)


def _replace(d: Draft) -> tuple[str, ...]:
    """One server of the new version starts, its share of traffic follows, one of the old ends.

    The last of the old stays until the new one is handed over, so that traffic can go back at any time.
    """
    count, old = servers(d), max(1, there_was.replicas) if (there_was := incumbent(d)) is not None else 1
    stages = rollout.replacements(d.part, servers=count, load_rps=d.terms.load_rps)
    left = [max(1, math.ceil(old * (count - n) / count)) for n in range(count + 1)]
    before, shifts = d.of("version"), list[str]()
    for number, (stage, (now, then)) in enumerate(zip(stages, pairwise(left), strict=True), start=1):
        if number > 1:
            before = _scale(d, f"start-{number}", "version", number, before, added=1)
        shifts.append(_shift(d, stage.percent, before))
        before = watch(d, stage, shifts[-1], watched(d) if stage.percent == 100 else ())
        if then < now and stage.percent < 100:
            before = _scale(d, f"end-{number}", "incumbent", then, before)
    d.facts["live"] = (before,)
    return tuple(shifts)


def _scale(d: Draft, name: str, which: str, replicas: int, before: str, *, added: int = 0) -> str:
    deployed = d.of("version")
    args: Json = {
        "endpoint": d.endpoint,
        "version": ref(deployed, which),
        "replicas": replicas,
        "added": added,
        "for_s": lease_s(d) if added else 0.0,
    }
    if added:
        args["fewest"] = True  # it may be a version that had more servers than the rollout would give it by now
    seconds = Range(low=0.0, high=8.0)
    return d.add(name + nth(d.level), "scale_endpoint", args, seconds=seconds, needs=(before, deployed))


def grow(d: Draft) -> None:
    """Twice as many servers, up to the goal's most, and the last watch again."""
    last = next(s for s in reversed(d.steps) if s.tool == "monitor_endpoint")
    now = servers(d)
    most = d.part.rollout.max_replicas or now
    wanted = min(2 * now, most)
    more = _scale(d, f"grow-{wanted}", "version", wanted, last.id, added=wanted - now)
    longer = _again(last.args, factor=1)
    d.facts["live"] = (watch(d, longer, more, watched(d), round_=last.round + 1),)


def watch_on(d: Draft) -> None:
    """Watch the same stage again, twice as long, and go on as planned."""
    last = next(s for s in reversed(d.steps) if s.tool == "monitor_endpoint")
    since = next(s for s in reversed(d.steps) if s.tool in ("shift_traffic", "mirror_traffic", "scale_endpoint"))
    stage = _again(last.args, factor=2)
    if last.args.get("shadow"):
        d.facts["traffic"] = promote(d, _shadowed(d, stage, since.id, round_=last.round + 1))
        return
    if last.args.get("beside") is not None:
        percent = int(since.args["percent"])
        stage = stage.model_copy(update={"percent": percent})
        longer = watch(d, stage, since.id, tuple(rollout.relative(d.part)), round_=last.round + 1, beside=True)
        _split(d, tuple(s for s in _stages(d) if s.percent > percent), longer)
        return
    d.facts["live"] = (watch(d, stage, since.id, watched(d), round_=last.round + 1),)


def _again(args: Json, *, factor: int) -> Stage:
    percent = 0 if args.get("shadow") else 100
    return Stage(percent=percent, seconds=factor * float(args["seconds"]), rate_rps=float(args["rate_rps"]))
