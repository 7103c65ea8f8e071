"""The data card: everything it promises is on it, outside text is inert, and the holdout stays sealed."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import polars as pl

from tools.recipes.data import data_card, data_figure
from tools.recipes.data.distribution import shares
from tools.recipes.records import Joined, PrepareArgs, PrepareResult, Split, Table

HOSTILE = "<script>alert(1)</script>|`x`[go](https://evil.example) www.evil.example a@evil.example\u202e\x1b[31m\nnext"


def drawn(labels: dict[str, pl.Series] | None, missing: dict[str, float]) -> str:
    return data_figure.svg("y", shares(labels) if labels is not None else None, missing)


def page() -> str:
    args = PrepareArgs(
        tables=(Table(name=HOSTILE, source="/a.csv", format="csv"),),
        task="classification",
        label="y",
        split=Split(by="group", column=HOSTILE),
    )
    joined = Joined(left=HOSTILE, right="b.csv", on=(HOSTILE,), rows_before=9, rows_after=8, unmatched=1, repeated=0)
    made = PrepareResult(
        label="y",
        joins=(joined,),
        columns=(),
        rows=10,
        train_rows=4,
        validation_rows=2,
        holdout_rows=3,
        duplicates_removed=1,
        unlabelled_removed=0,
        missing_removed=0,
        classes=("n", "p"),
        positive="p",
        findings=(f"column {HOSTILE!r} is constant", f"column {HOSTILE} is constant"),
        digests={},
    )
    rows = pl.DataFrame({HOSTILE: [1, None, 3, 4, 5, 6], "y": list("npnpnp")})
    return data_card.page(args, made, rows[:4], rows[4:])


def test_the_page_says_what_the_data_are_and_how_they_were_parted() -> None:
    text = page()
    for says in (
        "from 10 rows",
        "| train | 4 |",
        "| holdout | 3 |",
        "1 exact duplicates",
        "positive class `p`",
        "by group",
    ):
        assert says in text
    assert re.search(r"integer \| 1 \(16.7%\) \| 5 \|", text)
    assert re.search(r"\| 9 \| 8 \| 1 \| 0 \|", text)


def test_outside_text_can_neither_link_nor_mark_up() -> None:
    text = page()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", text)
    bare = re.sub(r"`[^`\n]*`", "", text)
    assert "<script" not in re.sub(r"\\<", "", bare)
    assert not re.search(r"https?://|www\.evil|a@evil", bare)
    assert not re.search(r"(?<!\\)\]\(", bare.replace("](data_card.svg)", ""))
    assert "\nnext" not in text


def test_the_figure_is_a_picture_without_script_or_outside_resources() -> None:
    text = drawn({"train": pl.Series([HOSTILE, "b"] * 5), "validation": pl.Series(["b"])}, {HOSTILE: 0.5, "whole": 0.0})
    root = ElementTree.fromstring(text)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags == {"svg", "title", "style", "g", "rect", "text"}
    assert not re.search(r"href|url\(|@import|\son\w+=", text)
    assert "prefers-color-scheme: dark" in text
    assert max(float(r.get("width", "0")) for r in root.iter("{http://www.w3.org/2000/svg}rect")) <= 400


def test_wide_characters_are_cut_to_the_room_they_take() -> None:
    assert data_figure.shown("很长的名字" * 10, 20) == "很长的名字很长的名…"
    assert data_figure.shown("short", 20) == "short"


def test_every_kind_of_label_can_be_drawn() -> None:
    many = pl.Series([f"c{i}" for i in range(40)])
    for label in (many, pl.Series(range(100)), pl.Series([1.0, None, 2.0]), pl.Series([], dtype=pl.Int64), many[:0]):
        found = shares({"train": label, "validation": label[:0]})
        assert len(found.names) <= 13
        assert all(0 <= share <= 1 for part in found.parts.values() for share in part)
        ElementTree.fromstring(data_figure.svg("y", found, {}))
    ElementTree.fromstring(drawn(None, {}))


def test_both_files_lie_beside_the_parts(tmp_path: Path) -> None:
    args = PrepareArgs(tables=(Table(name="a", source="/a.csv", format="csv"),), task="clustering", label=None)
    made = PrepareResult(
        label=None,
        columns=(),
        rows=0,
        train_rows=0,
        validation_rows=0,
        holdout_rows=0,
        duplicates_removed=0,
        unlabelled_removed=0,
        missing_removed=0,
        digests={},
    )
    empty = pl.DataFrame({"x": pl.Series([], dtype=pl.Float64)})
    data_card.write(tmp_path, args, made, empty, empty)
    assert "Nothing is labelled." in (tmp_path / data_card.FILE).read_text(encoding="utf-8")
    ElementTree.parse(tmp_path / data_card.FIGURE)
