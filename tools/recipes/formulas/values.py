"""What a formula is worth on rows with predictions, and on any resample of them.

A missing value stays missing through signs and functions; a comparison with it is neither yes nor no; summaries pass
over it (`count()` counts every row, `count(column)` known values, `count(condition)` rows where it holds). `std` is
the sample's (n - 1), `quantile` interpolates linearly. A step that is not defined where its operands are known, such
as a division by zero, leaves the whole formula without a value. A text meets a number as the number it spells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.faults import BadInput, Fault, near
from tools.recipes.formulas.columns import Columns, Reader
from tools.recipes.formulas.steps import Floats, UndefinedError, applied, combined, constant, turned
from tools.recipes.formulas.tree import (
    AGGREGATES,
    COMPARISONS,
    Binary,
    Call,
    Column,
    Formula,
    Node,
    Unary,
    is_flag,
    per_row,
    walk,
)

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A formula on rows: what each row gives is computed once, so that a resample only summarises."""

    formula: Formula
    rows: int
    parts: Mapping[Node, Floats] | None
    """Of every largest part without a summary: one number a row, NaN where missing. None: a step is not defined."""

    def value(self) -> float | None:
        """One number; None where it is not defined on these rows."""
        if self.parts is None:
            return None
        try:
            found = float(_value(self.formula.root, self))
        except UndefinedError:
            return None
        return found if math.isfinite(found) else None

    def take(self, units: Ints) -> Bound:
        """The same formula on these rows, repeated as often as they are named."""
        if self.parts is None:
            return self
        return replace(self, rows=len(units), parts={node: each[units] for node, each in self.parts.items()})


def value(formula: Formula, columns: Columns) -> float | None:
    """What the formula is worth on these columns, all of one length; None where it is not defined on them."""
    return bind(formula, columns).value()


def bind(formula: Formula, columns: Columns) -> Bound:
    """The formula on these columns. BadInput with every column that is not there or cannot be counted with."""
    faults = [
        Fault(place="formula", problem=tr("there is no column {name!r}", name=name), fix=near(name, columns))
        for name in formula.columns
        if name not in columns
    ]
    if faults:
        raise BadInput(faults)
    rows = max((len(c) for c in columns.values()), default=0)
    reader = Reader({name: columns[name] for name in formula.columns}, faults)
    parts = _parts(formula.root, reader)
    if faults:
        raise BadInput(dict.fromkeys(faults))
    return Bound(formula=formula, rows=rows, parts=parts)


def _parts(root: Node, reader: Reader) -> Mapping[Node, Floats] | None:
    try:
        return {node: reader.spelt(node) if texts else reader.number(node) for node, texts in _row_parts(root)}
    except UndefinedError:
        return None


def _row_parts(node: Node, *, texts: bool = False) -> list[tuple[Node, bool]]:
    """The largest parts with a value a row and no summary in them; with True where a text column may stand."""
    whole = not any(isinstance(n, Call) and n.function in AGGREGATES for n in walk(node))
    if whole:
        return [(node, texts and isinstance(node, Column))] if per_row(node) else []
    match node:
        case Unary():
            return _row_parts(node.inner)
        case Binary():
            compared = node.operator in COMPARISONS
            return _row_parts(node.left, texts=compared) + _row_parts(node.right, texts=compared)
        case Call():
            return [p for a in node.arguments for p in _row_parts(a, texts=node.function == "count")]
        case _:
            return []


def _value(node: Node, on: Bound) -> Floats:
    """On these rows: a number for each, or one for all (no dimension)."""
    if on.parts is not None and node in on.parts:
        return on.parts[node]
    match node:
        case Binary():
            return combined(node.operator, _value(node.left, on), _value(node.right, on))
        case Unary():
            return turned(node.operator, _value(node.inner, on))
        case Call() if node.function in AGGREGATES:
            return np.float64(_summary(node, on)) * np.ones(())
        case Call():
            return applied(node.function, _value(node.arguments[0], on))
        case _:
            return constant(node)


def _summary(node: Call, on: Bound) -> float:
    if not node.arguments:
        return float(on.rows)
    values = _value(node.arguments[0], on)
    known = values[~np.isnan(values)]
    if node.function == "count":
        return float(known.sum() if is_flag(node.arguments[0]) else len(known))
    if node.function == "sum":
        return float(known.sum())
    if len(known) < (2 if node.function == "std" else 1):
        raise UndefinedError
    if node.function == "quantile":
        return float(np.quantile(known, float(_value(node.arguments[1], on))))
    return float(_SUMMARY[node.function](known))


_SUMMARY: Mapping[str, Callable[[Floats], float]] = {
    "mean": np.mean,
    "share": np.mean,
    "min": np.min,
    "max": np.max,
    "median": np.median,
    "std": lambda known: float(np.std(known, ddof=1)),
}
