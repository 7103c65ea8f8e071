"""Applies what people take back: in `0.9, no wait, 0.92` only 0.92 was said. It knows kinds, not meanings."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agent.brain.rules.grammar.entities import Entity

_VALUES: Final = ("metric", "family", "gpu", "env", "strategy", "day", "weekday", "numword")
_THINGS: Final = ("data", "artefact", "version", "region", "clock", "checkpoint", "date", "quoted")
_MARKS: Final = frozenset(",.;:()-。!?…")


def corrected(found: list[Entity]) -> list[Entity]:
    """The entities as if only the last word had been spoken."""
    result = _without_present(_without_origins(found))
    at = 0
    while at < len(result):
        if result[at].means("correction") and _is_marker(result, at):
            result = _apply(result, at)
        at += 1
    return result


def _without_origins(found: list[Entity]) -> list[Entity]:
    """`from 0.9 to 0.93` wants 0.93; what is now is not wanted. A range of replicas keeps both ends."""
    if any(e.means("autoscale") for e in found):
        return list(found)
    gone: set[int] = set()
    units: dict[int, Entity] = {}
    for n in range(1, len(found) - 2):
        versions = found[n].kind == "version"
        if (found[n].number is None and not versions) or found[n - 1].text.lower() not in ("from", "从", "由"):
            continue
        for k in range(n + 1, min(n + 7, len(found) - 1)):
            goal = found[k + 1]
            arrives = found[k].text.lower().endswith(("to", "到", "至")) and goal.number is not None
            if versions and found[k].text.lower().endswith(("to", "到", "至")) and goal.kind == "version":
                gone.update((n - 1, n))
            if arrives and not goal.dim and goal.exact and found[n].dim in _UNITS:
                gone.update((n - 1, n))  # `from 10 replicas to 4`
                units[k + 1] = _in_unit_of(found[n], goal)
            if arrives and (goal.dim == found[n].dim or not found[n].dim):
                gone.update((n - 1, n))
    return [units.get(n, e) for n, e in enumerate(found) if n not in gone]


_NOW: Final = ("currently", "now", "presently", "at the moment", "right now", "so far", "today")
_NOW_HAN: Final = ("目前", "现在", "当前", "如今", "眼下")


def _without_present(found: list[Entity]) -> list[Entity]:
    """`currently 0.71 AUC, should be 0.75`: what is now is not wanted when the next clause says what is."""
    starts = [0, *(n + 1 for n, e in enumerate(found) if e.text in _MARKS and e.kind == "punct"), len(found)]
    gone: set[int] = set()
    units: dict[int, Entity] = {}
    for left, right, end in zip(starts, starts[1:], starts[2:], strict=False):
        told = [n for n in range(left, right) if found[n].text.lower() in (*_NOW, *_NOW_HAN)]
        figures = [n for n in range(left, right) if found[n].kind in ("number", "quantity") and found[n].exact]
        wanted = next((n for n in range(right, end) if found[n].number is not None), None)
        if not told or len(figures) != 1 or wanted is None or found[right - 1].text not in ",;":
            continue
        again = any(e.means("metric") or e.means("replicas") for e in found[right:wanted])
        if not again and _same(found[figures[0]], found[wanted]) and not _sort_differs(found, figures[0], wanted):
            gone.update((told[0], figures[0]))
            if found[figures[0]].dim in _UNITS and not found[wanted].dim:
                units[wanted] = _in_unit_of(found[figures[0]], found[wanted])  # `现在 10 个副本，减到 4 个`
    return [units.get(n, e) for n, e in enumerate(found) if n not in gone]


def _sort_differs(found: list[Entity], now: int, wanted: int) -> bool:
    return found[wanted].dim == "points" or found[now].dim == "points"


def _is_marker(found: list[Entity], at: int) -> bool:
    before = found[at - 1] if at else None
    after = found[at + 1] if at + 1 < len(found) else None
    if found[at].means("correction", "strong"):
        return True
    if before is None or not (before.text in _MARKS or before.means("correction")):
        return False
    return after is not None and (after.text in _MARKS or _sort(after) is not None or after.means("correction"))


def _sort(entity: Entity) -> str | None:
    """What a value may be replaced by: another of the same sort."""
    if entity.number is not None and entity.kind in ("number", "quantity"):
        return entity.dim or "number"
    if entity.kind in _THINGS:
        return entity.kind
    return next((kind for kind in _VALUES if kind in entity.readings), None)


_UNITS: Final = ("money", "duration", "replica", "trial")


def _same(old: Entity, new: Entity) -> bool:
    kinds = {_sort(old), _sort(new)}
    if _sort(new) == "number" and (new.exact or (new.number or 0) > 1) and _sort(old) in _UNITS:
        return True  # `15 dollars, actually 25`
    return len(kinds) == 1 or kinds <= {"number", "percent", "points"} or kinds <= {"env", "strategy"}


def _apply(found: list[Entity], marker: int) -> list[Entity]:
    renamed = _renamed(found, marker)
    if renamed is not None:
        return renamed
    new = next((n for n in range(marker + 1, min(marker + 9, len(found))) if _sort(found[n]) is not None), None)
    if new is None:
        return found
    old = next((n for n in range(marker - 1, -1, -1) if _same(found[n], found[new]) and _sort(found[n])), None)
    if old is None:
        return found
    if found[new].means("metric") and new + 1 < len(found) and _value_after(found, new) and _value_after(found, old):
        return [*found[:old], *found[new:]]  # `accuracy 85 %, I meant F1 0.8`: the figure was taken back with it
    spoken = found[new]
    if spoken.kind == "number" and found[old].kind == "quantity":
        spoken = _in_unit_of(found[old], spoken)
    placed = replace(spoken, start=found[old].start, end=found[old].end)
    return [*found[:old], placed, *found[old + 1 : marker], *found[new + 1 :]]


_TO_NAME: Final = frozenset(
    (",", ":", "-", "是", "为", "应该", "应", "it", "it's", "is", "the", "label", "should", "be", "column", "标签",
     "标签列", "目标", "目标列", "i", "mean", "meant", "to", "标签是", "该", "应当", "应该是", "用",
     "use", "take", "target")
)  # fmt: skip


def _renamed(found: list[Entity], marker: int) -> list[Entity] | None:
    """`label a, no, b`, `标签 a，更正：是 b`: the name behind takes the place of the label's; None if it is no name."""
    new = marker + 1
    while new < min(marker + 8, len(found)) and found[new].text.lower() in _TO_NAME:
        new += 1
    if new >= len(found) or found[new].kind not in ("word", "quoted"):
        return None
    cue = next((n for n in range(marker - 1, max(-1, marker - 9), -1) if found[n].means("label")), None)
    if cue is None:
        return None
    old = next((n for n in range(cue + 1, marker) if _names(found[n])), None)
    told = any(e.means("label") for e in found[marker + 1 : new])
    if old is None or (not told and any(_sort(e) not in (None, "quoted") for e in found[old + 1 : marker])):
        return None
    placed = replace(found[new], start=found[old].start, end=found[old].end)
    return [*found[:old], placed, *found[old + 1 : marker], *found[new + 1 :]]


def _names(entity: Entity) -> bool:
    """A name, or a common word where the name of the label is due."""
    common = entity.kind == "term" and entity.text.isascii() and not entity.means("labelverb")
    return entity.kind in ("word", "quoted") or (common and not entity.means("filler"))


def _value_after(found: list[Entity], at: int) -> bool:
    return any(e.number is not None for e in found[at + 1 : at + 4])


def _in_unit_of(old: Entity, new: Entity) -> Entity:
    """`30 replicas, sorry, 20`: the unit is kept."""
    factor = (old.number or 0.0) / (old.raw or 1.0)
    return replace(old, number=(new.number or 0.0) * factor, raw=new.raw, start=new.start, end=new.end)
