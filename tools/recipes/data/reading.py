"""Reads a source as it is: CSV, JSON Lines or Parquet, with every fault that shows on the way.

Decides how text becomes columns; knows nothing of labels, tasks and parts.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from tools.language import tr
from tools.recipes.card import MISSING
from tools.recipes.faults import BadInput, Fault

FileFormat = Literal["csv", "parquet", "jsonl"]

MOST_COLUMNS = 10_000
"""More columns than this are refused before the rows are read: no recipe here could learn from them."""
_SHOWN = 5
"""Places named for one kind of fault; more would bury the others."""
_FOOTER_MOST = 64 << 20
"""Bytes of a Parquet file's description of its columns."""
_HEADER_MOST = 1 << 20
_BLANK = re.compile(rb"(?m)^[ \t]*\r?\n")
_MONTH = r"^(19|20)\d{2}-(0[1-9]|1[0-2])$"
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_INSTANT = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?$"


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A source that could be read, and what is wrong with it all the same."""

    frame: pl.DataFrame
    faults: tuple[Fault, ...] = ()
    findings: tuple[str, ...] = ()
    """What a person should know of how it was read."""
    label: str | None = None
    """The column that folder names make, where they do."""


def read_file(path: Path, kind: FileFormat, *, label: str | None) -> Opened:
    """The whole file. BadInput when it is not there, cannot be read or cannot be parsed, or is too wide."""
    require(path)
    if kind == "parquet":
        return parquet(path)
    if kind == "csv":
        with path.open("rb") as stream:
            _require_width(stream.read(_HEADER_MOST + 1), path.name)
    return parse(path.read_bytes(), kind, place=path.name, label=label)


def require(path: Path) -> None:
    """BadInput(data_missing) unless there is a readable file."""
    problem, fix = "", ""
    if not path.exists():
        close = difflib.get_close_matches(path.name, _beside(path), n=3)
        problem = tr("does not exist")
        fix = tr("did you mean {names}?", names=tr(" or ").join(close)) if close else tr("check the path")
    elif not path.is_file():
        problem, fix = tr("is not a file"), tr("name one file")
    else:
        try:
            path.open("rb").close()
        except OSError as error:
            problem, fix = (
                tr("cannot be read ({strerror})", strerror=error.strerror),
                tr("give the user who runs this read access"),
            )
    if problem:
        raise BadInput([Fault(place=str(path), problem=problem, fix=fix)], cause="data_missing")


def _beside(path: Path) -> list[str]:
    return [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else []


def parquet(path: Path, rows: int | None = None) -> Opened:
    """A Parquet file, or its first rows. BadInput when it is none, or too wide."""
    if _footer(path) > _FOOTER_MOST:
        raise _wide(path.name, tr("the description of its columns is larger than 64 MiB"))
    try:
        if (width := len(pl.read_parquet_schema(path))) > MOST_COLUMNS:
            raise _wide(path.name, tr("it has {width} columns", width=width))
        frame = pl.read_parquet(path, n_rows=rows, use_pyarrow=False, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unparsed(path.name, "Parquet", error) from error
    return Opened(frame=_plain(frame))


def _footer(path: Path) -> int:
    """Bytes of the footer of a Parquet file, as its end says; 0 when it does not look like one."""
    with path.open("rb") as stream:
        if stream.seek(0, 2) < 12:
            return 0
        stream.seek(-8, 2)
        end = stream.read(8)
    return int.from_bytes(end[:4], "little") if end[4:] == b"PAR1" else 0


def _wide(place: str, why: str) -> BadInput:
    fix = tr("keep the columns that matter, or put them into rows")
    return BadInput(
        [
            Fault(
                place=place,
                problem=tr("{why}; at most {most} can be used", why=why, most=MOST_COLUMNS),
                fix=fix,
            )
        ]
    )


def _require_width(data: bytes, place: str) -> None:
    """BadInput when the first line alone shows more columns than can be used."""
    first, ended, _ = data.partition(b"\n")
    fields = max(first.count(separator) for separator in (b",", b";", b"\t", b"|")) + 1
    if fields > MOST_COLUMNS and b'"' not in first:
        raise _wide(
            place,
            tr("its header has {fields} columns", fields=fields)
            if ended
            else tr("its header has more than {fields} columns", fields=fields),
        )


def parse(data: bytes, kind: Literal["csv", "jsonl"], *, place: str, label: str | None) -> Opened:
    """Text of a CSV or JSON Lines file; in CSV the label keeps its spelling. BadInput when it cannot be parsed."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        fix = tr("save it as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`")
        raise BadInput([Fault(place=place, problem=tr("is UTF-16, not UTF-8"), fix=fix)])
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise BadInput([Fault(place=place, problem=tr("is empty"), fix=tr("write a header and rows into it"))])
    _require_utf8(data, place)
    frame, faults = _csv(data, place, label) if kind == "csv" else _jsonl(data, place)
    return Opened(frame=_plain(_typed(frame, keep=label, numbers=kind == "csv")), faults=tuple(faults))


def header(data: bytes) -> tuple[list[str], str]:
    """The names in the first line of a CSV text, and its separator."""
    text = io.StringIO(data[: 1 << 20].decode("utf-8", errors="ignore"), newline="")
    first = text.readline()
    separator = "," if "," in first else max(";\t|", key=first.count)
    text.seek(0)
    return next(csv.reader(text, delimiter=separator)), separator


def _csv(data: bytes, place: str, label: str | None) -> tuple[pl.DataFrame, list[Fault]]:
    data = _without_blank_lines(data)
    names, separator = header(data)
    if len(names) > MOST_COLUMNS:
        raise _wide(place, tr("its header has {n} columns", n=len(names)))
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
    return frame, name_faults(names, place)


def _jsonl(data: bytes, place: str) -> tuple[pl.DataFrame, list[Fault]]:
    bad = _bad_lines(data, place)
    if bad:
        raise BadInput(bad)
    try:
        frame = pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        raise _mixed(data, place) or _unparsed(place, "JSON Lines", error) from error
    return frame, name_faults(frame.columns, place)


def name_faults(names: list[str], place: str) -> list[Fault]:
    """Names that are there twice or not at all."""
    found = []
    for name in dict.fromkeys(n for n in names if names.count(n) > 1 and n):
        where = ", ".join(str(i + 1) for i, n in enumerate(names) if n == name)
        found.append(
            Fault(
                place=place,
                problem=tr("the name {name!r} is on columns {where}", name=name, where=where),
                fix=tr("give each column its own name"),
            )
        )
    for i, name in enumerate(names):
        if not name.strip():
            found.append(
                Fault(
                    place=tr("{place}, column {name}", place=place, name=i + 1),
                    problem=tr("has no name"),
                    fix=tr("name it in the header"),
                )
            )
    return found


def _require_utf8(data: bytes, place: str) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = tr("is not UTF-8 (byte 0x{byte:02x} at offset {start})", byte=data[error.start], start=error.start)
        fix = tr("save it as UTF-8, for example with `iconv -f ENCODING -t UTF-8`")
        raise BadInput(
            [Fault(place=tr("{place}, line {line}", place=place, line=line), problem=problem, fix=fix)]
        ) from error


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
                problem = tr("has {n} fields, the header has {width}", n=len(row), width=width)
                fix = tr("quote fields that contain the separator")
                found.append(
                    Fault(
                        place=tr("{place}, line {line_num}", place=place, line_num=rows.line_num),
                        problem=problem,
                        fix=fix,
                    )
                )
    except csv.Error as error:
        found.append(
            Fault(
                place=tr("{place}, line {line_num}", place=place, line_num=rows.line_num),
                problem=str(error),
                fix=tr("correct the line"),
            )
        )
    return BadInput(found) if found else None


def _bad_lines(data: bytes, place: str) -> list[Fault]:
    """Lines that are no object. BadInput as soon as they hold more names than there may be columns."""
    found: list[Fault] = []
    names: set[str] = set()
    for number, line in _lines(data):
        if len(found) == _SHOWN:
            break
        try:
            value = json.loads(line)
            problem = None if isinstance(value, dict) else tr("is not a JSON object")
            names.update(value if isinstance(value, dict) else ())
        except (ValueError, RecursionError) as error:
            problem = tr("is not JSON ({error})", error=error)
        if problem:
            found.append(
                Fault(
                    place=tr("{place}, line {number}", place=place, number=number),
                    problem=problem,
                    fix=tr("write one JSON object a line"),
                )
            )
        if len(names) > MOST_COLUMNS:
            raise _wide(
                place,
                tr(
                    "its objects have more than {most} names by line {number}",
                    most=MOST_COLUMNS,
                    number=number,
                ),
            )
    return found


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, each with its number; a line ends with a line feed and nothing else."""
    for number, line in enumerate(io.StringIO(data.decode(), newline="\n"), start=1):
        if line.strip():
            yield number, line


def _mixed(data: bytes, place: str) -> BadInput | None:
    """Names whose values are of kinds that no column can hold together: a flag and a number, a list and a text."""
    kinds: dict[str, dict[str, int]] = {}
    for number, line in _lines(data):
        for name, value in json.loads(line).items():
            if value is not None:
                kinds.setdefault(name, {}).setdefault(tr(_JSON_KINDS.get(type(value), "a number")), number)
    found = [
        Fault(
            place=tr("{place}, column {name!r}", place=place, name=name),
            problem=tr(
                "holds {told}",
                told=tr(" and ").join(tr("{kind} (line {line})", kind=kind, line=line) for kind, line in seen.items()),
            ),
            fix=tr("write values of one kind"),
        )
        for name, seen in kinds.items()
        if len(seen) > 1
    ]
    return BadInput(found[:_SHOWN]) if found else None


_JSON_KINDS: dict[type, str] = {bool: "a flag", str: "a text", list: "a list", dict: "an object"}


def _unparsed(place: str, kind: str, error: Exception) -> BadInput:
    reason = str(error).strip().split("\n")[0][:200]
    return BadInput(
        [
            Fault(
                place=place,
                problem=tr("cannot be read as {kind} ({reason})", kind=kind, reason=reason),
                fix=tr("check that it is {kind}", kind=kind),
            )
        ]
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
    if text.str.contains(_MONTH).all():
        return (text + "-01").str.to_date("%Y-%m-%d", strict=False)
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
