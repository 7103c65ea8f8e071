"""Demands on what the world looks like: ready, finished, which version serves, nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.brain.rules.grammar.reading import Reading
from agent.contract import Clause
from tools.metrics import metric

STATES: Final = ("ready", "finished", "serving_version", "orphaned_resources")
_THINGS: Final = ("deploy", "watch", "scale", "rollback", "cleanup", "evaluate")
_TIMELY: Final = ("by", "day", "weekday", "daytime", "meridiem")


def states(reading: Reading, task: str) -> list[tuple[int, Clause]]:
    """Clauses on a state, with their places; only of things that exist."""
    return [place for at in reading.where("metric", *STATES) for place in _state(reading, at, task)]


def _state(reading: Reading, at: int, task: str) -> Iterator[tuple[int, Clause]]:
    name = reading[at].readings["metric"]
    if task not in _THINGS:
        return
    if name == "serving_version":
        versions = (n for n in range(at + 1, min(at + 6, len(reading))) if reading[n].kind == "version")
        place = next(versions, None)
        if place is not None:
            reading.claim(place)
            yield at, _clause(name, reading[place].text)
    elif name == "orphaned_resources":
        if reading.negated(at) or any(reading[n].means("neg") for n in reading.in_clause(at) if n < at):
            yield at, _clause(name, 0.0)
    elif not _dated(reading, at) and (name == "ready" or task == "watch"):
        yield at, _clause(name, 1.0)


def _dated(reading: Reading, at: int) -> bool:
    """`it has to be ready by noon` is about time."""
    near = [reading[n] for n in reading.in_clause(at) if n > at - 4]
    return any(
        e.kind in ("clock", "date") or e.dim == "duration" or any(k in e.readings for k in _TIMELY) for e in near
    )


def _clause(name: str, value: float | str) -> Clause:
    known = metric(name)
    where = known.where if known is not None else "state"
    return Clause.model_validate({"id": "c", "metric": name, "op": "==", "value": value, "where": where})
