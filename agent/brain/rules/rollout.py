"""How a part reaches traffic: strategy, steps, holds, replicas, lease."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent.brain.rules.entities import Entity
from agent.brain.rules.measures import polarity
from agent.brain.rules.reading import Reading
from agent.contract import Rollout

_SEPARATORS: Final = frozenset(",/-、→>;()%")
_BETWEEN: Final = ("list", "traffic", "filler", "article", "env", "step", "watchfor", "unit")
_ORDER: Final = ("shadow", "blue_green", "rolling", "canary", "direct")


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The rollout and, where the strategy was chosen for the goal, why."""

    rollout: Rollout
    assumed: str | None = None


def serving(reading: Reading, task: str, *, serves: bool, environment: str | None) -> Serving:
    """Claims steps, holds, replicas and lease; to be called before metrics are aligned."""
    steps = _steps(reading, serves=serves)
    said = _strategy(reading)
    holds = _hold(reading, said, steps) if serves or steps else None
    counts = _replicas(reading)
    lease = _lease(reading) if serves or task in ("deploy", "scale") else None
    assumed = None
    strategy = "none"
    if serves:
        strategy = said or ("canary" if steps else "")
        if not strategy:
            strategy = "canary" if environment == "production" else "direct"
            place = "to production" if environment == "production" else "outside production"
            assumed = f"the goal does not say how to roll out; {strategy} is the default {place}"
    rollout = Rollout.model_validate(
        {"strategy": strategy, "steps": steps if serves else (), "hold_s": holds, "lease_s": lease, **counts}
    )
    return Serving(rollout=rollout, assumed=assumed)


def _strategy(reading: Reading) -> str | None:
    found = [reading[n].readings["strategy"] for n in reading.where("strategy") if not reading.negated(n)]
    return next((name for name in _ORDER if name in found), None)


def _steps(reading: Reading, *, serves: bool) -> tuple[float, ...]:
    """Percentages of traffic: a rising list, or one share beside a word for traffic."""
    if not serves:
        return ()
    for at in range(len(reading)):
        run = _rising(reading, at)
        if len(run) >= 2 and _about_traffic(reading, run):
            reading.claim(*run)
            return tuple(_percent(reading[n]) or 0.0 for n in run)
    for at in reading.dims("percent"):
        beside = reading.near(at, "traffic", before=2, after=3) or _canary_at(reading, at)
        if beside is not None and not reading.clause_has(at, "metric") and not reading.clause_has(at, "custom"):
            reading.claim(at)
            return (_percent(reading[at]) or 0.0,)
    return ()


def _canary_at(reading: Reading, at: int) -> int | None:
    return reading.near(at, "strategy", "canary", before=2, after=1)


def _percent(entity: Entity) -> float | None:
    """The share of traffic in percent; None if the entity cannot be one."""
    if entity.means("full"):
        return 100.0
    if entity.number is None or entity.kind not in ("number", "quantity") or entity.dim not in ("percent", ""):
        return None
    value = round(entity.number * 100, 6) if entity.dim == "percent" else entity.number
    return value if 0 < value <= 100 and (entity.exact or entity.dim == "percent") else None


def _rising(reading: Reading, at: int) -> list[int]:
    run: list[int] = []
    last = 0.0
    gap = 0
    for n in range(at, len(reading)):
        entity = reading[n]
        after = reading.get(n + 1)
        compares = after is not None and after.means("compar") and not after.means("cmp") and n + 1 < len(reading)
        value = _percent(entity) if reading.free(n) and not compares else None
        if value is not None and value > last:
            run, last, gap = [*run, n], value, 0
            continue
        if not run or value is not None or entity.means("metric") or entity.means("cond"):
            break
        gap += 0 if entity.text in _SEPARATORS or any(k in entity.readings for k in _BETWEEN) else 1
        if gap > 3 or (entity.kind == "punct" and entity.text in ".。!?;"):
            break
    return run


def _about_traffic(reading: Reading, run: list[int]) -> bool:
    first, last = reading[run[0]], reading[run[-1]]
    if last.means("full") and first.dim == "percent":
        return True
    scope = range(reading.sentence(run[0]), reading.sentence(run[0]) + 1)
    words = [n for n in range(len(reading)) if reading.sentence(n) in scope]
    cued = any(
        reading[n].means("traffic") or reading[n].means("strategy", "canary") or reading[n].means("act", "deploy")
        for n in words
    )
    return cued and (_percent(last) == 100.0 or first.dim == "percent" or len(run) >= 3)


def _hold(reading: Reading, strategy: str | None, steps: tuple[float, ...]) -> float | None:
    for at in reading.dims("duration"):
        before = reading.get(at - 1)
        if before is not None and before.means("lease"):
            continue
        every = before is not None and before.means("every", "unit")
        cue = reading.near(at, "step", before=4, after=3)
        step = cue is not None and not _watches_thing(reading, cue, strategy, steps)
        shadow = strategy == "shadow" and any(reading[n].means("strategy", "shadow") for n in reading.in_sentence(at))
        lone = all(n == at or reading[n].kind == "punct" for n in reading.in_clause(at))
        listed = bool(steps) and before is not None and (before.text.lower() in ("for", "every") or lone)
        if every and not steps and strategy != "canary":
            continue
        if (every or step or shadow or listed) and not _is_deadline(reading, at):
            reading.claim(at)
            return reading[at].number
    return None


