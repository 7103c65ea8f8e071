"""Says single things in one language: phrases from the tables, figures in words, pieces put together to a text."""

from __future__ import annotations

from functools import cache
from importlib import resources
from random import Random
from typing import Any

import yaml

from evals.spoken import figures

TONGUES = ("en", "zh")


@cache
def phrases(tongue: str) -> dict[str, Any]:
    """The table of one language; read on first use."""
    text = (resources.files(__package__) / "phrases" / f"{tongue}.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    return table


class Teller:
    """One person with a way to speak; every choice comes from `chance`."""

    def __init__(self, tongue: str, chance: Random) -> None:
        self.tongue = tongue
        self.chance = chance

    def say(self, *path: str, **slots: str) -> str:
        """One of the phrases, filled."""
        return self.flagged(*path, **slots)[0]

    def flagged(self, *path: str, **slots: str) -> tuple[str, str]:
        """One of the phrases, filled, and what stands behind its `@`: a fact the phrase itself adds."""
        table: Any = phrases(self.tongue)
        for key in path:
            table = table[key]
        template, mark, flag = str(self.chance.choice(table)).rpartition("@")
        known = mark and "{" not in flag and not flag[:1].isdigit()
        return (template if known else template + mark + flag).format(**slots), flag if known else ""

    def maybe(self, share: float) -> bool:
        return self.chance.random() < share

    def ratio(self, value: float) -> str:
        return figures.ratio(self.chance, self.tongue, value)

    def money(self, amount: int) -> str:
        return figures.money(self.chance, self.tongue, amount)

    def span(self, seconds: int) -> str:
        return figures.span(self.chance, self.tongue, seconds)

    def count(self, number: int) -> str:
        return figures.count(self.chance, self.tongue, number)

    def name(self, text: str) -> str:
        """A name, sometimes quoted."""
        if not text.isascii():
            return self.chance.choice([text, f"`{text}`", f"“{text}”"])
        return self.chance.choice([text, text, text, f"`{text}`", f'"{text}"'])

    def text(self, core: str, riders: list[str]) -> str:
        """The core and what is added to it, in some order, as clauses or sentences of their own."""
        self.chance.shuffle(riders)
        first = [riders.pop()] if riders and self.maybe(0.12) else []
        pieces = [*first, core, *riders]
        opener = self.say("openers") if self.maybe(0.1) else ""
        made = opener + pieces[0]
        for piece in pieces[1:]:
            made = self._joined(made, piece)
        if self.maybe(0.08):
            made = self._joined(made, self.say("polite"))
        end = "." if self.tongue == "en" else "。"
        return made if made[-1] in "?？" or self.maybe(0.25) else made + end

    def _joined(self, made: str, piece: str) -> str:
        if self.tongue == "zh":
            mark = "" if made[-1] in "？?" else self.chance.choice(["，", "，", "，", "。", "；", "。", ", "])
            return made + mark + piece
        asks = made[-1] == "?"
        if asks or self.maybe(0.4):
            stop = "" if asks else self.chance.choice([". ", ". ", ". ", ".\n", "! "])
            named = not piece.split(" ")[0].strip(",;:'").isalpha()  # a file or a model keeps its spelling
            return f"{made.rstrip()}{stop or ' '}{piece if named else piece[:1].upper() + piece[1:]}"
        return made + self.chance.choice([", ", ", ", "; ", ", and "]) + piece
