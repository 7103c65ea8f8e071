"""Opens the tables of a goal, each in its own format, and puts them together: rows to learn from, and a holdout's own.

All tables are opened before anything is judged, so that every fault of every table is named at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tools.digest import digest
from tools.errors import Cause
from tools.language import tr
from tools.recipes import parts
from tools.recipes.data import bundled, checks
from tools.recipes.data.folders import read_folder
from tools.recipes.data.images_in import read_images
from tools.recipes.data.joining import Named, Together, join_all
from tools.recipes.data.reading import Opened, read_file
from tools.recipes.faults import BadInput, Fault, near
from tools.recipes.records import Joined, PrepareArgs, Role, Table

HELD = "\nheld"
"""Whether a row is of the holdout's own table. Columns of a source whose name begins with a line feed are refused."""
ROW = "\nrow"
_SHOWN = 8
_FAULTS = 20
"""Faults of one table that are named; more would bury them."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One table made of all of them, before any row is left out."""

    frame: pl.DataFrame
    """The columns as the sources have them, then `HELD`, then the row's number in the table it came from as `row`."""
    label: str | None
    row: str
    """Name of the last column."""
    rows: int
    """Rows read, of the table the rows come from and of the holdout's own."""
    joined: tuple[Joined, ...] = ()
    copies: tuple[str, ...] = ()
    keys: tuple[tuple[Role, str], ...] = ()
    origins: dict[str, str]
    findings: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    """Faults that are not in the way of looking for more."""

    @property
    def table(self) -> pl.DataFrame:
        """The columns of the sources alone."""
        return self.frame.drop(HELD, self.row)

    @property
    def held(self) -> bool:
        """Every row is of the holdout's own table: an existing model is evaluated."""
        return self.rows > 0 and bool(self.frame[HELD].all())


def open_all(args: PrepareArgs) -> Source:
    """The tables put together. BadInput names what stands in the way in any of them."""
    label = bundled.LABEL if args.tables[0].format == "bundled" and args.label is None else args.label
    opened, faults = _opened(args.tables, label)
    label = next((o.label for o in opened if o.label is not None), label)
    tables = [Named(name=t.name, role=t.role, frame=o.frame) for t, o in zip(args.tables, opened, strict=True)]
    if wrong := _names_and_roles(tables):
        raise BadInput([*wrong, *faults])
    findings = [f for o in opened for f in o.findings]
    rows = [t for t in tables if t.role != "holdout"]
    own = next((t for t in tables if t.role == "holdout"), None)
    if own is tables[0] and own is not None:  # the rows come from it: an existing model is evaluated
        rows, own = [own, *rows], None
    made = join_all([_numbered(rows[0]), *rows[1:]], args.joins, label=label)
    frame = made.frame.with_columns(pl.lit(rows[0].role == "holdout").alias(HELD))
    if own is not None:
        frame = _below(frame, _own(own, rows, args, label), own.name, args, label)
    row = parts.row_column(frame.columns)
    return Source(
        frame=frame.select(pl.all().exclude(ROW), pl.col(ROW).alias(row)),
        label=label,
        row=row,
        rows=rows[0].frame.height + (own.frame.height if own is not None else 0),
        joined=tuple(made.joined),
        copies=made.copies,
        keys=tuple(made.keys),
        origins=made.origins,
        findings=tuple([*findings, *made.findings]),
        faults=tuple(faults),
    )


def open_table(table: Table, label: str | None) -> Opened:
    """One table as its format says. BadInput when it cannot be read."""
    path = Path(table.source)
    match table.format:
        case "bundled":
            return Opened(frame=bundled.load(table.source))
        case "images":
            return read_images(path, label=label or "label")
        case "folder":
            return read_folder(path, label=label)
    if path.is_dir():
        return read_folder(path, label=label)
    return read_file(path, table.format, label=label)


def source_digest(args: PrepareArgs, source: Source) -> str:
    """sha256 of what was read: of the one file or folder, of a bundled set's rows, else of all tables together."""
    each = [_table_digest(t, source) for t in args.tables]
    if len(each) == 1:
        return each[0]
    return hashlib.sha256(
        "\n".join(f"{t.name} {d}" for t, d in zip(args.tables, each, strict=True)).encode()
    ).hexdigest()


def _table_digest(table: Table, source: Source) -> str:
    if table.format != "bundled":
        return digest(table.source)
    frame = source.table if not source.joined else bundled.load(table.source)
    return hashlib.sha256(frame.write_csv().encode()).hexdigest()


def _opened(tables: Sequence[Table], label: str | None) -> tuple[list[Opened], list[Fault]]:
    opened: list[Opened] = []
    refused: list[Fault] = []
    cause: Cause = "data_invalid"
    for table in tables:
        try:
            opened.append(open_table(table, label))
        except BadInput as error:
            refused += error.found
            cause = "data_missing" if "data_missing" in (cause, error.cause) else error.cause
    faults = [f for o in opened for f in o.faults]
    if refused:
        raise BadInput([*refused, *faults], cause=cause)
    return opened, faults


