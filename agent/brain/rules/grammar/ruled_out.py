"""Names that a text only rules out: `never open a.csv`, `leave churn alone`, `不要运行 wipe.py`; and what others said.

Strict on purpose: a name counts as ruled out where a closed set of forbidden actions governs it within its own clause;
being near a bound, a condition or care (`not more than`, `don't forget to`, `不超过`) is not enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from agent.brain.rules.grammar.lexicon import lexicon
from agent.brain.rules.grammar.patterns import Pattern
from agent.brain.rules.grammar.scan import normalise

_BREAK: Final = Pattern(
    r"[;!?。\n]|[.:](?=\s|$)|,|\b(?:but|yet|though|while|because|since|so)\b|但是?|不过|因为|所以|然后", re.IGNORECASE
)
_SENTENCE: Final = Pattern(r"[;!?。\n]|\.(?=\s|$)")
_VERSIONED: Final = Pattern(r"(.+)[:@][vV](\d[\w.]*)")
_SCRIPT: Final = Pattern(r"[\w./-]*\.(?:py|sh|ipynb|R|js|pl|rb|jl)(?![\w.])")
_FILE: Final = Pattern(r"\.(?!py$|sh$)\w{1,8}$|/")
_NAMED: Final = r"[\"'`“‘「]?[\w./:@*-]+[\"'`”’」]?"
_LISTED: Final = rf"(?:{_NAMED}\s*(?:,\s*(?:and|or|nor)?|、|(?<=[\s\"'`])(?:and|or|nor)(?=\s)|和|与|或者?|及)\s*)*"
_DEGREE: Final = Pattern(
    r"[^,;.!?。]*(?:\b(?:unless|until|before|if|when|without|below|above|beyond|over|under|exceed\w*|more than"
    r"|less than|fewer than|at once|only|(?:to|at|by|with)\s+\$?\d)\b|以上|以下|超过|超出|低于|高于|多于|少于"
    r"|除非|之前|如果|到\s*\d)",
    re.IGNORECASE,
)
"""Behind a name: the action is bounded or put under a condition, not forbidden."""
_UNLESS: Final = Pattern(r"\bunless\b|除非", re.IGNORECASE)
_BACK: Final = (
    r"(?:\s*(?:文件|脚本|命令|程序|数据集?|服务|端点|接口|模型|版本|这个|那个|都|也|还|则|就|可|一律|绝对|千万|请))*"
)


_NOT: Final = r"(?<!is )(?<!are )(?<!was )(?<!were )(?<!or )(?<!if )(?<!does )(?<!did )(?<!has )not"
"""`not v4`; in `the label is not in a.csv` it denies, and forbids nothing."""
_LIST_ENDS: Final = Pattern(
    r"\s*(?:$|[,;.!?)、。]|(?:and|or|nor|either|please|ever|at all)\b|和|与|或|及|文件|服务|模型|端点|数据)",
    re.IGNORECASE,
)
_LIST_GOES_ON: Final = Pattern(r"\s*(?:,|(?:and|or|nor)\b)", re.IGNORECASE)


def ruled_out(name: str, text: str) -> bool:
    """Whether every mention of the name in the text is one that forbids it; False where it is not mentioned."""
    plain = normalise(text)
    found = list(_mentions(normalise(name).strip(), plain))
    return bool(found) and all(_forbidden(plain, start, end) for start, end in found)


def _mentions(name: str, text: str) -> list[tuple[int, int]]:
    """Where the name stands as a name of its own; else what people call it by: `v2` for `ranking:v2`, the script."""
    if not name:
        return []
    found = list(_spans(re.escape(name), text, r"(?![:@]\w)"))
    versioned = _VERSIONED.fullmatch(name)
    if not found and versioned is not None:
        return list(
            _spans(rf"(?:v|version\s*|版本\s*){re.escape(versioned.group(2))}|第\s*{versioned.group(2)}\s*版", text)
        )
    if not found and " " in name and (scripts := _SCRIPT.findall(name)):
        return list(_spans(re.escape(scripts[0]), text))
    return found or list(_spans(re.escape(name), text))


def _spans(pattern: str, text: str, behind: str = "") -> Iterator[tuple[int, int]]:
    whole = rf"(?<![A-Za-z0-9_])(?<![\w][-./:@])(?:{pattern})(?![A-Za-z0-9_]|[-./]\w){behind}"
    return ((m.start(), m.end()) for m in re.finditer(whole, text, re.IGNORECASE))


def _forbidden(text: str, start: int, end: int) -> bool:
    before = _after_last(_SENTENCE, text[:start]).rstrip(" \"'`“‘「")
    after = text[end:].lstrip("\"'`”’」")
    clause = _after_last(_BREAK, before)
    if _spared_behind(clause, after):
        return True
    if _DEGREE.match(_up_to(after)) or _UNLESS.search(before):
        return False
    governed = _governed().search(f"{before} ")
    barred = _barred().match(after) if _acts().search(clause) is None else None
    if _FILE.search(text[start:end]) and any(m is not None and _writes().search(m.group()) for m in (governed, barred)):
        return False  # what must not be changed may be read
    if governed is not None and not governed.group("listed"):
        return True
    if governed is not None and (_LIST_ENDS.match(after) if not before.endswith(",") else _LIST_GOES_ON.match(after)):
        return True
    if _taken_up().search(before) and _done_to().match(after):
        return True
    told = _SCRIPT.search(text[start:end]) and _run_it().match(after) and _acts().search(clause) is None
    return barred is not None or bool(told)


@cache
def _run_it() -> Pattern:
    """Behind a script: `is dangerous: do not run it`."""
    forbid, acts = (_kind(name, ascii_=True) for name in ("forbid", "forbidden"))
    han, done = (_kind(name, ascii_=False) for name in ("forbid", "forbidden"))
    return Pattern(
        rf"[^.!?。\n/]{{0,60}}?(?:\b(?:{forbid})\s+(?:{acts})\s+(?:it|this|that)(?!\w)|(?:{han})(?:{done})(?:它|这个))",
        re.IGNORECASE,
    )


@cache
def _writes() -> Pattern:
    return Pattern(rf"(?<!\w)(?:{_kind('writes', ascii_=True)})(?!\w)|{_kind('writes', ascii_=False)}", re.IGNORECASE)


def _spared_behind(clause: str, after: str) -> bool:
    """`leave churn alone`, `keep churn out of it`."""
    head, tail = (lexicon().words[name] for name in ("spare", "spared"))
    opens = re.search(
        rf"(?<!\w)(?:{_choice(head)})(?:\s+(?:the|our|my|both|all|file|service|endpoint|model))*\s*$",
        clause,
        re.IGNORECASE,
    )
    return (
        opens is not None
        and re.match(rf"\W*(?:\s*{_THINGS})?\s*(?:{_choice(tail)})(?!\w)", after, re.IGNORECASE) is not None
    )


_THINGS: Final = r"(?:files?|services?|endpoints?|models?|data|tables?|servers?|as|well)"


def _up_to(text: str) -> str:
    found = _BREAK.compiled.search(text)
    return text if found is None else text[: found.start()]


def _after_last(breaks: Pattern, text: str) -> str:
    ends = [m.end() for m in breaks.finditer(text)]
    return text[ends[-1] :] if ends else text


def _choice(phrases: frozenset[str]) -> str:
    ordered = sorted(phrases, key=len, reverse=True)
    return "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in ordered)


def _kind(name: str, *, ascii_: bool) -> str:
    return _choice(frozenset(p for p in lexicon().words[name] if p.isascii() is ascii_))


@cache
def _governed() -> Pattern:
    """A forbidden action right before a name, other names of the same list between: `do not open a.csv or `."""
    acts = _kind("forbidden", ascii_=True)
    passed = rf"(?:(?:{_kind('passed', ascii_=True)})\s+)*"
    aside = rf"(?:(?:{_kind('aside', ascii_=True)})\s+)*"
    english = (
        rf"(?<![\w-])(?:(?:{_kind('forbid', ascii_=True)})\s+{aside}(?:{acts})(?:\s+(?:or|nor|and)\s+(?:{acts}))*\s+"
        rf"|(?:{_kind('besides', ascii_=True)}|{_NOT})\s+){passed}"
    )
    filler = rf"(?:\s|{_kind('passed', ascii_=False)})*"
    chinese = (
        rf"(?:(?:{_kind('forbid', ascii_=False)})(?:{_kind('aside', ascii_=False)})*\s*"
        rf"(?:{_kind('forbidden', ascii_=False)})|(?:{_kind('besides', ascii_=False)})){filler}"
    )
    return Pattern(f"(?:{english}|{chinese})(?P<listed>{_LISTED}){passed}$", re.IGNORECASE)


@cache
def _taken_up() -> Pattern:
    """`不要把 `: the action stands behind the name."""
    filler = rf"(?:\s|{_kind('passed', ascii_=False)})*"
    return Pattern(rf"(?:{_kind('forbid', ascii_=False)})\s*(?:再|去)?(?:把|将|对|让|拿){filler}$", re.IGNORECASE)


@cache
def _done_to() -> Pattern:
    return Pattern(rf"{_BACK}(?:进行|做)?\s*(?:{_kind('forbidden', ascii_=False)})(?!机)", re.IGNORECASE)


@cache
def _barred() -> Pattern:
    """Behind a name: `must not be opened`, `is off limits`, `不要动`."""
    aside = rf"(?:(?:{_kind('aside', ascii_=True)})\s+)*"
    english = (
        rf"[^;.!?\n/]{{0,60}}?\s(?:(?:(?:must|shall|should|may|can|is|are|will)\s+(?:not|never)|mustn't|cannot)"
        rf"\s+(?:to\s+|allowed\s+to\s+)?{aside}be\s+{aside}(?:{_kind('barred', ascii_=True)})(?!\w)"
        rf"|(?:{_kind('offlimits', ascii_=True)})(?!\w))"
    )
    chinese = (
        rf"{_BACK}\s*(?:{_kind('forbid', ascii_=False)})(?:{_kind('aside', ascii_=False)}|被)*"
        rf"\s*(?:{_kind('forbidden', ascii_=False)})(?!机)"
    )
    return Pattern(f"{english}|{chinese}", re.IGNORECASE)


@cache
def _acts() -> Pattern:
    """An action on the name that stands before it; what follows then says how it is to be done."""
    return Pattern(
        rf"(?<![\w-])(?:{_kind('forbidden', ascii_=True)})(?!\w)|{_kind('forbidden', ascii_=False)}", re.IGNORECASE
    )


_SAYS: Final = Pattern(
    r"(?:\b(?:wrote|writes|written|said|says|saying|told\s+\w+|tells\s+\w+|asked|asks|quotes?|quoted|reads|posted|commented|suggests?|suggested)"
    r"(?:\s+(?:that|me|us|to|in|on|the|a|chat|ticket|comment))*|写着?|写道|说道?|提到|留言|评论|建议|让我|叫我|要求)\s*[:,]?\s*"
    r"(\"[^\"\n]*\"|“[^”\n]*”|「[^」\n]*」|`[^`\n]*`|'[^'\n]*'(?!\w)|‘[^’\n]*’)",
    re.IGNORECASE,
)


def said_by_others(text: str) -> str:
    """The text with blanks in place of what it only quotes: `Bob wrote: "…"`, `工单里写着“…”`."""
    return _SAYS.sub(lambda m: m.group()[: m.start(1) - m.start()] + " " * len(m.group(1)), text)


_TELLS: Final = Pattern(
    r"\b(?:wrote|writes|said|says|suggested|suggests|claims?|claimed|thinks?|proposed|told (?:me|us)|tells (?:me|us))\b"
    r"|说|写道|写着|建议|提到|认为",
    re.IGNORECASE,
)
_OURS: Final = Pattern(r"\b(?:i|we)\s+(?:said|say|wrote|told|suggest\w*|think)\b|我们?(?:说|建议|认为)", re.IGNORECASE)


def hearsay(text: str, start: int) -> bool:
    """Whether what stands there is told of somebody else in its own clause: `Bob said we should run wipe.py`."""
    clause = _after_last(_BREAK, text[:start])
    return _TELLS.search(_OURS.sub(" ", clause)) is not None
