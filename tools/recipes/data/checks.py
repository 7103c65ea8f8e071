"""What must hold of a table before anything is learnt from it; asked of a sample by `plan`, of everything by the job.

Every function lists all faults it sees and judges nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import polars as pl

from tools.language import tr
from tools.recipes.card import LARGEST, MISSING, Kind
from tools.recipes.faults import Fault, near
from tools.recipes.records import Split, Task

MINIMUM_ROWS = 20
"""Fewest labelled, distinct rows that can be parted in three and still say something."""
MINIMUM_GROUPS = 3
CLASSES: frozenset[Task] = frozenset({"classification", "text-classification", "image-classification"})
"""Tasks whose label is a class."""
NUMBERS: frozenset[Task] = frozenset({"regression", "forecasting"})
"""Tasks whose label is a number that must be given. A recommendation's is one of two words or a number, if any."""
IMAGE = "image"
"""The column that holds the bytes of image files."""

_KINDS: dict[type[pl.DataType], Kind] = {
    pl.Float64: "number",
    pl.Int64: "integer",
    pl.String: "category",
    pl.Boolean: "boolean",
    pl.Date: "time",
    pl.Datetime: "time",
    pl.Binary: "image",
}


def kind_of(dtype: pl.DataType) -> Kind | None:
    """The kind of a column as it was read; None when no recipe can take it."""
    return _KINDS.get(dtype.base_type())


def given(column: pl.Series) -> pl.Series:
    """Per row: whether there is a value, by the rule that holds at the endpoint too."""
    if column.dtype == pl.String:
        return column.is_not_null() & ~column.str.strip_chars().is_in(MISSING).fill_null(value=True)
    if column.dtype.is_float():
        return (column.fill_nan(None).abs() < LARGEST).fill_null(value=False)
    return column.is_not_null()


def class_names(label: pl.Series) -> pl.Series:
    """The label as text, spelled as in the source; null where a row has none."""
    if label.dtype.is_float():
        label = label.fill_nan(None)
    text = label.cast(pl.String)
    return text.set(text.str.strip_chars().is_in([*MISSING, "nan", "NaN"]), None)


def label_numbers(label: pl.Series) -> pl.Series:
    """The label as Float64; null where it is missing or no number, which `label_faults` tells apart."""
    if label.dtype == pl.String:
        text = label.str.strip_chars()
        return text.set(text.is_in(MISSING), None).cast(pl.Float64, strict=False)
    if label.dtype.is_numeric() or label.dtype == pl.Boolean:
        return label.cast(pl.Float64)
    return pl.Series(label.name, [None] * len(label), dtype=pl.Float64)


def label_name_faults(names: Sequence[str], label: str | None, task: Task | None = None) -> list[Fault]:
    """A label that is missing though the task learns one, or is no column."""
    if label is None and task in ("clustering", "recommendation"):
        return []
    if label is None:
        return [Fault(place="label", problem=tr("is not named"), fix=tr("say which column is to be predicted"))]
    if label not in names:
        return [
            Fault(
                place=tr("label {label!r}", label=label), problem=tr("is no column of the data"), fix=near(label, names)
            )
        ]
    return []


def column_faults(
    frame: pl.DataFrame, *, label: str | None, drop: Iterable[str], task: Task | None = None
) -> list[Fault]:
    """Columns to drop that are not there, features no recipe can take, no feature at all."""
    drop = tuple(drop)
    found = [
        Fault(place=f"drop_columns {name!r}", problem=tr("is no column of the data"), fix=near(name, frame.columns))
        for name in drop
        if name not in frame.columns
    ]
    if label in drop:
        found.append(Fault(place=f"drop_columns {label!r}", problem=tr("is the label"), fix=tr("drop another column")))
    features = [name for name in frame.columns if name != label and name not in drop]
    if not features:
        found.append(Fault(place="columns", problem=tr("there is no feature beside the label"), fix=tr("add columns")))
    if task == "text-classification" and features and pl.String not in [frame.schema[n] for n in features]:
        fix = tr("name data with a column of text, or ask for classification")
        found.append(Fault(place="columns", problem=tr("none of the features is text"), fix=fix))
    for name in features:
        kind = kind_of(frame.schema[name])
        if kind == "image" and task != "image-classification":
            fix = tr("ask for image-classification, or name it in drop_columns")
            found.append(Fault(place=tr("column {name!r}", name=name), problem=tr("holds bytes, not values"), fix=fix))
        elif kind is None:
            problem = tr("holds {kind}, which is no number, text, flag or time", kind=frame.schema[name])
            found.append(
                Fault(
                    place=tr("column {name!r}", name=name),
                    problem=problem,
                    fix=tr("flatten it, or name it in drop_columns"),
                )
            )
    return found


def says_class(label: pl.Series, task: Task) -> bool:
    """Whether the label is learnt as a class: a recommendation's may be one of two words, such as yes and no."""
    if task != "recommendation":
        return task in CLASSES
    names = class_names(label).drop_nulls()
    return names.n_unique() == 2 and names.cast(pl.Float64, strict=False).null_count() > 0


