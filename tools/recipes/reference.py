"""What a model's training data looked like, as counts in bins: `reference.json` beside the model.

Written by the job that trains, read by whatever counts what is served. It holds bounds, digests of frequent levels
and of frequent tokens, and counts; no row, and no text.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from tools.record import Record

REFERENCE_FILE = "reference.json"
PREDICTION = "prediction"
"""What the predictions are called among the features."""
SKETCHES_MOST = 500
"""More features than that are not watched: every one of them makes all the others harder to hear."""
FILE_MOST = 4 * 2**20
"""Bytes of a reference that is read."""
BINS_MOST = 64
COUNT_MOST = 10**12

Sketch = Literal["value", "length", "unseen"]
"""What is counted of a feature: its value; of a text its length in characters, and its share of unseen tokens."""

Unwatched = Literal["time", "image", "counter", "unique", "too_many"]
"""Why a column is not watched: times move on by themselves; pictures have no bins; a running number always leaves its
range; values that hardly repeat have no frequent ones; there are too many columns."""


class Bins(Record):
    """One sketch of one feature: how values fall into bins, and how those of the reference fell.

    Numbers: below the first edge, between two edges, above the last, missing. Levels: each of them, any other, missing.
    """

    name: str = Field(min_length=1, max_length=500)
    of: Sketch = "value"
    edges: tuple[float, ...] | None = Field(default=None, max_length=BINS_MOST - 2)
    """Rising; None where levels are counted. The last bin holds its upper edge, and a last edge that is there twice is
    a bin of its own."""
    levels: tuple[str, ...] = Field(default=(), max_length=BINS_MOST - 2)
    """Digests of the levels that have a bin of their own."""
    tokens: tuple[str, ...] = Field(default=(), max_length=5000)
    """Digests of the tokens that count as seen, sorted: equal references have equal bytes."""
    lowercase: bool = False
    counts: tuple[int, ...]

    @model_validator(mode="after")
    def _fits(self) -> Bins:
        if len(self.counts) != self.size:
            raise ValueError(f"{self.name}: {len(self.counts)} counts for {self.size} bins")
        if min(self.counts) < 0 or max(self.counts) > COUNT_MOST:
            raise ValueError(f"{self.name}: counts must be from 0 to {COUNT_MOST}")
        if self.edges is not None and list(self.edges) != sorted(self.edges):
            raise ValueError(f"{self.name}: edges must rise")
        return self

    @property
    def size(self) -> int:
        """How many bins there are, the one for missing values included: it is the last."""
        return len(self.levels if self.edges is None else self.edges) + 2


class Reference(Record):
    """`reference.json`."""

    features: tuple[Bins, ...] = Field(max_length=SKETCHES_MOST)
    prediction: Bins | None = None
    """Of the predictions on the validation part; None where they are not watched."""
    unwatched: Mapping[str, Unwatched] = Field(default={}, max_length=20_000)
    """Columns that are not watched, and why."""

    @property
    def sketches(self) -> tuple[Bins, ...]:
        """All that is counted, the prediction last."""
        return self.features if self.prediction is None else (*self.features, self.prediction)


def read(folder: Path) -> Reference | None:
    """The reference in a model folder, or in the folder of the job that made it; None where there is none that can be
    read: models of others, and older ones, have none."""
    for place in (folder / REFERENCE_FILE, folder / "model" / REFERENCE_FILE):
        try:
            with place.open("rb") as stream:
                content = stream.read(FILE_MOST + 1)
            return Reference.model_validate_json(content) if len(content) <= FILE_MOST else None
        except FileNotFoundError:
            continue
        except (OSError, ValidationError):
            return None
    return None
