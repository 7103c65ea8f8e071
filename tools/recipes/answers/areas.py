"""Areas under the ROC and the precision-recall curve for any weighting of the rows, ranked once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tools.recipes.answers.answer import Floats, Ints


class Ranked:
    """Rows in falling order of their score, with ties as one step."""

    def __init__(self, hits: NDArray[np.bool_], score: Floats) -> None:
        self._order = np.argsort(-score, kind="stable")
        self._hits = hits[self._order]
        ranked = score[self._order]
        self._ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)

    def _steps(self, weights: Ints) -> tuple[Floats, Floats]:
        """True and false positives down to each distinct score, from (0, 0)."""
        ordered = weights[self._order]
        true = np.cumsum(ordered * self._hits)[self._ends]
        false = np.cumsum(ordered * ~self._hits)[self._ends]
        return np.concatenate([[0.0], true]), np.concatenate([[0.0], false])

    def roc_auc(self, weights: Ints) -> float:
        """NaN where one side has no row."""
        true, false = self._steps(weights)
        if not true[-1] or not false[-1]:
            return float("nan")
        return float(np.sum(np.diff(false) * (true[1:] + true[:-1])) / (2 * true[-1] * false[-1]))

    def average_precision(self, weights: Ints) -> float:
        """NaN where there is no hit."""
        true, false = self._steps(weights)
        if not true[-1]:
            return float("nan")
        named = true[1:] + false[1:]
        precision = np.divide(true[1:], named, out=np.zeros(len(named)), where=named > 0)
        return float(np.sum(np.diff(true) * precision) / true[-1])
