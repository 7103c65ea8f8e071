"""Licences that restrict what a set or a model may be used for, as their own cards say.

The rule: what counts is the `license` field of the card's front matter (README.md beside the data or in the folder of a
model), of a model's own card (model.json), and the heading of a file LICENSE beside the data. A licence that is in the
table restricts; one that is not in the table does not; what says nothing says nothing, which is no permission.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml

from tools.record import Record

CARD = "README.md"
_TEXTS = ("LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "LICENCE.md", "LICENCE.txt", "COPYING")
_MOST = 8192
"""Characters of a card or a licence that are looked at: names and headings stand at the top."""
_FRONT = re.compile(r"---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)


class Restricting(Record):
    """One entry of the table."""

    name: str
    """What a finding calls it: an SPDX identifier where there is one."""
    said: tuple[str, ...]
    """Regular expressions over a card's field, in lower case and whole."""
    headed: tuple[str, ...] = ()
    """Regular expressions over the text of a licence, in lower case."""


@cache
def _table() -> tuple[Restricting, ...]:
    text = files("tools.recipes").joinpath("licences.yaml").read_text(encoding="utf-8")
    return tuple(Restricting.model_validate(entry) for entry in yaml.safe_load(text))


def restricting(said: object) -> tuple[str, ...]:
    """The names, from the table alone, of the restricting licences that a card's field states."""
    stated = said if isinstance(said, list | tuple) else [said]
    words = [re.sub(r"[\s_]+", "-", one.strip().lower())[:200] for one in stated if isinstance(one, str)]
    return _unique(e.name for word in words for e in _table() if any(re.fullmatch(p, word) for p in e.said))


def beside(place: Path) -> tuple[str, ...]:
    """Of a file or a folder: what its card and its licence say. Nothing where nothing can be read."""
    folder = place if place.is_dir() else place.parent
    card = _read(folder / CARD)
    texts = [text.lower() for name in _TEXTS if (text := _read(folder / name))]
    headed = (e.name for text in texts for e in _table() if any(re.search(p, text) for p in e.headed))
    return _unique((*(n for said in _fields(card) for n in restricting(said)), *headed))


def _fields(card: str) -> Iterator[object]:
    front = _FRONT.match(card.lstrip("\ufeff"))
    if front is None:
        return
    try:
        said = yaml.safe_load(front[1])
    except (yaml.YAMLError, RecursionError, ValueError):
        return  # a card that is none states nothing
    if isinstance(said, dict):
        yield from (said.get(name) for name in ("license", "licence", "license_name"))


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(_MOST)
    except OSError:
        return ""


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
