"""Features in which distances mean something: numbers of unit spread; flags and one-hot columns so that two different
values are as far apart as two numbers are on average."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from tools.language import tr
from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.card import Input
from tools.recipes.data import profile
from tools.recipes.faults import BadInput, Fault
from tools.recipes.learners.table import inputs_of
from tools.recipes.models.encode import RawColumns, matrix
from tools.recipes.parts import Part, endpoint_columns

_FLAG_SPREAD = math.sqrt(2)
_TELLING = 5
"""Columns that are shown of each cluster: those in which it is farthest from the mean of all rows."""
_DIGITS = 12
_FEWEST_VALUES = 20
_IDENTIFIER = 0.5
"""Share of distinct values from which a text column names rows rather than describes them."""


class Ruler:
    """The features in which distances are measured, fitted on training rows."""

    def __init__(self, fitted: pl.DataFrame, *parts: pl.DataFrame) -> None:
        self.inputs = describing(fitted, *parts)
        self.left_out = tuple(name for name in fitted.columns if name not in {i.name for i in self.inputs})
        raw = _matrix(fitted, self.inputs, lowercase=False)
        self._front = front(raw, self.inputs, clip=False)

    def features(self, part: Part) -> Floats:
        """Shape [rows, columns]."""
        return encoded(self._front, matrix_of(part, self.inputs, lowercase=False))

    def described(self, features: Floats, assigned: Sequence[str]) -> Mapping[str, object]:
        """What tells each cluster from all rows: the mean of its rows in the source's own units, and how many
        spreads that is from the mean of all training rows."""
        scaler = self._front[-1][1]
        names, cells = self._names(), np.array(assigned)
        centres = []
        for name in sorted(set(assigned), key=lambda n: (len(n), n)):
            away = features[cells == name].mean(axis=0)
            mean = np.round(away * scaler.scale_ + scaler.mean_, _DIGITS) + 0.0
            spread = away * scaler.scale_ / np.sqrt(np.where(scaler.var_ > 0, scaler.var_, 1.0))
            telling = np.argsort(-np.abs(spread), kind="stable")[:_TELLING]
            shown = [{"column": names[i], "mean": float(mean[i]), "spreads": float(spread[i])} for i in telling]
            centres.append({"cluster": name, "columns": shown})
        return {"centres": centres, "columns_left_out": list(self.left_out)}

    def _names(self) -> list[str]:
        """Of every feature, as a person reads it."""
        raw, imputer = self._front[0][1], self._front[1][1]
        numbers = [self.inputs[i].name for i in raw.numbers_]
        flags = [
            f"{self.inputs[i].name} = {value or '(none)'}"
            for i, values in zip(raw.text, raw.values_, strict=True)
            for value in values
        ]
        every = [*numbers, *flags]
        missing = imputer.indicator_.features_ if imputer.indicator_ is not None else ()
        return [*every, *(tr("{name} is missing", name=every[i]) for i in missing)]


def describing(fitted: pl.DataFrame, *parts: pl.DataFrame) -> tuple[Input, ...]:
    """The columns that describe a row: not those whose texts name it. BadInput when none is left."""
    named = set(profile.identifiers(fitted)) | {n for n in fitted.columns if _names_rows(fitted[n])}
    kept = [name for name in fitted.columns if name not in named]
    if not kept:
        problem = tr("every column names its rows: there is nothing by which rows could lie together")
        raise BadInput([Fault(place="columns", problem=problem, fix=tr("add columns that describe the rows"))])
    return inputs_of(*(part.select(kept) for part in parts))


def _names_rows(column: pl.Series) -> bool:
    distinct = column.n_unique()
    return column.dtype == pl.String and distinct > max(_FEWEST_VALUES, _IDENTIFIER * len(column))


def matrix_of(part: Part, inputs: Sequence[Input], *, lowercase: bool) -> NDArray[Any]:
    return _matrix(part.features, inputs, lowercase=lowercase)


def _matrix(features: pl.DataFrame, inputs: Sequence[Input], *, lowercase: bool) -> NDArray[Any]:
    return matrix(endpoint_columns(features, inputs), inputs, lowercase=lowercase)


def front(raw: NDArray[Any], inputs: Sequence[Input], *, clip: bool) -> list[tuple[str, Any]]:
    """The fitted steps from raw columns to features."""
    text = [i for i, item in enumerate(inputs) if item.kind == "category"]
    columns = RawColumns(text=text, clip=clip).fit(raw)
    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    table = filled.fit_transform(columns.transform(raw))
    scaled = StandardScaler().fit(table)
    # A flag of unit spread would outweigh all numbers where it is rare.
    flags = _flags(columns, inputs, table.shape[1])
    scaled.scale_[flags] = _FLAG_SPREAD
    return [("raw", columns), ("impute", filled), ("scale", scaled)]


def _flags(columns: RawColumns, inputs: Sequence[Input], width: int) -> Ints:
    """Positions of the features that are 0 or 1."""
    numbers = [p for p, i in enumerate(columns.numbers_) if inputs[i].kind == "boolean"]
    return np.array([*numbers, *range(len(columns.numbers_), width)], dtype=np.int64)


def encoded(front: Sequence[tuple[str, Any]], raw: NDArray[Any]) -> Floats:
    found: Any = raw
    for _, step in front:
        found = step.transform(found)
    return np.asarray(found, dtype=np.float64)
