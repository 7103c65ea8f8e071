"""What a person is shown of a run, and whether it is inert there: no control characters, links, markup or tags."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser

from agent import markdown
from agent.documents import RunDocument, RunView
from agent.doors.plain import plan_lines, view_lines
from agent.errors import GoalkeeperError
from agent.pages import page
from agent.wording import outside

_HIDDEN = ("Cc", "Cf", "Cs", "Co")
"""Unicode categories that nobody sees, or that move what is seen."""
_SEEN = "\n"
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_LINK = re.compile(
    r"\]\(\s*<?\s*(?:https?:|//|javascript:|data:)|(?<![\w`])https?://(?!127\.0\.0\.1|localhost|\[::1\])", re.I
)
_TAG = re.compile(r"<\s*/?\s*(?:script|img|iframe|svg|a|object|embed|form|style|meta|link)\b", re.I)
_ADDRESS = ("href", "src", "action", "data", "srcset", "formaction", "xlink:href")


class Shown:
    """The pages and lines of one run."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.markdown = ""
        self.page = ""

    def view(self, view: RunView) -> None:
        """A screen, as lines."""
        self.lines += view_lines(view)

    def document(self, document: RunDocument) -> None:
        self.lines += plan_lines(document)
        self.markdown = markdown.render(document)
        self.page = page.render(document)

    def error(self, error: GoalkeeperError) -> None:
        """As every door tells it."""
        self.lines += [outside(line) for line in str(error).splitlines()]

    @property
    def text(self) -> str:
        return "\n".join((*self.lines, self.markdown, _words(self.page)))


def unsafe(shown: Shown) -> Iterator[str]:
    """What of it could steer a terminal, a viewer or a reader."""
    for name, text in (("lines", "\n".join(shown.lines)), ("report.md", shown.markdown), ("report.html", shown.page)):
        if found := sorted({f"U+{ord(c):04X}" for c in text if _hidden(c)}):
            yield f"{name} holds {', '.join(found[:4])}"
    bare = _CODE.sub("", shown.markdown)
    for pattern, what in ((_LINK, "a link"), (_TAG, "a tag")):
        if (match := pattern.search(bare)) is not None and bare[match.start() - 1 : match.start()] != "\\":
            yield f"report.md holds {what}: {bare[max(0, match.start() - 20) : match.end() + 30]!r}"
    yield from (f"report.html holds {found}" for found in _active(shown.page))


def _hidden(character: str) -> bool:
    return character not in _SEEN and unicodedata.category(character) in _HIDDEN


class _Reader(HTMLParser):
    """Collects the words of a page and everything in it that could act."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.acts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            elsewhere = re.match(r"\s*(?:https?:|//|javascript:|data:text)", value or "", re.I)
            local = re.match(r"https?://(?:127\.0\.0\.1|localhost)[:/]", value or "")
            if name.startswith("on") or (name in _ADDRESS and elsewhere and not local):
                self.acts.append(f"<{tag} {name}={value!r}>")
        if tag in ("script", "iframe", "object", "embed", "form"):
            self.acts.append(f"<{tag}>")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _read(text: str) -> _Reader:
    reader = _Reader()
    reader.feed(text)
    return reader


def _active(text: str) -> list[str]:
    return _read(text).acts


def _words(text: str) -> str:
    return " ".join(_read(text).words)
