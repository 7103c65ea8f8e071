"""The keys of a join: values of two tables made comparable, and how often each has a partner on the other side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tools.language import tr
from tools.recipes.faults import BadInput, Fault

_SHOWN = 40
"""Characters of a key that are shown."""
_INTEGER = r"^(0|-?[1-9]\d{0,17})$"


@dataclass(frozen=True, kw_only=True)
class Keyed:
    """Both tables' keys under names of their own, of one type, and what meets what."""

    left: pl.DataFrame
    right: pl.DataFrame
    pairs: int
    """Rows of an inner join."""
    unmatched: int
    """Rows of the left table without a partner."""
    repeated: int
    """Rows of the left table with several partners."""
    shared: int
    """Rows of the right table that are the partner of several rows of the left one."""
    crossed: int
    """Keys that are on several rows of both tables."""
    repeated_example: str
    examples: str
    """A key of each side."""
    findings: tuple[str, ...]


def keyed(left: pl.DataFrame, right: pl.DataFrame, ours: Sequence[str], theirs: Sequence[str], place: str) -> Keyed:
    """The keys of both tables; a missing key meets none. BadInput when columns cannot be compared."""
    faults: list[Fault] = []
    findings: list[str] = []
    one: list[pl.Series] = []
    other: list[pl.Series] = []
    for number, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        same = _same(left[a], right[b])
        if same is None:
            problem = tr(
                "{a!r} holds {left} on the left and {right} on the right",
                a=a,
                left=left.schema[a],
                right=right.schema[b],
            )
            faults.append(Fault(place=place, problem=problem, fix=tr("write the key in the same way in both tables")))
            continue
        if left.schema[a] != right.schema[b]:
            told = tr("{left} on the left and {right} on the right", left=left.schema[a], right=right.schema[b])
            findings.append(
                tr("{place}: {a!r} is {told}, compared as {dtype}", place=place, a=a, told=told, dtype=same[0].dtype)
            )
        one.append(same[0].alias(f"\nkey {number}"))
        other.append(same[1].alias(f"\nkey {number}"))
    if faults:
        raise BadInput(faults)
    return _counted(pl.DataFrame(one), pl.DataFrame(other), tuple(findings))


def _counted(left: pl.DataFrame, right: pl.DataFrame, findings: tuple[str, ...]) -> Keyed:
    names = left.columns
    there = right.drop_nulls().group_by(names).len("\nright")
    here = left.drop_nulls().group_by(names).len("\nleft")
    counts = left.join(there, on=names, how="left", maintain_order="left")["\nright"].fill_null(0)
    met = here.join(there, on=names, how="inner")
    many = (counts > 1).arg_true()
    return Keyed(
        left=left,
        right=right,
        pairs=int(counts.sum()),
        unmatched=int((counts == 0).sum()),
        repeated=len(many),
        shared=int(met.filter(pl.col("\nleft") > 1)["\nright"].sum()),
        crossed=met.filter((pl.col("\nleft") > 1) & (pl.col("\nright") > 1)).height,
        repeated_example=tr("{key} is there {n} times", key=_key(left.row(int(many[0]))), n=counts[int(many[0])])
        if len(many)
        else "",
        examples=tr("the left one has {left}, the right one {right}", left=_first(left), right=_first(right)),
        findings=findings,
    )


def _first(keys: pl.DataFrame) -> str:
    known = keys.drop_nulls()
    return _key(known.row(0)) if known.height else "none"


def _key(row: Sequence[object]) -> str:
    return ", ".join(repr(str(value)[:_SHOWN]) for value in row)


def _same(left: pl.Series, right: pl.Series) -> tuple[pl.Series, pl.Series] | None:
    """Both as one type in which equal values are equal; None where there is no such type."""
    if left.dtype == right.dtype:
        return (left, right) if not left.dtype.is_nested() else None
    if left.dtype.is_numeric() and right.dtype.is_numeric():
        return _numbers(left, right)
    if left.dtype == pl.String and right.dtype.is_numeric():
        return _spelled(left, right)
    if right.dtype == pl.String and left.dtype.is_numeric():
        both = _spelled(right, left)
        return both[1], both[0]
    if left.dtype in (pl.Date, pl.Datetime) and right.dtype in (pl.Date, pl.Datetime):
        return _instants(left), _instants(right)
    # A column without a value has no kind of its own, and meets nothing.
    if left.null_count() == len(left) or right.null_count() == len(right):
        return left.cast(pl.String, strict=False), right.cast(pl.String, strict=False)
    return None


def _numbers(left: pl.Series, right: pl.Series) -> tuple[pl.Series, pl.Series]:
    whole = [s.cast(pl.Int64, strict=False) for s in (left, right)]
    if all(w.cast(pl.Float64).eq_missing(s.cast(pl.Float64)).all() for w, s in zip(whole, (left, right), strict=True)):
        return whole[0], whole[1]
    return left.cast(pl.Float64), right.cast(pl.Float64)


def _spelled(text: pl.Series, number: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Text against numbers: as whole numbers where every text is one ("01" is none), else as text."""
    plain = text.str.strip_chars()
    whole = number.cast(pl.Int64, strict=False)
    exact = whole.cast(pl.Float64).eq_missing(number.cast(pl.Float64)).all()
    if exact and plain.drop_nulls().str.contains(_INTEGER).all():
        return plain.cast(pl.Int64), whole
    return plain, (whole if exact else number).cast(pl.String)


def _instants(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.cast(pl.Datetime("us"))
