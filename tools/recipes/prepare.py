"""Prepares data: reads the source, parts it, and only then looks at values. The holdout leaves this job sealed.

Run as `python -I -m tools.recipes.prepare FOLDER`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from tools.digest import digest
from tools.recipes import bundled, checks, parts, profile, split
from tools.recipes.faults import Fault, refuse
from tools.recipes.program import Say, run, secret
from tools.recipes.reading import Opened, read_file
from tools.recipes.records import Inputs, PrepareArgs, PrepareResult

_DISCRETE = 0.5
"""Share of repeated rows above which repetition is how the data are, not an accident."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Rows that can be parted: labelled, and each exact row once or all its copies in one group."""

    frame: pl.DataFrame
    """Source columns, the label as it is learnt, and the row number last."""
    unlabelled: int
    duplicates: int
    together: np.ndarray[tuple[int], np.dtype[np.int64]] | None
    """Group numbers that keep copies in one part; None when copies were removed."""


@dataclass(frozen=True, kw_only=True)
class Sets:
    """The three parts, and how many training rows were dropped for missing values."""

    train: pl.DataFrame
    validation: pl.DataFrame
    holdout: pl.DataFrame
    dropped: int


def work(inputs: Inputs, say: Say) -> PrepareResult:
    """Write the three parts into `inputs.out`. BadInput lists every fault of the source."""
    args = PrepareArgs.model_validate(inputs.args)
    public = secret(inputs, "holdout.public")
    say("reading the source", 0.05)
    source, label = _source(args)
    say("checking", 0.3)
    labelled = _labelled(source, label, args)
    say("splitting", 0.5)
    sets = _sets(labelled, label, args)
    say("writing", 0.8)
    out = Path(inputs.out)
    parts.write_rows(sets.train[:, -1], sets.validation[:, -1], out / parts.ROWS)
    digests = {
        "source": _source_digest(args, source),
        "split": _split_digest(sets),
        "train": _write(sets.train, out / parts.TRAIN, args),
        "validation": _write(sets.validation, out / parts.VALIDATION, args),
        "holdout": parts.write_sealed(sets.holdout, out / parts.HOLDOUT, public),
    }
    return _result(source, labelled, sets, label, args, digests)


def _source(args: PrepareArgs) -> tuple[pl.DataFrame, str]:
    """The source and its label's name; every fault that can be told before rows are touched is raised at once."""
    label = bundled.LABEL if args.format == "bundled" and args.label is None else args.label
    opened = _open(args, label)
    frame = opened.frame
    faults = [*opened.faults, *checks.label_name_faults(frame.columns, label)]
    if label is not None:
        faults += checks.column_faults(frame, label=label, drop=args.drop_columns)
    if label in frame.columns:
        faults += checks.label_faults(frame[label], args.task, complete=True)
    elif frame.height == 0:
        faults += checks.label_faults(pl.Series("label", [], dtype=pl.String), args.task, complete=True)
    faults += checks.split_faults(frame, args.split, complete=True) if frame.height else []
    refuse(faults)
    return frame, label or ""


def _open(args: PrepareArgs, label: str | None) -> Opened:
    if args.format == "bundled":
        return Opened(frame=bundled.load(args.source))
    return read_file(Path(args.source), args.format, label=label)


def _labelled(source: pl.DataFrame, label: str, args: PrepareArgs) -> Labelled:
    values = _natural(source[label], args)
    row = parts.row_column(source.columns)
    frame = source.with_columns(values.alias(label)).with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(row))
    frame = frame.filter(pl.col(label).is_not_null())
    keys = [name for name in source.columns if name not in args.drop_columns]
    unique = frame.unique(subset=keys, keep="first", maintain_order=True)
    duplicates = frame.height - unique.height
    refuse(_few(unique.height, frame.height))
    discrete = duplicates > _DISCRETE * frame.height and args.split.by in ("random", "stratified")
    kept = discrete and "drop_duplicates" not in args.clean
    return Labelled(
        frame=frame if kept else unique,
        unlabelled=source.height - frame.height,
        duplicates=0 if kept else duplicates,
        together=_groups(frame.select(pl.struct(keys).rank("dense")).to_series()) if kept else None,
    )


def _natural(label: pl.Series, args: PrepareArgs) -> pl.Series:
    """The label as a number where that loses nothing of its spelling, else as text; null where it is missing."""
    if args.task == "regression":
        numbers = checks.label_numbers(label)
        whole = numbers.cast(pl.Int64, strict=False)
        return whole if whole.cast(pl.Float64).equals(numbers) else numbers
    names = checks.class_names(label)
    for dtype in (pl.Int64, pl.Float64):
        if (number := names.cast(dtype, strict=False)).cast(pl.String).eq_missing(names).all():
            return number
    return names


def _few(distinct: int, rows: int) -> list[Fault]:
    if distinct >= checks.MINIMUM_ROWS:
        return []
    problem = f"has {distinct} distinct rows among {rows} labelled ones"
    return [Fault(place="data", problem=problem, fix=f"give at least {checks.MINIMUM_ROWS} distinct rows")]