def _names_and_roles(tables: Sequence[Named]) -> list[Fault]:
    names = [t.name for t in tables]
    found = [
        Fault(place=tr("table {name}", name=name), problem=tr("is named twice"), fix=tr("name each table once"))
        for name in dict.fromkeys(n for n in names if names.count(n) > 1)
    ]
    found += [
        Fault(
            place=tr("table {name}", name=t.name),
            problem=tr("the name {c!r} begins with a line feed", c=c),
            fix=tr("rename the column"),
        )
        for t in tables
        for c in t.frame.columns
        if c.startswith("\n")
    ]
    held = [t.name for t in tables if t.role == "holdout"]
    if len(held) > 1:
        problem = tr("{held} are all said to be the holdout", held=", ".join(held))
        found.append(Fault(place="holdout", problem=problem, fix=tr("put them into one table")))
    return found


def _numbered(table: Named) -> Named:
    frame = table.frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW))
    return Named(name=table.name, role=table.role, frame=frame)


def _own(own: Named, rows: Sequence[Named], args: PrepareArgs, label: str | None) -> pl.DataFrame:
    """The holdout's own table, joined to the others as the rows to learn from are, unless it holds their columns."""
    frame = _numbered(own).frame
    base = {c for c in rows[0].frame.columns if c not in args.drop_columns}
    if len(rows) == 1 or not base <= set(own.frame.columns) | {label} or set(own.frame.columns) - base - {label}:
        return frame
    stand_in = Named(name=rows[0].name, role=rows[0].role, frame=frame)
    made: Together = join_all([stand_in, *rows[1:]], args.joins, label=label, whole=True)
    return made.frame


def _below(frame: pl.DataFrame, own: pl.DataFrame, name: str, args: PrepareArgs, label: str | None) -> pl.DataFrame:
    """The holdout's rows below the others. BadInput names every difference of columns and kinds."""
    frame = _floats(frame, own)
    wanted = [c for c in frame.columns if c != HELD]
    named = [c for c in own.columns if c != ROW]
    faults = (
        []
        if own.height
        else [Fault(place=tr("holdout {name}", name=name), problem=tr("has no rows"), fix=tr("give it rows"))]
    )
    faults += [
        Fault(place=tr("holdout {name}", name=name), problem=tr("lacks column {c!r}", c=c), fix=near(c, named))
        for c in [c for c in wanted if c not in own.columns and c not in args.drop_columns][:_FAULTS]
    ]
    if more := [c for c in own.columns if c not in wanted and c not in args.drop_columns]:
        problem = tr("has columns that the other rows do not have: {names}", names=", ".join(map(repr, more[:_SHOWN])))
        faults.append(
            Fault(
                place=tr("holdout {name}", name=name),
                problem=problem,
                fix=tr("drop them, or give both the same columns"),
            )
        )
    columns = []
    for c in (c for c in wanted if c in own.columns):
        cast = own[c] if c == label and label is not None else _as(own[c], frame.schema[c])
        if cast is None:
            problem = tr(
                "column {c!r} holds {own}, and {others} in the other rows",
                c=c,
                own=own.schema[c],
                others=frame.schema[c],
            )
            faults.append(
                Fault(
                    place=tr("holdout {name}", name=name), problem=problem, fix=tr("write it in the same way in both")
                )
            )
        else:
            columns.append(cast)
    if faults:
        raise BadInput(faults[:_FAULTS])
    below = pl.DataFrame(columns).with_columns(pl.lit(value=True).alias(HELD))
    if label is not None and label in frame.columns and frame.schema[label] != below.schema[label]:
        frame, below = _labels_alike(frame, label), _labels_alike(below, label)
    absent = [pl.lit(None, dtype=frame.schema[c]).alias(c) for c in wanted if c not in below.columns]
    return pl.concat([frame, below.with_columns(absent).select(frame.columns)])


def _floats(frame: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """The rows with whole numbers as Float64 where the holdout has other numbers too."""
    broken = [c for c, kind in frame.schema.items() if kind == pl.Int64 and own.schema.get(c) == pl.Float64]
    return frame.with_columns(pl.col(c).cast(pl.Float64) for c in broken)


def _labels_alike(frame: pl.DataFrame, label: str) -> pl.DataFrame:
    return frame.with_columns(checks.class_names(frame[label]).alias(label))


def _as(column: pl.Series, wanted: pl.DataType) -> pl.Series | None:
    """The column as the type it has in the other rows; None when a value would be lost."""
    if column.dtype == wanted:
        return column
    if column.null_count() == len(column) or (column.dtype.is_numeric() and wanted in (pl.Float64, pl.String)):
        return column.cast(wanted, strict=False)
    if column.dtype == pl.Boolean and wanted == pl.String:
        return column.cast(pl.String)
    if column.dtype == pl.Date and wanted == pl.Datetime:
        return column.cast(wanted)
    return None
