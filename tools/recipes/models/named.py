"""K-means whose clusters have names, by size: `cluster-1` holds the most training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from tools.recipes.answers.answer import Floats, Ints


class NamedKMeans(KMeans):  # type: ignore[misc]
    """scikit-learn's k-means; what it predicts is a cluster's name."""

    labels_: Ints
    cluster_centers_: Floats

    def fit(self, X: Floats, y: object = None, sample_weight: Floats | None = None) -> NamedKMeans:  # noqa: N803
        """Keeps the centres, largest cluster first, and nothing of single rows."""
        super().fit(X, y, sample_weight)
        order = np.argsort(-np.bincount(self.labels_, minlength=self.n_clusters), kind="stable")
        self.cluster_centers_ = np.ascontiguousarray(self.cluster_centers_[order])
        self.labels_ = np.empty(0, dtype=np.int64)
        return self

    def predict(self, X: Floats) -> NDArray[Any]:  # noqa: N803 - scikit-learn's name
        names = np.array([f"cluster-{i + 1}" for i in range(self.n_clusters)], dtype=object)
        found: NDArray[Any] = names[super().predict(X)]
        return found
