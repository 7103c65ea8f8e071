"""Which families of models did well in earlier searches of one kind. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from statistics import median

from agent.past import Past
from tools.metrics import metric
from tools.recipes.records import Family, Task
from tools.record import Record

ALIKE = 8.0
"""Data is alike when it has at most this many times the cells of the other."""


class Worked(Record):
    """How a family did in comparable searches of earlier runs."""

    family: Family
    searches: int
    better: float
    """Share of the other families in the same searches that it was at least as good as, on validation; 1/2 where it
    was always alone."""
    met: int
    """How many of these searches belong to goals that were met, by whichever family was chosen."""
    seconds: float
    """Median of one search."""
    usd_micro: int
    """The same, of its cost."""


def worked(past: Iterable[Past], *, task: Task, rows: int, columns: int) -> tuple[Worked, ...]:
    """The families that were searched for this task on data within `ALIKE` of that many cells, the best first: by how
    often they were at least as good as the others on the same data, then by time."""
    near = [p for p in past if p.task == task and _near(p, rows * columns) and p.family is not None]
    searches: dict[tuple[str, str, int, int], list[Past]] = {}
    for one in near:
        if one.value is not None:
            searches.setdefault((one.run, one.metric, one.rows, one.columns), []).append(one)
    shares: dict[Family, list[float]] = {}
    for rivals in searches.values():
        for family, share in _shares(rivals).items():
            shares.setdefault(family, []).append(share)
    found = (_record(family, own, [p for p in near if p.family == family]) for family, own in shares.items())
    return tuple(sorted(found, key=lambda w: (-w.better, w.seconds, w.family)))


def _near(past: Past, cells: int) -> bool:
    return past.tool == "tune_model" and 1 / ALIKE <= past.rows * past.columns / max(1, cells) <= ALIKE


def _shares(rivals: list[Past]) -> dict[Family, float]:
    """Family → the share of the others that its best search was at least as good as."""
    known = metric(rivals[0].metric)
    sign = -1.0 if known is not None and known.better == "min" else 1.0
    best: dict[Family, float] = {}
    for one in rivals:
        if one.family is not None and one.value is not None:
            best[one.family] = max(sign * one.value, best.get(one.family, -inf))
    others = len(best) - 1
    return {
        family: sum(own >= value for other, value in best.items() if other != family) / others if others else 0.5
        for family, own in best.items()
    }


def _record(family: Family, shares: list[float], searches: list[Past]) -> Worked:
    return Worked(
        family=family,
        searches=len(searches),
        better=round(sum(shares) / len(shares), 3),
        met=sum(p.met is True for p in searches),
        seconds=round(median(p.seconds for p in searches), 2),
        usd_micro=round(median(p.usd_micro for p in searches)),
    )
