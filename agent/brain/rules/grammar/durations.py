"""Durations said in several pieces: `1 hour 30 minutes`, `an hour and a half`, `两天半`, `一个半小时`."""

from __future__ import annotations

from dataclasses import replace

from agent.brain.rules.grammar.entities import Entity


def joined_durations(found: list[Entity]) -> list[Entity]:
    """`1 hour 30 minutes`, `an hour and a half`, `两天半`, `一个半小时` become one duration."""
    result: list[Entity] = []
    for entity in found:
        joined = _tail(result, entity) or _and_tail(result, entity) or _one_and_half(result, entity)
        if joined is None:
            result.append(entity)
        else:
            made, used = joined
            result[-used:] = [made]
    return result


def _tail(before: list[Entity], entity: Entity) -> tuple[Entity, int] | None:
    last = before[-1] if before else None
    if last is None or last.dim != "duration" or entity.start - last.end > 1:
        return None
    if entity.dim == "duration" and _smaller(last, entity):
        return replace(last, number=(last.number or 0.0) + (entity.number or 0.0), end=entity.end), 1
    if entity.kind == "number" and entity.text == "半":
        return replace(last, number=(last.number or 0.0) + 0.5 * _size(last), end=entity.end), 1
    return None


def _and_tail(before: list[Entity], entity: Entity) -> tuple[Entity, int] | None:
    if len(before) < 2 or before[-1].text != "and" or before[-2].dim != "duration":
        return None
    head = before[-2]
    if entity.dim == "duration" and _smaller(head, entity):
        return replace(head, number=(head.number or 0.0) + (entity.number or 0.0), end=entity.end), 2
    if entity.kind in ("number", "term") and entity.number == 0.5:
        return replace(head, number=(head.number or 0.0) + 0.5 * _size(head), end=entity.end), 2
    return None


def _one_and_half(before: list[Entity], entity: Entity) -> tuple[Entity, int] | None:
    if entity.dim != "duration" or entity.raw != 0.5 or len(before) < 2 or before[-1].end != entity.start:
        return None
    count, classifier = before[-2], before[-1]
    if "classifier" not in classifier.readings or count.number is None or count.end != classifier.start:
        return None
    raw = count.number + 0.5
    return replace(entity, number=raw * _size(entity), raw=raw, start=count.start), 2


def _size(duration: Entity) -> float:
    """Seconds of one unit the duration is written in."""
    return (duration.number or 0.0) / (duration.raw or 1.0)


def _smaller(head: Entity, tail: Entity) -> bool:
    return (tail.number or 0.0) < _size(head)
