"""What a classifier answered about rows that belong to users: the class of each row, and the order it gives each
user's rows. A unit is a user, since rows of one user are not independent.

NDCG and recall rank a user's own rows of the part by their score; rows that score alike share their ranks (the
expectation over every order of them). A user without a relevant row has no value for them and is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tools.language import tr
from tools.recipes.answers import counts
from tools.recipes.answers.answer import Floats, Ints
from tools.recipes.answers.areas import Ranked
from tools.recipes.answers.classes import Classified
from tools.recipes.answers.intervals import draws
from tools.recipes.answers.rankings import CUTOFFS, JUDGED
from tools.recipes.records import Measure

_AREAS: Mapping[str, Callable[[Ranked, Ints], float]] = {
    "roc_auc": Ranked.roc_auc,
    "pr_auc": Ranked.average_precision,
}


_CUTOFF = 10


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Classes of rows, with the user of each; rows of one user stand together."""

    aligned: ClassVar[bool] = True
    rows: Classified
    ends: Ints
    """Where each user's rows end, ascending: [users]."""
    relevant: NDArray[np.bool_]
    """Of each row."""
    score: Floats
    """Of each row: what its user's rows are ranked by."""
    members: tuple[Ints, ...] = ()
    """The rows of each user as they lie in the part."""
    popular: Floats | None = None
    """Of each row: how popular its item was in training, as the rival in the report."""
    evidence: tuple[pl.Series, ...] = ()
    """For `holdout_rows.csv`, in the order of the source."""
    remarks: tuple[str, ...] = ()

    @property
    def units(self) -> int:
        return len(self.ends)

    def value(self, measure: Measure) -> float | None:
        if measure.metric in JUDGED:
            return _mean(self.each(measure.metric))
        if measure.metric in counts.COUNTED and self.units:
            table = self.rows.confusion()[None]
            return float(counts.values(measure.metric, table, self.rows.target(measure.of))[0])
        return self.rows.value(measure)

    def take(self, units: Ints) -> Labelled:
        sizes = np.diff(self.ends, prepend=0)[units]
        ends = np.cumsum(sizes)
        cells = np.arange(ends[-1] if len(ends) else 0) + np.repeat(self.ends[units] - ends, sizes)
        return replace(
            self,
            rows=self.rows.take(cells),
            ends=ends,
            relevant=self.relevant[cells],
            score=self.score[cells],
            members=(),
            popular=None,
        )

    def trials(self, measure: Measure) -> tuple[int, int] | None:
        del measure
        return None

    def resampled(self, measure: Measure, *, resamples: int, seed: int) -> Floats:
        drawn = draws(np.random.default_rng(seed), self.units, resamples)
        each = self._of_weights(measure)
        return np.array([each(np.bincount(units, minlength=self.units)) for chunk in drawn for units in chunk])

    def each(self, metric: str) -> Floats:
        """One of `JUDGED` for every user; NaN for one without a relevant row."""
        return self._ranked.each(metric.partition("_")[0], JUDGED[metric])

    def section(self) -> Mapping[str, object]:
        popular = None if self.popular is None else _Order(self.ends, self.relevant, self.popular)
        values = [
            {"cutoff": k, **_row(self._ranked, k), **({} if popular is None else {"popularity": _row(popular, k)})}
            for k in CUTOFFS
        ]
        judged = int(np.isfinite(self.each("ndcg_at_10")).sum())
        ranking = {
            "over": tr("the user's own rows of the holdout"),
            "users": self.units,
            "users_with_relevant_rows": judged,
        }
        return {**self.rows.section(), "ranking": {**ranking, "by_cutoff": values}}

    def columns(self) -> Sequence[pl.Series]:
        """The scores of the classes, then `user`, `item`, `relevance` (0 or 1) and `ranked_by`: what a user's rows are
        ranked by."""
        return self.evidence

    def notes(self) -> Sequence[str]:
        longest = int(np.diff(self.ends, prepend=0).max(initial=0))
        idle = [tr("recall_at_10 is 1 whatever the model says: no user has more than 10 rows here")]
        return (*self.rows.notes(), *self.remarks, *(idle if 0 < longest <= _CUTOFF else []))

    def _of_weights(self, measure: Measure) -> Callable[[Ints], float]:
        """The metric when each user counts as often as the weights say; NaN where it is not defined."""
        metric, target = measure.metric, self.rows.target(measure.of)
        if metric in JUDGED:
            return _weighted_mean(self.each(metric))
        if metric in counts.COUNTED:
            tables = self._tables()
            size = len(self.rows.classes) + 1
            return lambda w: float(counts.values(metric, (w @ tables).reshape(1, size, size), target)[0])
        if metric in _AREAS and self.rows.probability is not None:
            targets = range(len(self.rows.classes)) if target is None else [target]
            ranks = [Ranked(self.rows.labels == t, self.rows.probability[:, t]) for t in targets]
            return lambda w: float(np.mean([_AREAS[metric](r, w[self._user]) for r in ranks]))
        return lambda w: _or_nan(self.rows.take(np.repeat(np.arange(len(self._user)), w[self._user])).value(measure))

    def _tables(self) -> csr_array:
        """Every user's confusion matrix as a row."""
        size = len(self.rows.classes) + 1
        cell = self.rows.labels * size + self.rows.predicted
        return csr_array((np.ones(len(cell), dtype=np.int64), (self._user, cell)), shape=(self.units, size * size))

    @cached_property
    def _user(self) -> Ints:
        return np.repeat(np.arange(self.units), np.diff(self.ends, prepend=0))

    @cached_property
    def _ranked(self) -> _Order:
        return _Order(self.ends, self.relevant, self.score)


