"""Which columns have a meaning of their own: the time of a row, what it belongs to, users and items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from tools.language import tr
from tools.recipes.data.checks import kind_of
from tools.recipes.data.column_names import known, means
from tools.recipes.faults import Fault, near
from tools.recipes.records import Columns, PrepareArgs, Role


@dataclass(frozen=True, kw_only=True)
class Found:
    """The roles, and what stands in the way of the task."""

    columns: Columns
    time: str | None = None
    """The time of a row, also where it is left out of the prepared table."""
    group: str | None = None
    faults: tuple[Fault, ...] = ()
    findings: tuple[str, ...] = ()


def find(frame: pl.DataFrame, args: PrepareArgs, label: str | None, keys: Sequence[tuple[Role, str]] = ()) -> Found:
    """Roles as asked for, else by the tables that are joined, else by well-known names.

    `keys`: (role of the table that was joined, name of the column it was joined by). Columns that are dropped may
    part the rows, and have no role in the prepared table.
    """
    names = [n for n in frame.columns if n != label and n not in args.drop_columns]
    faults = _asked(frame, args)
    findings: list[str] = []
    time, told = _time(frame, names, args)
    faults += told
    user = item = None
    if args.task == "recommendation":
        item = _joined(keys, "items", names) or known("item", [n for n in names if n != args.group])
        user = _only(args.group, names) or _joined(keys, "users", names)
        user = user or known("user", [n for n in names if n != item])
        faults += _unfound("users", user, [n for n in names if n != item], frame) + _unfound(
            "items", item, [n for n in names if n != user], frame
        )
        findings += (
            [tr("users are taken from column {user!r} and items from {item!r}", user=user, item=item)]
            if user and item
            else []
        )
    group = (args.split.column if args.split.by == "group" else None) or args.group
    if args.task == "forecasting" and time is None and not faults:
        faults.append(_no_time(frame, names))
    if args.task == "forecasting" and time is not None and args.time is None and args.split.column != time:
        findings.append(tr("column {time!r} is taken as the time of a row", time=time))
    columns = Columns(time=_only(time, names), group=_only(group, names), user=user, item=item)
    return Found(columns=columns, time=time, group=group, faults=tuple(faults), findings=tuple(findings))


def settled(args: PrepareArgs, found: Found) -> PrepareArgs:
    """The arguments with the column filled in that a split by time or group means when it names none."""
    meant = {"time": found.time, "group": found.group}.get(args.split.by)
    if args.split.column is not None or meant is None:
        return args
    return args.model_copy(update={"split": args.split.model_copy(update={"column": meant})})


def _asked(frame: pl.DataFrame, args: PrepareArgs) -> list[Fault]:
    """Columns that the goal names and that are not there, or are left out."""
    found = []
    for role, name in (("time", args.time), ("group", args.group)):
        if name is not None and name not in frame.columns:
            found.append(
                Fault(place=f"{role} {name!r}", problem=tr("is no column of the data"), fix=near(name, frame.columns))
            )
    needed = {"forecasting": args.time, "recommendation": args.group}.get(args.task)
    if needed is not None and needed in args.drop_columns:
        problem = tr("is needed for {task}", task=args.task)
        found.append(Fault(place=f"drop_columns {needed!r}", problem=problem, fix=tr("drop another column")))
    return found


def _time(frame: pl.DataFrame, names: Sequence[str], args: PrepareArgs) -> tuple[str | None, list[Fault]]:
    asked = (args.split.column if args.split.by == "time" else None) or args.time
    if asked is not None:
        return (asked, _no_times(frame[asked])) if asked in frame.columns else (None, [])
    temporal = [n for n in names if kind_of(frame.schema[n]) == "time"]
    if len(temporal) == 1:
        return temporal[0], []
    named = known("time", temporal)
    if named is None and not temporal and args.task in ("forecasting", "recommendation"):
        named = known("time", [n for n in names if frame.schema[n].is_numeric()])
    if named is None and temporal and (args.task == "forecasting" or args.split.by == "time"):
        listed = ", ".join(map(repr, temporal[:8]))
        return None, [
            Fault(
                place="time", problem=tr("may be {listed}", listed=listed), fix=tr("say which one is the time of a row")
            )
        ]
    return named, []


def _no_times(column: pl.Series) -> list[Fault]:
    if column.dtype.is_numeric() or kind_of(column.dtype) == "time":
        return []
    problem = tr("holds {dtype}, not times", dtype=column.dtype)
    return [
        Fault(
            place=tr("time {name!r}", name=column.name),
            problem=problem,
            fix=tr("write its values as ISO dates (2024-05-31)"),
        )
    ]


def _no_time(frame: pl.DataFrame, names: Sequence[str]) -> Fault:
    texts = [n for n in names if frame.schema[n] == pl.String and means(n, "time")]
    if texts:
        problem = tr("column {name!r} is named like one and holds text, not ISO dates", name=texts[0])
        return Fault(place="time", problem=problem, fix=tr("write its values as 2024-05-31, or name another column"))
    problem = tr("no column holds times, and a forecast needs one")
    return Fault(
        place="time", problem=problem, fix=tr("say which column is the time; {near}", near=near("time", names))
    )


def _joined(keys: Sequence[tuple[Role, str]], role: Role, names: Sequence[str]) -> str | None:
    return next((key for of, key in keys if of == role and key in names), None)


def _only(name: str | None, names: Sequence[str]) -> str | None:
    return name if name in names else None


def _unfound(what: str, found: str | None, names: Sequence[str], frame: pl.DataFrame) -> list[Fault]:
    if found is not None:
        return []
    whole = (pl.String, pl.Int64)
    candidates = ", ".join(repr(n) for n in names if frame.schema[n] in whole) or "none"
    place = {"users": "user", "items": "item"}[what]
    problem = tr(
        "no column is known to name the {what}; it may be one of: {candidates}", what=what, candidates=candidates
    )
    fix = tr("say which column it is") if what == "users" else tr("name it `item_id`, or join a table of items by it")
    return [Fault(place=place, problem=problem, fix=fix)]
