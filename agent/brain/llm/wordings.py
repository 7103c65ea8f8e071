"""What a model may write in its own words where a person reads them: plain sentences, without any figure, link or
command. What it may hold is listed, not what it may not, so that a new trick is a fault as well. Pure."""

from __future__ import annotations

import re
import unicodedata

from agent.brain.cited import PLACE
from tools.inert import clean, hidden_in, template

HOLE = "·"
"""Stands where a place was."""
_MARKS = frozenset(" .,;:!?'\"()-–—…·，。；：！？、（）「」“”‘’")
_SIGNS = frozenset(("<link>", "<command>", "<path>", "<email>", "<address>", "<id>", "<n>", "<time>"))
_SPAN, _STRIDE = 150, 75
"""Characters that are reduced to a form at a time, and how far apart the beginnings are."""
_TOUCHES = re.compile(
    r"[^\s(\"'“‘「,;:!?。、\u3400-\u9fff]·|·[^\s.,;:!?)\"'”’」。、\u3400-\u9fff]|·\s*[kmb]\b|[-–—]\s*·",
    re.IGNORECASE,
)
"""What would run into a value: another value, a sign, a letter."""
_DOMAIN = re.compile(r"[^\W_](?:\.|。(?=[a-z]))[^\W_]{2,}", re.IGNORECASE)
_OPTION = re.compile(r"(?:^|\s)-{1,2}\w")
_SHELL = re.compile(
    r"\b(?:sudo|rm|curl|wget|bash|zsh|sh|chmod|chown|pip3?|apt|conda|npm|npx|uv|git|kubectl|helm|aws|gcloud|az|docker"
    r"|ssh|scp|nc|eval|exec|powershell|python3?|make|kill|dd|mv|cp|mkdir|rmdir|ln|tee|crontab|service)\s+[a-z(\"'·-]"
    r"|\b(?:terraform|systemctl|shutdown|reboot|mkfs|iptables|ansible|goalkeeper)\b|\bdot\s+[a-z]{2,4}\b|\bslash\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|(?:twen|thir|for|fif|six|seven|eigh|nine)t(?:y\w*|ie(?:th|s)\w*)|hundred\w*|thousand\w*|[mbtrz]+illion\w*|dozen\w*"
    r"|\w+fold|\w+teenth|eleventh|twelfth|grand|score|zwanzig|hundert|tausend"
    r"|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|half|halves|quarters?|thirds|twice|thrice"
    r"|double[ds]?|triple[ds]?|couple|pair|single|once|percent|per cent|minus|negative|plus|times)\b",
    re.IGNORECASE,
)
_ROMAN = re.compile(r"\b[IVXLCDM]{2,}\b")
_VERDICT = re.compile(
    r"\b(?:un)?met\b|\b(?:un|dis)?prove\w*|\bpass(?:ed|es)?\b|\bfail(?:ed|s|ures?|ing)?\b|\bsucce(?:ss|ed)\w*|\b(?:un|dis)?satisf\w+"
    r"|\bachiev\w+|\bfulfil\w*|\b(?:in)?complete\w*|\bfinish\w*|\bdone\b|\breached\b|\bapproved\b"
    r"|达成|达到|达标|满足|通过|证实|证明|成功|失败|完成|合格|已批准",
    re.IGNORECASE,
)
"""Words for how something ended: that is a fact's value, and never a model's to say."""
_HAN_NUMBER = re.compile("[〇零一二两三四五六七八九十百千万亿半倍双俩仨负壹贰叁肆伍陆柒捌玖拾佰仟廿卅]|成(?=[以左])")
_HAN_WORDS = re.compile("一些|一样|一直|一起|一定|一般|一旦|一致|统一|唯一|进一步|万一|十分|千万不|同一|一方面|三方")
"""Chinese words that are written with a numeral and say no number."""


def bare(sentence: str) -> str:
    """A sentence with a hole for every place."""
    return PLACE.sub(HOLE, sentence)


def faults_of(words: str) -> tuple[str, ...]:
    """What is wrong with a model's own words, in words for the model; none when they may be shown."""
    plain = unicodedata.normalize("NFKC", words)
    found = []
    if clean(words) != words.strip() or hidden_in(words):
        found.append("it has characters that cannot be seen")
    if any(c.isnumeric() for c in _HAN_WORDS.sub("", words + plain)) or _says_number(plain):
        found.append("it has a number of its own: use {id} of a fact, or leave it out")
    if _VERDICT.search(plain):
        found.append("it says how something ended: use {id} of the fact that says so, or leave it out")
    if _TOUCHES.search(plain):
        found.append("put a space or a full stop between a place and what stands beside it")
    if odd := sorted({c for c in plain if not (_letter(c) or c.isnumeric() or c in _MARKS)}):
        found.append(f"it has characters that no sentence needs: {' '.join(odd[:5])}")
    if _DOMAIN.search(plain) or _signs(plain):
        found.append("it has a link, an address or a command")
    elif _OPTION.search(plain) or _SHELL.search(plain):
        found.append("it has a command: name none")
    return tuple(found)


def _says_number(plain: str) -> bool:
    english = _NUMBER.search(plain) or _ROMAN.search(plain)
    return bool(english or _HAN_NUMBER.search(_HAN_WORDS.sub("", plain)))


def _letter(c: str) -> bool:
    """Of the languages that are answered in: letters of other scripts look like these and spell what is not seen."""
    return c.isalpha() and (c <= "\u00ff" or "\u3400" <= c <= "\u9fff")


def _signs(plain: str) -> bool:
    """Whether our reduction to forms finds in it what it takes out of logs."""
    spans = (plain[at : at + _SPAN] for at in range(0, len(plain), _STRIDE))
    return any(_SIGNS & set(re.findall(r"<[a-z]+>", template(span))) for span in spans)
