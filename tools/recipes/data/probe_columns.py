"""What a sample says of single columns: kinds, gaps, the label's classes and the task it suggests."""

from __future__ import annotations

import polars as pl

from tools.recipes.data import checks, profile
from tools.recipes.probe_records import ProbedColumn, ProbedLabel
from tools.recipes.records import Task

_SHOWN_ROWS = 5
_SHOWN_TEXT = 80
_CLASSES_SHOWN = 1000
_CLASSES_MOST = 20
"""Distinct whole numbers up to which a label is rather a class than a quantity."""
_LIKELY = ("target", "label", "class", "y", "outcome", "标签", "目标", "类别")


def label_of(column: pl.Series, asked: Task | None) -> ProbedLabel:
    """The label; its classes where the task, or what the values suggest, has some."""
    numbers = checks.label_numbers(column).drop_nulls()
    names = checks.class_names(column)
    given = names.drop_nulls()
    numeric = len(given) > 0 and len(numbers) >= len(given) and column.dtype != pl.Boolean
    whole = numeric and bool(numbers.is_finite().all()) and bool((numbers == numbers.round()).all())
    few = given.n_unique() <= _CLASSES_MOST
    suggested: Task = "regression" if numeric and not (whole and few) else "classification"
    classes = profile.class_order(names) if (asked or suggested) in checks.CLASSES else ()
    return ProbedLabel(
        name=column.name,
        kind=("integer" if whole else "number") if numeric else checks.kind_of(column.dtype) or "category",
        missing=int(names.null_count()),
        distinct=given.n_unique(),
        classes=classes if len(classes) <= _CLASSES_SHOWN else (),
        positive=profile.positive_class(names, classes),
        suggested_task=suggested,
    )


def column_of(column: pl.Series, label: ProbedLabel | None) -> ProbedColumn:
    if label is not None and column.name == label.name:
        return ProbedColumn(name=label.name, kind=label.kind, missing=label.missing, distinct=label.distinct)
    kind = checks.kind_of(column.dtype)
    missing = int((~checks.given(column)).sum())
    distinct = column.drop_nulls().n_unique() if kind is not None else 0
    return ProbedColumn(name=column.name, kind=kind, missing=missing, distinct=distinct)


def shown(frame: pl.DataFrame) -> tuple[tuple[str | None, ...], ...]:
    """A few rows as text, cut: outside text."""
    rows = frame.head(_SHOWN_ROWS).rows()
    return tuple(tuple(None if v is None else str(v)[:_SHOWN_TEXT] for v in row) for row in rows)


def likely(names: list[str]) -> str | None:
    """A column that is named like a label."""
    known = {name.strip().casefold(): name for name in reversed(names)}
    return next((known[word] for word in _LIKELY if word in known), None)
