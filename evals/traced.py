"""Whether a contract says only what its goal says: its numbers and names stand in the text, or the rules read them.

Independent of what the model brain traces by: numbers are looked for in plain units, names letter by letter. What the
embedded grammar read counts as said: a model may add to that only what stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.contract import Contract

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")
_UNITS = (1, 100, 1_000, 1e6, 60, 3_600, 86_400, 604_800, 2_592_000, 1 / 7.2)
"""What a number may be multiplied with or divided by: percent, thousands, milliseconds, durations, another currency."""
_OURS = ("id", "where", "format", "name", "role", "assumptions", "questions", "unit", "op")
"""Fields that are ours, or closed words."""
_NAMES = ("uri", "label", "time", "target", "value", "source_models", "drop_columns", "predict", "namespace", "on")
_CLOSE = 1e-6


def untold(contract: Contract, text: str, rules: Contract | None, *, ours: float | None = None) -> Iterator[str]:
    """What a contract says and neither the text nor the rules' reading of it does. `ours`: the operator's budget."""
    numbers = {float(n.replace(",", "")) for n in _NUMBER.findall(text)}
    said = text.casefold()
    own = list(_leaves(rules.model_dump(mode="json"))) if rules is not None else []
    values = {value for _, value in own} | {ours}
    for path, value in _leaves(contract.model_dump(mode="json")):
        name = path[-1] if isinstance(path[-1], str) else path[-2]
        if name in _OURS or value in values or value is None or isinstance(value, bool):
            continue
        where = ".".join(map(str, path))
        if isinstance(value, int | float) and not _counted(float(value), numbers):
            yield f"untold: {where} = {value:g}"
        elif isinstance(value, str) and name in _NAMES and value.casefold() not in said:
            yield f"untold: {where} = {value[:60]!r}"


def _counted(value: float, numbers: set[float]) -> bool:
    """The number stands in the text, in some unit; what is relative may also stand as its complement or negative."""
    forms = {abs(value), abs(1 - value), abs(1 + value)}
    return value in (0.0, 1.0) or any(
        _same(form, n * unit) or _same(form, n / unit) for form in forms for n in numbers for unit in _UNITS
    )


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _CLOSE * max(1.0, abs(one), abs(other))


def _leaves(
    told: object, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str | float | bool | None]]:
    if isinstance(told, dict):
        for name, inner in told.items():
            yield from _leaves(inner, (*path, str(name)))
    elif isinstance(told, list):
        for number, inner in enumerate(told):
            yield from _leaves(inner, (*path, number))
    elif isinstance(told, str | int | float) or told is None:
        yield path, told
