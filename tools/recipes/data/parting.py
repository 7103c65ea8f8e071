"""Chooses how rows are parted, and parts them: each labelled row once, what belongs together in one part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.data import checks, split
from tools.recipes.data.roles import Found
from tools.recipes.data.tables import HELD, Source
from tools.recipes.faults import Fault, refuse
from tools.recipes.records import PrepareArgs

_DISCRETE = 0.5
"""Share of repeated rows above which repetition is how the data are, not an accident."""
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Rows that can be parted: labelled, and each exact row once or all its copies in one group."""

    frame: pl.DataFrame
    """Source columns, the label as it is learnt, and the row number last."""
    own: pl.DataFrame
    """The same of the holdout's own table, whole; empty where there is none."""
    unlabelled: int
    duplicates: int
    together: NDArray[np.int64] | None
    """Group numbers that keep copies in one part; None when copies were removed."""
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Way:
    """How rows are parted in the end."""

    by: Literal["random", "stratified", "group", "time", "users", "copies"]
    columns: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sets:
    """The three parts, with every column of the source; the row number is the last."""

    train: pl.DataFrame
    validation: pl.DataFrame
    holdout: pl.DataFrame
    dropped: int = 0
    """Training rows dropped for missing values."""


def labelled(source: Source, args: PrepareArgs) -> Labelled:
    """The rows with a label, without exact duplicates. BadInput when too few are left."""
    frame = source.frame
    if source.label is not None:
        frame = frame.with_columns(_natural(frame[source.label], args).alias(source.label))
        frame = frame if args.task == "clustering" else frame.filter(pl.col(source.label).is_not_null())
    own, rest = frame.filter(HELD).drop(HELD), frame.filter(~pl.col(HELD)).drop(HELD)
    keys = [name for name in source.table.columns if name not in args.drop_columns]
    unique = _unique(rest, keys, args)
    duplicates = rest.height - unique.height
    if bool(source.frame[HELD].any()) and own.height == 0:
        refuse([Fault(place="holdout", problem=tr("has no row with a label"), fix=tr("label its rows"))])
    refuse(_few(unique.height, rest.height) if rest.height or not own.height else [])
    discrete = duplicates > _DISCRETE * rest.height and args.split.by in ("random", "stratified")
    kept = discrete and "drop_duplicates" not in args.clean and args.task != "recommendation"
    base = rest if kept else unique
    clear, crossing = _clear(base, own, keys)
    return Labelled(
        frame=clear,
        own=own,
        unlabelled=source.frame.height - frame.height,
        duplicates=0 if kept else duplicates,
        together=codes(clear, keys) if kept else None,
        findings=tuple([*crossing, *_repeated(own, keys)]),
    )


def way(args: PrepareArgs, roles: Found, copies: Sequence[str], *, repeated: bool) -> Way:
    """As asked, unless the task or what belongs together wants it otherwise, which is said."""
    by, column = args.split.by, args.split.column
    if args.task == "forecasting":
        told = (
            []
            if by in ("time", "random")
            else [tr("a forecast is judged on what comes later: split by time, not {by}", by=by)]
        )
        return Way(by="time", columns=(roles.time or "",), findings=tuple(told))
    if args.task == "recommendation" and by in ("random", "stratified") and column is None:
        if roles.time is not None and by == "random":
            told = [tr("the latest interactions by {time!r} are held out", time=roles.time)]
            return Way(by="time", columns=(roles.time,), findings=tuple(told))
        told = [tr("some interactions of each user are held out")]
        return Way(by="users", columns=(roles.columns.user or "",), findings=tuple(told))
    if by in ("time", "group"):
        return Way(by=by, columns=(column or "",))
    if args.group is not None:
        told = [tr("rows with the same {group!r} stay in one part", group=args.group)]
        return Way(by="group", columns=(args.group,), findings=tuple(told))
    if copies:
        return Way(by="group", columns=tuple(copies))
    if repeated:
        told = [tr("more than half of the rows are repetitions: copies were kept, each set of copies in one part")]
        return Way(by="copies", findings=tuple(told))
    return Way(by=by, columns=(column,) if column is not None else ())


def parted(rows: Labelled, chosen: Way, args: PrepareArgs, label: str | None) -> Sets:
    """The parts, each row in one of them. With a holdout of its own, all other rows are training and validation."""
    frame = rows.frame
    if frame.height == 0:
        return Sets(train=frame, validation=frame, holdout=rows.own)
    where = _positions(rows, chosen, args, label)
    held = frame[where.holdout] if rows.own.height == 0 else rows.own
    return Sets(train=frame[where.train], validation=frame[where.validation], holdout=held)


def trimmed(sets: Sets, args: PrepareArgs, label: str | None) -> Sets:
    """The parts as they are written: without dropped columns, the label behind the features, whole rows in training
    where that was asked for. BadInput when a part is too small."""
    columns = [c for c in sets.train.columns if c not in args.drop_columns]
    order = [*(c for c in columns[:-1] if c != label), *([label] if label is not None else []), columns[-1]]
    train = sets.train.select(order)
    features = [c for c in order[:-1] if c != label]
    full = train.filter(pl.all_horizontal(checks.given(train[c]) for c in features)) if _drops(args) else train
    return Sets(
        train=full,
        validation=sets.validation.select(order),
        holdout=sets.holdout.select(order),
        dropped=train.height - full.height,
    )


