"""What a model says of itself: the metadata beside its file. Read by the evaluator and by the model server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tools.recipes.records import Columns, Family, Task
from tools.record import Json, Record

Kind = Literal["number", "integer", "category", "boolean", "time", "text", "image"]
Datatype = Literal["FP64", "INT64", "BYTES"]
Answers = Literal["class", "number", "text"]
"""What a model says of a row: one of its classes, a number, or text (the name of a cluster, a JSON list of items)."""

MODEL_FILE = "model.skops"
CARD_FILE = "model.json"

MISSING = ("", "NA", "N/A", "n/a", "null", "NULL", "?")
"""Text that stands for no value, in a file and in a request alike."""
LARGEST = 1e150
"""Numbers as large as this count as missing, as infinity does: their squares cannot be added up."""


class Input(Record):
    """One input tensor: a source column with its raw values, before any preparation."""

    name: str
    datatype: Datatype
    kind: Kind


class Card(Record):
    """`model.json`."""

    task: Task
    label: str | None
    """None where nothing is labelled."""
    roles: Columns = Columns()
    answers: Answers
    inputs: tuple[Input, ...]
    """In the order of the source; the order is the model's."""
    classes: tuple[str, ...] = ()
    """In the order of the probabilities."""
    positive: str | None = None
    family: Family
    params: Json
    lowercase: bool = False
    """True: text is lower-cased before it is looked up."""
    data_digest: str
    """sha256 of the training part the model was fitted on."""
    versions: Mapping[str, str] = {}
    """Libraries the file was written with."""
