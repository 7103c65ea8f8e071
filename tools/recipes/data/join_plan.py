"""What can be told of joins from the names of tables and columns alone. Imports nothing heavy: `plan` asks it too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tools.language import tr
from tools.recipes.faults import Fault, near
from tools.recipes.records import JoinOn


def place(on: JoinOn) -> str:
    """How a fault or a finding names a join."""
    return tr("join of {left} with {right} on {names}", left=on.left, right=on.right, names=", ".join(map(repr, on.on)))


def plan_faults(columns: Mapping[str, Sequence[str]], joins: Sequence[JoinOn], first: str) -> list[Fault]:
    """What can be told of joins from the names alone: tables and keys that are not there, tables left over."""
    found: list[Fault] = []
    parts = {name: {name} for name in columns}
    for on in joins:
        where = place(on)
        strangers = [n for n in (on.left, on.right) if n not in columns]
        found += [
            Fault(place=where, problem=tr("{n!r} is no table of the goal", n=n), fix=near(n, columns))
            for n in strangers
        ]
        if strangers:
            continue
        for side in (on.left, on.right):
            within = [c for t in parts[side] for c in columns[t]]
            lacking = [k for k in on.on if k not in within]
            found += [
                Fault(
                    place=where, problem=tr("{k!r} is no column of {side}", k=k, side=side), fix=near(k, columns[side])
                )
                for k in lacking
            ]
        if parts[on.left] is parts[on.right]:
            found.append(Fault(place=where, problem=tr("they are joined already"), fix=tr("name each pair once")))
        elif on.how == "left" and first in parts[on.right]:
            problem = tr(
                "a left join keeps the rows of {left}, and the rows are to come from {first}", left=on.left, first=first
            )
            found.append(Fault(place=where, problem=problem, fix=tr("name the tables the other way round")))
        merged = parts[on.left] | parts[on.right]
        parts.update(dict.fromkeys(merged, merged))
    for name in columns:
        if name not in parts[first]:
            both = [c for c in columns[first] if c in columns[name]]
            fix = tr("say by which column it is joined to {first}", first=first) + (
                tr(": both have {names}", names=", ".join(map(repr, both[:5])))
                if both
                else tr(", or put files of one schema into a folder")
            )
            found.append(
                Fault(place=tr("table {name}", name=name), problem=tr("is never joined to the others"), fix=fix)
            )
    return found
