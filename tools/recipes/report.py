"""The full evaluation as one JSON document: every number, per class or by size of the error, and how it was made."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from tools.recipes import counts
from tools.recipes.intervals import method
from tools.recipes.metrics_of import Classified, Predicted, Rows
from tools.recipes.records import EvaluateArgs, EvaluateResult

FILE = "evaluation.json"
_SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def text(args: EvaluateArgs, result: EvaluateResult, rows: Rows) -> str:
    """The document, indented, keys in a fixed order."""
    document = {
        "task": args.task,
        "label": args.label,
        "rows": result.rows,
        "dropped": result.dropped,
        "measured": [
            value.model_dump() | {"interval": method(measure, rows)}
            for measure, value in zip(args.measures, result.measured, strict=True)
        ],
        "resamples": args.resamples,
        "seed": args.seed,
        **(_classes(rows) if isinstance(rows, Classified) else _residuals(rows)),
        "findings": list(result.findings),
        "digests": dict(result.digests),
    }
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)


def _classes(rows: Classified) -> Mapping[str, object]:
    size = len(rows.classes)
    table = counts.confusion(rows.labels, rows.predicted, size + 1)
    each = {
        m: [counts.values(m, table[None], target)[0] for target in range(size)] for m in ("precision", "recall", "f1")
    }
    per_class = [
        {"class": name, "rows": int(table[i].sum()), **{m: float(each[m][i]) for m in each}}
        for i, name in enumerate(rows.classes)
    ]
    return {
        "classes": list(rows.classes),
        "positive": rows.positive,
        "per_class": per_class,
        "confusion": {"rows": "label", "columns": "prediction", "counts": table[:size, :size].tolist()},
        "predictions_of_no_class": int(table[:, size].sum()),
    }


def _residuals(rows: Predicted) -> Mapping[str, object]:
    residual = rows.predicted - rows.labels
    return {
        "residuals": {
            "definition": "prediction - label",
            "mean": float(residual.mean()),
            "quantiles": {f"{share:g}": float(np.quantile(residual, share)) for share in _SHARES},
        }
    }
