"""Which metric goes with which figure: alignment of metrics and quantities by nearness and unit.

It decides pairs; whether a pair is a demand, an abort condition or a symptom is for `clauses`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.reading import Reading
from tools.metrics import metric

_FAR: Final = 7.0
_NEVER: Final = 1000.0
_PLAIN_RATES: Final = (
    "learning",
    "sampling",
    "frame",
    "interest",
    "exchange",
    "tax",
    "dropout",
    "the",
    "heart",
    "sample",
)


@dataclass(frozen=True, kw_only=True)
class Mention:
    """A metric as the goal mentions it."""

    at: int
    name: str


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A metric and its figure; `value` is in the metric's canonical unit."""

    at: int
    name: str
    figure: int
    value: float
    cmp: int | None
    polarity: str | None
    """`ge`, `le`, `gt`, `lt`, `eq` as meant (negation applied), `better`, `worse`, or None if nothing is said."""


def mentions(reading: Reading) -> list[Mention]:
    """Every metric the goal speaks of, in order."""
    found: list[Mention] = []
    for at, entity in enumerate(reading.entities):
        if not reading.free(at):
            continue
        name = entity.readings.get("metric") or entity.readings.get("custom") or _own_rate(reading, at)
        if name == "latency":
            name = None if _has_percentile(reading, at) else "latency_p95_ms"
        if name:
            found.append(Mention(at=at, name=name))
    return found


def _own_rate(reading: Reading, at: int) -> str | None:
    before = reading.get(at - 1)
    if reading[at].text.lower() not in ("rate", "rates") or before is None or before.kind != "word":
        return None
    if before.text.lower() in _PLAIN_RATES or not before.text.isalpha():
        return None
    return f"custom:{before.text.lower()}_rate"


