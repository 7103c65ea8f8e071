"""A classifier's answers taken apart for the report: per class, averaged in every way, and how true its
probabilities are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tools.language import tr
from tools.recipes.answers import counts
from tools.recipes.answers.answer import Floats, Ints

_SHARES = ("precision", "recall", "f1")
_BINS = 10


def of(
    confusion: Ints, labels: Ints, probability: Floats | None, classes: Sequence[str], positive: str | None
) -> Mapping[str, object]:
    """The sections of the report. `confusion` has one row and column more than there are classes."""
    size = len(classes)
    each = {m: [float(counts.values(m, confusion[None], t)[0]) for t in range(size)] for m in _SHARES}
    rows = confusion[:size].sum(axis=1)
    per_class = [
        {"class": name, "rows": int(rows[i]), **{m: each[m][i] for m in _SHARES}} for i, name in enumerate(classes)
    ]
    return {
        "classes": list(classes),
        "positive": positive,
        "per_class": per_class,
        "averages": {
            "micro": _micro(confusion),
            "macro": {m: float(np.mean(each[m])) for m in _SHARES},
            "weighted": {m: float(np.average(each[m], weights=rows)) if rows.sum() else 0.0 for m in _SHARES},
        },
        "confusion": {"rows": "label", "columns": "prediction", "counts": confusion[:size, :size].tolist()},
        "predictions_of_no_class": int(confusion[:, size].sum()),
        **({} if probability is None else {"calibration": calibration(labels, probability)}),
    }


def _micro(confusion: Ints) -> dict[str, float]:
    """Over all rows at once; precision leaves out the predictions that are no class."""
    hits, rows = float(np.trace(confusion)), float(confusion.sum())
    named = rows - float(confusion[:, -1].sum())
    precision, recall = hits / named if named else 0.0, hits / rows if rows else 0.0
    return {"precision": precision, "recall": recall, "f1": 2 * hits / (named + rows) if rows else 0.0}


def calibration(labels: Ints, probability: Floats) -> Mapping[str, object]:
    """How often the predicted class was right, by how sure the model was of it, in ten bins of equal width; and
    the expected calibration error: the mean distance of the two, weighted by rows."""
    sure, right = probability.max(axis=1), probability.argmax(axis=1) == labels
    bins = np.clip((sure * _BINS).astype(np.int64), 0, _BINS - 1)
    table = [
        {
            "from": b / _BINS,
            "to": (b + 1) / _BINS,
            "rows": int((bins == b).sum()),
            "mean_probability": float(sure[bins == b].mean()),
            "share_right": float(right[bins == b].mean()),
        }
        for b in np.unique(bins)
    ]
    gaps = [abs(sure[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return {"of": tr("the predicted class"), "bins": table, "expected_error": float(np.sum(gaps))}
