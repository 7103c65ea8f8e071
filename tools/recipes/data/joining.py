"""Puts tables together by equal values, and says what that did to the rows: above all whether they multiply.

A column that the left table has too is named `COLUMN_STEM`, STEM being the right table's name without its ending.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

import polars as pl

from tools.language import tr
from tools.recipes.data.join_plan import place as _place
from tools.recipes.data.join_plan import plan_faults
from tools.recipes.data.keys import Keyed, keyed
from tools.recipes.faults import BadInput, Fault
from tools.recipes.records import Joined, JoinOn, Role

MOST_ROWS = 50_000_000
"""Rows a join may make."""


@dataclass(kw_only=True)
class Sheet:
    """A table, or several that were joined: the rows of the first, and where each column came from."""

    frame: pl.DataFrame
    names: dict[tuple[str, str], str]
    """(table, its column) → the column's name here."""

    @property
    def tables(self) -> set[str]:
        return {table for table, _ in self.names}


@dataclass(kw_only=True)
class Together:
    """What the joins made of the tables."""

    frame: pl.DataFrame
    joined: list[Joined] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    copies: tuple[str, ...] = ()
    """Columns whose equal values mark copies of one label: such rows must stay in one part."""
    keys: list[tuple[Role, str]] = field(default_factory=list)
    """(role of a table that was joined by one column, that column)."""
    origins: dict[str, str] = field(default_factory=dict)
    """Column → name of the table it came from."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """A table that was opened."""

    name: str
    role: Role
    frame: pl.DataFrame


def join_all(tables: Sequence[Named], joins: Sequence[JoinOn], *, label: str | None, whole: bool = False) -> Together:
    """The rows of the first table with what the others have to say of them.

    With `whole` no row of the first table is lost: every join is a left join. BadInput names all joins that cannot
    be made, tables that are never joined, and joins that would count a labelled row more than once.
    """
    faults = plan_faults({t.name: t.frame.columns for t in tables}, joins, tables[0].name)
    if faults:
        raise BadInput(faults)
    sheets = {t.name: Sheet(frame=t.frame, names={(t.name, c): c for c in t.frame.columns}) for t in tables}
    done = Together(frame=tables[0].frame, origins=dict.fromkeys(tables[0].frame.columns, tables[0].name))
    roles = {t.name: t.role for t in tables}
    for on in joins:
        left, right = sheets[on.left], sheets[on.right]
        if whole:
            on = on.model_copy(update={"how": "left"})
        if tables[0].name in right.tables and on.how == "inner":
            on, left, right = on.model_copy(update={"left": on.right, "right": on.left}), right, left
        made = _join(left, right, on, _Labels(name=label, role=roles[on.right]), done)
        for name in made.tables:
            sheets[name] = made
    base = sheets[tables[0].name]
    done.frame = base.frame
    done.origins = {here: table for (table, _), here in reversed(base.names.items())}
    return done


@dataclass(frozen=True, kw_only=True)
class _Labels:
    """What decides whether multiplied rows are a fault."""

    name: str | None
    role: Role
    """Of the right table."""


def _join(left: Sheet, right: Sheet, on: JoinOn, labels: _Labels, done: Together) -> Sheet:
    keys = keyed(left.frame, right.frame, _columns(left, on.left, on), _columns(right, on.right, on), _place(on))
    done.findings += keys.findings
    _report(keys, on, done)
    if keys.unmatched == left.frame.height and left.frame.height:
        problem = tr(
            "no row of {left} has a partner in {right}: {examples}",
            left=on.left,
            right=on.right,
            examples=keys.examples,
        )
        raise BadInput(
            [Fault(place=_place(on), problem=problem, fix=tr("check that both write the key in the same way"))]
        )
    _judge(left, right, keys, on, labels, done)
    names = _names(left, right, on)
    theirs = right.frame.select(
        *(pl.col(c).alias(names[c]) for c in right.frame.columns if c in names), *keys.right.get_columns()
    )
    ours = left.frame.with_columns(keys.left.get_columns())
    made = ours.join(theirs, on=keys.left.columns, how=on.how, maintain_order="left_right").drop(keys.left.columns)
    if len(on.on) == 1:
        done.keys.append((labels.role, _columns(left, on.left, on)[0]))
    moved = {of: names.get(here) or _ours(left, on, of[1]) for of, here in right.names.items()}
    return Sheet(frame=made, names=left.names | moved)


def _ours(left: Sheet, on: JoinOn, key: str) -> str:
    """The column that stands for a key of the right table."""
    return _columns(left, on.left, on)[on.on.index(key)]


def _columns(sheet: Sheet, table: str, on: JoinOn) -> list[str]:
    """The join's columns in the sheet: of the table that is named, else of one that was joined to it before."""
    found = []
    for key in on.on:
        here = sheet.names.get((table, key))
        found.append(here if here is not None else next(h for (_, c), h in sheet.names.items() if c == key))
    return found


