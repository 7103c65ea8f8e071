"""The vocabulary of both languages, read once from the data files beside this module.

A phrase maps to readings (`{"metric": "recall"}`); which one holds is for the grammar to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import product
from typing import Final

import yaml

from agent.brain.rules.grammar.patterns import Pattern

FILES: Final = (
    "metrics",
    "compare",
    "units",
    "time",
    "acts",
    "rollout",
    "data",
    "models",
    "placement",
    "refuse",
    "words",
)
_PIECES: Final = Pattern(
    r"[^\W\d\u3007\u3400-\u9fff][^\W\u3007\u3400-\u9fff]*(?:'[a-z]+)?|\d+(?:\.\d+)?|[\u3007\u3400-\u9fff]|[^\s\w]|\.\d+"
)
_BRACES: Final = Pattern(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A way to say something: its pieces and what it may mean."""

    pieces: tuple[str, ...]
    readings: dict[str, str]


def pieces(text: str) -> tuple[str, ...]:
    """Lower-case words, numbers, single Han characters and marks; hyphens separate like spaces."""
    return tuple(_PIECES.findall(text.lower()))


def _variants(phrase: str) -> list[str]:
    parts = _BRACES.split(phrase)
    choices = [part.split(",") if n % 2 else [part] for n, part in enumerate(parts)]
    return ["".join(choice) for choice in product(*choices)]


class Lexicon:
    """Longest-match lookup from a first piece to the phrases that begin with it."""

    def __init__(self, tables: dict[str, dict[str, str]]) -> None:
        self.by_first: dict[str, list[Phrase]] = {}
        self.splits: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self.words = {name: frozenset(row.split(" | ")) for name, row in tables.get("words", {}).items()}
        found: dict[tuple[str, ...], dict[str, str]] = {}
        for kind, values in tables.items():
            for value, phrases in values.items() if kind != "words" else ():
                self._add(kind, value, phrases, found)
        for key, readings in found.items():
            self.by_first.setdefault(key[0], []).append(Phrase(pieces=key, readings=readings))
        for particles in self.splits.values():
            particles.sort(key=lambda split: -len(split[0]))
        for same_start in self.by_first.values():
            same_start.sort(key=lambda p: -len(p.pieces))

    def _add(self, kind: str, value: str, phrases: str, found: dict[tuple[str, ...], dict[str, str]]) -> None:
        for phrase in phrases.split(" | "):
            for variant in _variants(phrase) if "{" in phrase else (phrase,):
                verb, gap, particle = variant.partition(" .. ")
                key = pieces(verb)
                if gap:
                    self.splits.setdefault(key[0], []).append((pieces(particle), value))
                elif key:
                    found.setdefault(key, {}).setdefault(kind, value)

    def starting(self, piece: str) -> list[Phrase]:
        """Phrases that begin with the piece, longest first."""
        return self.by_first.get(piece, [])


@cache
def lexicon() -> Lexicon:
    """The lexicon of the installation; read on first use."""
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    tables: dict[str, dict[str, str]] = {}
    folder = resources.files(__package__) / "lexicon"
    for name in FILES:
        text = (folder / f"{name}.yaml").read_text(encoding="utf-8")
        for kind, values in yaml.load(text, Loader=loader).items():  # strings only
            tables.setdefault(kind, {}).update(values)
    return Lexicon(tables)
