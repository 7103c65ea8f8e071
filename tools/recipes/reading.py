"""Reads a source as it is: CSV, JSON Lines or Parquet, with every fault that shows on the way.

Decides how text becomes columns; knows nothing of labels, tasks and parts.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from tools.recipes.card import MISSING
from tools.recipes.faults import BadInput, Fault

FileFormat = Literal["csv", "parquet", "jsonl"]

_SHOWN = 5
"""Places named for one kind of fault; more would bury the others."""
_BLANK = re.compile(rb"(?m)^[ \t]*\r?\n")
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_INSTANT = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$"


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A source that could be read, and what is wrong with it all the same."""

    frame: pl.DataFrame
    faults: tuple[Fault, ...] = ()


def read_file(path: Path, kind: FileFormat, *, label: str | None) -> Opened:
    """The whole file. BadInput when it is not there, cannot be read or cannot be parsed."""
    require(path)
    if kind == "parquet":
        return parquet(path)
    return parse(path.read_bytes(), kind, place=path.name, label=label)


def require(path: Path) -> None:
    """BadInput(data_missing) unless there is a readable file."""
    problem, fix = "", ""
    if not path.exists():
        close = difflib.get_close_matches(path.name, _beside(path), n=3)
        problem = "does not exist"
        fix = f"did you mean {' or '.join(close)}?" if close else "check the path"
    elif not path.is_file():
        problem, fix = "is not a file", "name one file"
    else:
        try:
            path.open("rb").close()
        except OSError as error:
            problem, fix = f"cannot be read ({error.strerror})", "give the user who runs this read access"
    if problem:
        raise BadInput([Fault(place=str(path), problem=problem, fix=fix)], cause="data_missing")


