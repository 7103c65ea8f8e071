"""What a clause of a text is about, by its words: what a bare number counts, what is left out, what is taken back.

A number without a unit is a number of what the nearest word of its clause speaks of: the 4711 of `see ticket 4711` is
no budget. A clause of figures and light words alone (`recall matters, at least 0.9`) goes on with the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Final, Literal, get_args

import yaml

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.reading import Reading
from agent.brain.rules.grammar.scan import normalise

Topic = Literal[
    "budget", "deadline", "gpu", "memory", "cpu", "holdout", "trials", "metric", "confidence", "window", "steps",
    "hold", "replicas", "lease", "every", "span", "other",
]  # fmt: skip
"""`other`: what no field of a contract is about, such as tickets and people."""
_LIGHT: Final = (
    "cmp", "filler", "neg", "demand", "article", "and", "or", "then", "list", "full", "labelverb", "numword",
    "classifier",
)  # fmt: skip
"""Readings of the lexicon that no clause has of its own."""
_FIGURE: Final = 20
"""Characters that another figure between a figure and a word counts for."""
_LISTED: Final = ("and", "or", "article", "column")


def topics(reading: Reading, at: int) -> frozenset[Topic]:
    """What the figure there is a figure of, by the nearest words; none where nothing says so."""
    places = scope(reading, at)
    found = [(_apart(reading, at, span), topic) for topic in get_args(Topic) for span in _spans(reading, places, topic)]
    called = [reading[at].start - reading[at - 1].end] if _is_called(reading, at) else []
    nearest = min([*called, *(distance for distance, _ in found)], default=None)
    return frozenset(topic for distance, topic in found if distance == nearest)


def _is_called(reading: Reading, at: int) -> bool:
    """Whether a figure is the number of a thing the lexicon does not know, or a year: `cost centre 4711`, `in 2024`."""
    before = reading.get(at - 1)
    whole = not reading[at].dim and float(reading[at].raw or 0.5).is_integer()
    if before is None or reading.clause(at - 1) != reading.clause(at) or not whole:
        return False
    if before.text.casefold() in _words()["number"]["since"]:
        return re.fullmatch(r"(?:19|20)\d\d", reading[at].text) is not None
    return before.kind in ("word", "han") and not before.readings and len(before.text) > 1


def scope(reading: Reading, at: int) -> list[int]:
    """Places of the clause of a figure, with those before it that it goes on with."""
    places = list(reading.in_clause(at))
    here = places
    while here[0] and all(_light(reading[n]) for n in here):
        here = list(reading.in_clause(here[0] - 1))
        places = [*here, *places]
    behind = places[-1] + 1
    if behind < len(reading) and reading[behind - 1].text == "(":
        places += reading.in_clause(behind)  # `60 percent of them (recall)`
    return places


def leaves_out(reading: Reading, first: int, last: int) -> bool:
    """Whether the column at these places is one that is left out, by a word of its own clause or of its list."""
    places = list(reading.in_clause(first))
    here = places
    while here[0] and reading.sentence(here[0] - 1) == reading.sentence(first) and _is_item(reading, here):
        here = list(reading.in_clause(here[0] - 1))
        places = [*here, *places]
    words = _words()["column"]
    drops = [n for n in places if not first <= n <= last and any(reading[n].means(k) for k in words["dropping"])]
    return any(not _kept(reading, n, first, words["keeping"]) for n in drops if not reading.negated(n))


def takes_back(reading: Reading, at: int) -> bool:
    """Whether the metric there is governed by a word that takes its demand back, and is not itself denied."""
    places = list(reading.in_clause(at))
    start, end = reading[places[0]].start, reading[places[-1]].end
    if any(reading[n].text in ("?", "吗") for n in reading.in_sentence(at)) or "吗" in reading.text[start:end]:
        return False
    left, right = reading.text[start : reading[at].start].casefold(), reading.text[reading[at].end : end].casefold()
    words = _words()["demand"]
    between = rf"(?:\W|{_any(words['between'])}|{_metrics(reading, places)})*"
    before = re.search(rf"(?P<drop>{_any(words['before'])}){between}$", left)
    after = re.match(rf"{between}(?P<drop>{_any(words['after'])})", right)
    lead = left[: before.start()] if before else left + right[: after.start("drop")] if after else None
    return lead is not None and not re.search(_any(words["against"]), lead)


def ours(text: str) -> str:
    """A text without the clauses that only say whose a thing is: `ranking belongs to Bob`."""
    pattern = rf"[^,;.!?，。；！？\n]*{_any(_words()['demand']['owned'])}[^,;.!?，。；！？\n]*"
    return re.sub(pattern, " ", normalise(text), flags=re.IGNORECASE)


def _metrics(reading: Reading, places: list[int]) -> str:
    """The other metrics of the clause: `drop both recall and p95`."""
    return "|".join(re.escape(reading[n].text.casefold()) for n in places if reading[n].means("metric")) or r"(?!)"


def _kept(reading: Reading, drop: int, column: int, keeping: tuple[str, ...]) -> bool:
    """Whether another verb stands between a word for dropping and the column."""
    left, right = sorted((drop, column))
    text = reading.text[reading[left].end : reading[right].start].casefold()
    behind = reading.text[reading[column].end : reading[drop].start] if drop > column else ""
    return bool(re.search(_any(keeping), text)) or bool(behind.strip() and behind.isascii())


def _is_item(reading: Reading, places: list[int]) -> bool:
    """Whether a clause is one name of a list: `drop ssn, age and name`."""
    words = [n for n in places if reading[n].kind != "punct" and not any(k in reading[n].readings for k in _LISTED)]
    joined = any(reading[n].means("and") for n in places)
    return len(words) == 1 or (len(words) == 2 and joined)


def _light(entity: Entity) -> bool:
    light = (
        entity.kind in ("number", "quantity", "punct", "enum") or entity.text.casefold() in _words()["number"]["light"]
    )
    return light or any(k in entity.readings for k in _LIGHT)


def _apart(reading: Reading, at: int, span: tuple[int, int]) -> int:
    """Characters between a figure and a word; 0 where one is in the other, more where another figure is between."""
    figure = reading[at]
    left, right = (figure.end, span[0]) if span[0] >= figure.end else (span[1], figure.start)
    others = sum(left <= e.start < right for e in reading.entities if e.number is not None)
    return max(0, right - left) + _FIGURE * others


def _spans(reading: Reading, places: list[int], topic: Topic) -> Iterator[tuple[int, int]]:
    kinds = _words()["topics"]
    for n in places:
        entity = reading[n]
        if entity.number is None and any(entity.means(*kind.split("=")) for kind in kinds[f"{topic} readings"]):
            yield entity.start, entity.end
    start = reading[places[0]].start
    text = reading.text[start : reading[places[-1]].end].casefold()
    if kinds[topic]:
        for match in re.finditer(_any(kinds[topic]), text):
            yield start + match.start(), start + match.end()


@cache
def _any(words: tuple[str, ...]) -> str:
    """One pattern for any of the words, the longest first; those in letters as whole words."""
    ordered = sorted(words, key=len, reverse=True)
    return (
        "(?:"
        + "|".join(rf"\b{re.escape(w)}\b" if w[0].isascii() and w[0].isalpha() else re.escape(w) for w in ordered)
        + ")"
    )


@cache
def _words() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """The words of the installation, by use and kind; read on first use."""
    text = (resources.files(__package__) / "topics.yaml").read_text(encoding="utf-8")
    raw = yaml.safe_load(text)
    named = {key: {kind: _split(row) for kind, row in raw[key].items()} for key in ("column", "demand", "number")}
    spoken = {name: _split(rows.get("words", "")) for name, rows in raw["topics"].items()}
    read = {f"{name} readings": _split(rows.get("readings", "")) for name, rows in raw["topics"].items()}
    return {**named, "topics": {**spoken, **read}}


def _split(row: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in row.split(" | ") if word.strip())
