"""Prepares data: reads the tables, puts them together, parts them, and only then looks at values. The holdout leaves
this job sealed.

Run as `python -I -m tools.recipes.prepare FOLDER`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tools.language import tr
from tools.recipes import parts
from tools.recipes.data import checks, data_card, leaks, parting, personal, profile, roles, seen
from tools.recipes.data.folders import contents
from tools.recipes.data.parting import Labelled, Sets
from tools.recipes.data.tables import Source, open_all, source_digest
from tools.recipes.faults import Fault, refuse
from tools.recipes.program import Say, run, secret
from tools.recipes.records import Inputs, PrepareArgs, PrepareResult, Table


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Everything that was decided, before it is written."""

    source: Source
    roles: roles.Found
    rows: Labelled
    sets: Sets
    findings: tuple[str, ...]
    classes: tuple[str, ...]


def work(inputs: Inputs, say: Say) -> PrepareResult:
    """Write the three parts and the data card into `inputs.out`. BadInput lists every fault of the source."""
    args = PrepareArgs.model_validate(inputs.args)
    public = secret(inputs, "holdout.public")
    say(tr("reading the source"), 0.05)
    source = open_all(args)
    say("checking", 0.3)
    found = roles.find(source.table, args, source.label, source.keys)
    args = roles.settled(args, found)
    _check(source, found, args)
    say("splitting", 0.5)
    made = _parted(source, found, args)
    say("writing", 0.8)
    out, sets = Path(inputs.out), made.sets
    parts.write_rows(sets.train[:, -1], sets.validation[:, -1], out / parts.ROWS)
    digests = {
        "source": source_digest(args, source),
        "split": _split_digest(sets),
        "train": _write(sets.train, out / parts.TRAIN, args),
        "validation": _write(sets.validation, out / parts.VALIDATION, args),
        "holdout": parts.write_sealed(sets.holdout, out / parts.HOLDOUT, public),
    }
    opened = [frame.drop(frame.columns[-1], *_label(source)) for frame in (sets.train, sets.validation)]
    if sets.train.height:
        seen.write(opened, out, salt=digests["train"])
    result = _result(made, args, digests)
    data_card.write(out, args, result, sets.train[:, :-1], sets.validation[:, :-1])
    return result


def _label(source: Source) -> list[str]:
    return [] if source.label is None else [source.label]


def _check(source: Source, found: roles.Found, args: PrepareArgs) -> None:
    """BadInput with every fault that can be told before rows are parted."""
    frame, label, task = source.table, source.label, args.task
    only = source.held
    faults = [*source.faults, *checks.label_name_faults(frame.columns, label, task)]
    faults += checks.column_faults(frame, label=label, drop=args.drop_columns, task=task)
    if label is not None and label in frame.columns:
        faults += checks.label_faults(frame[label], task, complete=not only)
    elif frame.height == 0:
        faults += checks.label_faults(pl.Series("label", [], dtype=pl.String), task, complete=True)
    elif label is None and frame.height < checks.MINIMUM_ROWS and not only:
        faults.append(checks.few_rows(frame.height))
    faults += checks.split_faults(frame, args.split, complete=not only) if frame.height else []
    faults += found.faults if frame.height else ()
    refuse(list(dict.fromkeys(faults)))


def _parted(source: Source, found: roles.Found, args: PrepareArgs) -> Prepared:
    label = source.label
    rows = parting.labelled(source, args)
    if args.task == "forecasting":
        refuse(leaks.series_faults(pl.concat([rows.frame, rows.own]), found))
    chosen = parting.way(args, found, source.copies, repeated=rows.together is not None)
    whole = parting.parted(rows, chosen, args, label)
    own = rows.own.height > 0
    seen = leaks.Seen(
        sets=whole,
        args=args,
        label=label,
        roles=found,
        chosen=chosen,
        own=own,
        copies=source.copies,
        origins=source.origins,
    )
    sets = parting.trimmed(whole, args, label)
    small = parting.part_faults(sets, args, label, only_holdout=source.held)
    if small and rows.findings:
        fix = tr("give rows that are in one of them only")
        small += [Fault(place="holdout", problem=told, fix=fix) for told in rows.findings]
    refuse([*small, *leaks.faults(seen)])
    names = _names(rows, label, args)
    classes = profile.class_order(names) if names is not None else ()
    told = [*source.findings, *found.findings, *chosen.findings, *rows.findings]
    told += [
        *_findings_of_values(sets, label),
        *leaks.findings(seen),
        *_findings_of_classes(names, classes, sets, label),
    ]
    return Prepared(
        source=source, roles=found, rows=rows, sets=sets, findings=tuple(dict.fromkeys(told)), classes=classes
    )


def _names(rows: Labelled, label: str | None, args: PrepareArgs) -> pl.Series | None:
    """The label of every row as the name of its class; None where it is none."""
    if label is None or args.task not in checks.CLASSES:
        return None
    return checks.class_names(pl.concat([rows.frame[label], rows.own[label]]))


def _findings_of_values(sets: Sets, label: str | None) -> list[str]:
    """What training rows show; of a holdout alone, its own."""
    rows = sets.train if sets.train.height else sets.holdout
    features = rows.drop(rows.columns[-1], *([label] if label is not None else []))
    return [*profile.findings_of_features(features), *personal.findings(features)]


def _findings_of_classes(names: pl.Series | None, classes: Sequence[str], sets: Sets, label: str | None) -> list[str]:
    if names is None or label is None:
        return []
    found = profile.findings_of_classes(names, classes)
    for part, frame in ((tr("holdout"), sets.holdout), (tr("training part"), sets.train)):
        absent = set(classes) - set(checks.class_names(frame[label]).to_list())
        found += [
            tr("class {c!r} has no row in the {part}", c=c, part=part) for c in sorted(absent) if sets.train.height
        ]
    return found


def _write(part: pl.DataFrame, path: Path, args: PrepareArgs) -> str:
    """An open part without its row numbers; beside it as CSV if the source is, for programs of the user's own."""
    table = part[:, :-1]
    if _is_csv(args.tables[0]):
        table.write_csv(path.with_suffix(".csv"))
    return parts.write_part(table, path)


def _is_csv(table: Table) -> bool:
    if table.format != "bundled" and Path(table.source).is_dir():
        return any(p.suffix.lower() == ".csv" for p in contents(Path(table.source)).tables)
    return table.format == "csv"


def _split_digest(sets: Sets) -> str:
    rows = (f"{p[p.columns[-1]].to_list()}" for p in (sets.train, sets.validation, sets.holdout))
    return hashlib.sha256("|".join(rows).encode()).hexdigest()


def _result(made: Prepared, args: PrepareArgs, digests: dict[str, str]) -> PrepareResult:
    source, sets, label = made.source, made.sets, made.source.label
    names = _names(made.rows, label, args)
    features = source.table.drop(*([label] if label is not None else []), *args.drop_columns)
    return PrepareResult(
        label=label,
        roles=made.roles.columns,
        joins=source.joined,
        columns=profile.columns_of(features, args.task),
        rows=source.rows,
        train_rows=sets.train.height,
        validation_rows=sets.validation.height,
        holdout_rows=sets.holdout.height,
        duplicates_removed=made.rows.duplicates,
        unlabelled_removed=made.rows.unlabelled,
        missing_removed=sets.dropped,
        classes=made.classes,
        positive=profile.positive_class(names, made.classes) if names is not None else None,
        findings=made.findings,
        digests=digests,
    )


def main() -> int:
    return run(sys.argv[1:], work)


if __name__ == "__main__":
    sys.exit(main())
