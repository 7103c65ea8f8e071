"""Names from outside as a model may see them: opaque ids that code gives, and code takes back.

A column, a version or a foreign endpoint may be called anything, also a sentence. What the goal itself names, and what
looks like nothing but an identifier of an offer, keeps its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from agent.contract import Contract

Kind = Literal["endpoint", "version", "model", "owner", "column", "region", "gpu", "offer", "data"]
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")
_TELLING = 4
"""Characters from which a name can say something, and is looked for inside of words as well."""
_OPEN: tuple[Kind, ...] = ("offer", "region", "gpu")
"""Kinds that a configured backend names, and a person chose by configuring it."""


class Names:
    """Real names and what stands for them, by kind."""

    def __init__(self, own: Iterable[str] = ()) -> None:
        """`own`: what the goal names, which stands for itself."""
        self._own = frozenset(own)
        self._shown: dict[tuple[Kind, str], str] = {}
        self._real: dict[tuple[Kind, str], str] = {}

    def shown(self, kind: Kind, name: str) -> str:
        """What a model reads in its place; the same each time."""
        if (known := self._shown.get((kind, name))) is not None:
            return known
        plain = name in self._own or (kind in _OPEN and _PLAIN.fullmatch(name) is not None)
        made = name if plain else self._id(kind)
        self._shown[kind, name], self._real[kind, made] = made, name
        return made

    def _id(self, kind: Kind) -> str:
        number = 1 + sum(1 for (known, name), shown in self._shown.items() if known == kind and name != shown)
        while f"{kind}_{number}" in self._own or (kind, f"{kind}_{number}") in self._real:
            number += 1
        return f"{kind}_{number}"

    def real(self, kind: Kind, shown: str) -> str | None:
        """What it stands for; None for what stands for nothing that the model was shown."""
        return self._real.get((kind, shown))

    def hidden(self, text: str) -> str:
        """Our own sentence without the names from outside that stand in it."""
        for (_, name), shown in sorted(self._shown.items(), key=lambda item: -len(item[0][1])):
            if name and name != shown:
                place = re.escape(name) if len(name) >= _TELLING else rf"(?<!\w){re.escape(name)}(?!\w)"
                text = re.sub(place, shown, text)
        return text


def stated(contract: Contract) -> frozenset[str]:
    """Names that the goal itself says."""
    place = contract.placement
    found = {*place.regions, *place.instance_types, *filter(None, [place.gpu])}
    for part in contract.parts:
        found |= {part.name, part.endpoint, *(piece for m in part.source_models for piece in (m, *m.split(":", 1)))}
        found |= {d.uri for d in part.data}
        found |= {name for d in part.data for name in (d.label, d.time, d.id) if name}
    return frozenset(found - {""})
