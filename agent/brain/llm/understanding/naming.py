"""Which words of a text can be names, and of what. A figure, a verb of an order or a function word is no name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.lexicon import lexicon
from agent.brain.rules.grammar.reading import Reading
from agent.brain.rules.grammar.scan import normalise

_NEVER: Final = frozenset(
    {
        "act", "and", "article", "backend", "budget", "by", "cmp", "column", "cond", "correction", "dataword",
        "deadline", "demand", "det", "env", "every", "filler", "from", "label", "metric", "neg", "noun", "numword",
        "or", "per", "replicas", "retrain_on", "strategy", "symptom", "then", "traffic", "unit", "watchfor",
    }
)  # fmt: skip
"""Readings of the lexicon that make a word no name, unless it is quoted."""
_COLUMNS: Final = frozenset({"unit", "metric", "noun", "symptom", "replicas", "label", "dataword"})
"""Of these, what a column may be called all the same: `minutes`, `count`."""
_KINDS: Final = ("punct", "number", "quantity", "date", "clock", "enum")
_ADDRESSES: Final = ("data", "artefact", "model_file", "checkpoint", "program")
_LONGEST: Final = 6
"""Words of a name."""


def spelled(name: str) -> str:
    """A name as it is compared."""
    return normalise(name).casefold().strip()


def names(readings: tuple[Reading, ...], *, column: bool = False) -> frozenset[str]:
    """Every name that the texts can be said to hold, as it is compared."""
    return frozenset(text for reading in readings for text in _names(reading, column=column))


def spans(reading: Reading, name: str) -> Iterator[tuple[int, int]]:
    """Places of the first and the last word of a column's name, wherever it stands."""
    sought = spelled(name)
    for first in range(len(reading)):
        for text, last in _run(reading.entities, first, column=True):
            if text == sought:
                yield first, last


def in_run(readings: tuple[Reading, ...], sought: str) -> bool:
    """At either end of Chinese characters that mean nothing to the lexicon: where a word ends there, nobody knows."""
    runs = (e.text for r in readings for e in r.entities if e.kind == "han")
    return len(sought) > 1 and any(run.startswith(sought) or run.endswith(sought) for run in runs)


def of_kind(readings: tuple[Reading, ...], name: str, *kinds: str) -> bool:
    """Whether the texts hold that name as something of one of the kinds."""
    sought = spelled(name)
    return any(e.kind in kinds and e.text.casefold() == sought for r in readings for e in r.entities)


def address(readings: tuple[Reading, ...], name: str) -> bool:
    """Whether a path, a URI or the name of a data set stands in the texts, or something in quotation marks does."""
    return of_kind(readings, name, *_ADDRESSES) or quoted(readings, name)


def quoted(readings: tuple[Reading, ...], name: str) -> bool:
    sought = spelled(name)
    return any(e.quoted and e.text.casefold() == sought for r in readings for e in r.entities)


def _names(reading: Reading, *, column: bool) -> Iterator[str]:
    """Every run of words that can be one name. What was taken back or replaced is not among the entities any more."""
    found = reading.entities
    for first in range(len(found)):
        yield from (text for text, _ in _run(found, first, column=column))


def _run(found: list[Entity], first: int, *, column: bool) -> Iterator[tuple[str, int]]:
    """What can be a name from there on, and where it ends."""
    text = ""
    for n in range(first, min(first + _LONGEST, len(found))):
        entity = found[n]
        if not _can_name(entity, column=column):
            break
        apart = " " if text and entity.start > found[n - 1].end else ""
        text += apart + entity.text.casefold()
        yield text, n
        if entity.kind == "quoted" or entity.quoted:
            break


def _can_name(entity: Entity, *, column: bool) -> bool:
    if entity.quoted or entity.kind == "quoted":
        return True
    if entity.kind in _KINDS or not re.search(r"\w", entity.text):
        return False
    if entity.text.lower() in lexicon().words["generic"]:
        return False
    never = _NEVER - _COLUMNS if column else _NEVER
    return not never & set(entity.readings)