def _names(left: Sheet, right: Sheet, on: JoinOn) -> dict[str, str]:
    """The right sheet's columns without its keys → their names beside the left one's."""
    keys, taken = set(_columns(right, on.right, on)), set(left.frame.columns)
    stem = PurePath(on.right.rpartition(":")[2]).stem
    names: dict[str, str] = {}
    for column in (c for c in right.frame.columns if c not in keys):
        name, number = column, 1
        while name in taken or (number > 1 and name in right.frame.columns):
            name = f"{column}_{stem}" if number == 1 else f"{column}_{stem}_{number}"
            number += 1
        names[column] = name
        taken.add(name)
    return names


def _report(keys: Keyed, on: JoinOn, done: Together) -> None:
    height = keys.left.height
    after = keys.pairs + (keys.unmatched if on.how == "left" else 0)
    done.joined.append(
        Joined(
            left=on.left,
            right=on.right,
            on=on.on,
            rows_before=height,
            rows_after=after,
            unmatched=keys.unmatched,
            repeated=keys.repeated,
        )
    )
    if keys.unmatched:
        lost = tr("are left out") if on.how == "inner" else tr("keep empty fields")
        share = tr(
            "{unmatched} of {height} rows ({share:.1%})",
            unmatched=keys.unmatched,
            height=height,
            share=keys.unmatched / height,
        )
        done.findings.append(
            tr(
                "{on}: {share} of {left} have no partner in {right} and {lost}",
                on=_place(on),
                share=share,
                left=on.left,
                right=on.right,
                lost=lost,
            )
        )
    if after > MOST_ROWS:
        fix = tr("aggregate the right table to one row a key")
        raise BadInput([Fault(place=_place(on), problem=tr("would make {after} rows", after=after), fix=fix)])


def _judge(left: Sheet, right: Sheet, keys: Keyed, on: JoinOn, labels: _Labels, done: Together) -> None:
    """Rows that multiply, and labels that are copied: a fault where a labelled row would count more than once."""
    ours, theirs = (labels.name is not None and labels.name in s.frame.columns for s in (left, right))
    named = tr(" and ").join(map(repr, on.on))
    if ours and theirs:
        done.findings.append(
            tr(
                "{left} and {right} both have {name!r}: the label is the one of {left}",
                left=on.left,
                right=on.right,
                name=labels.name,
            )
        )
    if keys.repeated:
        faulty = ours or labels.role in ("items", "users") or (theirs and keys.crossed)
        told = tr(
            "{named} is not unique in {right}: {n} rows of {left} would stand more than once "
            "({before} rows become {after}; {example})"
            if faulty
            else "{named} is not unique in {right}: {n} rows of {left} stand more than once "
            "({before} rows become {after}; {example})",
            named=named,
            right=on.right,
            n=keys.repeated,
            left=on.left,
            before=keys.left.height,
            after=done.joined[-1].rows_after,
            example=keys.repeated_example,
        )
        fix = tr("aggregate {right} to one row for each {named}, or remove its duplicates", right=on.right, named=named)
        if faulty:
            raise BadInput([Fault(place=_place(on), problem=told, fix=fix)])
        done.findings.append(told)
    if theirs and not ours and (keys.repeated or keys.shared):
        done.copies = tuple(_columns(left, on.left, on))
        done.findings.append(
            tr(
                "the label comes from {right}: rows with the same {named} share what it says, so they stay in one part",
                right=on.right,
                named=named,
            )
        )
