"""Figures as people write and say them: shares, money, spans of time, counts, in English and Chinese."""

from __future__ import annotations

import calendar
from random import Random
from typing import Final

_ONES: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_HAN: Final = "零一二三四五六七八九"


def english(number: int) -> str:
    """0 to 999 in words."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        rest = f"-{_ONES[number % 10]}" if number % 10 else ""
        return _TENS[number // 10] + rest
    rest = f" and {english(number % 100)}" if number % 100 else ""
    return f"{_ONES[number // 100]} hundred{rest}"


def chinese(number: int) -> str:
    """0 to 9999 in numerals."""
    if number == 2:
        return "两"
    text, rest = "", number
    for size, name in ((1000, "千"), (100, "百"), (10, "十")):
        digit, rest = divmod(rest, size)
        if digit:
            text += ("" if (digit, name, text) == (1, "十", "") else _HAN[digit]) + name
        elif text and rest and not text.endswith("零"):
            text += "零"
    return text + _HAN[rest] if rest else text or "零"


def ratio(chance: Random, tongue: str, value: float) -> str:
    """A share: `0.85`, `85 %`, `eighty-five percent`, `百分之八十五`, `八成五`."""
    percent = round(value * 100, 4)
    decimal, written = f"{value:g}", f"{percent:g}"
    whole = percent == int(percent)
    forms = [decimal, decimal, f"{written}%", f"{written}%", f"{written} %"]
    if tongue == "en":
        forms += [decimal.removeprefix("0"), f"{written} percent", f"{written} per cent"]
        forms += [f"{english(int(percent))} percent"] if whole and percent >= 1 else []
    else:
        forms += [f"百分之{chinese(int(percent))}", f"百分之 {written}"] if whole and percent not in (0, 2) else []
        tens, ones = divmod(int(percent), 10)
        forms += [_HAN[tens] + "成" + (_HAN[ones] if ones else "")] if whole and 10 < percent < 100 else []
    return chance.choice(forms)


def money(chance: Random, tongue: str, amount: int) -> str:
    """US dollars."""
    if tongue == "en":
        forms = [f"${amount}", f"${amount}", f"{amount} dollars", f"{amount} USD", f"USD {amount}", f"{amount} bucks"]
        forms += [f"{english(amount)} dollars", f"US${amount}", f"${amount}.00", f"{english(amount)} bucks"]
        return chance.choice(forms if amount != 1 else forms[:2])
    forms = [
        f"{amount} 美元",
        f"{amount}美元",
        f"{chinese(amount)}美元",
        f"{amount} 美金",
        f"{amount} 刀",
        f"${amount}",
    ]
    return chance.choice([*forms, f"{amount}美刀", f"{amount} USD", f"{chinese(amount)}块美金"])


def foreign(chance: Random, tongue: str, amount: int) -> str:
    """Money that is not US dollars."""
    if tongue == "en":
        forms = [f"€{amount}", f"{amount} euros", f"£{amount}", f"{amount} pounds", f"{amount} yuan", f"{amount} EUR"]
        forms += [f"{amount} RMB", f"{amount} rupees", f"¥{amount}", f"{amount} Canadian dollars", f"CHF {amount}"]
    else:
        forms = [f"{amount} 元", f"{amount}块钱", f"{chinese(amount)}块钱", f"{amount} 元人民币", f"{amount} 欧元"]
        forms += [f"{amount} 英镑", f"{amount} 块", f"￥{amount}", f"{amount} 日元", f"{amount} RMB", f"{amount}港币"]
    return chance.choice(forms)


_UNITS: Final = {
    60: (("minute", "min", "minutes"), ("分钟", "分钟")),
    3600: (("hour", "h", "hours"), ("小时", "个小时")),
    86400: (("day", "d", "days"), ("天", "天")),
    604800: (("week", "weeks", "weeks"), ("周", "个星期")),
}
_SPECIAL: Final = {
    1800: (("half an hour", "30 minutes", "thirty minutes"), ("半小时", "半个小时", "30 分钟", "三十分钟")),
    5400: (
        ("an hour and a half", "90 minutes", "1.5 hours", "1 hour 30 minutes", "1h30m", "one and a half hours"),
        ("一个半小时", "90 分钟", "1.5 小时", "1 小时 30 分钟", "一小时三十分钟", "一小时半"),
    ),
    129600: (("a day and a half", "36 hours", "1.5 days"), ("一天半", "36 小时", "三十六小时")),
    900: (
        ("a quarter of an hour", "15 minutes", "fifteen minutes", "15 min"),
        ("一刻钟", "15 分钟", "十五分钟", "15分钟"),
    ),
}
SPANS: Final = (
    300, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200, 10800, 14400, 21600, 43200, 86400, 129600, 172800, 259200,
    604800, 1209600,
)  # fmt: skip


def span(chance: Random, tongue: str, seconds: int) -> str:
    """A span of time of whole minutes."""
    if seconds in _SPECIAL and chance.random() < 0.8:
        return chance.choice(_SPECIAL[seconds][tongue != "en"])
    size = max(size for size in _UNITS if seconds % size == 0)
    count = seconds // size
    if tongue == "en":
        one, short, many = _UNITS[size][0]
        if count == 1:
            return chance.choice([f"one {one}", f"{'an' if one == 'hour' else 'a'} {one}", f"1 {one}"])
        tight = [f"{count}{short}"] if len(short) <= 3 else []
        return chance.choice([f"{count} {many}", f"{count} {many}", f"{english(count)} {many}", *tight])
    plain, counted = _UNITS[size][1]
    return chance.choice([f"{count} {plain}", f"{count}{plain}", f"{chinese(count)}{counted}", f" {count} {counted}"])


def count(chance: Random, tongue: str, number: int) -> str:
    """How many."""
    words = english(number) if tongue == "en" else chinese(number)
    return chance.choice([str(number), str(number), words])


def points(chance: Random, tongue: str, number: int) -> str:
    """Percentage points."""
    if tongue == "en":
        word = "point" if number == 1 else "points"
        return chance.choice(
            [f"{number} {word}", f"{english(number)} {word}", f"{number} percentage {word}", f"{number}pp"]
        )
    return chance.choice([f"{number} 个百分点", f"{chinese(number)}个百分点", f"{number}个点", f"{number} 个点"])


def milliseconds(chance: Random, tongue: str, number: int) -> str:
    """A latency."""
    forms = [f"{number} ms", f"{number}ms", f"{number} milliseconds" if tongue == "en" else f"{number} 毫秒"]
    return chance.choice([*forms, f"{number / 1000:g} s" if number >= 1000 else forms[0]])


def date(chance: Random, tongue: str, iso: str) -> str:
    """A day of the calendar, given as an ISO date."""
    year, month, day = (int(piece) for piece in iso.split("-"))
    if tongue == "zh":
        return chance.choice([iso, f"{year}年{month}月{day}日", f"{year} 年 {month} 月 {day} 日"])
    name = calendar.month_name[month]
    return chance.choice([iso, f"{day} {name} {year}", f"{name} {day}, {year}", iso])