def label_faults(label: pl.Series, task: Task, *, complete: bool) -> list[Fault]:
    """Labels that cannot be learnt. With `complete` False only what more rows could not put right."""
    if len(label) == 0:
        return [
            Fault(
                place="data",
                problem=tr("has a header and no rows"),
                fix=tr("give at least {least} rows", least=MINIMUM_ROWS),
            )
        ]
    place = tr("label {name!r}", name=label.name)
    if task == "clustering":
        return []
    numeric = not says_class(label, task)
    if numeric and (faults := _number_faults(label, place)):
        return faults
    values = (label_numbers(label) if numeric else class_names(label)).drop_nulls()
    faults = [] if numeric else _identifier(values, place)
    if complete:
        faults += _too_little(values, place, one_will_do=task == "recommendation")
    return faults


def few_rows(rows: int, what: str = "rows") -> Fault:
    return Fault(
        place="data",
        problem=tr("has {rows} {what}", rows=rows, what=tr(what)),
        fix=tr("give at least {least}", least=MINIMUM_ROWS),
    )


def split_faults(frame: pl.DataFrame, split: Split, *, complete: bool) -> list[Fault]:
    """A split column that is missing or cannot part the rows."""
    place = f"split by {split.by}"
    if split.by == "random" or (split.by == "stratified" and split.column is None):
        return []
    if split.column is None:
        return [Fault(place=place, problem=tr("names no column"), fix=tr("say which column parts the rows"))]
    if split.column not in frame.columns:
        problem = tr("{column!r} is no column of the data", column=split.column)
        return [Fault(place=place, problem=problem, fix=near(split.column, frame.columns))]
    column = frame[split.column]
    if split.by == "group" and complete and column.n_unique() < MINIMUM_GROUPS:
        problem = tr("{column!r} has {n} values", column=split.column, n=column.n_unique())
        return [
            Fault(
                place=place,
                problem=problem,
                fix=tr("name a column with at least {least}", least=MINIMUM_GROUPS),
            )
        ]
    if split.by == "time":
        return _time_faults(column, split, place)
    return []


def instant(at: str) -> float | None:
    """An ISO date or time as epoch seconds (UTC unless it says otherwise); None when it is none."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _time_faults(column: pl.Series, split: Split, place: str) -> list[Fault]:
    found = []
    numeric = column.dtype.is_numeric()
    if not numeric and kind_of(column.dtype) != "time":
        problem = tr("{name!r} holds {dtype}, not times", name=column.name, dtype=column.dtype)
        found.append(Fault(place=place, problem=problem, fix=tr("write its values as ISO dates (2024-05-31)")))
    if split.at is not None and numeric:
        problem = tr("{name!r} holds numbers, so {at!r} cannot be found in it", name=column.name, at=split.at)
        found.append(
            Fault(place=place, problem=problem, fix=tr("leave the date out, or write the column as ISO dates"))
        )
    elif split.at is not None and instant(split.at) is None:
        found.append(
            Fault(place=place, problem=tr("{at!r} is no ISO date", at=split.at), fix=tr("write it as 2024-05-31"))
        )
    return found


def _number_faults(label: pl.Series, place: str) -> list[Fault]:
    numbers = label_numbers(label)
    found = []
    if (rows := (given(label) & numbers.is_null()).arg_true()).len():
        problem = tr(
            "{n} labels are no numbers, the first {first!r} at {rows}",
            n=rows.len(),
            first=str(label[int(rows[0])])[:40],
            rows=_rows(rows),
        )
        comma = re.fullmatch(r"-?[\d.]+,\d+", str(label[int(rows[0])]).strip())
        fix = tr("write a decimal point, not a comma") if comma else tr("correct them, or ask for classification")
        found.append(Fault(place=place, problem=problem, fix=fix))
    if (rows := (numbers.is_nan() | numbers.is_infinite()).fill_null(value=False).arg_true()).len():
        problem = tr("{n} labels are NaN or infinite, at {rows}", n=rows.len(), rows=_rows(rows))
        found.append(Fault(place=place, problem=problem, fix=tr("remove these rows or leave the field empty")))
    return found


def _identifier(values: pl.Series, place: str) -> list[Fault]:
    rows, distinct = len(values), values.n_unique()
    if rows < 3 or (distinct < rows and distinct <= max(20, rows // 2)):
        return []
    problem = tr(
        "has {distinct} distinct values in {rows} rows, so there is nothing to learn a class from",
        distinct=distinct,
        rows=rows,
    )
    return [Fault(place=place, problem=problem, fix=tr("name another label, or ask for regression"))]


def _too_little(values: pl.Series, place: str, *, one_will_do: bool) -> list[Fault]:
    if len(values) == 0:
        return [Fault(place=place, problem=tr("is missing in every row"), fix=tr("name another label"))]
    found = []
    if values.n_unique() == 1 and not one_will_do:
        problem = tr("is {first!r} in every row, so there is nothing to learn", first=str(values[0])[:40])
        found.append(Fault(place=place, problem=problem, fix=tr("name another label, or add rows with other values")))
    if len(values) < MINIMUM_ROWS:
        found.append(few_rows(len(values), "labelled rows"))
    return found


def _rows(rows: pl.Series) -> str:
    """The first few row numbers, counted from 0 as in the evidence."""
    shown = ", ".join(str(r) for r in rows[:5].to_list())
    return tr("row {shown} (the first row is 0)", shown=shown + (" ..." if rows.len() > 5 else ""))
