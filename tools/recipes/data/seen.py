"""Which rows a model was trained on, as salted hashes beside it: so that it is not praised for knowing them again.

A row is its features by name, each value in one spelling: numbers as floating point numbers, so that the same row of
another file is the same row. Only hashes are kept, in no order, and salted with what is the preparation's own: its
training part. The same data prepared again give the same file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from tools.language import tr
from tools.recipes.faults import BadInput, Fault
from tools.recipes.records import SEEN_ROWS as FILE

_HASH = 16
"""Bytes of a hash that are kept: two different rows of a billion share one by a chance of 1e-21."""


def write(features: Sequence[pl.DataFrame], folder: Path, *, salt: str) -> None:
    """Keep the rows of these tables, which have the same columns."""
    columns = sorted(features[0].columns)
    found = {each for table in features for each in _hashes(table, columns, salt)}
    head = json.dumps({"salt": salt, "columns": columns})
    (folder / FILE).write_text("\n".join([head, *sorted(found)]) + "\n", encoding="utf-8")


def count(features: pl.DataFrame, path: Path) -> int | None:
    """How many of these rows are among those kept; None where they lack a column that was kept.

    BadInput when the file is none of ours.
    """
    try:
        head, *kept = path.read_text(encoding="utf-8").splitlines()
        told = json.loads(head)
        salt, columns = str(told["salt"]), [str(name) for name in told["columns"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem, fix = tr("does not say which rows the model was trained on"), tr("register the model again")
        raise BadInput([Fault(place=path.name, problem=problem, fix=fix)]) from error
    if not set(columns) <= set(features.columns):
        return None
    known = set(kept)
    return sum(each in known for each in _hashes(features, columns, salt))


def _hashes(table: pl.DataFrame, columns: Sequence[str], salt: str) -> Iterator[str]:
    """One hash a row."""
    spelled = [_spelled(table[name]) for name in columns]
    begun = hashlib.sha256(salt.encode())
    for row in zip(*spelled, strict=True):
        each = begun.copy()
        each.update(json.dumps(row).encode())
        yield each.hexdigest()[: 2 * _HASH]


def _spelled(column: pl.Series) -> list[str | None]:
    """Every value in one spelling; None where there is none."""
    if column.dtype == pl.Boolean or column.dtype.is_numeric():
        return [None if v is None or v != v else repr(float(v)) for v in column.cast(pl.Float64)]
    if column.dtype == pl.Binary:
        return [None if v is None else hashlib.sha256(v).hexdigest() for v in column]
    if column.dtype.is_temporal():
        return [None if v is None else v.isoformat() for v in column]
    return [v if v is None else _number(v) for v in column.cast(pl.String)]


def _number(text: str) -> str:
    """A number that one table has as text and another one as number is the same."""
    try:
        return repr(float(text))
    except ValueError:
        return text.strip()
