"""What recommends: the ten items that a user is likeliest to want, of those the user did not meet in training.

Items stand in falling popularity, so that whatever scores alike, or nothing, is ranked by it; a user who is not known
gets the most popular ones. Everything a model keeps is an array, so that equal data give equal files.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator

from tools.recipes.models.interactions import Catalogue, Ints, Texts, places

Floats = NDArray[np.float64]

SERVED = 10
"""How many items an answer names."""
_CELLS = 4_000_000
"""Scores that are held at once."""


class Recommender(BaseEstimator, ABC):  # type: ignore[misc]
    """A fitted ranking of items for users. What the kinds differ in is how they score."""

    def fit(self, known: Catalogue, liked: csr_array) -> Recommender:
        """`liked` are the yeses to learn from: those of the catalogue, or some of them."""
        self.users_ = known.users
        self.items_ = known.items
        self.whole_ = known.whole
        self.seen_ = _kept(known.seen)
        self.liked_ = _kept(liked)
        self._learn(liked)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # noqa: N803 - scikit-learn's name
        """A JSON list of item ids for each row; the first column holds the user's id as text."""
        ranked = self.ranked(X[:, 0].astype(np.str_), SERVED)
        found = np.empty(len(ranked), dtype=object)
        found[:] = [self._json(row[row >= 0]) for row in ranked]
        return found

    def ranked(self, users: Texts, depth: int) -> Ints:
        """Positions in `items_`, best first, [users, depth]; -1 where there is no further item."""
        found = np.full((len(users), depth), -1, dtype=np.int64)
        known = places(users, self.users_)
        chunk = max(1, _CELLS // len(self.items_))
        for start in range(0, len(users), chunk):
            found[start : start + chunk] = self._top(known[start : start + chunk], depth)
        return found

    def _top(self, known: Ints, depth: int) -> Ints:
        found = np.full((len(known), depth), -1, dtype=np.int64)
        listed = min(depth, len(self.items_))
        found[:, :listed] = np.arange(listed)
        rows = np.flatnonzero(known >= 0)
        liked, seen = (_rows(part, known[rows], len(self.items_)) for part in (self.liked_, self.seen_))
        scores = self._scores(liked)
        scores[seen.nonzero()] = -np.inf
        for row, each in zip(rows, scores, strict=True):
            found[row] = _best(each, depth)
        return found

    def _json(self, places_: Ints) -> str:
        names = [str(name) for name in self.items_[places_]]
        return json.dumps([int(n) for n in names] if self.whole_ else names, ensure_ascii=False)

    @abstractmethod
    def _learn(self, liked: csr_array) -> None:
        """Keep what scoring needs."""

    @abstractmethod
    def _scores(self, liked: csr_array) -> Floats:
        """Of every item for users with these yeses, [users, items]."""


class ItemNeighbours(Recommender):
    """An item scores the similarities to what the user liked, among its most similar items.

    Similarity is the cosine of the items' users, shrunk where few share them: n_ij / (sqrt(n_i n_j) + shrinkage).
    """

    def __init__(self, *, neighbours: int = 50, shrinkage: float = 10.0) -> None:
        self.neighbours = neighbours
        self.shrinkage = shrinkage

    def _learn(self, liked: csr_array) -> None:
        columns = liked.tocsc()
        counts = np.asarray(liked.sum(axis=0))
        size = len(counts)
        chunk = max(1, _CELLS // size)
        blocks = [
            list(_nearest(columns[:, a : a + chunk].T @ liked, a, counts, self.neighbours, self.shrinkage))
            for a in range(0, size, chunk)
        ]
        rows = [row for block in blocks for row in block]
        ends = np.cumsum([0, *(len(near) for near, _ in rows)])
        near = np.concatenate([n for n, _ in rows])
        value = np.concatenate([v for _, v in rows])
        # Kept by the item that is liked: a user's scores are then a sum of rows.
        self.similar_ = _kept(csr_array((value, near, ends), shape=(size, size)).T.tocsr())

    def _scores(self, liked: csr_array) -> Floats:
        # Only the rows of what these users liked: one user's answer must not cost the whole catalogue.
        touched = np.unique(liked.indices)
        place = np.searchsorted(touched, liked.indices)
        ours = csr_array((liked.data, place, liked.indptr), shape=(liked.shape[0], len(touched)))
        return np.asarray((ours @ _rows(self.similar_, touched.astype(np.int64), len(self.items_))).toarray())


class MatrixFactors(Recommender):
    """An item scores what a truncated singular value decomposition of users and items makes of the user's yeses.

    Cells are first divided by sqrt(the user's yeses) and by (the item's yeses)^damping: the more, the less popularity
    counts (EigenRec, Nikolakopoulos et al. 2019). The factors are found by seeded subspace iteration (Halko, Martinsson
    and Tropp 2011, algorithm 4.4).
    """

    def __init__(self, *, factors: int = 32, damping: float = 0.3, seed: int = 0) -> None:
        self.factors = factors
        self.damping = damping
        self.seed = seed

    def _learn(self, liked: csr_array) -> None:
        counts = np.maximum(np.asarray(liked.sum(axis=0)), 1.0)
        self.weights_ = counts**-self.damping
        active = np.maximum(np.asarray(liked.sum(axis=1)), 1.0)
        cells = liked.multiply(active[:, None] ** -0.5).multiply(self.weights_[None, :]).tocsr()
        self.factors_ = _right_vectors(cells, self.factors, np.random.default_rng(self.seed))

    def _scores(self, liked: csr_array) -> Floats:
        return np.asarray((liked @ (self.factors_ * self.weights_[:, None])) @ self.factors_.T)


def _best(scores: Floats, depth: int) -> Ints:
    """The places of the highest scores, ties in order of place; those at minus infinity are no choice."""
    found = np.full(depth, -1, dtype=np.int64)
    listed = min(depth, len(scores))
    least = np.partition(scores, len(scores) - listed)[len(scores) - listed]
    near = np.flatnonzero(scores >= least)
    near = near[np.argsort(-scores[near], kind="stable")][:listed]
    near = near[np.isfinite(scores[near])]
    found[: len(near)] = near
    return found


def _nearest(
    shared: csr_array, first: int, counts: Floats, most: int, shrinkage: float
) -> Iterator[tuple[Ints, Floats]]:
    """For each row of common users, the most similar items and how similar they are. `first`: the first row's item."""
    shared = shared.tocsr()
    shared.sort_indices()
    for row in range(shared.shape[0]):
        cells = slice(shared.indptr[row], shared.indptr[row + 1])
        others, together = shared.indices[cells].astype(np.int64), shared.data[cells]
        kept = others != first + row
        others, together = others[kept], together[kept]
        similar = together / (np.sqrt(counts[first + row] * counts[others]) + shrinkage)
        best = np.sort(np.argsort(-similar, kind="stable")[:most])
        yield others[best], similar[best]


def _right_vectors(cells: csr_array, factors: int, rng: np.random.Generator) -> Floats:
    """The leading right singular vectors, [columns, factors]; fewer where the matrix has no more."""
    most = min(factors, *cells.shape)
    width = min(most + 10, *cells.shape)
    basis = np.linalg.qr(cells @ rng.standard_normal((cells.shape[1], width)))[0]
    for _ in range(4):
        basis = np.linalg.qr(cells @ np.linalg.qr(cells.T @ basis)[0])[0]
    vectors: Floats = np.linalg.svd((cells.T @ basis).T, full_matrices=False)[2]
    return np.ascontiguousarray(vectors[:most].T)


def _kept(cells: csr_array) -> tuple[Any, ...]:
    """A sparse matrix as arrays: values, places, ends."""
    return cells.data.astype(np.float64), cells.indices.astype(np.int64), cells.indptr.astype(np.int64)


def _rows(kept: tuple[Any, ...], rows: Ints, columns: int) -> csr_array:
    """These rows of it."""
    values, places_, ends = kept
    sizes = ends[rows + 1] - ends[rows]
    new = np.concatenate([[0], np.cumsum(sizes)])
    cells = np.arange(new[-1]) + np.repeat(ends[rows] - new[:-1], sizes)
    return csr_array((values[cells], places_[cells], new), shape=(len(rows), columns))
