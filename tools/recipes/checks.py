"""What must hold of a table before anything is learnt from it; asked of a sample by `plan`, of everything by the job.

Every function lists all faults it sees and judges nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import polars as pl

from tools.recipes.card import MISSING, Kind
from tools.recipes.faults import Fault, near
from tools.recipes.records import Split, Task

MINIMUM_ROWS = 20
"""Fewest labelled, distinct rows that can be parted in three and still say something."""
MINIMUM_GROUPS = 3

_KINDS: dict[type[pl.DataType], Kind] = {
    pl.Float64: "number",
    pl.Int64: "integer",
    pl.String: "category",
    pl.Boolean: "boolean",
    pl.Date: "time",
    pl.Datetime: "time",
}


def kind_of(dtype: pl.DataType) -> Kind | None:
    """The kind of a column as it was read; None when no recipe can take it."""
    return _KINDS.get(dtype.base_type())


def given(column: pl.Series) -> pl.Series:
    """Per row: whether there is a value, by the rule that holds at the endpoint too."""
    if column.dtype == pl.String:
        return column.is_not_null() & ~column.str.strip_chars().is_in(MISSING).fill_null(value=True)
    return (column.fill_nan(None) if column.dtype.is_float() else column).is_not_null()


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


def label_name_faults(names: Sequence[str], label: str | None) -> list[Fault]:
    if label is None:
        return [Fault(place="label", problem="is not named", fix="say which column is to be predicted")]
    if label not in names:
        return [Fault(place=f"label {label!r}", problem="is no column of the data", fix=near(label, names))]
    return []


def column_faults(frame: pl.DataFrame, *, label: str, drop: Iterable[str]) -> list[Fault]:
    """Columns to drop that are not there, features no recipe can take, no feature at all."""
    drop = tuple(drop)
    found = [
        Fault(place=f"drop_columns {name!r}", problem="is no column of the data", fix=near(name, frame.columns))
        for name in drop
        if name not in frame.columns
    ]
    if label in drop:
        found.append(Fault(place=f"drop_columns {label!r}", problem="is the label", fix="drop another column"))
    features = [name for name in frame.columns if name != label and name not in drop]
    if not features:
        found.append(Fault(place="columns", problem="there is no feature beside the label", fix="add columns"))
    for name in features:
        if kind_of(frame.schema[name]) is None:
            problem = f"holds {frame.schema[name]}, which is no number, text, flag or time"
            found.append(Fault(place=f"column {name!r}", problem=problem, fix="flatten it, or name it in drop_columns"))
    return found


def label_faults(label: pl.Series, task: Task, *, complete: bool) -> list[Fault]:
    """Labels that cannot be learnt. With `complete` False only what more rows could not put right."""
    if len(label) == 0:
        return [Fault(place="data", problem="has a header and no rows", fix=f"give at least {MINIMUM_ROWS} rows")]
    place = f"label {label.name!r}"
    faults = _number_faults(label, place) if task == "regression" else []
    values = (label_numbers(label) if task == "regression" else class_names(label)).drop_nulls()
    if faults:
        return faults
    if task == "classification":
        faults += _identifier(values, place)
    if complete:
        faults += _too_little(values, place)
    return faults


def split_faults(frame: pl.DataFrame, split: Split, *, complete: bool) -> list[Fault]:
    """A split column that is missing or cannot part the rows."""
    place = f"split by {split.by}"
    if split.by == "random" or (split.by == "stratified" and split.column is None):
        return []
    if split.column is None:
        return [Fault(place=place, problem="names no column", fix="say which column parts the rows")]
    if split.column not in frame.columns:
        problem = f"{split.column!r} is no column of the data"
        return [Fault(place=place, problem=problem, fix=near(split.column, frame.columns))]
    column = frame[split.column]
    if split.by == "group" and complete and column.n_unique() < MINIMUM_GROUPS:
        problem = f"{split.column!r} has {column.n_unique()} values"
        return [Fault(place=place, problem=problem, fix=f"name a column with at least {MINIMUM_GROUPS}")]
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
        problem = f"{column.name!r} holds {column.dtype}, not times"
        found.append(Fault(place=place, problem=problem, fix="write its values as ISO dates (2024-05-31)"))
    if split.at is not None and numeric:
        problem = f"{column.name!r} holds numbers, so {split.at!r} cannot be found in it"
        found.append(Fault(place=place, problem=problem, fix="leave the date out, or write the column as ISO dates"))
    elif split.at is not None and instant(split.at) is None:
        found.append(Fault(place=place, problem=f"{split.at!r} is no ISO date", fix="write it as 2024-05-31"))
    return found


def _number_faults(label: pl.Series, place: str) -> list[Fault]:
    numbers = label_numbers(label)
    found = []
    if (rows := (given(label) & numbers.is_null()).arg_true()).len():
        problem = f"{rows.len()} labels are no numbers, the first {str(label[int(rows[0])])[:40]!r} at {_rows(rows)}"
        found.append(Fault(place=place, problem=problem, fix="correct them, or ask for classification"))
    if (rows := (numbers.is_nan() | numbers.is_infinite()).fill_null(value=False).arg_true()).len():
        problem = f"{rows.len()} labels are NaN or infinite, at {_rows(rows)}"
        found.append(Fault(place=place, problem=problem, fix="remove these rows or leave the field empty"))
    return found


def _identifier(values: pl.Series, place: str) -> list[Fault]:
    rows, distinct = len(values), values.n_unique()
    if rows < 3 or (distinct < rows and distinct <= max(20, rows // 2)):
        return []
    problem = f"has {distinct} distinct values in {rows} rows, so there is nothing to learn a class from"
    return [Fault(place=place, problem=problem, fix="name another label, or ask for regression")]


def _too_little(values: pl.Series, place: str) -> list[Fault]:
    if len(values) == 0:
        return [Fault(place=place, problem="is missing in every row", fix="name another label")]
    found = []
    if values.n_unique() == 1:
        problem = f"is {str(values[0])[:40]!r} in every row, so there is nothing to learn"
        found.append(Fault(place=place, problem=problem, fix="name another label, or add rows with other values"))
    if len(values) < MINIMUM_ROWS:
        problem = f"has {len(values)} labelled rows"
        found.append(Fault(place="data", problem=problem, fix=f"give at least {MINIMUM_ROWS}"))
    return found


def _rows(rows: pl.Series) -> str:
    """The first few row numbers, counted from 0 as in the evidence."""
    shown = ", ".join(str(r) for r in rows[:5].to_list())
    return f"row {shown}{' ...' if rows.len() > 5 else ''} (the first row is 0)"
