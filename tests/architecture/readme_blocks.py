"""A Markdown page as blocks, and where a translation of it says something else.

Two pages agree when block stands by block: headings of the same levels, paragraphs, list items, tables and their
rows, in one order; the same code; and in each block the same links, names in backquotes and figures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher, unified_diff
from typing import Literal

from tools.record import Record

Kind = Literal["heading", "code block", "table", "table row", "list item", "paragraph", "mark"]

STARTS: dict[Kind, re.Pattern[str]] = {
    "heading": re.compile(r"#{1,6} "),
    "code block": re.compile(r"\s*```"),
    "table": re.compile(r"\|"),
    "list item": re.compile(r"\s*(?:[-*+]|\d+\.) "),
    "mark": re.compile(r"<!--"),
}
ALONE = {"heading", "mark"}
"""What ends with its line; other blocks go on until a blank line or the start of the next."""
CELL = re.compile(r"\\\||`[^`]*`")
"""What may hold a bar that parts no cells."""
NAME = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)[^)]*\)")
FIGURE = re.compile(r"\d+(?:[.,:]\d+)*")
SHOWN = 60


class Block(Record):
    """One block of a page. `line` is where it begins, from 1."""

    kind: Kind
    line: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """Its words on one line."""
        return " ".join(line.strip() for line in self.lines)

    @property
    def shape(self) -> tuple[Kind, int]:
        """What is the same in two blocks that stand for each other: kind, and level or number of cells."""
        size = len(self.text) - len(self.text.lstrip("#")) if self.kind == "heading" else 0
        if self.kind in ("table", "table row"):
            size = CELL.sub("", self.text).strip("|").count("|") + 1
        return self.kind, size

    @property
    def verbatim(self) -> tuple[str, ...]:
        """The lines that are not translated."""
        return self.lines if self.kind in ("code block", "mark") else ()

    @property
    def facts(self) -> dict[str, Counter[str]]:
        """What it holds that a translation keeps, by what it is."""
        if self.verbatim:
            return {}
        nameless = NAME.sub(" ", self.text)
        return {
            "link": Counter(LINK.findall(nameless)),
            "name": Counter(NAME.findall(self.text)),
            "figure": Counter(FIGURE.findall(LINK.sub("]", nameless))),
        }


def blocks(page: str) -> list[Block]:
    """The page from top to bottom."""
    found: list[Block] = []
    kind: Kind | None = None
    for number, line in enumerate(page.splitlines(), start=1):
        if kind == "code block":
            found[-1] = _longer(found[-1], line)
            kind = None if line.strip() == "```" else kind
            continue
        starts = next((one for one, begins in STARTS.items() if begins.match(line)), None)
        if not line.strip():
            kind = None
        elif kind is None or kind in ALONE or starts:
            in_table = starts == "table" and kind in ("table", "table row")
            kind = "table row" if in_table else starts or "paragraph"
            found.append(Block(kind=kind, line=number, lines=(line,)))
        else:
            found[-1] = _longer(found[-1], line)
    return found


def _longer(block: Block, line: str) -> Block:
    return block.model_copy(update={"lines": (*block.lines, line)})


def links(page: str) -> list[tuple[int, str]]:
    """(line of the block, target) of every link outside code."""
    return [(block.line, target) for block in blocks(page) for target in block.facts.get("link", ())]


def differences(names: tuple[str, str], pages: tuple[str, str]) -> list[str]:
    """How the second page departs from the first, a line each, with the place in both; empty when they agree."""
    ours, theirs = (blocks(page) for page in pages)
    keys = [[_key(block) for block in side] for side in (ours, theirs)]
    told: list[str] = []
    # Blocks that agree wholly are the anchors; between them blocks of the same shape are paired.
    for same, a, b, c, d in _aligned(*keys):
        if same != "equal":
            told += _between(names, ours[a:b], theirs[c:d])
    return told


def _aligned(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Sequence[tuple[str, int, int, int, int]]:
    return SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()


def _key(block: Block) -> tuple[object, ...]:
    facts = tuple(tuple(sorted(found.items())) for found in block.facts.values())
    return block.shape, block.verbatim, facts


def _between(names: tuple[str, str], ours: Sequence[Block], theirs: Sequence[Block]) -> Iterator[str]:
    shapes = [[block.shape for block in side] for side in (ours, theirs)]
    for same, a, b, c, d in _aligned(*shapes):
        if same == "equal":
            for one, other in zip(ours[a:b], theirs[c:d], strict=True):
                yield from _apart(names, one, other)
            continue
        for name, lone in [(names[0], block) for block in ours[a:b]] + [(names[1], block) for block in theirs[c:d]]:
            yield f"{name}:{lone.line}: only here: {lone.kind} {lone.text[:SHOWN]!r}"


def _apart(names: tuple[str, str], one: Block, other: Block) -> Iterator[str]:
    """How two blocks that stand for each other differ; nothing where they agree."""
    place = f"{names[0]}:{one.line} and {names[1]}:{other.line}: the {one.kind}"
    for line in list(unified_diff(one.verbatim, other.verbatim, n=0, lineterm=""))[2:]:
        if not line.startswith("@@"):
            yield f"{place} differs: {line}"
    for what, held in one.facts.items():
        for name, lone in zip(names, (held - other.facts[what], other.facts[what] - held), strict=True):
            if lone:
                yield f"{place} has a {what} only in {name}: {', '.join(lone.elements())}"
