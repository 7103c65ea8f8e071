"""Cuts a goal with several jobs into its parts: `(a) … (b) …`, `一、… 二、…`, `train … and deploy pricing:v2`."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from agent.brain.rules.reading import Reading

_JOBS: Final = ("deploy", "rollback", "scale", "watch", "cleanup", "evaluate", "retrain", "train", "diagnose")
_BEFORE_OBJECT: Final = ("det", "article", "filler", "noun", "env", "comparand")

_SHARED = (
    "both",
    "together",
    "all",
    "each",
    "in total",
    "altogether",
    "overall",
    "两个",
    "都",
    "均",
    "总共",
    "一共",
    "合计",
    "共",
    "every",
)


def parts(reading: Reading) -> list[Reading]:
    """One reading per part; what stands before the first mark and what speaks of all belongs to every part."""
    marks = reading.kinds("enum") or _lettered(reading)
    if len(marks) < 2:
        return _by_verb(reading)
    ends = [*marks[1:], len(reading)]
    tail = _tail(reading, marks[-1])
    found = []
    for start, end in zip(marks, ends, strict=True):
        stop = min(end, tail)

        def keep(n: int, start: int = start, stop: int = stop) -> bool:
            return start < n < stop or n >= tail

        found.append(reading.part(keep))
    return found


def _lettered(reading: Reading) -> list[int]:
    """`模型 A 用 …，模型 B 用 …`, `model 1: … model 2: …`."""
    marks: list[int] = []
    for at in reading.where("noun", "model"):
        after = reading.get(at + 1)
        rank = len(marks)
        if after is not None and rank < 4 and after.text.lower() in ("abcd"[rank], "1234"[rank], "一二三四"[rank]):
            marks.append(at)
    return marks if len(marks) > 1 else []


def _by_verb(reading: Reading) -> list[Reading]:
    """A verb whose object is another thing than the one spoken of before begins another part."""
    cuts: list[int] = []
    seen: set[str] = set()
    begun = False
    for at, entity in enumerate(reading.entities):
        if entity.readings.get("act") in _JOBS and _orders(reading, at):
            name = _object(reading, at)
            if begun and name is not None and name not in seen:
                cuts.append(_start(reading, at))
            begun = begun or name is not None or bool(entity.means("act", "train"))
        if entity.kind in ("artefact", "quoted"):
            seen.add(_base(entity.text))
    if not cuts:
        return [reading]
    tail = _tail(reading, cuts[-1])
    edges = [0, *cuts, len(reading)]

    def within(left: int, right: int) -> Reading:
        return reading.part(lambda n: left <= n < min(right, tail) or n >= tail)

    return [within(left, right) for left, right in pairwise(edges)]


def _orders(reading: Reading, at: int) -> bool:
    """An order of its own: neither negated nor what is to happen on a condition."""
    if reading.negated(at) or reading.clause_has(at, "cond") or reading[at].means("abort"):
        return False
    return not any(reading[n].means("cond") for n in reading.in_sentence(at) if n < at)


def _object(reading: Reading, verb: int) -> str | None:
    """The versioned or quoted thing straight behind the verb; `it as churn` is no new thing."""
    for n in range(verb + 1, min(verb + 5, len(reading))):
        entity = reading[n]
        if entity.kind in ("artefact", "model_file"):
            return _base(entity.text)
        if entity.kind == "quoted":
            return _base(entity.text) if not reading.near(n, "label", before=2, after=1) else None
        if entity.text.lower() in ("it", "as", "them") or not any(k in entity.readings for k in _BEFORE_OBJECT):
            return None
    return None


def _start(reading: Reading, verb: int) -> int:
    """Where the clause of the verb begins; `把 x 部署` has its object before the verb."""
    at = verb
    while at > 0 and reading.clause(at - 1) == reading.clause(verb) and not reading[at - 1].means("and"):
        at -= 1
    return at


def _base(text: str) -> str:
    return re.split(r"[:@]", text)[0]


def _tail(reading: Reading, last: int) -> int:
    """Where the sentences begin that speak of all parts."""
    for n in range(last + 1, len(reading)):
        if reading.sentence(n) == reading.sentence(n - 1) or n == last + 1:
            continue
        words = {reading[k].text.lower() for k in reading.in_sentence(n)}
        if words & set(_SHARED):
            return n
    return len(reading)
