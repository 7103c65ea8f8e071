"""What drift is asked of, and what was found. Imports nothing heavy."""

from __future__ import annotations

from pydantic import Field

from tools.inputs import Binned
from tools.record import Record


class DriftArgs(Record):
    """Standard input of `python -I -m tools.recipes.drift`."""

    compared: tuple[Binned, ...]
    """All features and predictions of one window: they are judged together."""
    alarm_rate: float = Field(gt=0, lt=1)
    threshold: float = Field(gt=0)


class Shift(Record):
    """One feature, or the predictions, beside the reference."""

    name: str
    of: str
    rows: int
    psi: float
    """Population stability index of the window against the reference, half a row added to every bin."""
    excess: float
    """What is left of it without (bins - 1)(1/n + 1/m), which chance alone would give; not below 0."""
    statistic: float
    """Cressie-Read's power divergence with exponent 2/3, of the bins in which at least so many rows are expected."""
    p: float
    adjusted: float
    """The p value after Holm, over all features and predictions: compared with the alarm rate."""
    drifted: bool
    """Both beyond chance and large enough to matter."""


class Shifts(Record):
    """Standard output of the program."""

    level: float
    """What the smallest p value was compared with."""
    shifts: tuple[Shift, ...]
    """In the order of the question."""
