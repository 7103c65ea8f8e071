"""How a label is distributed over parts: shares of classes, or of equally wide ranges of a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.data.checks import class_names

_MOST = 12
"""Classes that are told one by one, and ranges of a number."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Values of a label, and the share of rows each has in each part."""

    names: tuple[str, ...]
    parts: Mapping[str, tuple[float, ...]]
    """Part → share of each value, in the order of the names; all 0 in an empty part."""
    numeric: bool


def shares(labels: Mapping[str, pl.Series]) -> Shares:
    """The distribution of a label in each part: by class when there are few values, else by range."""
    every = pl.concat(list(labels.values()))
    if every.dtype.is_numeric() and every.drop_nulls().n_unique() > _MOST:
        return _ranges({name: _numbers(label) for name, label in labels.items()})
    names = {part: class_names(label).fill_null("(none)") for part, label in labels.items()}
    counts = class_names(every).fill_null("(none)").value_counts(sort=True)
    listed = sorted(counts[:, 0].head(_MOST))
    rest = counts.height > _MOST
    parts = {part: tuple(_share(label, name) for name in listed) for part, label in names.items()}
    if rest:
        parts = {p: (*s, max(0.0, 1 - sum(s)) if len(names[p]) else 0.0) for p, s in parts.items()}
        listed = [*listed, tr("({n} more)", n=counts.height - _MOST)]
    return Shares(names=tuple(listed), parts=parts, numeric=every.dtype.is_numeric())


def _numbers(label: pl.Series) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = label.cast(pl.Float64).drop_nulls().to_numpy()
    return numbers[np.isfinite(numbers)]


def _ranges(labels: Mapping[str, NDArray[np.float64]]) -> Shares:
    edges = np.histogram_bin_edges(np.concatenate(list(labels.values())), bins=_MOST)
    names = tuple(tr("{low:.4g} to {high:.4g}", low=low, high=high) for low, high in pairwise(edges))
    parts = {
        part: tuple(float(n) / max(1, len(numbers)) for n in np.histogram(numbers, bins=edges)[0])
        for part, numbers in labels.items()
    }
    return Shares(names=names, parts=parts, numeric=True)


def _share(label: pl.Series, name: str) -> float:
    return float((label == name).sum()) / max(1, len(label))
