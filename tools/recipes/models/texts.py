"""Texts to frequencies of what they are made of: the first step of every model of texts.

Runs of one to three characters work in any script, Chinese included; words and pairs of words join them where the
training texts part words by spaces. Columns beside the texts are kept, as `RawColumns` makes numbers of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer

from tools.recipes.models.encode import bounded

MOST = 30_000
"""Terms of each kind that are kept: the most frequent ones."""
_SPACED = 0.05
"""Share of spaces from which a text is one of parted words."""
_MODES: Mapping[str, Mapping[str, Any]] = {
    "characters": {"analyzer": "char_wb", "ngram_range": (1, 3)},
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
}
_SEPARATOR = "\n"
_NOTHING = "\0" * 4
"""Longer than any run that is counted: the one term of texts that have none."""


class Texts(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Text columns as TF-IDF, each term counted as 1 + ln(times), each text of length 1; other columns from 0 to 1.

    A term that training did not see counts nothing; the space around a word is a character as well.
    """

    def __init__(self, *, texts: Sequence[int], category: Sequence[int] = (), clip: bool = False) -> None:
        self.texts = texts
        self.category = category
        self.clip = clip

    def fit(self, X: NDArray[Any], y: object = None) -> Texts:  # noqa: N803 - scikit-learn's names
        chosen = set(self.texts)
        self.others_ = [i for i in range(X.shape[1]) if i not in chosen]
        self.terms_: dict[str, str] = {}

        self.weights_: dict[str, NDArray[np.float64]] = {}
        self._counters: dict[str, TfidfVectorizer] = {}
        for column in self.texts:
            for mode in ("characters", "words") if _spaced(X[:, column]) else ("characters",):
                self._learn(f"{column} {mode}", mode, X[:, column])
        if self.others_:
            category = [i for i, column in enumerate(self.others_) if column in self.category]
            self.beside_ = bounded(category, clip=self.clip).fit(X[:, self.others_])
        return self

    def transform(self, X: NDArray[Any]) -> csr_matrix:  # noqa: N803 - scikit-learn's name
        """Sparse, [rows, terms and other columns], from 0 to 1."""
        parts = [self._counter(key).transform(X[:, int(key.split()[0])]) for key in self.terms_]
        if self.others_:
            parts.append(csr_matrix(self.beside_.transform(X[:, self.others_])))
        return csr_matrix(hstack(parts, format="csr"))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_counters"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._counters = {}

    def _learn(self, key: str, mode: str, column: NDArray[Any]) -> None:
        """Of terms that occur in one text alone nothing can be learnt; unless there are no others."""
        for least in (2, 1):
            counter = _vectorizer(mode, min_df=least, max_features=MOST)
            try:
                counter.fit(column)
            except ValueError:
                continue
            self.terms_[key] = _SEPARATOR.join(counter.get_feature_names_out())
            self.weights_[key] = counter.idf_
            return
        self.terms_[key], self.weights_[key] = _NOTHING, np.ones(1)

    def _counter(self, key: str) -> TfidfVectorizer:
        if key not in self._counters:
            terms = self.terms_[key].split(_SEPARATOR)
            made = _vectorizer(key.split()[1], vocabulary={term: i for i, term in enumerate(terms)})
            made.idf_ = self.weights_[key]
            self._counters[key] = made
        return self._counters[key]


def _vectorizer(mode: str, **more: Any) -> TfidfVectorizer:
    return TfidfVectorizer(sublinear_tf=True, **_MODES[mode], **more)


def _spaced(column: NDArray[Any]) -> bool:
    length = sum(len(text) for text in column)
    return length > 0 and sum(text.count(" ") for text in column) >= _SPACED * length
