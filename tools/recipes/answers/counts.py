"""Metrics of whole stacks of confusion matrices at once, for resampling: the same definitions as `answers.classes`.

A matrix holds at [i, j] the rows of class i that were predicted as class j.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def confusion(labels: NDArray[np.int64], predicted: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Counts, shape [size, size]."""
    return np.bincount(labels * size + predicted, minlength=size * size).reshape(size, size)


def values(metric: str, stack: NDArray[np.int64], target: int | None) -> Floats:
    """The metric of every matrix in the stack [n, k, k], on one class or averaged over those present."""
    if target is not None and metric in _ONE:
        return _ONE[metric](stack)[:, target]
    return _ALL[metric](stack)


def _share(part: Floats, whole: Floats) -> Floats:
    """part / whole, and 0 where there is nothing."""
    shares: Floats = np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)
    return shares


def _hits(stack: NDArray[np.int64]) -> Floats:
    return stack.diagonal(axis1=1, axis2=2).astype(np.float64)


def _labelled(stack: NDArray[np.int64]) -> Floats:
    counted: Floats = stack.sum(axis=2).astype(np.float64)
    return counted


def _named(stack: NDArray[np.int64]) -> Floats:
    counted: Floats = stack.sum(axis=1).astype(np.float64)
    return counted


def _precision(stack: NDArray[np.int64]) -> Floats:
    return _share(_hits(stack), _named(stack))


def _recall(stack: NDArray[np.int64]) -> Floats:
    return _share(_hits(stack), _labelled(stack))


def _f1(stack: NDArray[np.int64]) -> Floats:
    return _share(2 * _hits(stack), _labelled(stack) + _named(stack))


def _macro(each: Callable[[NDArray[np.int64]], Floats]) -> Callable[[NDArray[np.int64]], Floats]:
    """The mean over the classes that are labelled or named at least once."""
    return lambda stack: _mean(each(stack), _labelled(stack) + _named(stack) > 0)


def _mean(each: Floats, present: NDArray[np.bool_]) -> Floats:
    return _share((each * present).sum(axis=1), present.sum(axis=1).astype(np.float64))


def _accuracy(stack: NDArray[np.int64]) -> Floats:
    return _share(_hits(stack).sum(axis=1), stack.sum(axis=(1, 2)).astype(np.float64))


def _weighted_f1(stack: NDArray[np.int64]) -> Floats:
    weight = _labelled(stack)
    return _share((_f1(stack) * weight).sum(axis=1), weight.sum(axis=1))


def _mcc(stack: NDArray[np.int64]) -> Floats:
    total, hits = stack.sum(axis=(1, 2)).astype(np.float64), _hits(stack).sum(axis=1)
    labelled, named = _labelled(stack), _named(stack)
    shared = hits * total - (labelled * named).sum(axis=1)
    spread = (total**2 - (named**2).sum(axis=1)) * (total**2 - (labelled**2).sum(axis=1))
    return _share(shared, np.sqrt(spread))


_ONE: dict[str, Callable[[NDArray[np.int64]], Floats]] = {"precision": _precision, "recall": _recall, "f1": _f1}
_ALL: dict[str, Callable[[NDArray[np.int64]], Floats]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": lambda stack: _mean(_recall(stack), _labelled(stack) > 0),
    "precision": _macro(_precision),
    "recall": _macro(_recall),
    "f1": _macro(_f1),
    "f1_macro": _macro(_f1),
    "f1_micro": _accuracy,
    "f1_weighted": _weighted_f1,
    "mcc": _mcc,
}
COUNTED = frozenset(_ALL)
"""Metrics that a confusion matrix alone gives."""