def part_faults(sets: Sets, args: PrepareArgs, label: str | None, *, only_holdout: bool) -> list[Fault]:
    """Parts that are too small to say anything."""
    found = []
    wanted = {"holdout": sets.holdout} if only_holdout else vars(sets)
    for name in ("train", "validation", "holdout"):
        if name in wanted and wanted[name].height < 2:
            problem = tr("only {height} rows are left for it", height=wanted[name].height)
            found.append(Fault(place=name, problem=problem, fix=tr("give more rows, or split at another place")))
    learnt = args.task in checks.CLASSES | checks.NUMBERS and not only_holdout
    if not found and label is not None and learnt and sets.train[label].n_unique() < 2:
        problem = tr("label {label!r} has one value in it", label=label)
        found.append(Fault(place="train", problem=problem, fix=tr("split in another way, or give more rows")))
    if _drops(args) and sets.train.height < 2 <= sets.dropped:
        fix = tr("leave `drop_missing` out: missing values are then imputed")
        found.append(Fault(place="train", problem=tr("drop_missing dropped {n} rows", n=sets.dropped), fix=fix))
    return found


def codes(frame: pl.DataFrame, columns: Sequence[str]) -> NDArray[np.int64]:
    """A number for each row, equal where all of these columns are equal."""
    ranks = (
        frame.select(pl.struct(columns).rank("dense")).to_series() if columns else pl.zeros(frame.height, eager=True)
    )
    return np.unique(ranks.to_numpy(), return_inverse=True)[1].astype(np.int64)


def times(column: pl.Series) -> NDArray[np.float64]:
    """Epoch seconds, or the numbers as they are; NaN where missing."""
    if column.dtype.is_temporal():
        column = column.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64) / 1e6
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _drops(args: PrepareArgs) -> bool:
    return "drop_missing" in args.clean


def _unique(rest: pl.DataFrame, keys: list[str], args: PrepareArgs) -> pl.DataFrame:
    """Each exact row once. In a forecast equal rows are two series that nobody told apart: they stay, to be named."""
    if args.task == "forecasting" and "drop_duplicates" not in args.clean:
        return rest
    return rest.unique(subset=keys, keep="first", maintain_order=True)


def _natural(label: pl.Series, args: PrepareArgs) -> pl.Series:
    """The label as a number where that loses nothing of its spelling, else as text; null where it is missing."""
    if args.task in checks.NUMBERS or (args.task == "recommendation" and not checks.says_class(label, args.task)):
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
    problem = tr("has {distinct} distinct rows among {rows} labelled ones", distinct=distinct, rows=rows)
    return [
        Fault(
            place="data",
            problem=problem,
            fix=tr("give at least {least} distinct rows", least=checks.MINIMUM_ROWS),
        )
    ]


def _clear(rest: pl.DataFrame, own: pl.DataFrame, keys: list[str]) -> tuple[pl.DataFrame, list[str]]:
    """The rows to learn from without those that the holdout's own table holds as well."""
    if own.height == 0 or rest.height == 0:
        return rest, []
    clear = rest.join(own, on=keys, how="anti", nulls_equal=True, maintain_order="left")
    if clear.height == rest.height:
        return rest, []
    both = own.join(rest, on=keys, how="semi", nulls_equal=True, maintain_order="left")
    first = ", ".join(str(r) for r in both[both.columns[-1]].head(_SHOWN))
    told = tr(
        "a duplicate across the split: {height} rows of the holdout (row {first}, the first is 0) ",
        height=both.height,
        first=first,
    )
    return clear, [
        told + tr("also stand among the other rows: {n} were removed from training", n=rest.height - clear.height)
    ]


def _repeated(own: pl.DataFrame, keys: list[str]) -> list[str]:
    """The holdout's own rows are all judged: one that stands there twice counts twice, and makes nothing surer."""
    more = own.height - own.select(keys).n_unique() if own.height else 0
    if not more:
        return []
    return [
        tr(
            "{more} rows of the holdout stand there more than once: each counts, "
            "and the intervals are too narrow for that",
            more=more,
        )
    ]


def _positions(rows: Labelled, chosen: Way, args: PrepareArgs, label: str | None) -> split.Parts:
    frame, spec = rows.frame, args.split
    shares = (0.0 if rows.own.height else spec.holdout, spec.validation)
    match chosen.by:
        case "time":
            at = checks.instant(spec.at) if spec.at and not rows.own.height else None
            return split.by_time(times(frame[chosen.columns[0]]), *shares, at)
        case "group":
            return split.by_group(codes(frame, chosen.columns), *shares, args.seed)
        case "users":
            return split.by_class(codes(frame, chosen.columns), *shares, args.seed)
        case "copies" if rows.together is not None:
            return split.by_group(rows.together, *shares, args.seed)
    strata = _strata(frame, label, chosen, args)
    if strata is None:
        return split.at_random(frame.height, *shares, args.seed)
    return split.by_class(strata, *shares, args.seed)


def _strata(frame: pl.DataFrame, label: str | None, chosen: Way, args: PrepareArgs) -> NDArray[np.int64] | None:
    """Codes to keep in proportion; None when a plain random split is right."""
    wanted = chosen.by == "stratified"
    if wanted and chosen.columns:
        return codes(frame, chosen.columns)
    if label is None or args.task not in checks.CLASSES | checks.NUMBERS:
        return None
    if args.task in checks.NUMBERS:
        tenths = frame.select(pl.col(label).rank("ordinal") * 10 // (frame.height + 1)).to_series()
        return tenths.to_numpy().astype(np.int64) if wanted else None
    found = codes(frame, [label])
    return found if wanted or np.bincount(found).min() >= split.ENOUGH else None
