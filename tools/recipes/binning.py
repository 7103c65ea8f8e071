"""Which bin a value falls into: the same few lines for the job that writes a reference and for what counts requests.

Standard library only. Values are those of a request: numbers, text, None.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from hashlib import blake2b

from tools.recipes.card import LARGEST, MISSING
from tools.recipes.reference import Bins

TEXT_MOST = 20_000
"""Characters of a text that are looked at."""
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
"""A word, or one character of a script that is written without spaces."""
_MISSING = frozenset(MISSING)


class Unbinnable(ValueError):
    """A value of another kind than the model takes."""


def binned(bins: Bins, values: Sequence[object]) -> list[int]:
    """The bin of each value. Unbinnable at the first that fits none."""
    place = placer(bins)
    return [place(value) for value in values]


def placer(bins: Bins) -> Callable[[object], int]:
    """What gives the bin of one value."""
    if bins.edges is None:
        return _levelled(bins)
    match bins.of:
        case "value":
            return _numbered(bins.edges, number_of)
        case "length":
            return _numbered(bins.edges, length_of)
        case "unseen":
            seen = frozenset(bins.tokens)
            return _numbered(bins.edges, lambda value: unseen_of(value, seen, lowercase=bins.lowercase))


def level(text: str) -> str:
    """A level or a token as a reference names it."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def tokens(text: str, *, lowercase: bool) -> list[str]:
    found: list[str] = _TOKEN.findall(text[:TEXT_MOST])
    return [token.lower() for token in found] if lowercase else found


def number_of(value: object) -> float | None:
    """A number, or None for one that is missing; as for the model, one that is not below `LARGEST` is missing."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unbinnable("not a number")
    return value if -LARGEST < value < LARGEST else None


def text_of(value: object) -> str | None:
    """Text, or None for what stands for no value."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Unbinnable("not a text")
    stripped = value.strip()
    return None if stripped in _MISSING else stripped


def length_of(value: object) -> float | None:
    text = text_of(value)
    return None if text is None else float(len(text))


def unseen_of(value: object, seen: frozenset[str], *, lowercase: bool) -> float | None:
    """Share of the tokens of a text whose digests are not among these; missing where there is no token."""
    text = text_of(value)
    found = () if text is None else tokens(text, lowercase=lowercase)
    return sum(level(t) not in seen for t in found) / len(found) if found else None


def _numbered(edges: Sequence[float], number: Callable[[object], float | None]) -> Callable[[object], int]:
    inner = tuple(edges[:-1])
    last = edges[-1] if edges else LARGEST
    above, missing = len(edges), len(edges) + 1

    def place(value: object) -> int:
        known = number(value)
        if known is None:
            return missing
        return above if known > last else bisect_right(inner, known)

    return place


def _levelled(bins: Bins) -> Callable[[object], int]:
    places = {name: place for place, name in enumerate(bins.levels)}
    other, missing = len(bins.levels), len(bins.levels) + 1

    def place(value: object) -> int:
        known = text_of(value)
        if known is None:
            return missing
        return places.get(level(known.lower() if bins.lowercase else known), other)

    return place
