"""Past work: what finished calls of earlier runs took and came to, as facts of their journals.

No field holds free text: whatever is planned later may be shown them, and nothing from outside may speak there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal, Self

from pydantic import Field, ValidationError, field_validator

from tools.metrics import metric
from tools.recipes.records import Family, Task
from tools.record import Record

Sized = Literal["prepare_data", "tune_model", "launch_training", "evaluate_model"]
"""Tools whose time depends on the data."""
MOST = 1_000_000_000_000
"""More rows, cells, trials or micro-USD than this are no measurement."""
LONGEST_S = 30 * 86_400.0
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.:/#-]{0,127}$"


class Place(Record):
    """Where work ran, or would run."""

    backend: str = Field(pattern=_NAME)
    offer: str = Field(pattern=_NAME)
    gpu: str | None = Field(default=None, pattern=_NAME)

    @classmethod
    def of(cls, backend: str, offer: str, gpu: str | None) -> Self | None:
        """None where one of the names is none: backends and catalogues of clouds are outside."""
        try:
            return cls(backend=backend, offer=offer, gpu=gpu)
        except ValidationError:
            return None


class Work(Record):
    """Work as far as its time depends on it."""

    tool: Sized
    task: Task
    family: Family | None = None
    """Of the model that is searched."""
    rows: int = Field(ge=1, le=MOST)
    """Of the source, as it was or is surveyed."""
    columns: int = Field(ge=1, le=MOST)
    trials: int = Field(default=0, ge=0, le=MOST)
    program: str = Field(default="", pattern=r"^[0-9a-f]{0,64}$")
    """Digest of the user's own command."""
    place: Place | None
    """None where it is not known: then nothing is comparable."""


class Past(Work):
    """Work that was finished."""

    run: str = Field(pattern=_NAME)
    call: str = Field(pattern=_NAME)
    seconds: float = Field(gt=0, le=LONGEST_S)
    """From its intent to its outcome."""
    usd_micro: int = Field(ge=0, le=MOST)
    metric: str = ""
    """What `value` is; empty where nothing was measured, or a formula of the goal's own."""
    value: float | None = None
    """On validation: the holdout's number teaches no later run, since then it would be held out no longer."""
    met: bool | None = None
    """Whether every clause of its part was met; None where that was not proven."""

    @field_validator("metric")
    @classmethod
    def _known(cls, name: str) -> str:
        if name and metric(name) is None:
            raise ValueError(f"there is no metric {name!r}")
        return name


def recalled(rows: Iterable[object]) -> tuple[Past, ...]:
    """What the store's rows say, in their order. Rows that are not what was stored are passed over: estimates can do
    without them, and a run must not fail over them."""
    return tuple(one for row in rows if (one := _read(row)) is not None)


def _read(row: object) -> Past | None:
    try:
        return Past.model_validate_json(json.dumps(row), strict=True)
    except (ValidationError, TypeError, ValueError, RecursionError):
        return None
