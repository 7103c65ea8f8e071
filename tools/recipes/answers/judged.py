"""The rows behind a measured number: `holdout_rows.csv`, so that anybody can compute it again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

ROWS_FILE = "holdout_rows.csv"


def table(
    source_rows: pl.Series,
    label: pl.Series | None,
    prediction: Sequence[str] | Sequence[float],
    more: Sequence[pl.Series],
) -> pl.DataFrame:
    """One line a row: `row` (0-based in the source), `label` where there is one, `prediction`, then what the answer
    adds to them. An answer that brings these columns itself, as one that forecasts a row more than once, is the table.
    """
    if any(column.name == "prediction" for column in more):
        return pl.DataFrame(list(more))
    columns = {"row": source_rows, **({} if label is None else {"label": label}), "prediction": pl.Series(prediction)}
    return pl.DataFrame(columns).with_columns(more)


def beside(features: pl.DataFrame, source_rows: pl.Series, rows: pl.DataFrame) -> pl.DataFrame:
    """The features of each line of such a table: of rows numbered `source_rows`."""
    if rows["row"].equals(source_rows):
        return features
    place = {row: i for i, row in enumerate(source_rows)}
    return features[[place[row] for row in rows["row"]]]


def write(path: Path, rows: pl.DataFrame) -> None:
    """As CSV; numbers are written so that reading them gives the same double."""
    rows.write_csv(path)
