"""Cuts a goal with several jobs into its parts: `(a) … (b) …`, `一、… 二、…`, `train … and deploy pricing:v2`."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from agent.brain.rules.grammar.jobs import by_data
from agent.brain.rules.grammar.reading import Reading
from agent.brain.rules.grammar.things import by_thing

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
    marks = _numbered(reading) or _lettered(reading) or _titled(reading)
    if len(marks) < 2:
        return [thing for whole in _by_verb(reading) for piece in by_data(whole) for thing in by_thing(piece)]
    ends = [*marks[1:], len(reading)]
    tail = _tail(reading, marks[-1])
    found = []
    for start, end in zip(marks, ends, strict=True):
        stop = min(end, tail)

        def keep(n: int, start: int = start, stop: int = stop) -> bool:
            return start < n < stop or n >= tail

        found.append(reading.part(keep))
    return found


def _numbered(reading: Reading) -> list[int]:
    """The marks of an enumeration of jobs; `一、数据：…；二、指标：…` numbers what one job says."""
    marks = reading.kinds("enum")
    jobs = [_within(reading, left, right) for left, right in pairwise([*marks, len(reading)])]
    return marks if sum(_is_job(job) for job in jobs) != 1 else []


def _within(reading: Reading, left: int, right: int) -> Reading:
    return reading.part(lambda n: left < n < right)


def _is_job(section: Reading) -> bool:
    """It says what is to be learned, or what is to be done to a thing it names."""
    learns = section.where("task") or section.where("act", "train", "predict") or section.where("family")
    done = [n for n in section.where("act", *_JOBS) if not section.negated(n)]
    told = any(_object(section, n) for n in done) or (done and section.kinds("artefact", "quoted", "word"))
    return bool(learns or told)


def _lettered(reading: Reading) -> list[int]:
    """`模型 A 用 …，模型 B 用 …`, `model 1: … model 2: …`."""
    marks: list[int] = []
    for at in reading.where("noun", "model"):
        after = reading.get(at + 1)
        rank = len(marks)
        if after is not None and rank < 4 and after.text.lower() in ("abcd"[rank], "1234"[rank], "一二三四"[rank]):
            marks.append(at)
    return marks if len(marks) > 1 else []


def _titled(reading: Reading) -> list[int]:
    """`` `churn` (classification, churn.csv, …), `ltv` (regression, …) ``: quoted names with brackets of their own."""
    marks = [n for n in reading.kinds("quoted") if _opens(reading, n + 1) and _holds_data(reading, n + 1)]
    return [n - 1 for n in marks] if len(marks) > 1 else []


def _opens(reading: Reading, at: int) -> bool:
    entity = reading.get(at)
    return entity is not None and entity.text in ("(", ":")


def _holds_data(reading: Reading, at: int) -> bool:
    for n in range(at + 1, min(at + 12, len(reading))):
        if reading[n].kind in ("data", "artefact"):
            return True
        if reading[n].text in (")", ";", "."):
            return False
    return False


def _by_verb(reading: Reading) -> list[Reading]:
    """A verb whose object is another thing than the one spoken of before begins another part."""
    cuts: list[int] = []
    seen: set[str] = set()
    begun = fresh = works = fed = False
    for at, entity in enumerate(reading.entities):
        if entity.readings.get("act") in _JOBS and _orders(reading, at):
            name = _object(reading, at)
            moved = at >= 1 and reading[at - 1].kind in ("artefact", "quoted") and _base(reading[at - 1].text) == name
            if begun and name is not None and (name not in seen or (moved and fresh)):
                cuts.append(_start(reading, at))
            begun = begun or name is not None or bool(entity.means("act", "train"))
        works = works or any(kind in entity.readings for kind in ("task", "noun", "label", "family"))
        fed = fed or entity.kind == "data"
        begun = begun or (works and fed)
        if entity.kind in ("artefact", "quoted"):
            fresh = _base(entity.text) not in seen
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
    if reading.negated(at) or reading.clause_has(at, "cond"):
        return False
    if reading[at].means("abort") and (reading.sentence_has(at, "metric") or _object(reading, at) is None):
        return False
    told = ("if", "unless", "otherwise")
    return not any(reading[n].means("cond", *told) for n in reading.in_sentence(at) if n < at)


def _object(reading: Reading, verb: int) -> str | None:
    """The versioned or quoted thing behind the verb, or before it behind `把`; `it as churn` is no new thing."""
    before, handle = reading.get(verb - 1), reading.get(verb - 2)
    if before is not None and before.kind == "artefact" and handle is not None and handle.text in ("把", "将", "再把"):
        return _base(before.text)
    inside = [n for n in reading.in_clause(verb) if n < verb]
    taken = next((n + 1 for n in reversed(inside) if reading[n].text in ("把", "将")), None)
    if taken is not None and reading[taken].kind in ("quoted", "artefact"):
        return _base(reading[taken].text)
    opens = before is not None and (handle is None or handle.kind == "punct" or handle.means("then"))
    if before is not None and opens and before.kind in ("quoted", "artefact") and not reading[verb].text.isascii():
        return _base(before.text)  # `…，search 扩到 5 个`
    for n in range(verb + 1, min(verb + 5, len(reading))):
        entity = reading[n]
        if entity.kind in ("artefact", "model_file"):
            return _base(entity.text)
        if entity.text.lower() in ("for", "on", "by", "of"):
            return None
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
