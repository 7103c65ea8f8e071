"""Text from outside made inert: before it reaches a screen, a report or a brain.

What steers a terminal, cannot be seen or changes the reading order is taken away; links and commands become words;
what is long is cut where one sees it. Lines of a program become templates with counts and the numbers of the lines.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.language import tr
from tools.record import Record

_ESCAPES = re.compile(
    r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|\[[0-?]*[ -/]*[@-~]?|.)?", re.DOTALL
)
_SPACES = re.compile(r"[\t\r\n\v\f\x85\u2028\u2029]+")
_SYMBOL = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u27ff\u2900-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_JOINING = "[\u0600-\u061b\u061d-\u0fff\u1000-\u109f\u1780-\u17b3\u17b6-\u180a\u1820-\u18aa\ua840-\uaaff]"
_HAN = "[\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_MEANT = (
    f"(?<={_SYMBOL})\u200d(?={_SYMBOL})|(?<={_SYMBOL}\ufe0f)\u200d(?={_SYMBOL})"
    f"|(?<={_JOINING})[\u200c\u200d](?={_JOINING})|(?<={_SYMBOL})[\ufe0e\ufe0f]|(?<=[#*0-9])\ufe0f(?=\u20e3)"
    f"|(?<={_HAN})[\ufe00-\ufe02\U000e0100-\U000e01ef]"
)
"""Invisible and meant: what joins a family of emoji or parts Persian letters, and which form a character has."""
_UNSEEN = re.compile(
    f"(?P<meant>{_MEANT})|"
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_LINK = re.compile(r"\b(?:[a-z][a-z0-9+.-]{0,30}://|www\.)(?:\[withheld:[\w.-]+\]|[^\s<>\"')\]])+", re.IGNORECASE)
_LOOPBACK = re.compile(r"https?://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?(?:/|$)", re.IGNORECASE)

_HALF = re.compile("[\ud800-\udfff]")
_READ = 2000
"""Characters of a line that are looked at."""
WIDTH = 200
"""Characters of a template."""
MOST = 20
"""Templates of one text."""
NAMED = 5
"""Lines of a template that are named."""
_COMMAND = re.compile(
    r"(?:^\s*[$#>]\s+\S[^`\n]*)"
    r"|\b(?:sudo|curl|wget|(?:ba|z|da)?sh|rm|chmod|chown|pip3?|apt(?:-get)?|conda|npm|kubectl|aws|gcloud|docker|ssh|scp"
    r"|nc|eval|exec|iex|powershell|python3?|goalkeeper)\s+(?:-{1,2}\w|[~./|&<$]|<link>|https?:|install\b|delete\b|apply\b"
    r"|exec\b|run\b|approve\b|get\b|set\b)[^`\n]*"
    r"|\$\([^)\n]*\)|[|;&]{1,2}\s*(?:(?:ba|z)?sh|python3?)\b[^`\n]*",
    re.IGNORECASE,
)
_PLACEHOLDERS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "<email>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}\b|\b[0-9a-f]{32,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"(?<![\w<])(?:[A-Za-z]:)?(?:~|\.{1,2})?(?:[/\\][\w.@+-]+)+[/\\]?"), "<path>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "<address>"),
    (re.compile(r"(?<![\w<.])[-+]?\d+(?:[,_]\d+)*(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE), "<n>"),
)


class Seen(Record):
    """Lines of one form, as they may be shown and read by a brain: what they say without what differs."""

    text: str
    count: int
    lines: tuple[int, ...]
    """1-based numbers of the first of them in what was looked at."""


def clean(text: str) -> str:
    """One line that cannot steer a terminal and hides nothing: no escapes, controls, marks of direction."""
    return _seen(_SPACES.sub(" ", _ESCAPES.sub("", text))).strip()


def line_of(text: str, *, limit: int) -> str:
    """One clean line of bounded length; an ellipsis stands where it was cut."""
    bare = clean(text[: limit + _READ])
    whole = len(bare) <= limit and len(text) <= limit + _READ
    return bare if whole else bare[: limit - 1] + "…"


def outside(text: str, *, limit: int = 400) -> str:
    """Text from outside, fit to be shown: a line of bounded length without links to elsewhere."""
    bare = line_of(text, limit=limit + _READ)
    return line_of(_LINK.sub(_unlinked, bare), limit=limit)


def _unlinked(link: re.Match[str]) -> str:
    return link[0] if _LOOPBACK.match(link[0]) else tr("(link removed)")


def whole(value: Any) -> Any:
    """Whatever JSON can hold, with a mark in the place of half a character, which no file can hold."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {whole(name): whole(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [whole(each) for each in value]
    return value


def hidden_in(value: Any) -> tuple[str, ...]:
    """Paths of whatever JSON can hold at which something stands that cannot be seen or changes the reading order.

    Letters of every script are fine, and so is what joins them or an emoji where they need it.
    """
    return tuple(dict.fromkeys(".".join(map(str, path)) for path in _hidden(value, ())))


def templates(lines: Sequence[str]) -> tuple[Seen, ...]:
    """The lines by form, in the order in which the forms first occur: numbers, ids, times, paths, links and commands
    are placeholders. At most `MOST` forms, the last ones: what went wrong stands at the end."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(lines, start=1):
        if text := template(line):
            found.setdefault(text, []).append(number)
    every = [Seen(text=text, count=len(numbers), lines=tuple(numbers[:NAMED])) for text, numbers in found.items()]
    return tuple(every[-MOST:])


def template(line: str) -> str:
    """The form of one line."""
    text = _LINK.sub("<link>", clean(line[:_READ]))
    text = _COMMAND.sub("<command>", text)
    for pattern, placeholder in _PLACEHOLDERS:
        text = pattern.sub(placeholder, text)
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}… [{tr('{n} more characters', n=len(text) - WIDTH)}]"


def marked(seen: Seen) -> str:
    """A form between marks that nothing in it can close: `«CUDA out of memory. Tried to allocate <n> GiB»`."""
    inner = re.sub("[«»]", "'", seen.text)
    return f"«{inner}»"


def _seen(text: str) -> str:
    return _UNSEEN.sub(lambda found: found["meant"] or "", text)


def _hidden(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, str):
        if value.isascii() and value.isprintable():
            return
        if any(not found["meant"] for found in _UNSEEN.finditer(value)):
            yield path
    elif isinstance(value, Mapping):
        for name, each in value.items():
            key = str(name)
            if next(_hidden(key, ()), None) is not None:
                yield (*path, _seen(key))
            yield from _hidden(each, (*path, _seen(key)))
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for index, each in enumerate(value):
            yield from _hidden(each, (*path, index))
