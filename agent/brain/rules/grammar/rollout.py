"""How a part reaches traffic: strategy, steps, holds, replicas, lease."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.holds import hold
from agent.brain.rules.grammar.measures import polarity
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.reading import Reading
from agent.contract import Rollout
from tools.language import tr

_SEPARATORS: Final = frozenset(",/-、→>;()%")
_BETWEEN: Final = ("list", "traffic", "filler", "article", "env", "step", "watchfor", "unit")
CHANGE: Final = "change"
"""Where a number of replicas stands that is added or taken away."""
_ORDER: Final = ("shadow", "blue_green", "rolling", "canary", "direct")


@dataclass(frozen=True, kw_only=True)
class Serving:
    """The rollout and, where the strategy was chosen for the goal, why."""

    rollout: Rollout
    assumed: str | None = None
    question: str | None = None
    """What must be known of the number of replicas."""


def serving(reading: Reading, task: str, *, serves: bool, environment: str | None) -> Serving:
    """Claims steps, holds, replicas and lease; to be called before metrics are aligned."""
    steps = _steps(reading, serves=serves)
    said = _strategy(reading)
    holds = hold(reading, said, steps) if serves or steps else None
    counts = _replicas(reading)
    question = None
    if counts.pop(CHANGE, None) is not None and "replicas" not in counts:
        question = tr("The goal says by how much the number of replicas is to change; how many should there be?")
    lease = _lease(reading) if serves or task in ("deploy", "scale") else None
    assumed = None
    strategy = "none"
    if serves:
        strategy = said or ("canary" if steps else "")
        if not strategy:
            strategy = "canary" if environment == "production" else "direct"
            assumed = tr(
                "the goal does not say how to roll out; {strategy} is the default to production"
                if environment == "production"
                else "the goal does not say how to roll out; {strategy} is the default outside production",
                strategy=tr(strategy),
            )
    rollout = Rollout.model_validate(
        {"strategy": strategy, "steps": steps if serves else (), "hold_s": holds, "lease_s": lease, **counts}
    )
    return Serving(rollout=rollout, assumed=assumed, question=question)


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
    if entity.dim == "" and value < 1:
        return None  # a score
    return value if 0 < value <= 100 and (entity.exact or entity.dim == "percent") else None


def _rising(reading: Reading, at: int) -> list[int]:
    run: list[int] = []
    last = 0.0
    gap = 0
    for n in range(at, len(reading)):
        entity = reading[n]
        after = reading.get(n + 1)
        compares = after is not None and after.means("compar") and not after.means("cmp") and n + 1 < len(reading)
        value = _percent(entity) if reading.free(n) and not compares and not _measured(reading, n, run) else None
        if value is not None and value > last:
            run, last, gap = [*run, n], value, 0
            continue
        if not run or value is not None or entity.means("metric") or entity.means("cond"):
            break
        gap += 0 if entity.text in _SEPARATORS or any(k in entity.readings for k in _BETWEEN) else 1
        if gap > 3 or (entity.kind == "punct" and entity.text in ".。!?;"):
            break
    return run


def _measured(reading: Reading, at: int, run: list[int]) -> bool:
    """The figure of a metric, of a confidence or of a count, not a share of traffic."""
    before, after = reading.get(at - 1), reading.get(at + 1)
    bounded = before is not None and (before.means("cmp") or before.means("replicas")) and not run
    if reading[at].dim == "" and any(reading[n].dim == "replica" for n in reading.in_clause(at)):
        return True
    if reading[at].dim == "" and (bounded or (after is not None and after.means("classifier"))):
        return True
    if any(
        e is not None and e.means("confidence") for e in (reading.get(at + 1), reading.get(at + 2), reading.get(at - 1))
    ):
        return True
    for n in range(at - 1, max(-1, at - 7), -1):
        entity = reading[n]
        if n in run or reading.clause(n) != reading.clause(at) or entity.means("traffic") or entity.means("strategy"):
            return False
        if entity.means("metric") or entity.means("custom"):
            return True
    return False


def _about_traffic(reading: Reading, run: list[int]) -> bool:
    first, last = reading[run[0]], reading[run[-1]]
    if first.dim == "percent" and (last.means("full") or _percent(last) == 100.0):
        return True
    scope = range(reading.sentence(run[0]), reading.sentence(run[0]) + 1)
    words = [n for n in range(len(reading)) if reading.sentence(n) in scope]
    cued = any(
        reading[n].means("traffic") or reading[n].means("strategy", "canary") or reading[n].means("act", "deploy")
        for n in words
    )
    return cued and (_percent(last) == 100.0 or first.dim == "percent" or len(run) >= 3)


def _lease(reading: Reading) -> float | None:
    for at in reading.dims("duration"):
        cue = reading.near(at, "lease", before=5, after=2)
        ends = cue is not None and (cue < at or reading[cue].text.startswith("后") or reading[cue].text == "lease")
        if at == prolonged(reading) or ends or _taken_down_after(reading, at) or _served_for(reading, at):
            reading.claim(at)
            return reading[at].number
    return None


_UP: Final = ("up", "alive", "running", "online", "on", "在线", "运行", "活")


def prolonged(reading: Reading) -> int | None:
    """The span of `extend the lease of `demo` by two days`, `keep `demo` up for a day`; None if nothing is to last."""
    told = reading.where("prolong")
    for n, entity in enumerate(reading.entities):
        behind = {reading[k].text.lower().split()[0] for k in range(n + 2, min(n + 6, len(reading)))}
        named = reading.kinds("quoted") or reading.where("noun", "endpoint")
        if entity.text.lower() in ("keep", "leave") and named and behind & set(_UP):
            told.append(n)
    spans = [n for n in reading.dims("duration") if any(reading.sentence(n) == reading.sentence(k) for k in told)]
    return spans[0] if spans and not reading.kinds("data", "artefact", "version") else None


def _served_for(reading: Reading, at: int) -> bool:
    """`serve it on my laptop for 2 hours`, `跑两个小时`: nothing in the clause speaks of steps or watching."""
    before = reading.get(at - 1)
    kinds = ("strategy", "traffic", "metric", "cond", "step", "check", "every")
    if before is None or any(reading[n].means(kind) for n in reading.in_clause(at) for kind in kinds):
        return False
    if before.text == "跑":
        return not reading.sentence_has(at, "strategy")
    serves = [n for n in reading.in_clause(at) if reading[n].means("act", "deploy") and n < at]
    return (
        before.text.lower() == "for"
        and bool(serves)
        and not any(reading[n].means("act", "watch") for n in reading.in_clause(at))
    )


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
    for at in reading.kinds("number", free=True):
        if _sized(reading, at):
            _count(reading, at, found)
    if _changes_share(reading):
        found.setdefault(CHANGE, 0)
    anchors = reading.where("replicas") or reading.dims("replica", free=False)
    if anchors:
        for at in reading.kinds("number", free=True):
            if _counts_replicas(reading, at, anchors):
                _count(reading, at, found)
    return found


def _changes_share(reading: Reading) -> bool:
    """`double the replicas`, `把副本减到一半`: a share of a number that the goal does not tell."""
    for at in (*reading.where("change"), *reading.dims("percent")):
        scaled = reading.clause_has(at, "change") or reading.clause_has(at, "act", "scale")
        other = any(reading.clause_has(at, kind) for kind in ("metric", "custom", "traffic", "strategy"))
        if scaled and not other and reading.clause_has(at, "replicas"):
            reading.claim(at)
            return True
    return False


def _sized(reading: Reading, at: int) -> bool:
    """`pricing 缩容到 4 个`: what is scaled are replicas."""
    verb, after = reading.get(at - 1), reading.get(at + 1)
    if (
        verb is not None
        and verb.text.lower() == "to"
        and (after is None or after.kind == "punct" or after.means("and"))
    ):
        named = reading.get(at - 2)
        act = reading.near(at, "act", "scale", before=5, after=0)
        thing = named is not None and (named.kind in ("quoted", "word") or act == at - 2)
        return act is not None and thing  # `scale `main` to 4`, `scale to zero`
    scales = verb is not None and verb.means("act", "scale") and verb.text[:1] in "扩缩"
    return scales and after is not None and after.means("classifier") and not _is_thing(reading.get(at + 2))


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
        moved = before is not None and before.means("act", "scale") and not before.text.isascii()
        if moved and after is not None and (after.means("classifier") or after.kind == "punct"):
            return True  # `副本减半，从 8 个减到 4 个`
        closed = after is None or after.kind == "punct" or after.means("classifier")
        bounded = before is not None and before.means("cmp") and closed
        if bounded and not _is_thing(reading.get(at + 2)):
            return True
        if any(e.means("metric") or e.means("custom") or e.number is not None for e in between):
            continue
        passed = ("filler", "labelverb", "cmp", "list", "classifier", "act")
        if all(
            any(k in e.readings for k in passed)
            or e.kind in ("quoted", "word")
            or e.text in (":", "to", "给", "开", "要", "配", "设")
            for e in between
        ):
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
    if _by_how_many(reading, at) or number != reading[at].number:
        reading.claim(at)
        found.setdefault(CHANGE, number)
        return
    if at and reading[at - 1].text.lower() == "up to" and scaled:
        found.setdefault("replicas", number)  # `scale up to ten` says where to go, not how far at most
        reading.claim(at)
        return
    key = {"le": "max_replicas", "lt": "max_replicas", "ge": "min_replicas", "gt": "min_replicas"}.get(
        _bound(reading, at) or "", "replicas"
    )
    found.setdefault(key, number)
    reading.claim(at)


_MORE: Final = Pattern(r"\b(?:more|extra|additional|fewer|another)\b|多|额外", re.IGNORECASE)
_ADDS: Final = frozenset(
    ("add", "adds", "adding", "by", "another", "extra", "additional", "plus", "remove", "drop", "more", "加", "再加",
     "增加", "添加", "多加", "加上", "追加", "新增", "减少", "减", "减掉", "去掉", "撤掉", "多给", "多开", "再开",
     "再来", "再", "+")
)  # fmt: skip


def _by_how_many(reading: Reading, at: int) -> bool:
    """`add two replicas`, `two more pods`, `再加 3 个副本`: by how many the number changes, not what it becomes."""
    before, after = reading.get(at - 1), reading.get(at + 1)
    if before is not None and before.text.lower() in _ADDS:
        return True
    behind = after is not None and after.text.lower() in ("more", "extra", "fewer", "less")
    return behind or bool(_MORE.search(reading.text[reading[at].start : reading[at].end]))


def _bound(reading: Reading, at: int) -> str | None:
    for n in (at - 1, at + 1, at - 2):
        entity = reading.get(n)
        if entity is not None and entity.means("cmp") and reading.clause(n) == reading.clause(at):
            if n == at - 2 and reading[at - 1].number is not None:
                continue
            return polarity(reading, n)
    return None


def _between(reading: Reading) -> dict[str, int]:
    """`between 2 and 6 replicas`, `2 到 6 个副本`, `最少 2 个最多 9 个副本`, `min 2, max 12 replicas`."""
    anchors = sorted({*reading.where("replicas"), *reading.dims("replica")})
    for low in (n for n in reading.kinds("number", "quantity", free=True) if (reading[n].raw or 0.5) % 1 == 0):
        high = _upper(reading, low)
        if high is None or not any(reading.clause(n) == reading.clause(high) and abs(n - high) <= 6 for n in anchors):
            continue
        words = {e.text.lower() for e in reading.between(low, high)} & set(_RANGES)
        bounded = _bound(reading, low) in ("ge", "gt") and (
            _bound(reading, high) in ("le", "lt") or _neither(reading, low, high)
        )
        ranged = bool(words - {"and"}) or (bool(words) and reading.sentence_has(low, "autoscale"))
        if bounded or (ranged and reading.clause(low) == reading.clause(high)):
            reading.claim(low, high)
            return {"min_replicas": int(reading[low].number or 0), "max_replicas": int(reading[high].number or 0)}
    return {}


def _neither(reading: Reading, low: int, high: int) -> bool:
    """`never fewer than 3 or more than 10`: the negation reaches over the `or`."""
    joined = any(e.means("and", "or") for e in reading.between(low, high))
    return (
        joined
        and _bound(reading, high) in ("ge", "gt")
        and any(reading[n].means("neg") for n in reading.in_clause(low) if n < low)
    )


_RANGES: Final = ("and", "to", "-", "到", "至", "~", "和", "与")


def _upper(reading: Reading, low: int) -> int | None:
    """The other end of a range that begins there."""
    for n in range(low + 2, min(low + 6, len(reading))):
        entity = reading[n]
        if entity.number is None or entity.kind not in ("number", "quantity"):
            continue
        counts = all(reading[k].dim in ("", "replica") for k in (low, n)) and (entity.number or 0) > (
            reading[low].number or 0
        )
        return n if counts and reading.free(n) and reading.sentence(n) == reading.sentence(low) else None
    return None