def _has_percentile(reading: Reading, at: int) -> bool:
    """`p95 latency`, `latency of 100 ms (p99)`."""
    opening = next((n for n in range(at + 1, min(at + 6, len(reading))) if reading[n].text == "("), None)
    inside = [*reading.in_clause(at), *([opening + 1] if opening is not None and opening + 1 < len(reading) else [])]
    return any(reading[n].means("metric", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms") for n in inside)


def pairs(reading: Reading, found: list[Mention]) -> list[Pair]:
    """Metrics joined with their figures; a figure serves one metric, or a list of metrics that share it."""
    options = sorted(
        (cost, m.at, q) for m in found for q in _figures(reading, m) if (cost := _cost(reading, m, q)) < _FAR
    )
    chosen: dict[int, int] = {}
    for _, at, figure in options:
        if at not in chosen and figure not in chosen.values():
            chosen[at] = figure
    _share(reading, found, chosen)
    _pronouns(reading, found, chosen)
    names = {m.at: m.name for m in found}
    result = [_pair(reading, at, names[at], figure) for at, figure in sorted(chosen.items())]
    reading.claim(*(p.figure for p in result))
    return result


def value_for(name: str, figure: Entity) -> float | None:
    """The figure in the metric's canonical unit; None if it cannot be one."""
    known = metric(name)
    unit = known.unit if known is not None else "ratio"
    number, raw = figure.number, figure.raw
    if number is None or raw is None or figure.dim in ("points", "replica", "trial", "gpu", "cpu", "fold", "epoch"):
        return None
    half = figure.text.lower() in ("half", "half a", "half an") and unit in ("ratio", "label")
    plain = figure.dim == "" and (figure.exact or half)
    if unit == "ratio" or name == "mape":
        if figure.dim == "percent":
            return number
        share = known is not None or name.endswith(("rate", "ratio", "share", "ctr"))
        bounded = not share or raw <= 1.5 or raw > 100
        return (raw if bounded else round(raw / 100, 12)) if plain else None
    if unit == "ms":
        return round(number * 1000, 9) if figure.dim == "duration" else number if plain else None
    if unit == "rps":
        return number if figure.dim == "rps" or plain else None
    if unit == "number":
        return number if figure.dim == "percent" or plain else None
    if unit == "label":
        return (
            raw
            if figure.dim in ("money", "duration", "percent", "times", "memory", "row")
            else number
            if plain
            else None
        )
    return number if plain else None


def _figures(reading: Reading, mention: Mention) -> list[int]:
    same = reading.sentence(mention.at)
    return [
        n
        for n, e in enumerate(reading.entities)
        if e.kind in ("number", "quantity")
        and reading.sentence(n) == same
        and reading.free(n)
        and value_for(mention.name, e) is not None
        and not _names_class(reading, n)
        and not (e.dim == "duration" and n and reading[n - 1].means("every", "unit"))
    ]


def _names_class(reading: Reading, at: int) -> bool:
    """`recall[1]`, `recall for class 1`: the number is a name."""
    before = reading.get(at - 1)
    return before is not None and (before.text == "[" or (before.means("class") and before.text.isascii()))


def _cost(reading: Reading, mention: Mention, figure: int) -> float:
    forward = figure > mention.at
    left, right = (mention.at, figure) if forward else (figure, mention.at)
    total = 0.0 if forward else 1.0
    for n in range(left + 1, right):
        spoken_for = not reading.free(n) or reading[n].means("label")
        light = _names_class(reading, n) or spoken_for
        total += 0.3 if light else _weight(reading[n], mention.name, forward=forward)
    known = metric(mention.name)
    dim = reading[figure].dim
    if known is not None and known.unit == "label" and dim in ("money", "duration"):
        total += 3.0 if all(e.text != "," for e in reading.between(left, right)) else _NEVER
    if dim == "" and reading[figure].raw is not None and _leads_unit(reading, figure):
        total += 4.0
    return total


def _leads_unit(reading: Reading, figure: int) -> bool:
    """A figure straight before a thing that is counted (`3 models`) is a count."""
    after = reading.get(figure + 1)
    return after is not None and any(k in after.readings for k in ("noun", "gpu", "family", "gpuword"))


def _weight(entity: Entity, name: str, *, forward: bool) -> float:
    if entity.means("metric") or entity.means("custom"):
        return 0.3 if entity.readings.get("metric") == "latency" else _NEVER
    if entity.kind in ("number", "quantity"):
        return 6.0 if value_for(name, entity) is not None else 1.5
    if entity.kind == "punct":
        return {",": 3.0 if forward else 6.0, ":": 0.2, "(": 0.5, ")": 0.5, "。": _NEVER}.get(entity.text, 0.7)
    if entity.text.lower().startswith(("and ", "but ")):
        return 2.1  # `90 % recall and up to 5 % …`
    if any(k in entity.readings for k in ("cmp", "neg", "filler", "article", "demand", "symptom", "class")):
        return 0.1
    if entity.means("and") or entity.means("or"):
        return 2.0
    return 1.0


def _share(reading: Reading, found: list[Mention], chosen: dict[int, int]) -> None:
    """`precision and recall of at least 0.9`: a list of metrics shares one figure."""
    for left, right in reversed(list(pairwise(found))):
        between = reading.between(left.at, right.at)
        joined = bool(between) and all(e.means("and") or e.text in (",", "、", "the", "both", "的") for e in between)
        if not joined or reading.sentence(left.at) != reading.sentence(right.at):
            continue
        lone, paired = (left, right) if left.at not in chosen else (right, left)
        figure = chosen.get(paired.at)
        if lone.at in chosen or figure is None or (figure > paired.at) != (paired is right):
            continue
        if value_for(lone.name, reading[figure]) is not None:
            chosen[lone.at] = figure


def _pronouns(reading: Reading, found: list[Mention], chosen: dict[int, int]) -> None:
    """`take the lowest RMSE; it has to be under 40`: the figure of a sentence without a metric of its own."""
    named = reading.where("threshold")
    for at in sorted((*reading.where("cmp"), *named)):
        sentence = reading.sentence(at)
        if any(reading.sentence(m.at) == sentence for m in found):
            continue
        before = [m for m in found if m.at < at and m.at not in chosen and sentence - reading.sentence(m.at) <= 1]
        words = {reading[n].text.lower() for n in reading.in_sentence(at)}
        if not before or not (at in named or words & {"it", "that", "this", "它", "其", "该值", "should", "must"}):
            continue
        figure = next((n for n in (at + 1, at + 2, at + 3, at - 1) if _is_bare(reading, n, before[-1].name)), None)
        if figure is not None:
            chosen[before[-1].at] = figure


def _is_bare(reading: Reading, at: int, name: str) -> bool:
    entity = reading.get(at)
    return (
        entity is not None
        and entity.kind in ("number", "quantity")
        and entity.dim in ("", "percent")
        and reading.free(at)
        and value_for(name, entity) is not None
    )


def _pair(reading: Reading, at: int, name: str, figure: int) -> Pair:
    cmp = _comparator(reading, at, figure)
    value = value_for(name, reading[figure])
    return Pair(
        at=at, name=name, figure=figure, value=0.0 if value is None else value, cmp=cmp,
        polarity=None if cmp is None else polarity(reading, cmp),
    )  # fmt: skip


def _comparator(reading: Reading, at: int, figure: int) -> int | None:
    """The comparator of a pair: between the two, straight behind the figure, or straight before it."""
    left, right = min(at, figure), max(at, figure)
    inside = [n for n in range(left + 1, right) if reading[n].means("cmp")]
    behind = [n for n in (figure + 1, figure + 2) if _is_cmp(reading, n, figure)]
    if at < figure and inside:
        bounds = behind and reading[inside[-1]].means("cmp", "eq") and not reading[behind[0]].means("cmp", "eq")
        return behind[0] if bounds else inside[-1]  # `= 75 % or better`
    if behind:
        return behind[0]
    before = [n for n in (figure - 1, figure - 2, figure - 3) if _is_cmp(reading, n, figure)]
    if not before and at < figure:
        ahead = (n for n in (at - 1, at - 2) if n >= 0 and reading.clause(n) == reading.clause(at))
        before = [n for n in ahead if reading[n].means("cmp", "ge", "le")]  # `max the 99th percentile 120 ms`
    return before[0] if before else (inside[0] if inside else None)


def _is_cmp(reading: Reading, n: int, figure: int) -> bool:
    entity = reading.get(n)
    if entity is None or not entity.means("cmp") or reading.clause(n) != reading.clause(figure):
        return False
    low, high = min(n, figure), max(n, figure)
    return not any(e.kind in ("number", "quantity") or e.means("metric") for e in reading.between(low, high))


def polarity(reading: Reading, cmp: int) -> str:
    """What the comparator means once a negation before it is applied."""
    said = reading[cmp].readings["cmp"]
    after = reading.get(cmp + 1)
    if reading[cmp].text.lower() in ("=", "or better", "或更好", "以上才行", "或者更好"):
        said = "better"
    if reading[cmp].text.lower() == "tops" and after is not None and after.number is not None:
        said = "ge"  # `$12 tops` is a limit, `errors top 2 %` goes past one
    spurned = reading.clause_has(cmp, "useless") and said in ("ge", "gt", "le", "lt")
    if (reading.negated(cmp) is None) != spurned:
        return said
    return {"ge": "le", "gt": "le", "le": "ge", "lt": "ge", "better": "worse", "worse": "better"}.get(said, said)
