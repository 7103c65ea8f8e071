"""Looks at one table for `plan`: a header and a capped sample, or what a folder holds. Bundled sets are listed.

Run as `python -I -m tools.recipes.probe`: `ProbeArgs` as JSON on standard input, `Probe` on standard output.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import polars as pl
from pydantic import ValidationError

from tools.language import speaking, tr
from tools.recipes import licences
from tools.recipes.data import bundled, checks, folders, personal, probe_folders, roles
from tools.recipes.data.probe_columns import column_of, label_of, likely, shown
from tools.recipes.data.profile import class_order
from tools.recipes.data.reading import FileFormat, Opened, parquet, parse, require
from tools.recipes.faults import BadInput, Fault
from tools.recipes.probe_records import Probe, ProbeArgs, ProbedColumn, ProbedLabel
from tools.recipes.records import Format, PrepareArgs, Table

SAMPLE_ROWS = 10_000
SAMPLE_BYTES = 4 << 20


def probe(args: ProbeArgs) -> Probe:
    """What the source shows. Never raises for a bad source: its faults are in the document."""
    kind = _format(args)
    try:
        match kind:
            case "bundled":
                return _bundled(args)
            case "images":
                found = probe_folders.images(args)
            case "folder":
                found = _folder(args)
            case _:
                found = _file(args, kind)
        return found.model_copy(update={"licences": licences.beside(Path(args.source))})
    except BadInput as error:
        cause: Literal["data_missing", "data_invalid"] = (
            "data_missing" if error.cause == "data_missing" else "data_invalid"
        )
        return Probe(source=args.source, format=kind, faults=error.found, cause=cause)


def _format(args: ProbeArgs) -> Format:
    path = Path(args.source)
    if args.source.startswith(bundled.PREFIX):
        return "bundled"
    if path.is_dir() and args.format != "images":
        return "images" if args.format is None and probe_folders.looks_like_images(path, args.task) else "folder"
    return args.format or folders.FILES.get(path.suffix.lower(), "csv")


def _file(args: ProbeArgs, kind: FileFormat) -> Probe:
    path = Path(args.source)
    require(path)
    opened, rows = _sampled(path, kind, args)
    return _seen(args, kind, opened, size=path.stat().st_size, rows=rows)


def _sampled(path: Path, kind: FileFormat, args: ProbeArgs) -> tuple[Opened, int]:
    """The first rows of a file, and how many it has in all, counted or estimated."""
    size = path.stat().st_size
    if kind == "parquet":
        opened = parquet(path, SAMPLE_ROWS)
        return opened, int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    data = _head(path)
    opened = parse(data, kind, place=path.name, label=args.label)
    return opened, opened.frame.height if len(data) == size else round(opened.frame.height * size / max(len(data), 1))


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


def _folder(args: ProbeArgs) -> Probe:
    """Text files by class, or tables: the first is sampled, and others are asked whether they have its columns."""
    root = Path(args.source)
    found = folders.contents(root)
    if not found.tables:
        return probe_folders.texts(args, found)
    kind = folders.file_kind(root, found.tables)
    opened, rows = _sampled(found.tables[0], kind, args)
    sizes = [p.stat().st_size for p in found.tables]
    faults = list(opened.faults)
    for path in probe_folders.spread(found.tables[1:]) if kind != "jsonl" else ():
        names = probe_folders.header_of(path, kind)
        faults += folders.differences(root, found.tables[0], path, opened.frame.columns, names)
    estimated = rows if len(sizes) == 1 else round(rows * sum(sizes) / max(sizes[0], 1))
    sample = Opened(frame=opened.frame, faults=tuple(faults))
    return _seen(args, "folder", sample, size=sum(sizes), rows=estimated)


def _seen(args: ProbeArgs, kind: Format, opened: Opened, *, size: int, rows: int) -> Probe:
    frame = opened.frame.head(SAMPLE_ROWS)
    complete = frame.height == rows
    label = label_of(frame[args.label], args.task) if args.label in frame.columns and frame.height else None
    faults = [*opened.faults, *_faults(frame, args, label, complete=complete)]
    return Probe(
        source=args.source,
        format=kind,
        bytes=size,
        rows=rows,
        sampled=frame.height,
        complete=complete,
        columns=tuple(column_of(frame[name], label) for name in frame.columns),
        sample=shown(frame),
        label=label,
        likely_label=None if args.label else likely(frame.columns),
        personal=tuple(personal.held(frame)),
        faults=tuple(faults),
        cause="data_invalid" if faults else None,
    )


def _faults(frame: pl.DataFrame, args: ProbeArgs, label: ProbedLabel | None, *, complete: bool) -> list[Fault]:
    whole = complete and not args.together and args.role != "holdout"
    task = args.task or (label.suggested_task if label is not None else None)
    found: list[Fault] = []
    if args.label is not None or args.task in ("clustering", "recommendation"):
        found = [] if args.together or args.label is None else checks.label_name_faults(frame.columns, args.label)
        found += _column_faults(frame, args)
    if label is not None and task is not None:
        found += checks.label_faults(frame[label.name], task, complete=whole)
    elif frame.height == 0:
        found += checks.label_faults(pl.Series("label", [], dtype=pl.String), "classification", complete=True)
    return found + (_split_faults(frame, args, complete=whole) if frame.height else [])


def _column_faults(frame: pl.DataFrame, args: ProbeArgs) -> list[Fault]:
    if not args.together:
        return checks.column_faults(frame, label=args.label, drop=args.drop_columns, task=args.task)
    drop = [name for name in args.drop_columns if name in frame.columns]
    found = checks.column_faults(frame, label=args.label, drop=drop, task=args.task)
    return [f for f in found if f.place != "columns"]


def _split_faults(frame: pl.DataFrame, args: ProbeArgs, *, complete: bool) -> list[Fault]:
    """A split that cannot be made, and columns that the task needs and that are not to be found."""
    if args.together and args.split.column not in frame.columns:
        return []
    if args.task is None or args.together:
        return checks.split_faults(frame, args.split, complete=complete)
    asked = PrepareArgs(
        tables=(Table(name=args.source, source=args.source, format="csv", role=args.role),),
        task=args.task,
        label=args.label,
        time=args.time,
        group=args.group,
        split=args.split,
        drop_columns=args.drop_columns,
    )
    found = roles.find(frame, asked, args.label)
    split = roles.settled(asked, found).split
    return list(dict.fromkeys([*checks.split_faults(frame, split, complete=complete), *found.faults]))


def _bundled(args: ProbeArgs) -> Probe:
    known = bundled.find(args.source)
    names = (*known.columns, bundled.LABEL)
    label = args.label or bundled.LABEL
    faults = checks.label_name_faults(names, label)
    if args.task in checks.CLASSES and known.task == "regression":
        fix = tr("ask for regression, or name another set")
        faults.append(Fault(place=tr("label {label!r}", label=label), problem=tr("is a number, not a class"), fix=fix))
    if args.task in checks.NUMBERS and known.task == "classification" and not _all_numbers(known.classes):
        fix = tr("ask for classification, or name another set")
        faults.append(Fault(place=tr("label {label!r}", label=label), problem=tr("is a class, not a number"), fix=fix))
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
        classes=class_order(pl.Series(known.classes, dtype=pl.String)),
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
    with speaking("zh" if sys.argv[1:] == ["zh"] else "en"):
        sys.stdout.write(probe(args).model_dump_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
