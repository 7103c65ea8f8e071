"""The Chinese README says what the English one says; where they part, the message names the block and what differs.

Words are left to people. What can be compared is: headings, paragraphs, list items and tables in the same order, the
same code, and in each block the same links, names in backquotes and figures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from readme_blocks import Block, blocks, differences, links
from readme_parts import CHINESE, PAGES, README, ROOT, parts

NAMES = (README.name, CHINESE.name)
VERBATIM_TABLES = ("| what | median | target |", "| tool | effect | does |")
HAN = re.compile(r"[\u4e00-\u9fff]")


def _page(path: Path) -> str:
    """The page, where the link to the other language is the same in both."""
    return re.sub(r"\]\(README(\.zh)?\.md\)", "](the other language)", path.read_text(encoding="utf-8"))


def test_the_chinese_readme_says_what_the_english_one_says() -> None:
    told = differences(NAMES, (_page(README), _page(CHINESE)))
    assert not told, "\n".join(["", *told])


def test_the_generated_parts_and_the_tables_of_figures_are_not_translated() -> None:
    english, chinese = (_tables(blocks(_page(path))) for path in PAGES)
    for header in VERBATIM_TABLES:
        assert header in english, f"{README.name} has no table that begins with {header}"
        assert chinese.get(header) == english[header], f"{CHINESE.name}: this table is not that of {README.name}"
    assert parts(_page(README)) == parts(_page(CHINESE))


def _tables(page: Sequence[Block]) -> dict[str, list[str]]:
    """Header → the rows under it, of every table."""
    found: dict[str, list[str]] = {}
    for block in page:
        if block.kind == "table":
            rows = found[block.text] = []
        elif block.kind == "table row":
            rows.append(block.text)
    return found


def test_nothing_of_the_chinese_readme_is_left_in_english() -> None:
    prose = [block for block in blocks(_page(CHINESE)) if block.kind in ("paragraph", "list item", "heading")]
    left = [f"{CHINESE.name}:{block.line}: {block.text}" for block in prose[1:] if not HAN.search(block.text)]
    assert not left


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_inside_the_project_leads_somewhere(path: Path) -> None:
    """Links are relative to the page; those to other hosts are not followed."""
    inside = [(n, to) for n, to in links(path.read_text(encoding="utf-8")) if not re.match(r"[a-z]+:|#", to)]
    assert inside
    dead = [f"{path.name}:{n}: {to}" for n, to in inside if not _exists((path.parent / to.split("#")[0]).resolve())]
    assert not dead


def _exists(target: Path) -> bool:
    return target.exists() and target.is_relative_to(ROOT.resolve())


@pytest.mark.parametrize(
    ("to", "exists"), [("README.md", True), ("evals/goals", True), ("no.md", False), ("..", False)]
)
def test_a_link_to_nothing_or_out_of_the_project_is_dead(to: str, exists: bool) -> None:
    assert _exists((ROOT / to).resolve()) is exists


ENGLISH = """\
# It

It needs 3 files: `a`, [b](b.md) and `c`.

```console
$ it --now
```

| what | how |
|---|---|
| one | 1 |
| two | `x|y` |

## Then

- first
  goes on
- second
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("3 files", "4 files", ["the paragraph has a figure only in a.md: 3", "has a figure only in b.md: 4"]),
        ("`a`", "a", ["a.md:3 and b.md:3: the paragraph has a name only in a.md: a"]),
        ("b.md", "c.md", ["the paragraph has a link only in a.md: b.md", "has a link only in b.md: c.md"]),
        ("--now", "--later", ["the code block differs: -$ it --now", "the code block differs: +$ it --later"]),
        ("| one | 1 |\n", "", ["a.md:11: only here: table row '| one | 1 |'"]),
        ("| one | 1 |", "| one | 2 |", ["the table row has a figure only in a.md: 1", "only in b.md: 2"]),
        ("| one | 1 |", "| one 1 |", ["a.md:11: only here: table row", "b.md:11: only here: table row '| one 1 |'"]),
        ("| one | 1 |\n", "| one | 1 |\n\n", ["a.md:12: only here: table row", "b.md:13: only here: table '| two"]),
        ("- second\n", "", ["a.md:18: only here: list item '- second'"]),
        ("## Then", "### Then", ["only here: heading '## Then'", "only here: heading '### Then'"]),
        ("## Then\n", "## Then\n\nMore.\n", ["b.md:16: only here: paragraph 'More.'"]),
        ("  goes on", "\ngoes on", ["b.md:18: only here: paragraph 'goes on'"]),
    ],
)
def test_a_page_that_drifted_is_told_where_and_how(old: str, new: str, told: list[str]) -> None:
    changed = ENGLISH.replace(old, new)
    assert changed != ENGLISH
    found = differences(("a.md", "b.md"), (ENGLISH, changed))
    assert len(found) == len(told)
    assert all(part in line for part, line in zip(told, found, strict=True)), found


def test_a_translation_may_say_it_in_other_words_and_another_order() -> None:
    chinese = ENGLISH.replace("It needs 3 files: `a`, [b](b.md) and `c`.", "需要 `c`、`a` 和[乙](b.md)，共 3 个文件。")
    assert not differences(("a.md", "b.md"), (ENGLISH, chinese.replace("two", "二").replace("  goes on\n", "")))


def test_code_is_not_read_as_prose() -> None:
    page = "```text\n# no heading [no](link)\n\n- no item\n```\nafter\n"
    assert [(block.kind, block.line) for block in blocks(page)] == [("code block", 1), ("paragraph", 6)]
    assert links(page) == []
