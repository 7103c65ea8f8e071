"""What each user of a part wanted, and how lists of items answer that: from ids to `Rankings`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tools.language import tr
from tools.recipes.answers.rankings import DEPTH, Rankings
from tools.recipes.models.interactions import Catalogue, Ints, Met, Texts, Yes, places

Lists = Sequence[Sequence[str]]
"""Item ids for every user in `Wanted.users`, best first."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The users of a part and their relevant items: yeses that they had not met in training, each once."""

    known: Catalogue
    yes: Yes
    rows: Met
    users: Texts
    """All users of the part, by name."""
    judged: Ints
    """Which of them have a relevant item: the units."""
    row_user: Ints
    """Of each row, its place in `users`."""
    relevance: NDArray[np.int64]
    """Of each row: 1 where it is the first one of a relevant item."""
    met: Ints
    """Items that each user met in training."""


def wanted(rows: Met, known: Catalogue, yes: Yes) -> Wanted:
    """What the users of these rows wanted. Items that training does not know count: no list can hold them."""
    users, row_user = np.unique(rows.users, return_inverse=True)
    user = places(rows.users, known.users)
    order = np.argsort(known.items)
    item = _original(places(rows.items, known.items[order]), order)
    seen = _met(known, user, item)
    fresh = rows.yes & ~seen & (rows.users != "") & (rows.items != "")
    pairs = np.unique(np.char.add(np.char.add(row_user.astype(str), "\n"), rows.items), return_inverse=True)[1]
    first = np.zeros(len(pairs), dtype=np.int64)
    at = np.flatnonzero(fresh)
    first[at[np.unique(pairs[at], return_index=True)[1]]] = 1
    sizes = np.bincount(row_user, weights=first, minlength=len(users))
    activity = np.diff(known.seen.indptr)
    there = places(users, known.users)
    return Wanted(
        known=known,
        yes=yes,
        rows=rows,
        users=users,
        judged=np.flatnonzero(sizes > 0),
        row_user=row_user.astype(np.int64),
        relevance=first,
        met=np.where(there >= 0, activity[np.maximum(there, 0)], 0).astype(np.int64) if len(users) else there,
    )


def popular(on: Wanted, depth: int = DEPTH) -> Lists:
    """For every user the items with most yeses in training, without those the user met there."""
    names = [str(n) for n in on.known.items]
    found = []
    for user in places(on.users, on.known.users):
        met = set(on.known.seen.indices[slice(*on.known.seen.indptr[user : user + 2])]) if user >= 0 else set()
        # So many are enough, whatever of them was met.
        found.append([names[i] for i in range(min(len(names), depth + len(met))) if i not in met][:depth])
    return found


def most_popular(on: Wanted) -> Rankings:
    """How the most popular items answer: what every recommender must beat."""
    return rankings(on, popular(on))


def rankings(on: Wanted, lists: Lists, *, beside: Rankings | None = None) -> Rankings:
    """How the lists answer. `beside`: what the report shows next to them."""
    depth = max(1, min(DEPTH, max((len(one) for one in lists), default=1)))
    relevant = _relevant(on)
    number = {str(name): i for i, name in enumerate(on.known.items)}
    hits = np.zeros((len(on.judged), depth), dtype=bool)
    listed = np.full((len(on.judged), depth), -1, dtype=np.int64)
    for unit, user in enumerate(on.judged):
        open_ = set(relevant[int(user)])
        for rank, name in enumerate(lists[user][:depth]):
            listed[unit, rank] = number.get(name, -1)
            if name in open_:
                open_.remove(name)
                hits[unit, rank] = True
    return Rankings(
        hits=hits,
        listed=listed,
        relevant=np.array([len(relevant[int(u)]) for u in on.judged], dtype=np.int64),
        met=on.met[on.judged],
        catalogue=len(number),
        popular=beside,
        evidence=_evidence(on, lists),
        remarks=_remarks(on, number),
        told={**_left_out(on, number), "yes": str(on.yes)},
    )


def _relevant(on: Wanted) -> Mapping[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in np.flatnonzero(on.relevance):
        found.setdefault(int(on.row_user[row]), []).append(str(on.rows.items[row]))
    return found


def _evidence(on: Wanted, lists: Lists) -> tuple[pl.Series, ...]:
    ranks: list[dict[str, int]] = [{} for _ in lists]
    for one, rank in zip(lists, ranks, strict=True):
        for place, name in enumerate(one, start=1):
            rank.setdefault(name, place)
    items = [str(name) for name in on.rows.items]
    return (
        pl.Series("user", [str(name) for name in on.rows.users], dtype=pl.String),
        pl.Series("item", items, dtype=pl.String),
        pl.Series("relevance", on.relevance),
        pl.Series("rank", [ranks[u].get(i) for u, i in zip(on.row_user, items, strict=True)], dtype=pl.Int64),
    )


def _left_out(on: Wanted, number: Mapping[str, int]) -> Mapping[str, int]:
    users = int((on.users != "").sum())
    fresh = on.relevance == 1
    return {
        "users_without_relevant_items": users - len(on.judged),
        "users_not_in_training": int((on.met[on.judged] == 0).sum()),
        "relevant_items": int(fresh.sum()),
        "relevant_items_not_in_training": sum(str(name) not in number for name in on.rows.items[fresh]),
    }


def _remarks(on: Wanted, number: Mapping[str, int]) -> tuple[str, ...]:
    left = _left_out(on, number)
    found = [str(on.yes)] if on.yes.label is not None else []
    if skipped := left["users_without_relevant_items"]:
        found.append(
            tr("{skipped} users without an item that they had not met in training are left out", skipped=skipped)
        )
    if strangers := left["users_not_in_training"]:
        found.append(
            tr("{strangers} users are not in the training part: they get the most popular items", strangers=strangers)
        )
    if cold := left["relevant_items_not_in_training"]:
        whole = left["relevant_items"]
        found.append(
            tr(
                "{cold} of {whole} relevant items are not in the training part: no list can hold them",
                cold=cold,
                whole=whole,
            )
        )
    if missing := int(((on.rows.users == "") | (on.rows.items == "")).sum()):
        found.append(tr("{missing} rows without user or item are left out", missing=missing))
    return tuple(found)


def _met(known: Catalogue, user: Ints, item: Ints) -> NDArray[np.bool_]:
    """Whether each pair is in the training part."""
    found = np.zeros(len(user), dtype=bool)
    both = np.flatnonzero((user >= 0) & (item >= 0))
    size = len(known.items)
    pairs = np.repeat(np.arange(len(known.users)), np.diff(known.seen.indptr)) * size + known.seen.indices
    found[both] = np.isin(user[both] * size + item[both], pairs)
    return found


def _original(at: Ints, order: Ints) -> Ints:
    """Places in a sorted copy as places in what was sorted; -1 stays."""
    return np.where(at >= 0, order[np.maximum(at, 0)], -1).astype(np.int64)
