"""The data card: what the data are, as a page (`data_card.md`) and one figure (`data_card.svg`) beside the parts.

Counts of values are those of the training and validation rows: of the sealed holdout only its size is told. Outside
text stays inert: names of columns, classes and tables can neither link nor mark up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tools.language import tr
from tools.recipes.data import data_figure
from tools.recipes.data.checks import label_numbers
from tools.recipes.data.data_figure import shown
from tools.recipes.data.distribution import Shares, shares
from tools.recipes.data.profile import columns_of
from tools.recipes.records import Column, Joined, PrepareArgs, PrepareResult

FILE = "data_card.md"
FIGURE = "data_card.svg"
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#|~!&])")
_LINKS = re.compile(r"(?i)(://|www\.|@)")
_MOST = 200
"""Columns that the table lists."""


def write(out: Path, args: PrepareArgs, made: PrepareResult, train: pl.DataFrame, validation: pl.DataFrame) -> None:
    """Write page and figure. The frames are the open parts: features, then the label if there is one."""
    seen = _seen(args, made, train, validation)
    (out / FILE).write_text(page(args, made, train, validation), encoding="utf-8")
    missing = {c.name: c.missing / max(1, seen.rows.height) for c in seen.columns}
    (out / FIGURE).write_text(data_figure.svg(made.label, seen.labels, missing), encoding="utf-8")


def page(args: PrepareArgs, made: PrepareResult, train: pl.DataFrame, validation: pl.DataFrame) -> str:
    """The page as Markdown; ends with a newline."""
    return "\n".join(_lines(args, made, _seen(args, made, train, validation))) + "\n"


def code(text: str) -> str:
    """Outside text as code, also inside a table."""
    return "`" + shown(text, 80).replace("`", "'").replace("|", "¦") + "`"


def plain(text: str) -> str:
    """A sentence that holds outside text: nothing in it is markup or a link."""
    escaped = _MARKUP.sub(r"\\\1", shown(text, 600))
    return _LINKS.sub(lambda m: "".join(f"&#{ord(c)};" if c in ":.@" else c for c in m.group()), escaped)


@dataclass(frozen=True, kw_only=True)
class Open:
    """What the open parts show."""

    rows: pl.DataFrame
    columns: tuple[Column, ...]
    labels: Shares | None


def _seen(args: PrepareArgs, made: PrepareResult, train: pl.DataFrame, validation: pl.DataFrame) -> Open:
    rows, label = pl.concat([train, validation]), made.label
    return Open(
        rows=rows,
        columns=columns_of(rows if label is None else rows.drop(label), args.task),
        labels=None if label is None else shares({"train": train[label], "validation": validation[label]}),
    )


def _lines(args: PrepareArgs, made: PrepareResult, seen: Open) -> Iterator[str]:
    yield tr("# Data card")
    yield ""
    yield from _what(args, made)
    yield from _parts(args, made)
    yield from _label(made, seen.labels, seen.rows)
    yield from _columns(seen.columns, seen.rows.height)
    yield from _joins(made.joins)
    yield from _findings(made.findings)
    yield tr("![Label by part, and missing values by column]({figure})", figure=FIGURE)


def _what(args: PrepareArgs, made: PrepareResult) -> Iterator[str]:
    yield tr("Prepared for {task} from {rows} rows.", task=tr(args.task), rows=made.rows)
    yield ""
    yield tr("| table | role | format |")
    yield "|---|---|---|"
    yield from (f"| {code(t.name)} | {tr(t.role)} | {t.format} |" for t in args.tables)
    yield ""
    roles = {name: value for name, value in made.roles.model_dump().items() if value is not None}
    if roles:
        said = ", ".join(f"{tr(n)} {code(v)}" for n, v in roles.items())
        yield tr("Columns with a meaning of their own: {said}.", said=said)
        yield ""


def _parts(args: PrepareArgs, made: PrepareResult) -> Iterator[str]:
    own = any(t.role == "holdout" for t in args.tables)
    asked = tr("by {by}", by=tr(args.split.by)) + (
        tr(", column {column}", column=code(args.split.column)) if args.split.column else ""
    )
    asked += tr(", from {at} on", at=code(args.split.at)) if args.split.at else ""
    yield tr("## Parts")
    yield ""
    yield tr("Asked for: {asked}, seed {seed}.", asked=asked, seed=args.seed) + (
        tr(" The holdout is a table of its own.") if own else ""
    )
    yield ""
    yield tr("| part | rows |")
    yield "|---|---:|"
    for name, rows in (
        ("train", made.train_rows),
        ("validation", made.validation_rows),
        ("holdout", made.holdout_rows),
    ):
        yield f"| {tr(name)} | {rows} |"
    yield ""
    removed = {
        tr("exact duplicates"): made.duplicates_removed,
        tr("rows without a label"): made.unlabelled_removed,
        tr("training rows with missing values"): made.missing_removed,
    }
    if any(removed.values()):
        said = ", ".join(f"{n} {what}" for what, n in removed.items() if n)
        yield tr("Removed: {said}.", said=said)
        yield ""


def _label(made: PrepareResult, labels: Shares | None, seen: pl.DataFrame) -> Iterator[str]:
    yield tr("## Label")
    yield ""
    if made.label is None or labels is None:
        yield tr("Nothing is labelled.")
        yield ""
        return
    positive = tr(", positive class {positive}", positive=code(made.positive)) if made.positive is not None else ""
    yield tr("Column {label}{positive}.", label=code(made.label), positive=positive)
    yield ""
    numbers = label_numbers(seen[made.label]).drop_nulls().to_numpy()
    if labels.numeric and len(numbers):
        low, middle, high = np.quantile(numbers, [0, 0.5, 1])
        yield (
            tr(
                "From {low:.6g} to {high:.6g}, median {middle:.6g}, mean {mean:.6g}, standard deviation {spread:.6g}.",
                low=low,
                high=high,
                middle=middle,
                mean=numbers.mean(),
                spread=numbers.std(),
            )
        )
        yield ""
    yield "| " + " | ".join([tr("value"), *map(tr, labels.parts)]) + " |"
    yield "|---|" + "---:|" * len(labels.parts)
    for i, name in enumerate(labels.names):
        cells = " | ".join(f"{share[i]:.1%}" for share in labels.parts.values())
        yield f"| {code(name)} | {cells} |"
    yield ""


def _columns(columns: tuple[Column, ...], rows: int) -> Iterator[str]:
    yield tr("## Columns")
    yield ""
    yield tr("Of the {rows} training and validation rows; the holdout is sealed.", rows=rows)
    yield ""
    yield tr("| column | kind | missing | distinct |")
    yield "|---|---|---:|---:|"
    for c in columns[:_MOST]:
        yield f"| {code(c.name)} | {tr(c.kind)} | {c.missing} ({c.missing / max(1, rows):.1%}) | {c.distinct} |"
    yield ""
    if len(columns) > _MOST:
        yield tr("{n} more columns are not listed.", n=len(columns) - _MOST)
        yield ""


def _joins(joins: Iterable[Joined]) -> Iterator[str]:
    rows = [
        f"| {code(j.left)} | {code(j.right)} | {', '.join(map(code, j.on))} | {j.rows_before} | {j.rows_after} "
        f"| {j.unmatched} | {j.repeated} |"
        for j in joins
    ]
    if rows:
        yield tr("## Joins")
        yield ""
        yield tr("| left | right | on | rows before | rows after | unmatched | repeated |")
        yield "|---|---|---|---:|---:|---:|---:|"
        yield from rows
        yield ""


def _findings(findings: Iterable[str]) -> Iterator[str]:
    listed = [f"- {plain(finding)}" for finding in findings]
    yield tr("## Findings")
    yield ""
    yield from listed or ["None."]
    yield ""
