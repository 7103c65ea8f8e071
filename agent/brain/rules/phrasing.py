"""How a message to a conversation is phrased: whether it corrects, asks or denies, and which of its figures it means.

`make it 80` corrects; `it is for ticket 900` and `why is there no p95?` do not, whatever figures and names they hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from agent.brain.rules.grammar.entities import Entity
from agent.brain.rules.grammar.lexicon import lexicon
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.reading import Reading
from agent.brain.rules.grammar.understand import read

_LIFT: Final = re.compile(
    r"\b(?:drop|remove|forget|lift|delete|ignore|without|no)\b|\bdo(?:n't| not) need\b"
    r"|取消|去掉|不要|放弃|删除|不设|不限|忘掉",
    re.IGNORECASE,
)
_KEEP: Final = re.compile(
    r"\b(?:do(?:n't| not)|never)\s+(?:drop|remove|forget|lift|delete|ignore)\b|(?:不要|别)(?:取消|去掉|放弃|删除|忘掉)",
    re.IGNORECASE,
)
_UNCHANGED: Final = re.compile(
    r"\b(?:do(?:n't| not)|never)\s+(?:set|change|make|raise|lower|increase|decrease|reduce|cut|adjust|touch|put|move)\b"
    r"|(?:不要|别|勿)(?:再)?(?:把|将)?[^,。;]{0,6}?(?:设|改|调|提高|降低|增加|减少|动)",
    re.IGNORECASE,
)
_BOUNDS: Final = re.compile(
    r"\b(?:more|less|fewer|above|below|over|under|beyond|past)\b|超过|高于|低于|以上|以下", re.IGNORECASE
)
_ASKS: Final = Pattern(
    r"\s*(?:(?:and|but|so|ok|okay|hm+|well)[\s,]+)?"
    r"(?:why|what|how|which|who|when|where|is|are|was|were|does|did|do (?:you|we|i))\b"
    r"|[^。.!\n]*(?:为什么|为何|为啥|怎么|凭什么|是不是|有没有)",
    re.IGNORECASE,
)
_ENDS_ASKING: Final = Pattern(r"[?？]\s*$|吗\s*。?\s*$")
_OF_THE_PLAN: Final = Pattern(
    r"\b(?:in|of|on|with) (?:the|this|your|that) (?:plan|contract|goal|summary|list|report)\b"
    r"|\b(?:is|are) there\b|计划|合同|方案|清单",
    re.IGNORECASE,
)
_PAST_LIFT: Final = ("punct", "number", "quantity", "word", "han")


def keeps(text: str) -> bool:
    """`do not drop the latency demand`, `don't set the budget to $50`: something is to stay as it is."""
    return _KEEP.search(text) is not None or (_UNCHANGED.search(text) is not None and _BOUNDS.search(text) is None)


def asks(text: str) -> bool:
    """`Why 3 replicas?`, `what if p95 were 1 s?`: a question, which changes nothing; `can you make it 80?` is none."""
    return _ASKS.match(text) is not None or (_ENDS_ASKING.search(text) is not None and not _corrects().search(text))


def asks_of_the_plan(text: str) -> bool:
    """`Why is there no p95 in the plan?`: it is what was agreed that is asked about, not a thing that runs."""
    return _ASKS.match(text) is not None and _OF_THE_PLAN.search(text) is not None


def lifted(text: str) -> tuple[Entity, ...]:
    """What is taken back: `no budget`, `drop the latency demand`, `预算不要了`; not `no rollout; accuracy matters`."""
    if _KEEP.search(text) is not None:
        return ()
    reading = read(text)
    things = [n for n, e in enumerate(reading.entities) if of_budget(e) or e.means("metric") or e.means("deadline")]
    marks = list(_LIFT.finditer(reading.text))
    return tuple(reading[n] for n in things if any(_governs(reading, m, n) for m in marks))


def of_budget(entity: Entity) -> bool:
    """`the budget`, `预算`; `budget limit` is read as one of our rules."""
    return entity.means("budget") or (entity.means("rules") and entity.text.lower().startswith(("budget", "预算")))


def _governs(reading: Reading, mark: re.Match[str], at: int) -> bool:
    thing = reading[at]
    if mark.end() <= thing.start:
        between = [e for e in reading.entities if mark.end() <= e.start and e.end <= thing.start]
    elif not mark.group().isascii() and thing.end <= mark.start():
        between = [e for e in reading.entities if thing.end <= e.start and e.end <= mark.start()]
    else:
        return thing.start <= mark.start() < thing.end
    if any(e.text == "," for e in between) and not (between[-1].means("and") or _list_goes_on(reading.get(at + 1))):
        return False  # `drop the latency demand, accuracy matters`
    return all(_passed(e) for e in between)


def _list_goes_on(after: Entity | None) -> bool:
    return after is None or after.kind == "punct" or after.means("and")


def _passed(entity: Entity) -> bool:
    if entity.text == "," or entity.text.lower() in lexicon().words["oflimits"]:
        return True
    kinds = ("metric", "budget", "deadline", "det", "article", "filler", "demand", "and")
    return entity.kind not in _PAST_LIFT and any(k in entity.readings for k in kinds)


def meant(text: str) -> list[tuple[float, str]]:
    """(number, dimension) of the figures that may take a value's place, in the canonical unit.

    Only where the message is phrased as a correction or is nothing but the figure, and the figure counts nothing else.
    """
    reading = read(text)
    found = [n for n, e in enumerate(reading.entities) if e.number is not None and e.exact]
    if not (_corrects().search(reading.text) or _alone(reading, found)):
        return []
    return [(e.number, e.dim) for e in _own(reading, found) if e.number is not None]


def _own(reading: Reading, found: list[int]) -> Iterator[Entity]:
    for n in found:
        before, after = reading.get(n - 1), reading.get(n + 1)
        if before is not None and before.text in ("#", "№", "第"):
            continue
        numbered = before is not None and before.text.lower() in lexicon().words["numbered"]
        if not numbered and not (reading[n].kind == "number" and _counted(reading, n, after)):
            yield reading[n]


_NO_NOUNS: Final = (
    "metric", "unit", "cmp", "budget", "deadline", "and", "neg", "det", "filler", "replicas", "numword", "correction",
    "cond", "act", "trial",
)  # fmt: skip


def _counted(reading: Reading, at: int, after: Entity | None) -> bool:
    """`80 stores`, `80 家门店`: a plain number of something that is none of the contract's figures."""
    if after is None or reading.text[reading[at].end : after.start].strip():
        return False
    if after.text[:1] in lexicon().words["counters"] or reading.text[after.start : after.start + 1] == "个":
        return True
    if not after.text[:1].isalpha() or not after.text.isascii() or after.text.lower() in lexicon().words["aftertalk"]:
        return False
    return not any(kind in after.readings for kind in _NO_NOUNS)


def _alone(reading: Reading, found: list[int]) -> bool:
    talk = lexicon().words["aftertalk"]
    return bool(found) and all(
        n in found or e.kind == "punct" or e.text.lower() in talk or e.means("metric")
        for n, e in enumerate(reading.entities)
    )


@cache
def _corrects() -> Pattern:
    ordered = sorted(lexicon().words["corrects"], key=len, reverse=True)
    latin = "|".join(re.escape(w).replace(r"\ ", r"\s+") for w in ordered if w.isascii())
    return Pattern(rf"\b(?:{latin})\b|{'|'.join(w for w in ordered if not w.isascii())}|[<>]=?|=|≤|≥", re.IGNORECASE)
