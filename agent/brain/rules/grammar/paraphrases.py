"""Metrics told by what they mean: `catch 85 % of the frauds` is recall, `right in 70 % of its alarms` precision."""

from __future__ import annotations

from agent.brain.rules.grammar.measures import Mention
from agent.brain.rules.grammar.reading import Reading


def paraphrased(reading: Reading, found: list[Mention]) -> list[Mention]:
    """Metrics that only their meaning tells, each beside a share of its own."""
    said = {m.name for m in found}
    made: list[Mention] = []
    for at in reading.where("means"):
        share = _share(reading, at)
        name = _name(reading, at, share) if share is not None else None
        taken = any(reading.clause(m.at) == reading.clause(at) for m in found)
        if name is not None and name not in said and not taken:
            made.append(Mention(at=at, name=name))
            said.add(name)
    return made


def _share(reading: Reading, at: int) -> int | None:
    """The share the verb speaks of: right behind it, over comparators and filling words."""
    for n in range(at + 1, min(at + 6, len(reading))):
        entity = reading[n]
        if entity.dim == "percent" and reading.free(n):
            return n
        if entity.kind == "punct" or not any(k in entity.readings for k in ("cmp", "filler", "article", "neg", "det")):
            han = entity.kind == "han" or not entity.text.isascii()
            if not han or entity.kind == "punct":
                return None
    return None


def _name(reading: Reading, at: int, share: int) -> str | None:
    name = reading[at].readings["means"]
    if name != "precision":
        return name
    alarms = any(reading[n].means("alarm") for n in reading.in_clause(at) if n > share)
    return "precision" if alarms or not reading[at].text.isascii() else "accuracy"
