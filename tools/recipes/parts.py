"""How the three parts of a data set lie in a folder: which files, and reading and writing them.

A part is the features in the order of the source, then the label if there is one, and nothing else, so that a program
of the user's can take it as it is. Where each row came from lies beside them; only in the sealed holdout it is the
last column.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tools.language import tr
from tools.recipes.card import Input
from tools.recipes.faults import BadInput, Fault
from tools.recipes.seal import seal, unseal

TRAIN = "train.parquet"
VALIDATION = "validation.parquet"
HOLDOUT = "holdout.sealed"
ROWS = "rows.parquet"
"""Of training and validation rows, in their order: `part` and `row`, the row's number in the source from 0."""
_ROW = "__row__"


def row_column(names: Sequence[str]) -> str:
    """A name for the row number that no column has."""
    name = _ROW
    while name in names:
        name = f"_{name}_"
    return name


def write_part(frame: pl.DataFrame, path: Path) -> str:
    """Write one part; the digest of its bytes."""
    content = _bytes(frame)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def write_sealed(frame: pl.DataFrame, path: Path, public: bytes) -> str:
    """Write the holdout so that only the private key opens it; the digest of what is inside."""
    content = _bytes(frame)
    path.write_bytes(seal(content, public))
    return hashlib.sha256(content).hexdigest()


class Part:
    """One part as it was written: features, and the label where there is one. It may have no rows."""

    def __init__(self, frame: pl.DataFrame, label: str | None, digest: str) -> None:
        if label is not None and frame.columns[-1:] != [label]:
            fault = Fault(
                place="data", problem=tr("is no prepared part with label {label!r}", label=label), fix=tr("prepare it")
            )
            raise BadInput([fault])
        self.digest = digest
        self.features = frame if label is None else frame.drop(label)
        self._label = None if label is None else frame[label]

    @property
    def label(self) -> pl.Series:
        """The label of every row. BadInput where nothing is labelled."""
        if self._label is None:
            fault = Fault(place="data", problem=tr("has no label"), fix=tr("say which column is to be predicted"))
            raise BadInput([fault])
        return self._label


class Holdout(Part):
    """The holdout, opened, with the numbers its rows have in the table they come from."""

    def __init__(self, frame: pl.DataFrame, label: str | None, digest: str) -> None:
        super().__init__(frame[:, :-1], label, digest)
        self.rows = frame[frame.columns[-1]]


def write_rows(train: pl.Series, validation: pl.Series, path: Path) -> None:
    """Write where the rows of the two open parts came from."""
    names = ["train"] * len(train) + ["validation"] * len(validation)
    pl.DataFrame(
        {"part": names, "row": [*train, *validation]}, schema={"part": pl.String, "row": pl.Int64}
    ).write_parquet(path)


def read_part(path: Path, label: str | None) -> Part:
    """The training or the validation part. BadInput(data_missing) when it is not there."""
    content = _content(path)
    return Part(pl.read_parquet(io.BytesIO(content)), label, hashlib.sha256(content).hexdigest())


def read_sealed(path: Path, label: str | None, private: bytes) -> Holdout:
    """The holdout. BadInput when it is not there or the key is another one."""
    content = unseal(_content(path), private)
    return Holdout(pl.read_parquet(io.BytesIO(content)), label, hashlib.sha256(content).hexdigest())


def endpoint_columns(features: pl.DataFrame, inputs: Sequence[Input]) -> dict[str, list[object]]:
    """The rows as an endpoint receives them: column name → JSON values, None where a value is missing.

    FP64 floats, INT64 integers (flags as 0 and 1), BYTES text (times as ISO, pictures as base64). Nothing is cleaned
    or dropped.
    """
    return {i.name: _values(features[i.name], i.datatype) for i in inputs}


def _values(column: pl.Series, datatype: str) -> list[object]:
    if datatype == "FP64":
        number = column.cast(pl.Float64)
        return list(number.set(~number.is_finite().fill_null(value=True), None))
    if datatype == "INT64":
        return list(column.cast(pl.Int64))
    if column.dtype == pl.Binary:
        return [None if v is None else base64.b64encode(v).decode() for v in column]
    if column.dtype.is_temporal():
        return [None if v is None else v.isoformat() for v in column]
    return list(column.cast(pl.String))


def _content(path: Path) -> bytes:
    if not path.is_file():
        fault = Fault(
            place=path.name, problem=tr("is not in the prepared data"), fix=tr("mount the prepare job's folder")
        )
        raise BadInput([fault], cause="data_missing")
    return path.read_bytes()


def _bytes(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
