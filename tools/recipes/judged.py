"""The rows behind a measured number: `holdout_rows.csv`, so that anybody can compute it again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from tools.recipes.metrics_of import Classified, Rows

ROWS_FILE = "holdout_rows.csv"


def write(
    path: Path, source_rows: pl.Series, label: pl.Series, prediction: list[str] | list[float], rows: Rows
) -> None:
    """One line a row: `row` (0-based in the source), `label`, `prediction` as the source spells them, then scores.

    Two classes: `score`, the probability of the positive class. More: `score_CLASS` for each. Numbers are written
    so that reading them gives the same double.
    """
    table = pl.DataFrame({"row": source_rows, "label": label, "prediction": pl.Series(prediction)})
    table.with_columns(_scores(rows)).write_csv(path)


def _scores(rows: Rows) -> list[pl.Series]:
    if not isinstance(rows, Classified) or rows.probability is None:
        return []
    target = rows.target(None)
    if target is not None:
        return [pl.Series("score", rows.probability[:, target])]
    return [
        pl.Series(f"score_{name}", np.ascontiguousarray(rows.probability[:, i])) for i, name in enumerate(rows.classes)
    ]
