"""What a formula reads of the columns: one number a row for each part without a summary."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.faults import Fault
from tools.recipes.formulas.steps import COMPARE, Floats, applied, combined, constant, spelled, turned
from tools.recipes.formulas.tree import COMPARISONS, Binary, Call, Column, Node, Text, Unary

Texts = NDArray[np.object_]
"""None where missing."""
Columns = Mapping[str, pl.Series]


class Reader:
    """Values a row, from the columns; what cannot be read is added to the faults and counts as missing."""

    def __init__(self, columns: Columns, faults: list[Fault]) -> None:
        self._faults = faults
        self._texts: dict[str, Texts] = {}
        self._numbers: dict[str, Floats] = {}
        for name, column in columns.items():
            if column.dtype.is_numeric() or column.dtype == pl.Boolean:
                numbers = column.cast(pl.Float64).fill_null(math.nan).to_numpy()
                self._numbers[name] = np.where(np.isfinite(numbers), numbers, math.nan)
            elif (texts := _texts(column)) is not None:
                self._texts[name] = texts
            else:
                self._noted(
                    tr("column {name!r} holds {dtype}", name=name, dtype=column.dtype),
                    tr("name one of numbers, texts, flags or times"),
                )
                self._numbers[name] = np.full(len(column), math.nan)

    def number(self, node: Node) -> Floats:
        match node:
            case Column() if node.name in self._texts:
                values = self.spelt(node)
                if np.isinf(values).any():
                    self._noted(tr("column {name!r} holds texts", name=node.name), tr("compare it with == or != first"))
                return np.where(np.isinf(values), math.nan, values)
            case Column():
                return self._numbers[node.name]
            case Binary() if node.operator in COMPARISONS:
                return self._compared(node)
            case Binary():
                return combined(node.operator, *(self._operand(node.operator, n) for n in (node.left, node.right)))
            case Unary():
                return turned(node.operator, self._operand(node.operator, node.inner))
            case Call():
                return applied(node.function, self.number(node.arguments[0]))
            case _:
                return constant(node)

    def spelt(self, node: Node, *, strange: float = math.inf) -> Floats:
        """As a number, texts by what they spell: `strange` where that is none."""
        if isinstance(node, Column) and node.name in self._texts:
            return np.array([spelled(text, strange) for text in self._texts[node.name]])
        if isinstance(node, Text):
            return np.float64(spelled(node.value, strange)) * np.ones(())
        return self.number(node)

    def _operand(self, operator: str, node: Node) -> Floats:
        values = self.number(node)
        if operator in ("and", "or", "not") and not np.isin(values[~np.isnan(values)], (0.0, 1.0)).all():
            name = node.name if isinstance(node, Column) else "it"
            self._noted(tr("column {name!r} is no yes or no", name=name), tr("compare it with something first"))
        return values

    def _compared(self, node: Binary) -> Floats:
        left, right = self._text(node.left), self._text(node.right)
        if left is not None and right is not None:
            pairs = np.broadcast_arrays(left, right)
            known = (pairs[0] != None) & (pairs[1] != None)  # noqa: E711 - elementwise
            found = np.full(known.shape, math.nan)
            found[known] = COMPARE[node.operator](pairs[0][known].astype(str), pairs[1][known].astype(str))
            return found
        # What spells no number equals none, and is neither before nor after one.
        strange = math.inf if node.operator in ("==", "!=") else math.nan
        return combined(node.operator, self.spelt(node.left, strange=strange), self.spelt(node.right, strange=strange))

    def _text(self, node: Node) -> Texts | None:
        if isinstance(node, Text):
            return np.array(node.value, dtype=object)
        return self._texts.get(node.name) if isinstance(node, Column) else None

    def _noted(self, problem: str, fix: str) -> None:
        self._faults.append(Fault(place="formula", problem=problem, fix=fix))


def _texts(column: pl.Series) -> Texts | None:
    if column.dtype.is_temporal() and column.dtype != pl.Duration:
        return np.array([None if v is None else v.isoformat() for v in column], dtype=object)
    if column.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        return np.array(column.cast(pl.String).to_list(), dtype=object)
    return None
