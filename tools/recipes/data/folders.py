"""Reads a folder as one table: many files of one schema put together, or text files with one sub-folder per class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tools.language import tr
from tools.recipes.data.images_in import ENDINGS as IMAGE_ENDINGS
from tools.recipes.data.images_in import require_folder, require_inside
from tools.recipes.data.reading import FileFormat, Opened, read_file
from tools.recipes.faults import BadInput, Fault

FILES: dict[str, FileFormat] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
TEXT = "text"
"""The column that holds the content of text files."""
_SHOWN = 5
_NUMBERS = (pl.Int64, pl.Float64)
_PARTS = frozenset({"test", "holdout", "valid", "validation", "val", "dev", "eval"})
"""Names of files that look like a part of a split."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The files of a folder that can be data, in the order of their paths."""

    tables: tuple[Path, ...]
    texts: tuple[Path, ...]
    images: tuple[Path, ...]


def contents(root: Path) -> Contents:
    """What lies in the folder. BadInput(data_missing) when there is no such folder."""
    require_folder(root)
    files = sorted(p for p in root.rglob("*") if p.is_file() and not _hidden(p.relative_to(root)))
    require_inside(root, files)
    return Contents(
        tables=tuple(p for p in files if p.suffix.lower() in FILES),
        texts=tuple(p for p in files if p.suffix.lower() == ".txt"),
        images=tuple(p for p in files if p.suffix.lower() in IMAGE_ENDINGS),
    )


def read_folder(root: Path, *, label: str | None) -> Opened:
    """All rows of its files, in the order of their paths. BadInput names every file that does not fit the others."""
    found = contents(root)
    if found.tables and any(p.parent != root for p in found.texts):
        problem = tr("holds {tables} tables and {texts} text files", tables=len(found.tables), texts=len(found.texts))
        raise BadInput([Fault(place=str(root), problem=problem, fix=tr("keep the data in a folder of its own"))])
    if found.tables:
        return _tables(root, found.tables, label)
    if found.texts:
        return _texts(root, found.texts, label or "label")
    images = tr("; its images are read when the task is image-classification") if found.images else ""
    fix = tr(
        "name a folder of CSV, Parquet or JSON Lines files, or of class folders with .txt files{images}", images=images
    )
    raise BadInput([Fault(place=str(root), problem=tr("holds no file that can be read as data"), fix=fix)])


def file_kind(root: Path, files: Sequence[Path]) -> FileFormat:
    """The one format of the files. BadInput when there are several."""
    kinds = {FILES[p.suffix.lower()]: p for p in reversed(files)}
    if len(kinds) > 1:
        named = ", ".join(repr(str(p.relative_to(root))) for p in kinds.values())
        problem = tr("holds files of {n} formats ({named})", n=len(kinds), named=named)
        raise BadInput([Fault(place=str(root), problem=problem, fix=tr("convert them to one format"))])
    return next(iter(kinds))


def placed(fault: Fault, file: str) -> Fault:
    """The fault with the file it is in, unless it names it already."""
    if Path(file).name in fault.place:
        return fault
    return fault.model_copy(update={"place": f"{file}: {fault.place}"})


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _tables(root: Path, files: Sequence[Path], label: str | None) -> Opened:
    kind = file_kind(root, files)
    frames: list[pl.DataFrame] = []
    faults: list[Fault] = []
    for path in files:
        try:
            opened = read_file(path, kind, label=label)
        except BadInput as error:
            faults += [placed(f, str(path.relative_to(root))) for f in error.found]
            continue
        faults += opened.faults
        frames.append(opened.frame)
        if kind != "jsonl":  # an object may leave a name out
            faults += differences(root, files[0], path, frames[0].columns, opened.frame.columns)
    if faults:
        raise BadInput(faults[: 4 * _SHOWN])
    return Opened(frame=_together(root, files, frames), findings=tuple(_findings(root, files)))


