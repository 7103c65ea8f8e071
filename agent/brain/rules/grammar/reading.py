"""The text as entities with their scopes: sentences, clauses, negation, conditions, and who has claimed what.

It answers questions about neighbourhood; it decides no field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from agent.brain.rules.grammar.entities import Entity

_SENTENCE: Final = frozenset(".;!?。\n")
_CLAUSE: Final = frozenset(",:()")
_PASSED: Final = ("filler", "labelverb", "touch", "article", "det", "neg", "from", "demand", "then")
_POSITIVE: Final = ("duration", "memory", "cpu", "trial")
_CLOSING: Final = ("allowed", "wanted", "permitted", "acceptable", "ok", "off-limits", "off", "needed", "required")


class Reading:
    """A run of entities. What a part cut from it claims is claimed here too, but not in the other parts."""

    def __init__(self, found: list[Entity], text: str, above: Reading | None = None) -> None:
        self.entities = found
        self.text = text
        self._above = above
        self._claimed: set[int] = set(above._claimed) if above is not None else set()
        self._sentence, self._clause = self._scopes()

    def _scopes(self) -> tuple[list[int], list[int]]:
        sentences: list[int] = []
        clauses: list[int] = []
        sentence = clause = 0
        for n, entity in enumerate(self.entities):
            new_line = n > 0 and "\n" in self.text[self.entities[n - 1].end : entity.start]
            if new_line:
                sentence, clause = sentence + 1, clause + 1
            sentences.append(sentence)
            clauses.append(clause)
            if (entity.kind == "punct" and entity.text in _SENTENCE) or entity.kind == "enum":
                sentence, clause = sentence + 1, clause + 1
            elif entity.kind == "punct" and entity.text in _CLAUSE:
                clause += 1
        return sentences, clauses

    def part(self, keep: Callable[[int], bool]) -> Reading:
        """The entities at the places kept; claims go up, and never across to another part."""
        return Reading([e for n, e in enumerate(self.entities) if keep(n)], self.text, self)

    def __len__(self) -> int:
        return len(self.entities)

    def __getitem__(self, at: int) -> Entity:
        return self.entities[at]

    def get(self, at: int) -> Entity | None:
        """The entity there; None outside."""
        return self.entities[at] if 0 <= at < len(self.entities) else None

    def claim(self, *places: int) -> None:
        """These are spoken for."""
        self._take({self.entities[at].start for at in places})

    def _take(self, starts: set[int]) -> None:
        self._claimed |= starts
        if self._above is not None:
            self._above._take(starts)

    def free(self, at: int) -> bool:
        return self.entities[at].start not in self._claimed

    def where(self, kind: str, *values: str, free: bool = False) -> list[int]:
        """Places with a reading of that kind."""
        return [n for n, e in enumerate(self.entities) if e.means(kind, *values) and (not free or self.free(n))]

    def kinds(self, *kinds: str, free: bool = False) -> list[int]:
        return [n for n, e in enumerate(self.entities) if e.kind in kinds and (not free or self.free(n))]

    def dims(self, *dims: str, free: bool = True) -> list[int]:
        """Places of quantities of that dimension, unclaimed unless asked otherwise; no time or size is of zero."""
        found = [n for n, e in enumerate(self.entities) if e.dim in dims and (not free or self.free(n))]
        return [n for n in found if self.entities[n].number or self.entities[n].dim not in _POSITIVE]

    def sentence(self, at: int) -> int:
        return self._sentence[at]

    def clause(self, at: int) -> int:
        return self._clause[at]

    def clause_has(self, at: int, kind: str, *values: str) -> bool:
        """Whether the clause of that place holds such a reading."""
        return any(self.entities[n].means(kind, *values) for n in self.in_clause(at))

    def in_clause(self, at: int) -> Iterator[int]:
        return (n for n in range(len(self.entities)) if self._clause[n] == self._clause[at])

    def in_sentence(self, at: int) -> Iterator[int]:
        return (n for n in range(len(self.entities)) if self._sentence[n] == self._sentence[at])

    def sentence_has(self, at: int, kind: str, *values: str) -> bool:
        return any(self.entities[n].means(kind, *values) for n in self.in_sentence(at))

    def near(self, at: int, kind: str, *values: str, before: int = 3, after: int = 3) -> int | None:
        """The nearest such reading in the same clause within so many places; None if there is none."""
        places = range(max(0, at - before), min(len(self.entities), at + after + 1))
        inside = (n for n in places if n != at and self._clause[n] == self._clause[at])
        return min(
            (n for n in inside if self.entities[n].means(kind, *values)), key=lambda n: abs(n - at), default=None
        )

    def negated(self, at: int) -> str | None:
        """`hard` (ruled out), `soft` (not needed) or None, by a negation that governs this place."""
        return self._negated_before(at) or self._negated_after(at)

    def _negated_before(self, at: int) -> str | None:
        steps, here = 0, at - 1
        while here >= 0 and steps < 7:
            entity = self.entities[here]
            if self._clause[here] != self._clause[at] or (entity.kind == "punct" and entity.text != "、"):
                return None
            if entity.means("neg"):
                if entity.means("neg", "near"):
                    return "hard" if here == at - 1 else None
                soft = here > 0 and self.entities[here - 1].means("neg", "soft")
                return "soft" if soft else entity.readings["neg"]
            if entity.means("and", "or") or entity.text == "、":
                here -= 1  # `do not deploy or retrain`: the negation reaches over the first verb
            elif not self._passable(entity):
                return None
            here, steps = here - 1, steps + 1
        return None

    def _passable(self, entity: Entity) -> bool:
        if any(k in entity.readings for k in _PASSED):
            return True
        return entity.kind in ("word", "quoted") or (entity.kind == "han" and len(entity.text) <= 2)

    def _negated_after(self, at: int) -> str | None:
        for here in range(at + 1, min(at + 5, len(self.entities))):
            entity = self.entities[here]
            if self._clause[here] != self._clause[at]:
                return None
            if entity.means("neg"):
                after = self.get(here + 1)
                if after is not None and after.text == "了":
                    after = self.get(here + 2)  # `部署就不必了`
                closes = after is None or after.kind == "punct" or after.text.lower() in _CLOSING
                return entity.readings["neg"] if closes else None
            if not any(k in entity.readings for k in ("filler", "then")) and entity.kind != "han":
                return None
        return None

    def between(self, left: int, right: int) -> list[Entity]:
        return self.entities[left + 1 : right]
