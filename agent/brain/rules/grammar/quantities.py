"""Puts numbers and units together: percent, points, durations, money, memory, counts, clock times.

It decides what a figure is a figure of, never what it is for.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from agent.brain.rules.grammar import numerals
from agent.brain.rules.grammar.durations import joined_durations
from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.lexicon import lexicon
from agent.brain.rules.grammar.patterns import Pattern

COUNTED: Final = ("replica", "trial", "gpu", "cpu", "fold", "epoch")
_MULTIPLIERS: Final = {"百": 100.0, "千": 1000.0, "万": 10_000.0, "亿": 100_000_000.0}
_CLOCK: Final = Pattern(r"(\d{1,2})(?::(\d{2}))?\s?([ap])?", re.IGNORECASE)


def compose(found: list[Entity]) -> list[Entity]:
    """The entities with every number joined to its unit."""
    result: list[Entity] = []
    at = 0
    while at < len(found):
        made, size = _quantity(found, at, result)
        at += size
        if (
            made.kind == "clock"
            and at < len(found)
            and found[at].means("meridiem", "pm")
            and (made.number or 0) < 12 * 3600
        ):
            made = replace(made, number=(made.number or 0.0) + 12 * 3600)  # `five o'clock in the afternoon`
        result.append(made)
    return joined_durations(result)


def _quantity(found: list[Entity], at: int, before: list[Entity]) -> tuple[Entity, int]:
    entity = found[at]
    if entity.kind == "clock":
        return _with_meridiem(replace(entity, number=_clock_seconds(entity.text)), before), 1
    if "fraction" in entity.readings:
        value, size, _ = _number(found, at + 1)
        if size:
            return _made(found, at, size + 1, "percent", value * float(entity.readings["fraction"]), value), size + 1
    if _currency(entity) and at + 1 < len(found) and found[at + 1].start - entity.end <= 1:
        value, size, _ = _number(found, at + 1)
        if size:
            return _money(found, at, size + 1, entity.readings["unit"], value)
    part = _share(found, at, before)
    if part is not None:
        return part, 1
    rate = _per_second(found, at)
    if rate is not None:
        return rate
    value, size, exact = _number(found, at)
    if not size:
        return entity, 1
    share = _out_of(found, at, size, value) or _parts_of(found, at, size, value)
    if share is not None:
        return share
    return _with_unit(found, at, size, value, exact, before)


def _share(found: list[Entity], at: int, before: list[Entity]) -> Entity | None:
    """`a fifth held out`, `two thirds of the rows`, `by half`, `减少一半`: a word for a share."""
    entity, after = found[at], found[at + 1] if at + 1 < len(found) else None
    if entity.text == "一半" or (entity.text.lower() == "half" and before and before[-1].text.lower() in ("by", "in")):
        return None if after is not None and after.means("unit") else _made(found, at, 1, "percent", 0.5, 0.5)
    if "share" not in entity.readings:
        return None
    held = any(e.means("holdshare") for e in found[at + 1 : at + 4]) or any(e.means("holdshare") for e in before[-3:])
    if not held:
        return None
    part, _, whole = entity.readings["share"].partition("/")
    value = float(part) / float(whole)
    return _made(found, at, 1, "percent", value, value)


def _out_of(found: list[Entity], at: int, size: int, value: float) -> tuple[Entity, int] | None:
    """`nine out of ten`, `9 in 10` are a share."""
    link = at + size
    words = " ".join(e.text.lower() for e in found[link : link + 2])
    used = 2 if words.startswith("out of") and " " in words and found[link].text.lower() == "out" else 1
    if link >= len(found) or found[link].text.lower() not in ("out of", "in", "out"):
        return None
    whole, more, _ = _number(found, link + used)
    if not more or not 0 < value < whole or whole not in (4, 5, 10, 20, 100, 1000):
        return None
    after = found[link + used + more] if link + used + more < len(found) else None
    if after is not None and after.means("unit"):
        return None
    taken = size + used + more
    return _made(found, at, taken, "percent", value / whole, value), taken


def _parts_of(found: list[Entity], at: int, size: int, whole: float) -> tuple[Entity, int] | None:
    """`十分之九`, `3 分之 2`."""
    link = at + size
    texts = "".join(e.text for e in found[link : link + 2])
    if not texts.startswith("分之") or not whole:
        return None
    used = 1 if found[link].text.startswith("分之") else 2
    value, more, _ = _number(found, link + used)
    if not more or value > whole:
        return None
    taken = size + used + more
    return _made(found, at, taken, "percent", value / whole, value), taken


def _per_second(found: list[Entity], at: int) -> tuple[Entity, int] | None:
    """`每秒 200 个请求`, `每秒至少 30 次`: what comes every second."""
    unit = found[at + 1] if at + 1 < len(found) else None
    if found[at].text != "每" or unit is None or unit.text not in ("秒", "秒钟"):
        return None
    start = at + 2
    while (
        start < len(found)
        and any(k in found[start].readings for k in ("cmp", "filler", "act", "neg"))
        and start < at + 5
    ):
        start += 1
    value, size, _ = _number(found, start)
    if not size or start > at + 2:
        return None
    used = start + size
    while used < len(found) and (
        found[used].text in ("个", "次", "条", "笔", "请求", "调用", "查询") or found[used].means("unit", "row:1")
    ):
        used += 1
    return _made(found, at, used - at, "rps", value, value), used - at


def _currency(entity: Entity) -> bool:
    return entity.readings.get("unit", "").startswith("money:") and entity.text not in ("元", "块", "刀")


def _made(found: list[Entity], at: int, size: int, dim: str, number: float, raw: float, unit: str = "") -> Entity:
    last = found[at + size - 1]
    readings = {"unit": unit} if unit else {}
    text = found[at].text if size == 1 else f"{found[at].text} {last.text}"
    return Entity(
        kind="quantity", text=text, start=found[at].start, end=last.end, number=round(number, 12), raw=raw, dim=dim,
        readings=readings,
    )  # fmt: skip


def _money(found: list[Entity], at: int, size: int, unit: str, value: float) -> tuple[Entity, int]:
    after = found[at + size] if at + size < len(found) else None
    if after is not None and _currency(after):  # `$12 USD`, `¥ 200 元`
        size += 1
    currency = unit.partition(":")[2]
    factor = _OF_A_DOLLAR.get(currency)
    made = _made(found, at, size, "money", value * (factor or 1.0), value, "USD" if factor else currency)
    return made, size


_OF_A_DOLLAR: Final = {"cent": 0.01, "grand": 1000.0}


def _number(found: list[Entity], at: int) -> tuple[float, int, bool]:
    """Value, entities used (0 if there is no number here) and whether it is written in digits."""
    if at >= len(found):
        return 0.0, 0, False
    if found[at].number is not None and found[at].kind in ("number", "term"):
        return _multiplied(found, at)
    if found[at].kind == "han" and found[at].text in _HAN:
        return _chinese(found, at)
    return _english(found, at)


_HAN: Final = "零〇一二两三四五六七八九十百千万亿半"


def _multiplied(found: list[Entity], at: int) -> tuple[float, int, bool]:
    value, size = found[at].number or 0.0, 1
    while at + size < len(found):
        after = found[at + size]
        factor = _MULTIPLIERS.get(after.text) if after.kind == "han" else None
        if factor is None and "scale" in after.readings and after.readings["scale"][0].isdigit():
            factor = float(after.readings["scale"])
        if factor is None:
            break
        value, size = value * factor, size + 1
    return value, size, True


def _chinese(found: list[Entity], at: int) -> tuple[float, int, bool]:
    text, size, best = "", 0, (0.0, 0, False)
    for entity in found[at : at + 12]:
        if not ((entity.kind == "han" and entity.text in _HAN) or (entity.text == "点" and size)):
            break
        text, size = text + entity.text, size + 1
        value = numerals.chinese(text)
        if value is not None:
            best = (value, size, "点" in text or value >= 10)
    return best


def _english(found: list[Entity], at: int) -> tuple[float, int, bool]:
    words: list[float] = []
    size = 0
    for n, entity in enumerate(found[at : at + 8]):
        after = found[at + n + 1] if at + n + 1 < len(found) else None
        word = _word_value(entity, after, started=bool(words))
        if word is None and words and entity.text.lower() in ("and", "-") and after is not None:
            following = found[at + n + 2] if at + n + 2 < len(found) else None
            if _word_value(after, following, started=True) is None or not _continues(words[-1], after):
                break
            continue
        if word is None:
            break
        words.append(word)
        size = n + 1
        if word < 1 and len(words) == 1:
            break
    return (numerals.english(words), size, False) if words else (0.0, 0, False)


def _continues(last: float, after: Entity) -> bool:
    """`two and a half` and `one hundred and five` go on; `one and two` does not."""
    return last >= 20 or after.readings.get("numword") == "0.5"


def _word_value(entity: Entity, after: Entity | None, *, started: bool) -> float | None:
    if "numword" in entity.readings:
        return float(entity.readings["numword"])
    if started and "scale" in entity.readings and entity.readings["scale"][0].isdigit():
        return float(entity.readings["scale"])
    if "article" in entity.readings and after is not None:
        digits = after.readings.get("scale", "")[:1].isdigit()
        if digits or _spelled_unit(after):
            return 1.0
    return None


def _spelled_unit(entity: Entity) -> bool:
    dim = entity.readings.get("unit", "").partition(":")[0]
    return dim in ("duration", "percent", "money", "points") and len(entity.text) > 2


def _with_unit(
    found: list[Entity], at: int, size: int, value: float, exact: bool, before: list[Entity]
) -> tuple[Entity, int]:
    here = found[at + size - 1]
    if at + size < len(found) and "tenth" in found[at + size].readings:
        extra, more, _ = _number(found, at + size + 1)
        ratio = value / 10 + (extra / 100 if more and extra < 10 else 0)
        used = size + 1 + (more if extra < 10 else 0)
        return _made(found, at, used, "percent", ratio, value), used
    evening = found[at + size] if at + size < len(found) else None
    hour = evening is not None and evening.means("meridiem") and value in range(1, 13) and bool(before)
    if hour and evening is not None and before[-1].means("by"):  # `by 8 in the evening`
        made = replace(_made(found, at, size, "", value * 3600, value), kind="clock")
        late = evening.means("meridiem", "pm") and value < 12
        return replace(made, number=(value + (12 if late else 0)) * 3600), size
    if _is_clock(found, at + size, before):
        return _spoken_clock(found, at, size, value, before)
    place = _unit_place(found, at + size)
    if place is None:
        kind = found[at].kind if size == 1 and found[at].number is not None else "number"
        readings = found[at].readings if size == 1 else {}
        made = Entity(
            kind="number" if kind != "term" else "term", text=found[at].text, start=found[at].start, end=here.end,
            number=value, raw=value, exact=exact, readings=readings,
        )  # fmt: skip
        return made, size
    used = place - at + 1
    unit = found[place].readings["unit"]
    thing = found[place + 1] if place + 1 < len(found) else None
    if found[place].text == "块" and thing is not None and (thing.means("gpu") or thing.means("gpuword")):
        made = replace(found[at], kind="number", number=value, raw=value, exact=exact, end=here.end)
        return made, size  # `一块 H100` is one of them
    dim, _, factor = unit.partition(":")
    if dim == "money":
        return _money(found, at, used, unit, value)
    return _made(found, at, used, dim, value * float(factor), value, unit), used


_FURTHER: Final = ("more", "extra", "additional", "further")


def _unit_place(found: list[Entity], at: int) -> int | None:
    """Where the unit of a number that ends before `at` stands."""
    if at < len(found) and found[at].text == "-" and found[at].start == found[at - 1].end:
        at += 1
    if at < len(found) and "classifier" in found[at].readings and "unit" not in found[at].readings:
        at += 1
    for place in (at, at + 1):
        if place >= len(found):
            return None
        entity = found[place]
        dim = entity.readings.get("unit", "").partition(":")[0]
        if dim and (place == at or dim in COUNTED or found[at].text.lower() in _FURTHER):
            near = entity.start - found[at - 1].end <= 1
            return place if near or entity.text.lower() not in lexicon().words["letters"] else None
        if entity.kind not in ("word", "term") or any(k in entity.readings for k in ("and", "or", "filler", "gpu")):
            return None
    return None


def _is_clock(found: list[Entity], at: int, before: list[Entity]) -> bool:
    if at >= len(found) or "clockword" not in found[at].readings:
        return False
    near = before[-2:]
    told = any(k in e.readings for e in near for k in ("day", "weekday", "meridiem", "daytime"))
    after = found[at + 1] if at + 1 < len(found) else None
    return told or found[at].text in ("点钟", "点半", "o'clock") or (after is not None and "by" in after.readings)


def _spoken_clock(found: list[Entity], at: int, size: int, value: float, before: list[Entity]) -> tuple[Entity, int]:
    word = found[at + size]
    seconds = value * 3600 + (1800 if "half" in word.readings.get("clockword", "") else 0)
    size += 1
    minutes, more, _ = _number(found, at + size)
    if more and word.text == "点" and at + size + more < len(found) and found[at + size + more].text == "分":
        seconds, size = seconds + minutes * 60, size + more + 1
    made = replace(_made(found, at, size, "", seconds, value), kind="clock")
    return _with_meridiem(made, before), size


def _clock_seconds(text: str) -> float:
    match = _CLOCK.match(text)
    if match is None:
        return 0.0
    hour = int(match.group(1)) % 12 if match.group(3) else int(match.group(1))
    half_day = 12 if (match.group(3) or "").lower() == "p" else 0
    return (hour + half_day) * 3600.0 + int(match.group(2) or 0) * 60


def _with_meridiem(clock: Entity, before: list[Entity]) -> Entity:
    near = before[-1] if before else None
    night = near is not None and near.text.lower() in ("今晚", "明晚", "晚上", "今天晚上", "半夜", "tonight")
    if night and clock.number == 12 * 3600:
        return replace(clock, number=24 * 3600.0)
    if near is not None and near.means("meridiem", "pm") and (clock.number or 0) <= 12 * 3600:
        return replace(clock, number=(clock.number or 0.0) % (12 * 3600) + 12 * 3600)
    return clock
