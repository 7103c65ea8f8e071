"""What `plan` asks of a data source, and what it learns from a header and a capped sample. Imports nothing heavy."""

from __future__ import annotations

from typing import Literal

from tools.recipes.card import Kind
from tools.recipes.faults import Fault
from tools.recipes.records import Format, Role, Split, Task
from tools.record import Record


class ProbeArgs(Record):
    """Standard input of `python -I -m tools.recipes.probe`."""

    source: str
    """Absolute path, or `sklearn:NAME`."""
    format: Format | None = None
    """None: by the prefix, the file's ending or what lies in the folder, else CSV."""
    label: str | None = None
    task: Task | None = None
    """None: faults are judged for the suggested task."""
    split: Split = Split()
    drop_columns: tuple[str, ...] = ()
    time: str | None = None
    group: str | None = None
    role: Role = "train"
    together: bool = False
    """Other tables stand beside it: a column that is not here may be there, and few rows may be enough."""


class ProbedColumn(Record):
    """A column as the sample shows it, the label included."""

    name: str
    kind: Kind | None
    """None: no recipe can take it."""
    missing: int
    """Rows of the sample without a value."""
    distinct: int


class ProbedLabel(Record):
    """The label as the sample shows it."""

    name: str
    kind: Kind
    missing: int
    distinct: int
    classes: tuple[str, ...] = ()
    """Class names in the order the model will use; empty when the task is regression."""
    positive: str | None = None
    suggested_task: Task


class Probe(Record):
    """Standard output of the program: one JSON document."""

    source: str
    format: Format
    bytes: int = 0
    rows: int = 0
    """Rows of the source: counted when `complete` or the format says, else estimated. Images and texts are rows."""
    sampled: int = 0
    """Rows that were looked at."""
    complete: bool = False
    """True: the sample is the whole source, so every fault that values can have was looked for."""
    columns: tuple[ProbedColumn, ...] = ()
    sample: tuple[tuple[str | None, ...], ...] = ()
    """A few rows as text, in the order of the columns: outside text."""
    label: ProbedLabel | None = None
    likely_label: str | None = None
    """A column that is named like a label, when none was asked for."""
    personal: tuple[str, ...] = ()
    """Columns of the sample that seem to hold personal data."""
    licences: tuple[str, ...] = ()
    """Restricting licences that what stands beside the data states of it: names of our own table."""
    faults: tuple[Fault, ...] = ()
    cause: Literal["data_missing", "data_invalid"] | None = None
    """The typed cause a job would fail with; None without faults."""
