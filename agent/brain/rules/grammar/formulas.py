"""Metrics of the user's own, defined in the goal: `mean_reward = mean(prediction)`."""

from __future__ import annotations

from typing import Final

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.patterns import Pattern

_INNER: Final = r"\((?:[^()]|\([^()]*\))*\)"
_FORMULA: Final = Pattern(
    rf"`?\b([A-Za-z_]\w*)`?\s*(?::?=|is defined as|defined as|定义为|等于)\s*`?"
    rf"((?:mean|sum|count|min|max|std|median|quantile|abs|rate)"
    rf"{_INNER}(?:\s*[-+*/]\s*(?:[\d.]+|\w+{_INNER}))*)`?"
)


def formulas(text: str) -> dict[str, str]:
    """Name and formula of every metric the goal defines."""
    return {match.group(1).lower(): match.group(2) for match in _FORMULA.finditer(text)}


def without_formulas(found: list[Entity], text: str) -> list[Entity]:
    """The entities with each formula taken out and the name it defines known as a metric of the user's own."""
    spans = [(match.end(1), match.end()) for match in _FORMULA.finditer(text)]
    if not spans:
        return found
    names = formulas(text)
    kept = [e for e in found if not any(start <= e.start and e.end <= end for start, end in spans)]
    return [_named(entity, names) for entity in kept]


def _named(entity: Entity, names: dict[str, str]) -> Entity:
    if entity.text.lower() not in names or entity.kind not in ("word", "term", "quoted"):
        return entity
    readings = {"custom": f"custom:{entity.text.lower()}"}
    return Entity(kind="term", text=entity.text, start=entity.start, end=entity.end, readings=readings)
