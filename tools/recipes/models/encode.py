"""Raw source values to numbers: the first step of every model, so that a served model takes raw values.

`matrix` turns columns as an endpoint gets them into one array; `RawColumns` is fitted on training rows only.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from tools.errors import Invalid
from tools.language import tr
from tools.recipes.card import LARGEST, MISSING, Input

_FLAGS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "yes": 1.0, "no": 0.0}
_MISSING = frozenset(MISSING)
_MONTH = re.compile(r"\d{4}-\d{2}", re.ASCII)
_OBJECTS = ("category", "text", "image")


def matrix(columns: Mapping[str, Sequence[object]], inputs: Sequence[Input], *, lowercase: bool) -> NDArray[Any]:
    """One row per sample, one column per input, in the inputs' order.

    Numbers, flags (0/1) and times (epoch seconds) are floats, NaN where missing, and numbers where they are beyond
    `LARGEST`; text is `str`, "" where missing; an image is `bytes`, none where missing, and comes as such or as base64.
    The array is float when every input is a number, else object. Invalid names every column that is absent,
    of another length, or holds a value of the wrong kind.
    """
    faults = [tr("input {name!r} is missing", name=i.name) for i in inputs if i.name not in columns]
    if len({len(columns[i.name]) for i in inputs if i.name in columns}) > 1:
        faults.append(tr("the inputs have different lengths"))
    cells: list[NDArray[Any]] = []
    for item in inputs if not faults else ():
        try:
            cells.append(_column(columns[item.name], item, lowercase=lowercase))
        except (ValueError, TypeError) as error:
            faults.append(
                tr("input {name!r} holds no {kind}: {error}", name=item.name, kind=tr(item.kind), error=error)
            )
    if faults:
        raise Invalid(*faults)
    kind = object if any(i.kind in _OBJECTS for i in inputs) else np.float64
    table = np.empty((len(cells[0]), len(cells)), dtype=kind)
    for position, values in enumerate(cells):
        table[:, position] = values
    return table


class RawColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Text columns one-hot, by the values the training rows hold; numbers as they are, or clipped; none of a column
    without a number in training.

    A value that training did not see is all zeros. A column with many values keeps the most frequent ones.
    """

    def __init__(self, *, text: Sequence[int] = (), clip: bool = False, most: int = 50) -> None:
        self.text = text
        self.clip = clip
        self.most = most

    def fit(self, X: NDArray[Any], y: object = None) -> RawColumns:  # noqa: N803 - scikit-learn's names
        chosen = set(self.text)
        every = [i for i in range(X.shape[1]) if i not in chosen]
        # A column without a value in training says nothing, and not every estimator takes it.
        self.numbers_ = [i for i in every if not np.isnan(X[:, i].astype(np.float64)).all()]
        if not self.numbers_ and not self.text:
            self.numbers_ = every
        self.values_ = [_frequent(X[:, i], self.most) for i in self.text]
        self.bounds_ = _bounds(X[:, self.numbers_].astype(np.float64)) if self.clip else None
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float64]:  # noqa: N803 - scikit-learn's name
        """Floats: the numbers, then for every text column one 0/1 column per known value."""
        numbers = X[:, self.numbers_].astype(np.float64)
        if self.bounds_ is not None:
            numbers = np.clip(numbers, *self.bounds_)
        if not self.text:
            return numbers
        flags = [_one_hot(X[:, i], values) for i, values in zip(self.text, self.values_, strict=True)]
        return np.hstack([numbers, *flags])


def bounded(text: Sequence[int], *, clip: bool) -> Pipeline:
    """Raw columns as complete numbers from 0 to 1, to stand beside frequencies or pixels."""
    return Pipeline(
        [
            ("raw", RawColumns(text=text, clip=clip)),
            ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
            ("bound", MinMaxScaler(clip=True)),
        ]
    )


def _column(values: Sequence[object], item: Input, *, lowercase: bool) -> NDArray[Any]:
    if item.kind in _OBJECTS:
        cells = np.empty(len(values), dtype=object)
        cells[:] = [_image(v) if item.kind == "image" else _text(v, lowercase=lowercase) for v in values]
        return cells
    if item.kind in ("number", "integer"):
        numbers = _numbers(values)
        with np.errstate(invalid="ignore"):
            return np.where(np.abs(numbers) < LARGEST, numbers, np.nan)
    read = _flag if item.kind == "boolean" else _epoch
    return np.array([read(v) for v in values], dtype=np.float64)


def _numbers(values: Sequence[object]) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError):
        return np.array([math.nan if _absent(v) else float(str(v)) for v in values])


def _absent(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in _MISSING) or value != value


def _text(value: object, *, lowercase: bool) -> str:
    text = value.decode() if isinstance(value, bytes) else "" if value is None else str(value)
    text = text.strip()
    if text in _MISSING:
        return ""
    return text.lower() if lowercase else text


def _image(value: object) -> bytes:
    if isinstance(value, bytes) or value is None:
        return value or b""
    try:
        return base64.b64decode(str(value).strip(), validate=True)
    except ValueError as error:
        raise ValueError(tr("not base64 ({error})", error=error)) from error


def _flag(value: object) -> float:
    if _absent(value):
        return math.nan
    if isinstance(value, bool | int | float):
        return float(bool(value))
    known = _FLAGS.get(_text(value, lowercase=True))
    if known is None:
        raise ValueError(f"{str(value)[:40]!r}")
    return known


def _epoch(value: object) -> float:
    if _absent(value):
        return math.nan
    if isinstance(value, bool | int | float):
        return float(value)
    moment = value if isinstance(value, date) else datetime.fromisoformat(_day(_text(value, lowercase=False)))
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _day(text: str) -> str:
    """A month as its first day, as when the source is read."""
    return f"{text}-01" if _MONTH.fullmatch(text) else text


def _frequent(column: NDArray[Any], most: int) -> list[str]:
    values, counts = np.unique(column.astype(str), return_counts=True)
    best = np.argsort(-counts, kind="stable")[:most]
    return sorted(str(v) for v in values[best])


def _one_hot(column: NDArray[Any], values: list[str]) -> NDArray[np.float64]:
    place = {value: i for i, value in enumerate(values)}
    flags = np.zeros((len(column), len(values)))
    for row, value in enumerate(column):
        if (found := place.get(value)) is not None:
            flags[row, found] = 1.0
    return flags


def _bounds(numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 1st and 99th percentile of each column; a column without values is not bounded."""
    low, high = np.full(numbers.shape[1], -np.inf), np.full(numbers.shape[1], np.inf)
    for i in range(numbers.shape[1]):
        known = numbers[~np.isnan(numbers[:, i]), i]
        if len(known):
            low[i], high[i] = np.quantile(known, [0.01, 0.99])
    return low, high
