"""What a person should know of the data: columns, classes, and findings that hint at trouble.

Anything that relates a feature to the label is asked of training rows only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from tools.language import tr
from tools.recipes.card import LARGEST
from tools.recipes.data.checks import CLASSES, NUMBERS, class_names, given, kind_of, label_numbers
from tools.recipes.data.column_names import names_rows
from tools.recipes.records import Column, Task

TRUTHY = frozenset({"1", "1.0", "true", "yes"})
_LEAK = 0.999
"""Share of training rows whose label one feature gives away on its own."""
_IMBALANCE = 0.1
_MANY = 50
"""Distinct values from which a column looks like an identifier, when every row has its own."""
_EMPTY = 0.95
"""Share of rows without a value from which a column is nearly empty."""
_OUTLYING = 10.0
"""Robust z from which a value is an outlier: distance from the median over 1.4826 times the median distance."""
_FEW = 0.02
"""Share of rows above which far values are how the column is, not outliers."""
_STRAYS = 0.1
_SHOWN = 8
_WORDS = 40
"""Characters from which a value is prose, not a name."""
_HAN = 4
"""Chinese characters from which it is: names of persons have two or three."""


def columns_of(features: pl.DataFrame, task: Task) -> tuple[Column, ...]:
    """Kind, missing and distinct values of every feature, in the order of the source."""
    text = task == "text-classification"
    return tuple(
        Column(
            name=name,
            kind="text"
            if text and features.schema[name] == pl.String
            else kind_of(features.schema[name]) or "category",
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
    """Columns that say nothing, name the row, hold far values, or numbers with strays among them."""
    named = set(identifiers(features))
    found: list[str] = []
    far: dict[str, int] = {}
    for name in features.columns:
        whole = given(features[name])
        column = features[name].filter(whole)
        empty = 1 - len(column) / max(1, features.height)
        distinct = column.n_unique()
        found += _infinite(features[name])
        if len(column) == 0:
            found.append(tr("column {name!r} is empty", name=name))
        elif distinct == 1:
            found.append(tr("column {name!r} is constant and says nothing", name=name))
        elif name in named:
            found.append(tr("column {name!r} looks like an identifier: a different value in every row", name=name))
        else:
            found += [
                tr("column {name!r} is nearly empty: {empty:.1%} of the rows have no value", name=name, empty=empty)
            ] * (empty >= _EMPTY)
            found += _strays(column)
            if outliers := _outliers(column):
                far[name] = outliers
    return found + _told(far)


def identifiers(features: pl.DataFrame) -> list[str]:
    """Columns with a different value in every row that name the row rather than describe it."""
    return [name for name in features.columns if _names_rows(features[name].drop_nulls())]


def contradictions(features: pl.DataFrame, label: pl.Series) -> int:
    """Rows with exactly the features of another row, identifiers left out, and a different class."""
    columns = features.drop(identifiers(features))
    if not columns.columns:
        return 0
    name = "\nclass"
    groups = columns.with_columns(class_names(label).alias(name)).group_by(columns.columns)
    counted = groups.agg(pl.col(name).n_unique().alias("\nclasses"), pl.len().alias("\nrows"))
    return int(counted.filter(pl.col("\nclasses") > 1)["\nrows"].sum())


def _told(far: Mapping[str, int]) -> list[str]:
    """One sentence for all columns with outliers."""
    if not far:
        return []
    named = ", ".join(tr("{name!r} ({n} rows)", name=name, n=n) for name, n in list(far.items())[:_SHOWN])
    rest = tr(" and {n} more columns", n=len(far) - _SHOWN) if len(far) > _SHOWN else ""
    return [
        tr(
            "outliers, more than {deviations:g} robust standard deviations from the median: {named}{rest}",
            deviations=_OUTLYING,
            named=named,
            rest=rest,
        )
    ]


def _infinite(column: pl.Series) -> list[str]:
    large = int((column.abs() >= LARGEST).sum()) if column.dtype.is_float() else 0
    told = tr(
        "column {name!r} has {large} values that are infinite or beyond {most:g}, which count as missing",
        name=column.name,
        large=large,
        most=LARGEST,
    )
    return [told] * (large > 0)


def _outliers(column: pl.Series) -> int:
    """Rows far from the median; 0 where so many are far that it is how the column is."""
    if not column.dtype.is_numeric():
        return 0
    numbers = column.cast(pl.Float64).filter(column.cast(pl.Float64).is_finite())
    middle = numbers.median()
    spread = (numbers - middle).abs().median() if middle is not None else None
    if not isinstance(spread, float) or spread == 0:
        return 0
    far = int(((numbers - middle).abs() > _OUTLYING * 1.4826 * spread).sum())
    return far if far <= max(1, _FEW * len(numbers)) else 0


def _strays(column: pl.Series) -> list[str]:
    if column.dtype != pl.String:
        return []
    numbers = column.str.strip_chars().cast(pl.Float64, strict=False)
    strays = numbers.null_count()
    if not 0 < strays <= _STRAYS * len(column):
        return []
    return [
        tr(
            "column {name!r} is read as text: {strays} of {n} values are no numbers",
            name=column.name,
            strays=strays,
            n=len(column),
        )
    ]


def findings_of_classes(names: pl.Series, classes: Sequence[str]) -> list[str]:
    """Classes that are spelled in several ways, and classes that are rare."""
    alike: dict[str, list[str]] = {}
    for c in classes:
        alike.setdefault(" ".join(c.split()).casefold(), []).append(c)
    found = [
        tr("classes {names} differ in case or spaces alone, and are learnt as different ones", names=_listed(names))
        for names in alike.values()
        if len(names) > 1
    ]
    counts = {c: int((names == c).sum()) for c in classes}
    total = sum(counts.values())
    rare = {c: n for c, n in counts.items() if n / total < _IMBALANCE and n / total < 0.5 / len(classes)}
    return found + [
        tr("class {c!r} is rare: {n} of {total} rows ({share:.1%})", c=c, n=n, total=total, share=n / total)
        for c, n in rare.items()
    ]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN]))


def leaks(features: pl.DataFrame, label: pl.Series, task: Task, *, judged_on: pl.DataFrame | None = None) -> list[str]:
    """Features that determine the label by themselves: names, in the order of the source. None where none is learnt.

    `judged_on`: the rows that a model is judged on. Where none of them has a value of these, knowing what goes with
    each value helps nobody: the groups of a split by group.
    """
    if task not in CLASSES | NUMBERS:
        return []
    held = {} if judged_on is None else {name: judged_on[name] for name in features.columns}
    return [name for name in features.columns if _gives_away(features[name], label, task, held.get(name))]


def _names_rows(column: pl.Series) -> bool:
    if len(column) < _MANY or column.n_unique() < len(column):
        return False
    if column.dtype == pl.String:
        return not _prose(column)
    if column.dtype != pl.Int64:
        return False
    low, high = column.min(), column.max()
    dense = isinstance(low, int) and isinstance(high, int) and high - low < 2 * len(column)
    return dense or names_rows(column.name)


def _prose(column: pl.Series) -> bool:
    """Most values are long, or have several words; Chinese is written without spaces between them."""
    wordy = (column.str.count_matches(r"\s") >= 2) | (column.str.len_chars() > _WORDS)
    wordy |= column.str.count_matches(r"[\u3400-\u9fff]") >= _HAN
    return int(wordy.sum()) > len(column) / 2


def _gives_away(feature: pl.Series, label: pl.Series, task: Task, held: pl.Series | None) -> bool:
    table = pl.DataFrame({"x": feature, "y": label_numbers(label) if task in NUMBERS else class_names(label)})
    table = table.drop_nulls()
    if table.height < 2 or table["x"].n_unique() < 2:
        return False
    if task in NUMBERS:
        return _explains(table)
    return _separates(table) or (_maps(table) and (held is None or bool(held.is_in(table["x"].implode()).any())))


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
