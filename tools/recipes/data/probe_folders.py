"""What a folder shows at a glance: images or texts by class, counted, and a sample of them opened."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tools.language import tr
from tools.recipes.data import checks, personal, profile
from tools.recipes.data.folders import TEXT, Contents, contents
from tools.recipes.data.images_in import broken, listed
from tools.recipes.data.reading import FileFormat, header
from tools.recipes.faults import BadInput, Fault
from tools.recipes.probe_records import Probe, ProbeArgs, ProbedColumn, ProbedLabel
from tools.recipes.records import Task

_SAMPLE = 50
"""Files that are opened."""
_SECONDS = 5.0
_HEAD = 1 << 20


def looks_like_images(root: Path, task: Task | None) -> bool:
    """Whether a folder is one of images: by the task, else by what lies in it."""
    if task == "image-classification":
        return True
    found = contents(root)
    return bool(found.images) and not found.tables and not any(p.parent != root for p in found.texts)


def spread(files: Sequence[Path], most: int = _SAMPLE) -> list[Path]:
    """At most so many files, evenly from first to last."""
    if len(files) <= most:
        return list(files)
    return [files[i * len(files) // most] for i in range(most)]


def images(args: ProbeArgs) -> Probe:
    """Classes and counts of a folder of images; a sample of the files is decoded."""
    root = Path(args.source)
    found = listed(root)
    files = [p for paths in found.classes.values() for p in paths]
    faults = [
        Fault(place=name, problem=tr("the class holds no image"), fix=tr("put images into it, or remove the folder"))
        for name, paths in found.classes.items()
        if not paths
    ]
    until, opened = time.monotonic() + _SECONDS, 0
    for path in spread(files):
        if time.monotonic() > until:
            break
        opened += 1
        if problem := broken(path.read_bytes()):
            faults.append(Fault(place=str(path.relative_to(root)), problem=problem, fix=tr("replace or remove it")))
    counts = {name: len(paths) for name, paths in found.classes.items() if paths}
    column = ProbedColumn(name=checks.IMAGE, kind="image", missing=0, distinct=len(files))
    return _seen(args, "image-classification", counts, files, column, faults, opened=opened)


def texts(args: ProbeArgs, found: Contents) -> Probe:
    """Classes and counts of a folder of text files; a sample of them is decoded."""
    root = Path(args.source)
    files = [p for p in found.texts if p.parent != root]
    if not files:
        images_there = tr("; its images are read when the task is image-classification") if found.images else ""
        fix = tr(
            "name a folder of CSV, Parquet or JSON Lines files, or of class folders with .txt files{images_there}",
            images_there=images_there,
        )
        raise BadInput([Fault(place=str(root), problem=tr("holds no file that can be read as data"), fix=fix)])
    faults, read = [], list[tuple[str, str]]()
    sample = spread(files)
    for path in sample:
        try:
            text = path.read_bytes()[:_HEAD].decode("utf-8-sig", errors="strict" if _small(path) else "ignore")
            read.append((text, path.relative_to(root).parts[0]))
        except UnicodeDecodeError as error:
            problem = tr(
                "is not UTF-8 (byte 0x{byte:02x} at offset {start})",
                byte=error.object[error.start],
                start=error.start,
            )
            fix = tr("save it as UTF-8, for example with `iconv -f ENCODING -t UTF-8`")
            faults.append(Fault(place=str(path.relative_to(root)), problem=problem, fix=fix))
    counts = Counter(p.relative_to(root).parts[0] for p in files)
    column = ProbedColumn(name=TEXT, kind="text", missing=0, distinct=len(files))
    seen = _seen(args, "text-classification", counts, files, column, faults, opened=len(sample))
    held = personal.held(pl.DataFrame({TEXT: [text for text, _ in read]}, schema={TEXT: pl.String}))
    shown = tuple((text[:80], of) for text, of in read[:5])
    return seen.model_copy(update={"sample": shown, "personal": tuple(held)})


def header_of(path: Path, kind: FileFormat) -> list[str]:
    """The names of a file's columns, from its beginning alone."""
    if kind == "parquet":
        return list(pl.read_parquet_schema(path))
    with path.open("rb") as stream:
        head = stream.read(_HEAD).removeprefix(b"\xef\xbb\xbf")
    if kind == "csv":
        return header(head.lstrip())[0] if head.strip() else []
    first, _, _ = head.lstrip().partition(b"\n")
    try:
        return pl.read_ndjson(first).columns if first else []
    except pl.exceptions.PolarsError:
        return []


def _small(path: Path) -> bool:
    return path.stat().st_size <= _HEAD


def _seen(
    args: ProbeArgs,
    suggested: Task,
    counts: dict[str, int] | Counter[str],
    files: Sequence[Path],
    column: ProbedColumn,
    faults: list[Fault],
    *,
    opened: int,
) -> Probe:
    names = pl.Series([name for name, n in counts.items() for _ in range(n)], dtype=pl.String)
    classes = profile.class_order(names)
    label = ProbedLabel(
        name=args.label or "label",
        kind="category",
        missing=0,
        distinct=len(classes),
        classes=classes,
        positive=profile.positive_class(names, classes),
        suggested_task=suggested,
    )
    if args.role != "holdout":
        faults = [*faults, *checks.label_faults(names.alias(label.name), args.task or suggested, complete=True)]
    return Probe(
        source=args.source,
        format="images" if suggested == "image-classification" else "folder",
        bytes=sum(p.stat().st_size for p in files),
        rows=len(files),
        sampled=opened,
        complete=opened == len(files),
        columns=(column, ProbedColumn(name=label.name, kind="category", missing=0, distinct=len(classes))),
        label=label,
        faults=tuple(faults),
        cause="data_invalid" if faults else None,
    )
