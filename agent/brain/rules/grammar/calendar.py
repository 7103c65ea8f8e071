"""Clock times of deadlines: `by tomorrow noon`, `by Friday 18:00`, `明天中午前`, resolved against an injected now."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from agent.brain.rules.grammar.reading import Reading
from tools.language import tr

_PARTS: Final = ("day", "weekday", "daytime", "month", "meridiem")
_DONE: Final = (
    "finish",
    "done",
    "ready",
    "complete",
    "完成",
    "搞定",
    "跑完",
    "做完",
    "弄完",
    "交付",
    "上线",
    "finished",
    "completed",
)
_TODAY: Final = (
    "本周内",
    "这周内",
    "本周之内",
    "tonight",
    "今晚",
    "今天之内",
    "今天内",
    "end of day",
    "eod",
    "end of the day",
)


@dataclass(frozen=True, kw_only=True)
class Due:
    """When the work is due, in seconds from now, and what had to be assumed."""

    seconds: float
    assumed: str | None = None


def due(reading: Reading, *, now: float, utc_offset_s: int) -> Due | None:
    """The moment the goal names as its deadline; None if it names none."""
    for run in _runs(reading):
        if _is_deadline(reading, run):
            return _resolve(reading, run, now=now, utc_offset_s=utc_offset_s)
    return None


def _runs(reading: Reading) -> list[list[int]]:
    """Neighbouring words of date and time."""
    found: list[list[int]] = []
    for n, entity in enumerate(reading.entities):
        timely = entity.kind in ("clock", "date") or any(k in entity.readings for k in _PARTS)
        if not timely or not reading.free(n) or entity.means("cmp"):
            continue
        if found and n - found[-1][-1] <= 3 and reading.sentence(n) == reading.sentence(found[-1][-1]):
            found[-1].append(n)
        else:
            found.append([n])
    return [run for run in found if any(_anchors(reading, n) for n in run)]


def _anchors(reading: Reading, n: int) -> bool:
    entity = reading[n]
    return (
        entity.kind in ("clock", "date")
        or any(k in entity.readings for k in ("day", "weekday", "daytime"))
        or (entity.means("month") and (after := reading.get(n + 1)) is not None and after.number is not None)
    )


def _is_deadline(reading: Reading, run: list[int]) -> bool:
    first, last = run[0], run[-1]
    if any(
        (e := reading.get(n)) is not None and e.text.lower() in ("since", "from", "自从", "从")
        for n in (first - 1, first - 2)
    ):
        return False
    for n in range(first - 3, last + 3):
        entity = reading.get(n)
        if entity is not None and entity.means("by") and reading.sentence(n) == reading.sentence(first):
            return n < first or not entity.text.isascii()
    if any(reading[n].means("act", "diagnose") for n in reading.in_sentence(first)):
        return False
    words = {reading[n].text.lower() for n in reading.in_clause(first)}
    return bool(words & set(_DONE)) or any(reading[n].text.lower() in _TODAY for n in run)


def _resolve(reading: Reading, run: list[int], *, now: float, utc_offset_s: int) -> Due:
    local = datetime.fromtimestamp(now, tz=UTC).replace(tzinfo=None) + timedelta(seconds=utc_offset_s)
    clock = next((reading[n].number for n in run if reading[n].kind == "clock"), None)
    hours = [float(reading[n].readings["daytime"]) for n in run if reading[n].means("daytime")]
    seconds = clock if clock is not None else hours[-1] * 3600 if hours else 24 * 3600.0
    assumed = None
    if clock is None and (not hours or hours[-1] not in (12.0, 24.0)):
        assumed = tr("the deadline names no hour; {hour}:00 of that day is assumed", hour=int(seconds // 3600))
    day = _day(reading, run, local)
    start = datetime.combine(day or local.date(), datetime.min.time())
    moment = start + timedelta(seconds=seconds)
    if moment <= local:
        weekly = any(reading[n].means("weekday") for n in run)
        moment += timedelta(days=7 if weekly else 1)
    reading.claim(*run)
    return Due(seconds=(moment - local).total_seconds(), assumed=assumed)


def _day(reading: Reading, run: list[int], local: datetime) -> date | None:
    for n in run:
        entity = reading[n]
        if entity.kind == "date":
            return _written_date(entity.text, local)
        if entity.means("weekday"):
            ahead = (int(entity.readings["weekday"]) - local.weekday()) % 7
            if entity.means("nextweek"):
                ahead = 7 - local.weekday() + int(entity.readings["weekday"])
            return local.date() + timedelta(days=ahead)
        if entity.means("day"):
            return local.date() + timedelta(days=int(entity.readings["day"]))
        if entity.means("month"):
            return _month_day(reading, n, local)
    return None


def date_figures(text: str) -> list[int]:
    """Year, month and day of a written date, as far as it says them: `1 March 2026`, `2026-03-01`, `2026年3月`."""
    named = re.search("|".join(_MONTHS), text.lower())
    figures = [int(f) for f in re.findall(r"\d+", text)]
    if named is None:
        return figures
    month = _MONTHS.index(named.group()) + 1
    return [figures[-1], month, *figures[:-1]]


_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _written_date(text: str, local: datetime) -> date | None:
    """`2026-03-05`, `2026年3月5日`, `3月5日`; None for a day that does not exist."""
    figures = date_figures(text)
    if len(figures) == 2 and figures[0] <= 12:
        return _coming(local, figures[0], figures[1])
    year, month, day = [*figures, 1][:3]
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _month_day(reading: Reading, n: int, local: datetime) -> date | None:
    """`March 5` and `5 March`, this year or the next."""
    for place in (n + 1, n - 1):
        entity = reading.get(place)
        if entity is not None and entity.number is not None and 1 <= entity.number <= 31:
            return _coming(local, int(reading[n].readings["month"]), int(entity.number))
    return None


def _coming(local: datetime, month: int, day: int) -> date | None:
    for year in (local.year, local.year + 1):
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found >= local.date():
            return found
    return None