def _watches_thing(reading: Reading, cue: int, strategy: str | None, steps: tuple[float, ...]) -> bool:
    """`then watch it for two days` is upkeep, `watch each step for ten minutes` is not."""
    after = reading.get(cue + 1)
    if not reading[cue].means("act", "watch") or after is None:
        return False
    thing = after.text.lower() in ("it", "them", "他", "它") or after.means("noun") or after.kind == "quoted"
    return thing or (not steps and strategy not in ("canary", "shadow"))


def _is_deadline(reading: Reading, at: int) -> bool:
    before = reading.get(at - 1)
    return before is not None and (before.means("cmp") or before.text.lower() in ("in", "within"))


def _lease(reading: Reading) -> float | None:
    for at in reading.dims("duration"):
        cue = reading.near(at, "lease", before=5, after=2)
        ends = cue is not None and (cue < at or reading[cue].text.startswith("后") or reading[cue].text == "lease")
        if ends or _taken_down_after(reading, at):
            reading.claim(at)
            return reading[at].number
    return None


def _taken_down_after(reading: Reading, at: int) -> bool:
    """`for 48 h, then take it down`: not beside a metric, for there it is a rollback."""
    after = [reading[n].text.lower() for n in reading.in_sentence(at) if at < n <= at + 6]
    return "then" in after and bool(set(after) & set(_TAKEN_DOWN)) and not reading.sentence_has(at, "metric")


_TAKEN_DOWN: Final = ("take it down", "shut it down", "tear it down", "remove it", "remove", "delete", "shut", "tear")


def _replicas(reading: Reading) -> dict[str, int]:
    found: dict[str, int] = {}
    between = _between(reading)
    if between:
        return between
    for at in reading.dims("replica"):
        _count(reading, at, found)
    anchors = reading.where("replicas") or reading.dims("replica", free=False)
    if anchors:
        for at in reading.kinds("number", free=True):
            if _counts_replicas(reading, at, anchors):
                _count(reading, at, found)
    return found


def _counts_replicas(reading: Reading, at: int, anchors: list[int]) -> bool:
    """A bare number beside the word, or a bound in a later clause of the same sentence."""
    entity = reading[at]
    if entity.dim or entity.raw != int(entity.raw or 0):
        return False
    after, before = reading.get(at + 1), reading.get(at - 1)
    if after is not None and (after.means("unit") or after.means("gpu") or after.means("noun")):
        return False
    for anchor in anchors:
        if anchor > at or reading.sentence(anchor) != reading.sentence(at):
            continue
        between = reading.between(anchor, at)
        bounded = before is not None and before.means("cmp") and after is not None and after.means("classifier")
        if bounded and not _is_thing(reading.get(at + 2)):
            return True
        if any(e.means("metric") or e.means("custom") or e.number is not None for e in between):
            continue
        passed = ("filler", "labelverb", "cmp", "list", "classifier", "act")
        if all(any(k in e.readings for k in passed) for e in between):
            return True
        if before is not None and before.means("cmp") and len(between) <= 6:
            return True
    return False


def _is_thing(entity: Entity | None) -> bool:
    """`8 个` alone counts what was spoken of; `8 个模型` counts models."""
    return entity is not None and entity.kind not in ("punct",) and not entity.means("then")


def _count(reading: Reading, at: int, found: dict[str, int]) -> None:
    number = int(reading[at].number or 0)
    scaled = reading.near(at, "act", "scale", before=8, after=0) is not None
    if at and reading[at - 1].text.lower() == "up to" and scaled:
        found.setdefault("replicas", number)  # `scale up to ten` says where to go, not how far at most
        reading.claim(at)
        return
    key = {"le": "max_replicas", "lt": "max_replicas", "ge": "min_replicas", "gt": "min_replicas"}.get(
        _bound(reading, at) or "", "replicas"
    )
    found.setdefault(key, number)
    reading.claim(at)


def _bound(reading: Reading, at: int) -> str | None:
    for n in (at - 1, at + 1, at - 2):
        entity = reading.get(n)
        if entity is not None and entity.means("cmp") and reading.clause(n) == reading.clause(at):
            if n == at - 2 and reading[at - 1].number is not None:
                continue
            return polarity(reading, n)
    return None


def _between(reading: Reading) -> dict[str, int]:
    """`between 2 and 6 replicas`, `2 到 6 个副本之间`."""
    for at in reading.dims("replica"):
        low = next((n for n in (at - 2, at - 1) if (e := reading.get(n)) and e.number is not None and not e.dim), None)
        joined = low is not None and any(
            e.text.lower() in ("and", "to", "-", "到", "至", "~") for e in reading.between(low, at)
        )
        ranged = joined and low is not None and reading[low + 1].text.lower() != "and"
        if low is not None and joined and (ranged or reading.sentence_has(at, "autoscale")):
            reading.claim(low, at)
            return {"min_replicas": int(reading[low].number or 0), "max_replicas": int(reading[at].number or 0)}
    return {}