class _Order:
    """Each user's rows in falling order of a score."""

    def __init__(self, ends: Ints, relevant: NDArray[np.bool_], score: Floats) -> None:
        self._users = len(ends)
        sizes = np.diff(ends, prepend=0)
        user = np.repeat(np.arange(len(ends)), sizes)
        order = np.lexsort((-score, user))
        starts = np.repeat(ends - sizes, sizes)
        self._user = user
        self._rank = np.arange(len(user)) - starts
        self._relevant = np.bincount(user, weights=relevant, minlength=self._users)
        # Rows of a user that score alike share what is relevant among them.
        ordered = score[order]
        new = np.ones(len(user), dtype=bool)
        new[1:] = (user[1:] != user[:-1]) | (ordered[1:] != ordered[:-1])
        tie = np.cumsum(new) - 1
        self._gain = (np.bincount(tie, weights=relevant[order]) / np.bincount(tie))[tie] if len(user) else np.zeros(0)

    def each(self, what: str, k: int) -> Floats:
        """`ndcg` or `recall` at k of every user."""
        weight = 1.0 / np.log2(np.arange(2, k + 2)) if what == "ndcg" else np.ones(k)
        top = self._rank < k
        worth = self._gain[top] * weight[self._rank[top]]
        found = np.bincount(self._user[top], weights=worth, minlength=self._users)
        best = np.concatenate([[0.0], np.cumsum(weight)])[np.minimum(self._relevant, k).astype(np.int64)]
        shares: Floats = np.divide(found, best, out=np.full(self._users, math.nan), where=best > 0)
        return shares


def _weighted_mean(each: Floats) -> Callable[[Ints], float]:
    known = np.isfinite(each)
    values = each[known]

    def mean(weights: Ints) -> float:
        total = int(weights[known].sum())
        return float(weights[known] @ values) / total if total else math.nan

    return mean


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _mean(each: Floats) -> float | None:
    known = each[np.isfinite(each)]
    return float(known.mean()) if len(known) else None


def _row(ranked: _Order, k: int) -> Mapping[str, float | None]:
    return {what: _mean(ranked.each(what, k)) for what in ("ndcg", "recall")}
