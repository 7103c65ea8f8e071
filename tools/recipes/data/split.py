"""Parts rows into train, validation and holdout before anything is fitted. Pure: arrays in, row positions out.

A holdout share of 0 means that the holdout is a table of its own: all rows here are training and validation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

ENOUGH = 5
"""Rows a class needs so that a random split can keep its share in each part."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Positions of the rows of each part, ascending; together every row once."""

    train: Rows
    validation: Rows
    holdout: Rows


def at_random(n: int, holdout: float, validation: float, seed: int) -> Parts:
    """Every row has the same chance."""
    return by_class(np.zeros(n, dtype=np.int64), holdout, validation, seed)


def by_class(codes: NDArray[np.int64], holdout: float, validation: float, seed: int) -> Parts:
    """At random, each class with its share in each part as nearly as whole rows allow."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(codes))
    held = _take(order, codes, holdout) if holdout else order[:0]
    rest = np.setdiff1d(order, held, assume_unique=True)
    chosen = _take(order[np.isin(order, rest)], codes, validation)
    return _parts(len(codes), held, chosen)


def by_group(groups: NDArray[np.int64], holdout: float, validation: float, seed: int) -> Parts:
    """Whole groups, in random order, until a part is as near to its share as it gets."""
    rng = np.random.default_rng(seed)
    queue = rng.permutation(np.unique(groups))
    sizes = np.bincount(groups)
    held = _fill(queue, sizes, holdout * len(groups), leave=2) if holdout else queue[:0]
    queue = queue[~np.isin(queue, held)]
    chosen = _fill(queue, sizes, validation * float(sizes[queue].sum()), leave=1)
    every = np.arange(len(groups))
    return _parts(len(groups), every[np.isin(groups, held)], every[np.isin(groups, chosen)])


def by_time(times: NDArray[np.float64], holdout: float, validation: float, at: float | None) -> Parts:
    """The latest rows are held out: from `at` on, else the last share; validation is the last share of the rest.

    Rows of one instant stay together, on the later side; rows without a time (NaN) are trained on.
    """
    cut = at if at is not None else _late(times, holdout) if holdout else np.inf
    held = np.flatnonzero(times >= cut)
    before = np.where(times < cut, times, np.nan)
    chosen = np.flatnonzero(before >= _late(before, validation)) if np.isfinite(before).any() else held[:0]
    return _parts(len(times), held, chosen)


def _take(order: Rows, codes: NDArray[np.int64], share: float) -> Rows:
    """A share of the rows in `order`, taken from its front class by class; largest remainders fill up."""
    present, counts = np.unique(codes[order], return_counts=True)
    wanted = counts * share
    quota = np.floor(wanted).astype(np.int64)
    missing = max(1, round(len(order) * share)) - int(quota.sum())
    quota[np.argsort(-(wanted - quota), kind="stable")[: max(missing, 0)]] += 1
    return np.concatenate([order[codes[order] == c][:q] for c, q in zip(present, quota, strict=True)])


def _fill(queue: Rows, sizes: NDArray[np.int64], target: float, *, leave: int) -> Rows:
    taken: list[int] = []
    total = 0
    for group in queue[: len(queue) - leave]:
        size = int(sizes[group])
        if taken and abs(total + size - target) >= abs(total - target):
            continue
        taken.append(int(group))
        total += size
    return np.array(taken, dtype=np.int64)


def _late(times: NDArray[np.float64], share: float) -> float:
    known = np.sort(times[np.isfinite(times)])
    if not len(known):
        return float("inf")
    return float(known[len(known) - max(1, round(len(known) * share))])


def _parts(n: int, holdout: Rows, validation: Rows) -> Parts:
    rest = np.ones(n, dtype=bool)
    rest[holdout] = rest[validation] = False
    return Parts(train=np.flatnonzero(rest), validation=np.sort(validation), holdout=np.sort(holdout))