def differences(root: Path, first: Path, path: Path, one: Sequence[str], other: Sequence[str]) -> Iterator[Fault]:
    """A fault that names the columns a file lacks or has besides those of the first one."""
    lacks = [n for n in one if n not in other]
    more = [n for n in other if n not in one]
    if lacks or more:
        said = [tr("lacks {names}", names=", ".join(map(repr, lacks[:_SHOWN])))] if lacks else []
        said += [tr("has {names} besides", names=", ".join(map(repr, more[:_SHOWN])))] if more else []
        problem = tr(
            "has not the columns of {file}: it {said}", file=first.relative_to(root), said=tr(" and ").join(said)
        )
        yield Fault(place=str(path.relative_to(root)), problem=problem, fix=tr("give all files the same columns"))


def _together(root: Path, files: Sequence[Path], frames: list[pl.DataFrame]) -> pl.DataFrame:
    """The frames below each other. A column that is a number in one and text in another is text in all."""
    names = list(dict.fromkeys(n for f in frames for n in f.columns))
    frames = [f.with_columns(pl.lit(None).alias(n) for n in names if n not in f.columns) for f in frames]
    kinds: dict[str, pl.DataType] = {}
    faults = []
    for name in names:
        given = {f.schema[name]: path for f, path in zip(frames, files, strict=True) if f[name].null_count() < f.height}
        kinds[name] = _common(list(given)) if given else frames[0].schema[name]
        if kinds[name] == pl.Null:
            told = tr(" and ").join(
                tr("{kind} in {file}", kind=kind, file=path.relative_to(root)) for kind, path in given.items()
            )
            fix = tr("write values of one kind in all files")
            faults.append(
                Fault(
                    place=tr("{place}, column {name!r}", place=root.name, name=name),
                    problem=tr("holds {told}", told=told),
                    fix=fix,
                )
            )
    if faults:
        raise BadInput(faults[: 4 * _SHOWN])
    return pl.concat(f.select(pl.col(n).cast(kinds[n], strict=False) for n in names) for f in frames)


def _common(kinds: list[pl.DataType]) -> pl.DataType:
    """The kind that holds values of all of them; Null when there is none."""
    if len(kinds) == 1:
        return kinds[0]
    if all(k in _NUMBERS for k in kinds):
        return pl.Float64()
    if all(k in (*_NUMBERS, pl.String, pl.Boolean) for k in kinds) and pl.String in kinds:
        return pl.String()
    if all(k == pl.Date or (isinstance(k, pl.Datetime) and k.time_zone is None) for k in kinds):
        return pl.Datetime("us")
    return pl.Null()


def _texts(root: Path, files: Sequence[Path], label: str) -> Opened:
    faults: list[Fault] = []
    texts: list[str] = []
    classes: list[str] = []
    loose = [p for p in files if p.parent == root]
    for path in files:
        if path.parent == root:
            continue
        try:
            texts.append(path.read_bytes().removeprefix(b"\xef\xbb\xbf").decode("utf-8"))
        except UnicodeDecodeError as error:
            problem = tr(
                "is not UTF-8 (byte 0x{byte:02x} at offset {start})",
                byte=error.object[error.start],
                start=error.start,
            )
            fix = tr("save it as UTF-8, for example with `iconv -f ENCODING -t UTF-8`")
            faults.append(Fault(place=str(path.relative_to(root)), problem=problem, fix=fix))
            continue
        classes.append(path.relative_to(root).parts[0])
    if not classes and not faults:
        problem = tr("{n} text files lie in no class folder", n=len(loose))
        faults.append(Fault(place=str(root), problem=problem, fix=tr("give each class a folder of its own")))
    if label == TEXT:
        faults.append(
            Fault(
                place=tr("label {label!r}", label=label),
                problem=tr("is the column of the texts"),
                fix=tr("name it otherwise"),
            )
        )
    if faults:
        raise BadInput(faults[: 4 * _SHOWN])
    found = [tr("text files in no class folder were left out ({n})", n=len(loose))] if loose else []
    frame = pl.DataFrame({TEXT: pl.Series(texts, dtype=pl.String), label: pl.Series(classes, dtype=pl.String)})
    return Opened(frame=frame, findings=tuple(found), label=label)


def _findings(root: Path, files: Sequence[Path]) -> Iterator[str]:
    alike = [p for p in files if p.stem.casefold() in _PARTS]
    if alike and len(files) > len(alike):
        named = ", ".join(repr(str(p.relative_to(root))) for p in alike[:_SHOWN])
        yield tr("{named} was put together with the other files: name it as the holdout if it is one", named=named)
