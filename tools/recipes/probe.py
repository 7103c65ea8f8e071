"""Looks at a source for `plan`: its header and a capped sample, with Polars alone. Bundled sets come from a table.

Run as `python -I -m tools.recipes.probe`: `ProbeArgs` as JSON on standard input, `Probe` on standard output.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import ValidationError

from tools.recipes import bundled, checks, profile
from tools.recipes.faults import BadInput, Fault
from tools.recipes.probe_records import Format, Probe, ProbeArgs, ProbedColumn, ProbedLabel
from tools.recipes.reading import Opened, parquet, parse, require
from tools.recipes.records import Task

SAMPLE_ROWS = 10_000
SAMPLE_BYTES = 4 << 20
_SHOWN_ROWS = 5
_SHOWN_TEXT = 80
_CLASSES_MOST = 20
"""Distinct whole numbers up to which a label is rather a class than a quantity."""
_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_LIKELY = ("target", "label", "class", "y", "outcome", "标签", "目标", "类别")


def probe(args: ProbeArgs) -> Probe:
    """What the source shows. Never raises for a bad source: its faults are in the document."""
    kind = _format(args)
    try:
        if kind == "bundled":
            return _bundled(args)
        return _file(args, kind)
    except BadInput as error:
        cause: Literal["data_missing", "data_invalid"] = (
            "data_missing" if error.cause == "data_missing" else "data_invalid"
        )
        return Probe(source=args.source, format=kind, faults=error.found, cause=cause)


def _format(args: ProbeArgs) -> Format:
    if args.source.startswith(bundled.PREFIX):
        return "bundled"
    return args.format or _ENDINGS.get(Path(args.source).suffix.lower(), "csv")


def _file(args: ProbeArgs, kind: Literal["csv", "parquet", "jsonl"]) -> Probe:
    path = Path(args.source)
    require(path)
    size = path.stat().st_size
    if kind == "parquet":
        opened = parquet(path, SAMPLE_ROWS)
        rows = int(pl.scan_parquet(path).select(pl.len()).collect().item())
        return _seen(args, kind, opened, size=size, rows=rows)
    data = _head(path)
    opened = parse(data, kind, place=path.name, label=args.label)
    rows = opened.frame.height if len(data) == size else round(opened.frame.height * size / max(len(data), 1))
    return _seen(args, kind, opened, size=size, rows=rows)


def _head(path: Path) -> bytes:
    """The first bytes, up to the end of a line that is not inside quotes."""
    with path.open("rb") as stream:
        data = stream.read(SAMPLE_BYTES + 1)
    if len(data) <= SAMPLE_BYTES:
        return data
    data = data[: data.rfind(b"\n", 0, SAMPLE_BYTES) + 1] or data[:SAMPLE_BYTES]
    while data.count(b'"') % 2 and b"\n" in data[:-1]:
        data = data[: data.rfind(b"\n", 0, data.rfind(b'"')) + 1]
    return data


def _seen(args: ProbeArgs, kind: Literal["csv", "parquet", "jsonl"], opened: Opened, *, size: int, rows: int) -> Probe:
    frame = opened.frame.head(SAMPLE_ROWS)
    complete = frame.height == rows
    label = _label(frame[args.label], args.task) if args.label in frame.columns and frame.height else None
    faults = [*opened.faults, *_faults(frame, args, label, complete=complete)]
    return Probe(
        source=args.source,
        format=kind,
        bytes=size,
        rows=rows,
        sampled=frame.height,
        complete=complete,
        columns=tuple(_column(frame[name], label) for name in frame.columns),
        sample=_shown(frame),
        label=label,
        likely_label=None if args.label else _likely(frame.columns),
        faults=tuple(faults),
        cause="data_invalid" if faults else None,
    )


def _faults(frame: pl.DataFrame, args: ProbeArgs, label: ProbedLabel | None, *, complete: bool) -> list[Fault]:
    found = checks.label_name_faults(frame.columns, args.label) if args.label is not None else []
    found += checks.column_faults(frame, label=args.label or "", drop=args.drop_columns) if args.label else []
    if label is not None:
        found += checks.label_faults(frame[label.name], args.task or label.suggested_task, complete=complete)
    elif frame.height == 0:
        found += checks.label_faults(pl.Series("label", [], dtype=pl.String), "classification", complete=True)
    return found + (checks.split_faults(frame, args.split, complete=complete) if frame.height else [])


def _label(column: pl.Series, asked: Task | None) -> ProbedLabel:
    numbers = checks.label_numbers(column).drop_nulls()
    names = checks.class_names(column)
    given = names.drop_nulls()
    numeric = len(given) > 0 and len(numbers) >= len(given) and column.dtype != pl.Boolean
    whole = numeric and bool(numbers.is_finite().all()) and bool((numbers == numbers.round()).all())
    few = given.n_unique() <= _CLASSES_MOST
    suggested: Task = "regression" if numeric and not (whole and few) else "classification"
    task = asked or suggested
    classes = profile.class_order(names) if task == "classification" else ()
    return ProbedLabel(
        name=column.name,
        kind=("integer" if whole else "number") if numeric else checks.kind_of(column.dtype) or "category",
        missing=int(names.null_count()),
        distinct=given.n_unique(),
        classes=classes if len(classes) <= 1000 else (),
        positive=profile.positive_class(names, classes),
        suggested_task=suggested,
    )


def _column(column: pl.Series, label: ProbedLabel | None) -> ProbedColumn:
    if label is not None and column.name == label.name:
        return ProbedColumn(name=label.name, kind=label.kind, missing=label.missing, distinct=label.distinct)
    kind = checks.kind_of(column.dtype)
    missing = int((~checks.given(column)).sum())
    distinct = column.drop_nulls().n_unique() if kind is not None else 0
    return ProbedColumn(name=column.name, kind=kind, missing=missing, distinct=distinct)


def _shown(frame: pl.DataFrame) -> tuple[tuple[str | None, ...], ...]:
    rows = frame.head(_SHOWN_ROWS).rows()
    return tuple(tuple(None if v is None else str(v)[:_SHOWN_TEXT] for v in row) for row in rows)


def _likely(names: list[str]) -> str | None:
    known = {name.strip().casefold(): name for name in reversed(names)}
    return next((known[word] for word in _LIKELY if word in known), None)


def _bundled(args: ProbeArgs) -> Probe:
    known = bundled.find(args.source)
    names = (*known.columns, bundled.LABEL)
    label = args.label or bundled.LABEL
    faults = checks.label_name_faults(names, label)
    if args.task == "classification" and known.task == "regression":
        fix = "ask for regression, or name another set"
        faults.append(Fault(place=f"label {label!r}", problem="is a number, not a class", fix=fix))
    if args.task == "regression" and known.task == "classification" and not _all_numbers(known.classes):
        fix = "ask for classification, or name another set"
        faults.append(Fault(place=f"label {label!r}", problem="is a class, not a number", fix=fix))
    return Probe(
        source=args.source,
        format="bundled",
        bytes=known.rows * len(names) * 8,
        rows=known.rows,
        complete=True,
        columns=tuple(ProbedColumn(name=n, kind="number", missing=0, distinct=0) for n in known.columns),
        label=_bundled_label(known) if not faults else None,
        faults=tuple(faults),
        cause="data_invalid" if faults else None,
    )


def _bundled_label(known: bundled.Bundled) -> ProbedLabel:
    return ProbedLabel(
        name=bundled.LABEL,
        kind="category" if known.classes else "number",
        missing=0,
        distinct=len(known.classes),
        classes=profile.class_order(pl.Series(known.classes, dtype=pl.String)),
        positive=known.positive,
        suggested_task=known.task,
    )


def _all_numbers(classes: tuple[str, ...]) -> bool:
    return all(c.isdigit() for c in classes)


def main() -> int:
    try:
        args = ProbeArgs.model_validate_json(sys.stdin.buffer.read())
    except ValidationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(probe(args).model_dump_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
