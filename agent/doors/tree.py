"""A plan's graph laid out as a tree of lines: a chain stays level, parallel work is indented, a join comes back.

Pure: ids in, places out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Line:
    """One step with what is drawn before it."""

    id: str
    guide: str


def arrange(steps: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[Line, ...]:
    """Lines for steps given as (id, needs) in topological order; needs outside the list are ignored."""
    before: dict[str, frozenset[str]] = {}
    parents: dict[str, str | None] = {}
    branches: dict[str | None, list[str]] = {}
    joins: dict[str | None, list[str]] = {}
    for id_, needs in steps:
        known = [n for n in needs if n in before]
        before[id_] = frozenset(known).union(*(before[n] for n in known))
        direct = [n for n in known if not any(n in before[other] for other in known)]
        parents[id_] = _place(direct, parents)
        (joins if len(direct) > 1 else branches).setdefault(parents[id_], []).append(id_)
    return tuple(_lay(None, branches, joins))


def _place(needs: Sequence[str], parents: Mapping[str, str | None]) -> str | None:
    """Where a step hangs: below its only need, or below what its needs have in common."""
    if len(needs) <= 1:
        return needs[0] if needs else None
    shared = set.intersection(*(set(_above(need, parents)) for need in needs))
    return next((above for above in _above(needs[0], parents) if above in shared), None)


def _above(id_: str, parents: Mapping[str, str | None]) -> list[str]:
    """The chain from a step upwards, itself first."""
    chain: list[str] = []
    at: str | None = id_
    while at is not None:
        chain.append(at)
        at = parents[at]
    return chain


def _lay(
    root: str | None, branches: Mapping[str | None, list[str]], joins: Mapping[str | None, list[str]]
) -> Iterator[Line]:
    """Walks with a stack: plans may be long chains, and lines come out in reading order."""
    stack: list[tuple[str | None, str, str]] = [(root, "", "")]
    while stack:
        at, first, rest = stack.pop()
        if at is not None:
            yield Line(id=at, guide=first)
        kids, after = branches.get(at, []), joins.get(at, [])
        todo: list[tuple[str | None, str, str]] = []
        if len(kids) == 1 and not after:
            todo.append((kids[0], rest, rest))
        else:
            for index, kid in enumerate(kids):
                last = index == len(kids) - 1
                todo.append((kid, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  ")))
            todo += [(join, rest, rest) for join in after]
        stack.extend(reversed(todo))
