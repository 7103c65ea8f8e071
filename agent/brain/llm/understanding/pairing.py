"""Which part of one contract is which of another: by what they are about, before where they stand."""

from __future__ import annotations

from agent.contract import Part


def pairs(told: tuple[Part, ...], said: tuple[Part, ...]) -> dict[int, tuple[int, Part]]:
    """Place in `told` → place in `said` and the part there; parts that are nothing alike have no pair."""
    ranked = sorted(
        (-_likeness(a, b), abs(n - m), n, m)
        for n, a in enumerate(told)
        for m, b in enumerate(said)
        if _likeness(a, b) > 0 or len(told) == len(said) == 1
    )
    found: dict[int, tuple[int, Part]] = {}
    taken: set[int] = set()
    for _, _, n, m in ranked:
        if n not in found and m not in taken:
            found[n] = (m, said[m])
            taken.add(m)
    return found


def _likeness(a: Part, b: Part) -> int:
    """Points: the same thing, the same data, the same models, the same task."""
    return (
        4 * _meet({a.target or a.name}, {b.target or b.name})
        + 4 * _meet({d.uri for d in a.data}, {d.uri for d in b.data})
        + 2 * _meet(set(a.source_models), set(b.source_models))
        + 2 * _meet(set(a.models), set(b.models))
        + (a.task == b.task)
    )


def _meet(one: set[str], other: set[str]) -> bool:
    return bool({x.casefold() for x in one} & {x.casefold() for x in other})
