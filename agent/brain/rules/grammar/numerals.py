"""Numbers written as words: Chinese numerals and English number words. It knows no units."""

from __future__ import annotations

from typing import Final

from agent.brain.rules.grammar.patterns import Pattern

_DIGITS: Final = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_POWERS: Final = {"十": 10, "百": 100, "千": 1000}
_MYRIADS: Final = {"万": 10_000, "亿": 100_000_000}
_CHINESE: Final = Pattern(r"^(?:[零〇一二两三四五六七八九十百千万亿]+(?:点[零〇一二三四五六七八九]+)?|半)$")


def chinese(text: str) -> float | None:
    """The value of a Chinese numeral (`九十五`, `一百二`, `零点九`, `半`); None if it is not one."""
    if not _CHINESE.match(text):
        return None
    if text == "半":
        return 0.5
    whole, _, fraction = text.partition("点")
    if all(c in _DIGITS for c in whole) and len(whole) > 1:
        value = float("".join(str(_DIGITS[c]) for c in whole))
    else:
        value = _whole(whole)
    if fraction:
        value += float("0." + "".join(str(_DIGITS[c]) for c in fraction))
    return value


def _whole(text: str) -> float:
    total = section = digit = 0.0
    last_power = 1.0
    for char in text:
        if char in _DIGITS:
            digit = float(_DIGITS[char])
            continue
        if char in _POWERS:
            last_power = float(_POWERS[char])
            section += (digit or 1.0) * last_power
        else:
            total = (total + section + digit) * _MYRIADS[char]
            section, last_power = 0.0, float(_MYRIADS[char])
        digit = 0.0
    if digit and last_power >= 100 and text[-2] not in "零〇":
        digit *= last_power / 10  # 一百二 is 120
    return total + section + digit


def english(words: list[float]) -> float:
    """The value of number words in a row: [2, 100, 30] is 230, [3, 0.5] is 3.5."""
    total = current = 0.0
    for word in words:
        if word in (100.0, 1000.0, 1_000_000.0):
            current = (current or 1.0) * word
            if word >= 1000:
                total, current = total + current, 0.0
        else:
            current += word
    return total + current
