"""Cuts a goal with several jobs into its parts: `(a) … (b) …`, `1. … 2. …`, `一、… 二、…`."""

from __future__ import annotations

from agent.brain.rules.reading import Reading

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
    marks = reading.kinds("enum")
    if len(marks) < 2:
        return [reading]
    ends = [*marks[1:], len(reading)]
    tail = _tail(reading, marks[-1])
    found = []
    for start, end in zip(marks, ends, strict=True):
        stop = min(end, tail)

        def keep(n: int, start: int = start, stop: int = stop) -> bool:
            return start < n < stop or n >= tail

        found.append(reading.part(keep))
    return found


def _tail(reading: Reading, last: int) -> int:
    """Where the sentences begin that speak of all parts."""
    for n in range(last + 1, len(reading)):
        if reading.sentence(n) == reading.sentence(n - 1) or n == last + 1:
            continue
        words = {reading[k].text.lower() for k in reading.in_sentence(n)}
        if words & set(_SHARED):
            return n
    return len(reading)
