"""Several things in one order: `stop a and b`, `把 search 和 rank 都缩到 2 个副本` are one part for each."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.names import plain, weakly_known
from agent.brain.rules.grammar.reading import Reading

_ACTS: Final = ("deploy", "rollback", "scale", "watch", "cleanup", "diagnose")
_LEARNS: Final = ("train", "predict", "compare", "evaluate", "prepare", "estimate")
_HANDLES: Final = frozenset(("把", "将", "给", "让", "对"))
_OTHERWISE: Final = ("label", "namespace", "dropcol", "column", "class")
_LED_BY: Final = frozenset(
    (
        "the",
        "endpoints",
        "services",
        "models",
        "both",
        "service",
        "endpoint",
        "model",
        "deployments",
        "for",
        "of",
        "are",
    )
)


def by_thing(reading: Reading) -> list[Reading]:
    """The reading once for each of the things its order names in a row, each time without the other names."""
    if reading.kinds("data") or any(not reading.negated(n) for n in reading.where("act", *_LEARNS)):
        return [reading]
    for at in range(len(reading)):
        names = _row(reading, at)
        if len(names) > 1 and _is_object(reading, names):
            return [_only(reading, names, own) for own in names]
    return [reading]


def _only(reading: Reading, names: list[int], own: int) -> Reading:
    """The reading with that one name where the whole row stands."""
    first, last = names[0], names[-1]
    name = replace(reading[own], start=reading[first].start, end=reading[last].end)
    return Reading([*reading.entities[:first], name, *reading.entities[last + 1 :]], reading.text, reading)


def _row(reading: Reading, at: int) -> list[int]:
    """Names joined by `and`, `、` or commas, the last one by `and` or `、`."""
    found: list[int] = []
    joined = last = False
    while _is_name(entity := reading.get(at), found, reading):
        if entity is not None and entity.text in {reading[n].text for n in found}:
            return []
        found.append(at)
        joint = reading.get(at + 1)
        if joint is None or last or not (joint.means("and") or joint.text == ","):
            break
        after = reading.get(at + 2)
        oxford = joint.text == "," and after is not None and after.means("and")
        last = oxford or (joint.means("and") and joint.text != "、")
        at += 3 if oxford else 2
        joined = joined or last or joint.text == "、"
        if (skipped := reading.get(at)) is not None and skipped.text.lower() == "the":
            at += 1
    return found if joined else []


def _is_name(entity: Entity | None, found: list[int], reading: Reading) -> bool:
    if entity is None or (found and (reading[found[0]].kind == "quoted") != (entity.kind == "quoted")):
        return False
    if entity.kind in ("quoted", "artefact"):
        return True
    worded = entity.kind == "word" or (entity.kind == "term" and (weakly_known(entity) or entity.means("custom")))
    return worded and plain(entity) and entity.text.islower() and entity.text.isascii()


def _is_object(reading: Reading, names: list[int]) -> bool:
    """Whether an order that is not negated has the row for its object or its subject."""
    first, last = names[0], names[-1]
    inside = set(reading.in_sentence(first))
    near = any(reading.near(n, kind, before=3, after=1) is not None for n in names for kind in _OTHERWISE)
    if last not in inside or near:
        return False
    verbs = [n for n in reading.where("act", *_ACTS) if n in inside and not reading.negated(n)]
    led = first - 1
    while (entity := reading.get(led)) is not None and (entity.means("det") or entity.text.lower() in _LED_BY):
        led -= 1
    if led in verbs:
        return True
    before = reading.get(first - 1)
    handled = before is not None and before.text in _HANDLES
    strong = all(reading[n].kind in ("quoted", "artefact") for n in names)
    opens = led < 0 or reading[led].kind == "punct"
    behind = any(last < n <= last + 6 for n in verbs) and not reading.text.isascii()
    return (handled and bool(verbs)) or (behind and (opens or strong)) or (strong and opens)
