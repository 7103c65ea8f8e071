"""The first step of a model that is sent ids and must not learn from them: they name rows, and describe none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from tools.recipes.models.encode import RawColumns


class WithoutIds(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Raw columns to numbers, some of them left out."""

    def __init__(self, *, kept: Sequence[int], text: Sequence[int] = (), clip: bool = False) -> None:
        self.kept = kept
        """Columns that are learnt from."""
        self.text = text
        """Which of those hold text, counted among them."""
        self.clip = clip

    def fit(self, X: NDArray[Any], y: object = None) -> WithoutIds:  # noqa: N803 - scikit-learn's names
        self.columns_ = RawColumns(text=self.text, clip=self.clip).fit(X[:, self.kept])
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float64]:  # noqa: N803 - scikit-learn's name
        return self.columns_.transform(X[:, self.kept])
