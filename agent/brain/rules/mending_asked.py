"""Whether a text asks the agent to mend what is wrong, and not only to say what it is.

Read clause by clause: a verb of mending that is neither negated, nor done by somebody else, nor asked about, nor past.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from agent.brain.rules.grammar.lexicon import lexicon
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.ruled_out import said_by_others
from agent.brain.rules.grammar.scan import normalise

_SENTENCES: Final = Pattern(r"(?<=[;!?。\n])|(?<=\.)(?=\s|$)")
_CLAUSES: Final = Pattern(
    r"[.:;!?。、\n()]+|,(?!\s*(?:and|then|or)\b|\s*(?:然后|再|并))|\b(?:but|so)\b|但是?", re.IGNORECASE
)
_JOINED: Final = Pattern(r"\b(?:and|then|please)\b|然后|并且?|再|请|麻烦|务必", re.IGNORECASE)
_HEADS: Final = Pattern(
    r"\s*(?:please\s+)?(?:do not|don't|dont|never|let (?:me|us)|(?:i|we|he|she|they)(?:'ll)?)\b"
    r"|\s*请?(?:不要|别|先别|勿|我|咱|他|她)",
    re.IGNORECASE,
)
"""Who or what a clause begins with also governs what is joined to it: `I will look and fix it`."""
_NEVER: Final = Pattern(
    r"\b(?:not|never|no|without|nothing|none|nobody|cannot|\w+n't|dont|cant|wont|avoid|refrain|before|instead of|rather"
    r" than)\b|(?:不[要用必许准得能可想需会]?|别|勿|无需|无须|无法|没|禁止|暂缓|避免)[^,]{0,5}$",
    re.IGNORECASE,
)
_OTHERS: Final = Pattern(
    r"\blet (?:me|us)\b"
    r"|\b(?:i|we|i'll|we'll|i'm|we're|he|she|they|who|someone|somebody|myself|ourselves|colleagues?|team|ops|sre|bob"
    r"|alice)\b|(?<!you )\b(?:would|will|might|may|did|does|could|can)\s*$|我|咱|他|她|同事|团队|运维|自己",
    re.IGNORECASE,
)
_WANTED: Final = Pattern(
    r"\b(?:i|we)(?:'d| would)? (?:want|need|like|expect|ask|order|trust)\b(?! to\b).*"
    r"|\b(?:for|tell|give|help) (?:me|us)\b|\b(?:i|we)(?:'d| would) (?:appreciate|be glad)\b.*"
    r"|(?:帮|给|替|为)(?:我们?|咱们?)|(?:我们?|咱们?)(?:想|要|希望|需要)(?:你|您|请)",
    re.IGNORECASE,
)
_ASKED: Final = Pattern(
    r"^\s*(?:is|was|are|has|have)\s*$"
    r"|\b(?:how|what|which|whether|why|when|where|is (?:it|that|this|there)|can (?:it|that|this|the))\b"
    r"|\b(?:an?|the|any|quick|hot|bug|this|that|last|your|our|proposed|possible)\s*$|怎么|怎样|如何|什么|是否|能否|多久|谁|为何",
    re.IGNORECASE,
)
_NOT_ONLY: Final = Pattern(r"\b(?:don't|do not|not)\s+(?:just|only)\b|(?:不要|别|不)[光只仅]", re.IGNORECASE)
_PAST: Final = Pattern(r"\b(?:was|were|been|already|had|has|yesterday)\b|已经?|昨天|上次|刚", re.IGNORECASE)


def asks_to_mend(text: str) -> bool:
    """`Why is churn slow? Fix it.` asks for it; `only tell me why`, `I will fix it myself`, `how do I fix it?` not."""
    plain = _NOT_ONLY.sub(" ", said_by_others(normalise(text)).lower())
    if _only_told().search(plain):
        return False
    return any(_orders(clause) for sentence in _SENTENCES.split(plain) for clause in _CLAUSES.split(sentence))


def _orders(clause: str) -> bool:
    for verb in _verbs().finditer(clause):
        whole, after = _WANTED.sub(" ", clause[: verb.start()]), clause[verb.end() :]
        *joined, before = _JOINED.split(whole)
        if joined and _HEADS.match(whole):
            continue
        if not (any(p.search(before) for p in (_NEVER, _OTHERS, _ASKED, _PAST)) or _undone().match(after)):
            return True
    return False


@cache
def _verbs() -> Pattern:
    """Orders to mend: `fix`, `make it fast again`, `get it fixed`, `修好`."""
    return _any("mend", "mended")


@cache
def _only_told() -> Pattern:
    """`only tell me`, `只告诉我`."""
    return _any("onlytell")


@cache
def _undone() -> Pattern:
    """What behind the verb takes the order back: `fix nothing`, `修好了吗`."""
    phrases = "|".join(_spelled(phrase) for phrase in sorted(lexicon().words["unmended"], key=len, reverse=True))
    return Pattern(rf"\s*(?:{phrases})", re.IGNORECASE)


def _any(*names: str) -> Pattern:
    phrases = {phrase for name in names for phrase in lexicon().words[name]}
    return Pattern("|".join(_spelled(phrase) for phrase in sorted(phrases, key=len, reverse=True)), re.IGNORECASE)


def _spelled(phrase: str) -> str:
    r"""A phrase as a pattern: `..` stands for up to four words, a latin word begins and ends where one does."""
    body = r"\s+(?:[\w:.'-]+\s+){0,4}?".join(piece.replace(" ", r"\s+") for piece in phrase.split(" .. "))
    return rf"(?<![\w-]){body}(?![\w-])" if phrase.isascii() else body
