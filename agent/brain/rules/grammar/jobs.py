"""Several jobs that no number tells apart: `a classifier on a.csv (label x) and a regressor on b.csv (target y)`.

A data set begins a job of its own when what is said around it (a kind of work, a label, a metric) is said around
another one too, and nothing joins the two or makes one of them the test of the other.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from agent.brain.rules.grammar.reading import Reading

_ONE_JOB: Final = ("join", "joinhow")
_NEXT: Final = ("and", "then")
_ALSO: Final = frozenset(("再", "另外", "还", "同时", "并且", "also", "then", "second", "其次", "最后", "此外", "并"))
_BETWEEN: Final = frozenset((";", ".", "。", "\n", ",", "(", ":"))


def by_data(reading: Reading) -> list[Reading]:
    """The reading, cut where another job begins."""
    places = reading.kinds("data")
    if len(places) == 1 and not reading.where("join"):
        return _by_kind(reading)
    if len(places) < 2 or any(reading.where(kind) for kind in _ONE_JOB) or reading.where("act", "compare", "evaluate"):
        return [reading]
    cuts = [_begin(reading, left, right) for left, right in pairwise(places)]
    if None in cuts:
        return [reading]
    edges = [0, *(c for c in cuts if c is not None), len(reading)]
    pieces = [(left, right) for left, right in pairwise(edges)]
    if not all(_is_job(reading, left, right) for left, right in pieces):
        return [reading]
    tail = _shared(reading, edges[-2])
    return [_within(reading, left, right, tail) for left, right in pieces]


def _by_kind(reading: Reading) -> list[Reading]:
    """`from a.csv: a regressor for x with … and a classifier for y with …`: one table, several things to learn."""
    found = [n for n in reading.where("task", "regression", "classification") if _aims(reading, n) is not None]
    names = {reading[at].text for n in found if (at := _aims(reading, n)) is not None}
    kinds = {reading[n].readings["task"] for n in found}
    if len(found) < 2 or len(names) < len(found) or len(kinds) < len(found):
        return [reading]
    source = reading.kinds("data")[0]
    starts = [max(n - 1, 0) if (e := reading.get(n - 1)) is not None and e.means("article") else n for n in found]
    ends = [*starts[1:], _shared(reading, starts[-1])]

    def job(left: int, right: int) -> Reading:
        return reading.part(lambda n: n < starts[0] or left <= n < right or n >= ends[-1] or n == source)

    return [job(left, right) for left, right in zip(starts, ends, strict=True)]


def _aims(reading: Reading, at: int) -> int | None:
    """Where the name of what a kind of model is for stands: `a regressor for `rent``, `a classifier of late_fee`."""
    link, name = reading.get(at + 1), reading.get(at + 2)
    if name is not None and name.text.lower() in ("column", "the", "label"):
        name, at = reading.get(at + 3), at + 1
    aimed = link is not None and link.text.lower() in ("for", "of", "to predict", "predicting", "预测")
    return at + 2 if aimed and name is not None and name.kind in ("word", "quoted") else None


def _within(reading: Reading, left: int, right: int, tail: int) -> Reading:
    return reading.part(lambda n: left <= n < min(right, tail) or n >= tail)


def _begin(reading: Reading, left: int, right: int) -> int | None:
    """Where between two data sets the second job begins: at the mark or the `and` before its first word of work."""
    first = right
    for n in range(right - 1, left, -1):
        entity = reading[n]
        if entity.means("label") or entity.means("metric"):
            break
        if _is_work(reading, n):
            first = n
        elif entity.text in (";", ".", "。", ")") or (entity.text in (",",) and first != right):
            break
    for n in range(first, left, -1):
        before = reading[n - 1]
        if before.text in _BETWEEN or any(kind in before.readings for kind in _NEXT) or before.text.lower() in _ALSO:
            return n
    return None


def _is_work(reading: Reading, at: int) -> bool:
    entity = reading[at]
    return entity.means("task") or entity.means("act", "train", "predict", "retrain") or entity.means("noun", "model")


def _is_job(reading: Reading, left: int, right: int) -> bool:
    """Work and a statement of its own: a label, a metric with its data, or something to predict."""
    inside = range(left, right)
    work = any(_is_work(reading, n) or reading[n].means("family") for n in inside)
    stated = any(
        reading[n].means("label") or reading[n].means("metric") or reading[n].means("act", "predict") for n in inside
    )
    return work and stated and not any(reading[n].means("role", "holdout") for n in inside)


_SHARED: Final = (
    "together", "in total", "altogether", "all in", "overall", "总共", "一共", "合计", "both", "each", "两个",
    "都", "均", "共", "for both", "all together",
)  # fmt: skip


def _shared(reading: Reading, last: int) -> int:
    """Where the last sentences begin that speak of all jobs, or of money, time and place only."""
    for n in range(last + 1, len(reading)):
        if reading.sentence(n) == reading.sentence(n - 1):
            continue
        words = {reading[k].text.lower() for k in reading.in_sentence(n)}
        if words & set(_SHARED):
            return n
    return len(reading)
