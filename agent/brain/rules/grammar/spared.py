"""Takes out of a reading what the text names only to rule it out, and the commands that it only quotes from others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.reading import Reading
from agent.brain.rules.grammar.ruled_out import hearsay, ruled_out, said_by_others

_THINGS: Final = ("data", "model_file", "artefact", "version", "program", "command", "image")
_RUN: Final = ("program", "command", "image")
_NAMES: Final = ("word", "quoted", "term")


def without_ruled_out(reading: Reading) -> Reading:
    """The reading without files, versions and commands that are only ruled out, and without quoted commands."""
    own = said_by_others(reading.text)

    def stays(n: int) -> bool:
        entity = reading[n]
        if entity.kind not in _THINGS:
            return True
        theirs = entity.kind in _RUN and (not own[entity.start : entity.end].strip() or hearsay(own, entity.start))
        return not (theirs or ruled_out(entity.text, reading.text))

    return _only(reading, stays)


def told_of(reading: Reading) -> Iterator[str]:
    """Commands that somebody else is said to want, without quotation marks: whether to run them is to be asked."""
    own = said_by_others(reading.text)
    for n in reading.kinds(*_RUN):
        entity = reading[n]
        if own[entity.start : entity.end].strip() and hearsay(own, entity.start):
            yield entity.text


def without_spared(reading: Reading) -> Reading:
    """The reading without names of things that are to be left alone: `leave tumours alone and roll back churn`."""

    def stays(n: int) -> bool:
        return not (_could_name(reading[n]) and ruled_out(reading[n].text, reading.text))

    return _only(reading, stays)


def _could_name(entity: Entity) -> bool:
    return entity.kind in _NAMES and entity.text.isascii() and not any(k in entity.readings for k in _SAID)


_SAID: Final = ("act", "neg", "det", "article", "filler", "metric", "and", "cmp", "from", "touch", "replicas")


def _only(reading: Reading, stays: Callable[[int], bool]) -> Reading:
    """With a comma in the place of what goes, so that the negation before it governs nothing behind it."""
    gone = {n for n in range(len(reading)) if not stays(n)}
    kept = [_comma(e) if n in gone else e for n, e in enumerate(reading.entities)]
    return Reading(kept, reading.text, reading) if gone else reading


def _comma(entity: Entity) -> Entity:
    return replace(entity, kind="punct", text=",", readings={}, number=None, raw=None, dim="", quoted=False)