def _sets(labelled: Labelled, label: str, args: PrepareArgs) -> Sets:
    frame = labelled.frame
    where = _parted(labelled, label, args)
    kept = frame.drop(args.drop_columns)
    kept = kept.select(*(n for n in kept.columns[:-1] if n != label), label, kept.columns[-1])
    train = kept[where.train]
    whole = train.select(checks.given(train[n]) for n in train.columns[:-2])
    full = train.filter(pl.all_horizontal(whole)) if "drop_missing" in args.clean else train
    sets = Sets(
        train=full, validation=kept[where.validation], holdout=kept[where.holdout], dropped=train.height - full.height
    )
    refuse(_part_faults(sets, label, args))
    return sets


def _parted(labelled: Labelled, label: str, args: PrepareArgs) -> split.Parts:
    frame, spec = labelled.frame, args.split
    shares = (spec.holdout, spec.validation)
    if spec.by == "time":
        return split.by_time(_times(frame[spec.column or label]), *shares, checks.instant(spec.at) if spec.at else None)
    if spec.by == "group":
        return split.by_group(_groups(frame[spec.column or label]), *shares, args.seed)
    if labelled.together is not None:
        return split.by_group(labelled.together, *shares, args.seed)
    strata = _strata(frame, label, args)
    if strata is None:
        return split.at_random(frame.height, *shares, args.seed)
    return split.by_class(strata, *shares, args.seed)


def _strata(frame: pl.DataFrame, label: str, args: PrepareArgs) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    """Codes to keep in proportion; None when a plain random split is right."""
    if args.split.by == "stratified" and args.split.column is not None:
        return _groups(frame[args.split.column])
    if args.task == "regression":
        wanted = args.split.by == "stratified"
        return _groups(frame[label].rank("ordinal") * 10 // (frame.height + 1)) if wanted else None
    codes = _groups(frame[label])
    return codes if args.split.by == "stratified" or np.bincount(codes).min() >= split.ENOUGH else None


def _groups(column: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    text = column.cast(pl.String).fill_null("").to_numpy()
    return np.unique(text.astype(str), return_inverse=True)[1].astype(np.int64)


def _times(column: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Epoch seconds, or the numbers as they are; NaN where missing."""
    if column.dtype.is_temporal():
        column = column.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _part_faults(sets: Sets, label: str, args: PrepareArgs) -> list[Fault]:
    found = []
    for name, part in (("train", sets.train), ("validation", sets.validation), ("holdout", sets.holdout)):
        if part.height < 2:
            problem = f"only {part.height} rows are left for it"
            found.append(Fault(place=name, problem=problem, fix="give more rows, or split at another place"))
    if not found and sets.train[label].n_unique() < 2:
        problem = f"label {label!r} has one value in it"
        found.append(Fault(place="train", problem=problem, fix="split in another way, or give more rows"))
    if "drop_missing" in args.clean and sets.train.height < 2 <= sets.dropped:
        fix = "leave `drop_missing` out: missing values are then imputed"
        found.append(Fault(place="train", problem=f"drop_missing dropped {sets.dropped} rows", fix=fix))
    return found


def _write(part: pl.DataFrame, path: Path, args: PrepareArgs) -> str:
    """An open part without its row numbers; beside it as CSV if the source is, for programs of the user's own."""
    table = part[:, :-1]
    if args.format == "csv":
        table.write_csv(path.with_suffix(".csv"))
    return parts.write_part(table, path)


def _source_digest(args: PrepareArgs, source: pl.DataFrame) -> str:
    if args.format != "bundled":
        return digest(args.source)
    return hashlib.sha256(source.write_csv().encode()).hexdigest()


def _split_digest(sets: Sets) -> str:
    rows = (f"{p[p.columns[-1]].to_list()}" for p in (sets.train, sets.validation, sets.holdout))
    return hashlib.sha256("|".join(rows).encode()).hexdigest()


def _result(
    source: pl.DataFrame, labelled: Labelled, sets: Sets, label: str, args: PrepareArgs, digests: dict[str, str]
) -> PrepareResult:
    names = checks.class_names(labelled.frame[label])
    classes = profile.class_order(names) if args.task == "classification" else ()
    features = source.drop(label, *args.drop_columns)
    return PrepareResult(
        label=label,
        columns=profile.columns_of(features),
        rows=source.height,
        train_rows=sets.train.height,
        validation_rows=sets.validation.height,
        holdout_rows=sets.holdout.height,
        duplicates_removed=labelled.duplicates,
        unlabelled_removed=labelled.unlabelled,
        missing_removed=sets.dropped,
        classes=classes,
        positive=profile.positive_class(names, classes),
        findings=tuple(_findings(labelled, sets, label, args, classes)),
        digests=digests,
    )


def _findings(labelled: Labelled, sets: Sets, label: str, args: PrepareArgs, classes: Sequence[str]) -> list[str]:
    features = sets.train[:, :-2]
    found = profile.findings_of_features(features)
    for name in profile.leaks(features, sets.train[label], args.task):
        found.append(f"column {name!r} gives the label away by itself: suspected leakage")
    if classes:
        found += profile.findings_of_classes(checks.class_names(labelled.frame[label]), classes)
        absent = set(classes) - set(checks.class_names(sets.holdout[label]).to_list())
        found += [f"class {c!r} has no row in the holdout" for c in sorted(absent)]
    if labelled.together is not None:
        found.append("more than half of the rows are repetitions: copies were kept, each set of copies in one part")
    return found


def main() -> int:
    return run(sys.argv[1:], work)


if __name__ == "__main__":
    sys.exit(main())
