"""What a person should know of the data: columns, classes, and findings that hint at trouble.

Anything that relates a feature to the label is asked of training rows only.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tools.recipes.checks import class_names, given, kind_of, label_numbers
from tools.recipes.records import Column, Task

TRUTHY = frozenset({"1", "1.0", "true", "yes"})
_LEAK = 0.999
"""Share of training rows whose label one feature gives away on its own."""
_IMBALANCE = 0.1
_MANY = 50
"""Distinct values from which a text column looks like an identifier, when nearly every row has its own."""


def columns_of(features: pl.DataFrame) -> tuple[Column, ...]:
    """Kind, missing and distinct values of every feature, in the order of the source."""
    return tuple(
        Column(
            name=name,
            kind=kind_of(features.schema[name]) or "category",
            missing=int((~given(features[name])).sum()),
            distinct=features[name].drop_nulls().n_unique(),
        )
        for name in features.columns
    )


def class_order(names: pl.Series) -> tuple[str, ...]:
    """The classes, ascending: as numbers if all are numbers, else as text."""
    distinct = [str(n) for n in names.drop_nulls().unique().to_list()]
    numbers = pl.Series(distinct, dtype=pl.String).cast(pl.Float64, strict=False)
    if numbers.null_count() or numbers.is_nan().any():
        return tuple(sorted(distinct))
    return tuple(sorted(distinct, key=lambda name: (float(name), name)))


def positive_class(names: pl.Series, classes: Sequence[str]) -> str | None:
    """Of two classes: the one spelled 1, true or yes, else the rarer one; None for more classes."""
    if len(classes) != 2:
        return None
    truthy = [c for c in classes if c.strip().casefold() in TRUTHY]
    if len(truthy) == 1:
        return truthy[0]
    first, second = ((names == c).sum() for c in classes)
    return classes[0] if first < second else classes[1]


def completed(
    classes: tuple[str, ...], positive: str | None, labels: Sequence[pl.Series]
) -> tuple[tuple[str, ...], str | None]:
    """Classes and positive class as given, or, where left out, as the labels say."""
    names = pl.concat([class_names(label) for label in labels])
    classes = classes or class_order(names)
    return classes, positive or positive_class(names, classes)


def findings_of_features(features: pl.DataFrame) -> list[str]:
    """Columns that say nothing, and columns that name the row."""
    found = []
    for name in features.columns:
        column = features[name].drop_nulls()
        distinct = column.n_unique()
        if distinct <= 1:
            found.append(f"column {name!r} is constant and says nothing")
        elif distinct == len(column) and _names_rows(column):
            found.append(f"column {name!r} looks like an identifier: a different value in every row")
    return found


def findings_of_classes(names: pl.Series, classes: Sequence[str]) -> list[str]:
    """Classes that are rare."""
    counts = {c: int((names == c).sum()) for c in classes}
    total = sum(counts.values())
    rare = {c: n for c, n in counts.items() if n / total < _IMBALANCE and n / total < 0.5 / len(classes)}
    return [f"class {c!r} is rare: {n} of {total} rows ({n / total:.1%})" for c, n in rare.items()]


def leaks(features: pl.DataFrame, label: pl.Series, task: Task) -> list[str]:
    """Features that determine the label by themselves: names, in the order of the source."""
    return [name for name in features.columns if _gives_away(features[name], label, task)]


def _names_rows(column: pl.Series) -> bool:
    if column.dtype == pl.String:
        return len(column) >= _MANY
    return bool(column.dtype == pl.Int64 and (column.diff().drop_nulls() == 1).all() and len(column) >= _MANY)


def _gives_away(feature: pl.Series, label: pl.Series, task: Task) -> bool:
    table = pl.DataFrame({"x": feature, "y": label_numbers(label) if task == "regression" else class_names(label)})
    table = table.drop_nulls()
    if table.height < 2 or table["x"].n_unique() < 2:
        return False
    if task == "regression":
        return _explains(table)
    return _separates(table) or _maps(table)


def _maps(table: pl.DataFrame) -> bool:
    """Every value goes with one class, and values repeat, so that this is no accident."""
    if table["x"].n_unique() > table.height // 4:
        return False
    best = table.group_by("x", "y").len().group_by("x").agg(pl.col("len").max())["len"].sum()
    return bool(best >= _LEAK * table.height)


def _separates(table: pl.DataFrame) -> bool:
    """Sorted by value, the class changes only as often as there are classes."""
    if not (table["x"].dtype.is_numeric() or table["x"].dtype.is_temporal()):
        return False
    runs = table.sort("x", "y")["y"]
    changes = int((runs != runs.shift(1)).sum())
    pure = table.group_by("x").agg(pl.col("y").n_unique())["y"].max()
    return pure == 1 and changes == table["y"].n_unique() - 1


def _explains(table: pl.DataFrame) -> bool:
    """The number is the label, up to scale and shift, in practically all of its variance."""
    if not table["x"].dtype.is_numeric() and table["x"].dtype != pl.Boolean:
        return False
    r = table.select(pl.corr(pl.col("x").cast(pl.Float64).fill_nan(None), "y")).item()
    return r is not None and abs(r) > _LEAK
