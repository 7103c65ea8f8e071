"""Where the statements of a Cedar text begin and end, so that each fault has a line and none hides another."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|;|[^\s]', re.DOTALL)


def statements(text: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every statement: what ends in `;` outside texts and comments, and what is left at the end."""
    start: int | None = None
    for token in _TOKEN.finditer(text):
        if token[0].startswith("//"):
            continue
        start = token.start() if start is None else start
        if token[0] == ";":
            yield text.count("\n", 0, start) + 1, text[start : token.end()]
            start = None
    if start is not None:
        yield text.count("\n", 0, start) + 1, text[start:]
