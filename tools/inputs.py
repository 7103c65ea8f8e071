"""What callers send to a model and are told, as counts in the bins of what it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tools.record import Record

PROBE_HEADER = "x-goalkeeper-probe"
"""On requests of our own load: they are answered and measured as all are, and are not what callers send."""


class Binned(Record):
    """One feature, or the predictions: what was served, in the bins of the model's reference."""

    name: str
    """The source column, or `prediction`."""
    of: Literal["value", "length", "unseen"] = "value"
    """Of a text: its length, and its share of tokens that training did not see often."""
    reference: tuple[int, ...]
    """Counts in the training part; of predictions, on the validation part."""
    served: tuple[int, ...]
    """Counts in the same bins. The last bin is for missing values."""


class Inputs(Record):
    """What callers sent to one version over one span, and what it told them: counts in bins, no value and no row."""

    version: str
    since: float
    """Later than asked for where what was counted cannot be told apart so finely any more."""
    until: float
    """Where the next span begins: asked for since then, no row is counted twice and none is left out."""
    rows: int
    unbinned: int = 0
    """Rows that were answered and hold values that fit no bin."""
    requests: int = 0
    """Answered requests. Copies for a shadow and our own load are none."""
    unread: int = 0
    """Of these, those that were not looked at: too many at once, or too large. The counts are a sample then."""
    watched: bool
    """False: the model carries no reference, and nothing is counted."""
    features: tuple[Binned, ...] = ()
    predictions: Binned | None = None
    unwatched: Mapping[str, str] = {}
    """Columns that are not watched, and why."""