def _beside(path: Path) -> list[str]:
    return [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else []


def parquet(path: Path, rows: int | None = None) -> Opened:
    """A Parquet file, or its first rows. BadInput when it is none."""
    try:
        frame = pl.read_parquet(path, n_rows=rows, use_pyarrow=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unparsed(path.name, "Parquet", error) from error
    return Opened(frame=_plain(frame))


def parse(data: bytes, kind: Literal["csv", "jsonl"], *, place: str, label: str | None) -> Opened:
    """Text of a CSV or JSON Lines file; in CSV the label keeps its spelling. BadInput when it cannot be parsed."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise BadInput([Fault(place=place, problem="is empty", fix="write a header and rows into it")])
    _require_utf8(data, place)
    return _csv(data, place, label) if kind == "csv" else _jsonl(data, place, label)


def header(data: bytes) -> tuple[list[str], str]:
    """The names in the first line of a CSV text, and its separator."""
    text = io.StringIO(data[: 1 << 20].decode("utf-8", errors="ignore"), newline="")
    first = text.readline()
    separator = "," if "," in first else max(";\t|", key=first.count)
    text.seek(0)
    return next(csv.reader(text, delimiter=separator)), separator


def _csv(data: bytes, place: str, label: str | None) -> Opened:
    data = _without_blank_lines(data)
    names, separator = header(data)
    try:
        frame = pl.read_csv(
            io.BytesIO(data),
            separator=separator,
            infer_schema_length=None,
            null_values=list(MISSING),
            schema_overrides={label: pl.String} if label in names else None,
        )
    except pl.exceptions.PolarsError as error:
        raise _ragged(data, place, separator, len(names)) or _unparsed(place, "CSV", error) from error
    return Opened(frame=_plain(_typed(frame, keep=label, numbers=True)), faults=tuple(name_faults(names, place)))


def _jsonl(data: bytes, place: str, label: str | None) -> Opened:
    bad = _bad_lines(data, place)
    if bad:
        raise BadInput(bad)
    try:
        frame = pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        raise _unparsed(place, "JSON Lines", error) from error
    return Opened(
        frame=_plain(_typed(frame, keep=label, numbers=False)), faults=tuple(name_faults(frame.columns, place))
    )


def name_faults(names: list[str], place: str) -> list[Fault]:
    """Names that are there twice or not at all."""
    found = []
    for name in dict.fromkeys(n for n in names if names.count(n) > 1 and n):
        where = ", ".join(str(i + 1) for i, n in enumerate(names) if n == name)
        found.append(
            Fault(place=place, problem=f"the name {name!r} is on columns {where}", fix="give each column its own name")
        )
    for i, name in enumerate(names):
        if not name.strip():
            found.append(Fault(place=f"{place}, column {i + 1}", problem="has no name", fix="name it in the header"))
    return found


def _require_utf8(data: bytes, place: str) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = f"is not UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start})"
        fix = "save it as UTF-8, for example with `iconv -f ENCODING -t UTF-8`"
        raise BadInput([Fault(place=f"{place}, line {line}", problem=problem, fix=fix)]) from error


def _without_blank_lines(data: bytes) -> bytes:
    """A blank line is no row, unless it is inside quotes."""
    if not _BLANK.search(data):
        return data
    if b'"' not in data:
        return _BLANK.sub(b"", data)
    _, separator = header(data.lstrip())
    kept = io.StringIO(newline="")
    rows = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator)
    csv.writer(kept, delimiter=separator).writerows(row for row in rows if "".join(row).strip() or len(row) > 1)
    return kept.getvalue().encode()


def _ragged(data: bytes, place: str, separator: str, width: int) -> BadInput | None:
    rows = csv.reader(io.StringIO(data.decode(), newline=""), delimiter=separator)
    found: list[Fault] = []
    try:
        for row in rows:
            if len(row) > width and len(found) < _SHOWN:
                problem = f"has {len(row)} fields, the header has {width}"
                fix = "quote fields that contain the separator"
                found.append(Fault(place=f"{place}, line {rows.line_num}", problem=problem, fix=fix))
    except csv.Error as error:
        found.append(Fault(place=f"{place}, line {rows.line_num}", problem=str(error), fix="correct the line"))
    return BadInput(found) if found else None


def _bad_lines(data: bytes, place: str) -> list[Fault]:
    found: list[Fault] = []
    for number, line in enumerate(data.decode().splitlines(), start=1):
        if len(found) == _SHOWN:
            break
        if line.strip() and (problem := _not_an_object(line)):
            found.append(Fault(place=f"{place}, line {number}", problem=problem, fix="write one JSON object a line"))
    return found


def _not_an_object(line: str) -> str | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"is not JSON ({error})"
    return None if isinstance(value, dict) else "is not a JSON object"


def _unparsed(place: str, kind: str, error: Exception) -> BadInput:
    reason = str(error).strip().split("\n")[0][:200]
    return BadInput(
        [Fault(place=place, problem=f"cannot be read as {kind} ({reason})", fix=f"check that it is {kind}")]
    )


def _typed(frame: pl.DataFrame, *, keep: str | None, numbers: bool) -> pl.DataFrame:
    """Text columns that hold only ISO dates, or (in CSV) numbers with spaces around them, as what they are."""
    texts = [n for n, t in frame.schema.items() if t == pl.String and n != keep]
    return frame.with_columns(new for name in texts if (new := _read_as(frame[name], numbers)) is not None)


def _read_as(column: pl.Series, numbers: bool) -> pl.Series | None:
    text = column.str.strip_chars()
    text = text.set(text.is_in(MISSING), None)
    if text.null_count() == len(text):
        return None
    number = text.cast(pl.Float64, strict=False)
    if numbers and number.null_count() == text.null_count():
        return number.cast(pl.Int64) if text.str.contains(r"^[+-]?\d{1,15}$").all() else number
    dates = _dates(text)
    return dates if dates is not None and dates.null_count() == text.null_count() else None


def _dates(text: pl.Series) -> pl.Series | None:
    if text.str.contains(_DAY).all():
        return text.str.to_date("%Y-%m-%d", strict=False)
    if not text.str.contains(_INSTANT).all():
        return None
    zoned = text.str.contains(r"(Z|[+-]\d{2}:?\d{2})$")
    clean = text.str.replace("T", " ", literal=True).str.replace(r"Z$", "+0000")
    if zoned.any():
        if not zoned.all():
            return None
        return clean.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_unit="us", strict=False)
    return clean.str.to_datetime(time_unit="us", strict=False)


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers as Int64 or Float64, categories as text: what every later step can rely on."""
    return frame.with_columns(_plain_column(frame[name]) for name in frame.columns)


def _plain_column(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if kind.is_integer():
        whole = column.cast(pl.Int64, strict=False)
        return whole if whole.null_count() == column.null_count() else column.cast(pl.Float64)
    if kind.is_float() or kind.is_decimal():
        return column.cast(pl.Float64)
    if kind in (pl.Categorical, pl.Enum) or kind == pl.Null:
        return column.cast(pl.String)
    return column
