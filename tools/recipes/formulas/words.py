"""The words of a formula: text into tokens, each with its place. Knows no grammar."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tools.language import tr
from tools.recipes.faults import Fault

Kind = Literal["number", "text", "name", "quoted", "sign", "end"]

KEYWORDS = ("and", "or", "not", "true", "false")
_PATTERN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<quoted>`[^`]+`)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<sign>==|!=|<=|>=|[<>+\-*/(),](?!\*))"
)
_INSTEAD = {
    "=": "write == to compare",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or != to compare",
    '"': "close the text with the same quote",
    "'": "close the text with the same quote",
    "`": "close the column name with a backtick",
    "*": "powers are not known; write a product",
    ".": "quote a column name with a point in backticks",
}
_OTHERWISE = "numbers, texts, column names, the signs + - * / == != < <= > >= and parentheses are known"


@dataclass(frozen=True, kw_only=True)
class Token:
    """One word and the character it starts at, from 1."""

    kind: Kind
    text: str
    """Without quotes."""
    at: int


def tokens(text: str, faults: list[Fault]) -> list[Token]:
    """All words, an `end` last; what is no word is added to the faults and passed over."""
    return [*_words(text, faults), Token(kind="end", text="", at=len(text) + 1)]


def place(at: int) -> str:
    return tr("formula, character {at}", at=at)


def _words(text: str, faults: list[Fault]) -> Iterator[Token]:
    start = 0
    while start < len(text):
        found = _PATTERN.match(text, start)
        if found is None:
            character = text[start]
            fix = _INSTEAD.get(character, _OTHERWISE)
            faults.append(
                Fault(
                    place=place(start + 1),
                    problem=tr("{character!r} means nothing here", character=character),
                    fix=tr(fix),
                )
            )
            # The rest of an open quote is no formula.
            start = len(text) if character in "\"'`" else start + 1 + (text[start + 1 : start + 2] == character)
            continue
        start = found.end()
        match found.lastgroup:
            case "number":
                yield _number(found[0], found.start() + 1, faults)
            case "text" | "quoted" as kind:
                yield Token(kind=kind, text=found[0][1:-1], at=found.start() + 1)
            case "name" | "sign" as kind:
                yield Token(kind=kind, text=found[0], at=found.start() + 1)
            case _:
                continue


def _number(text: str, at: int, faults: list[Fault]) -> Token:
    if not math.isfinite(float(text)):
        faults.append(
            Fault(place=place(at), problem=tr("{text} is no finite number", text=text), fix=tr("write a smaller one"))
        )
    return Token(kind="number", text=text, at=at)
