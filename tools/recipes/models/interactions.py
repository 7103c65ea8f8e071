"""Who met which item: the rows of a part as users, items and what counts as a yes.

A row counts as a yes when there is no label; with two classes, when it is the positive one; with a number of two
values, when it is the greater one; with more (ratings), from the median of the training part up. What is no yes was
still seen: it is not recommended again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tools.language import tr
from tools.recipes.card import Input
from tools.recipes.data.checks import class_names, label_numbers
from tools.recipes.data.profile import class_order, positive_class
from tools.recipes.faults import BadInput, Fault, near
from tools.recipes.models.encode import matrix
from tools.recipes.parts import Part, endpoint_columns
from tools.recipes.records import Columns

LONGEST_ID = 256
"""Characters of an id."""

Ints = NDArray[np.int64]
Texts = NDArray[np.str_]


@dataclass(frozen=True, kw_only=True)
class Yes:
    """What a label must be to count as a yes."""

    label: str | None
    """None: every row is one."""
    name: str | None = None
    """The class; None for numbers."""
    least: float = 0.0

    def of(self, part: Part) -> NDArray[np.bool_]:
        """A flag for each row; a missing label is no yes."""
        if self.label is None:
            return np.ones(part.features.height, dtype=bool)
        if self.name is not None:
            return (class_names(part.label) == self.name).fill_null(value=False).to_numpy()
        return (label_numbers(part.label) >= self.least).fill_null(value=False).to_numpy()

    def __str__(self) -> str:
        if self.label is None:
            return tr("every row counts as a yes")
        if self.name is not None:
            return tr("{label} = {name} counts as a yes", label=self.label, name=self.name)
        return tr("{label} >= {least:g} counts as a yes", label=self.label, least=self.least)


@dataclass(frozen=True, kw_only=True)
class Met:
    """The rows of a part; both ids as text, "" where missing."""

    users: Texts
    items: Texts
    yes: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """What the training part knows: users by name, items by falling number of yeses (ties by name)."""

    users: Texts
    items: Texts
    whole: bool
    """Items are whole numbers: they are answered as such."""
    seen: csr_array
    """1 where a user met an item, [users, items]."""
    liked: csr_array
    """1 where it was a yes."""

    @property
    def counts(self) -> Ints:
        """Yeses of each item."""
        return np.asarray(self.liked.sum(axis=0)).astype(np.int64)


def ids(roles: Columns) -> tuple[str, str]:
    """The columns of users and items. BadInput when one is not known."""
    if roles.user is None or roles.item is None:
        what = tr(" and ").join(tr(w) for w, c in (("user", roles.user), ("item", roles.item)) if c is None)
        fix = tr("name the columns `user_id` and `item_id`, or join tables of role users and items by them")
        raise BadInput(
            [Fault(place="columns", problem=tr("no column says which {what} a row is of", what=what), fix=fix)]
        )
    return roles.user, roles.item


def id_input(features: pl.DataFrame, name: str) -> Input:
    """How an id is sent: whole numbers as INT64, all else as text. It is compared as text, so that no digit is lost."""
    dtype = features.schema[name]
    datatype = "INT64" if dtype.is_integer() else "FP64" if dtype.is_float() else "BYTES"
    return Input(name=name, datatype=datatype, kind="category")


def yes_of(label: str | None, positive: str | None, train: Part) -> Yes:
    """What counts as a yes, from the training part alone. BadInput for classes of which none is named."""
    if label is None:
        return Yes(label=None)
    if positive is not None:
        return Yes(label=label, name=positive)
    numbers, names = label_numbers(train.label).drop_nulls(), class_names(train.label).drop_nulls()
    if len(numbers) < len(names):
        if (found := positive_class(names, class_order(names))) is not None:
            return Yes(label=label, name=found)
        problem = tr("holds classes, of which none is named the positive one")
        raise BadInput(
            [Fault(place=tr("label {label!r}", label=label), problem=problem, fix=tr("say which class is a yes"))]
        )
    if numbers.n_unique() == 2:
        return Yes(label=label, least=float(numbers.max()))  # type: ignore[arg-type]
    return Yes(label=label, least=float(numbers.median() or 0.0))  # type: ignore[arg-type]


def met(part: Part, roles: Columns, yes: Yes) -> Met:
    """The rows of a part. BadInput when it lacks the columns."""
    user, item = ids(roles)
    absent = [name for name in (user, item) if name not in part.features.columns]
    if absent:
        fix = near(absent[0], part.features.columns)
        raise BadInput(
            [Fault(place="data", problem=tr("has no column {names}", names=", ".join(map(repr, absent))), fix=fix)]
        )
    return Met(users=_names(part.features, user), items=_names(part.features, item), yes=yes.of(part))


def catalogue(rows: Met, *, whole: bool) -> Catalogue:
    """What is known after these rows; those without user or item say nothing. BadInput when nothing is left."""
    known = (rows.users != "") & (rows.items != "")
    if not (known & rows.yes).any():
        problem = tr("no row has a user, an item and a yes")
        raise BadInput([Fault(place="train", problem=problem, fix=tr("give interactions, or check the label"))])
    users, user = np.unique(rows.users[known], return_inverse=True)
    items, item = np.unique(rows.items[known], return_inverse=True)
    liked = _pairs(user[rows.yes[known]], item[rows.yes[known]], (len(users), len(items)))
    order = np.argsort(-np.asarray(liked.sum(axis=0)), kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return Catalogue(
        users=users,
        items=items[order],
        whole=whole,
        seen=_pairs(user, place[item], (len(users), len(items))),
        liked=_pairs(user[rows.yes[known]], place[item[rows.yes[known]]], (len(users), len(items))),
    )


def places(names: Texts, known: Texts) -> Ints:
    """Where each name stands among the sorted ones; -1 where it does not."""
    if not len(known):
        return np.full(len(names), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, names), len(known) - 1)
    return np.where(known[at] == names, at, -1).astype(np.int64)


def _pairs(user: Ints, item: Ints, shape: tuple[int, int]) -> csr_array:
    """1 for each pair, however often it is there."""
    found = csr_array((np.ones(len(user)), (user, item)), shape=shape)
    found.sum_duplicates()
    found.data[:] = 1.0
    return found


def _names(features: pl.DataFrame, column: str) -> Texts:
    one: Sequence[Input] = (id_input(features, column),)
    if features.schema[column] == pl.String and (features[column].str.len_chars().max() or 0) > LONGEST_ID:  # type: ignore[operator]
        problem = tr("holds texts of more than {most} characters, which are no ids", most=LONGEST_ID)
        raise BadInput(
            [
                Fault(
                    place=tr("column {column!r}", column=column),
                    problem=problem,
                    fix=tr("say which column holds the ids"),
                )
            ]
        )
    return matrix(endpoint_columns(features, one), one, lowercase=False)[:, 0].astype(np.str_)
