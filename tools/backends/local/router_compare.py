"""Whether two answers to one request say the same. Knows no HTTP and no model; never raises.

The same class, or numbers within 1 % of the larger; where an answer has no prediction, its JSON with the same
tolerance for numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

TOLERANCE = 0.01
"""Of the larger magnitude."""


class Likeness(NamedTuple):
    """One request, answered twice."""

    agreed: bool
    difference: float | None = None
    """Mean absolute difference over the rows of numeric predictions; None for anything else."""


def likeness(caller: bytes, shadow: bytes) -> Likeness:
    """How the shadow's answer compares with the one that the caller got."""
    try:
        return _likeness(json.loads(caller), json.loads(shadow))
    except (ValueError, RecursionError):
        return Likeness(caller == shadow)


def _likeness(caller: object, shadow: object) -> Likeness:
    mine, theirs = _prediction(caller), _prediction(shadow)
    if mine is None or theirs is None:
        return Likeness(_alike(_outputs(caller), _outputs(shadow)))
    one, other = _numbers(mine), _numbers(theirs)
    if one is None or other is None:
        return Likeness(mine.get("data") == theirs.get("data"))
    if len(one) != len(other):
        return Likeness(False)
    apart = fmean(abs(a - b) for a, b in zip(one, other, strict=True)) if one else 0.0
    near = all(_near(a, b) for a, b in zip(one, other, strict=True))
    return Likeness(near, apart) if math.isfinite(apart) else Likeness(False)


def _outputs(answer: object) -> object:
    """The output tensors of a protocol's answer: its id and version are no part of what it says."""
    return answer["outputs"] if isinstance(answer, dict) and "outputs" in answer else answer


def _prediction(answer: object) -> Mapping[str, object] | None:
    outputs = _outputs(answer)
    tensors = outputs if isinstance(outputs, list) else []
    return next((t for t in tensors if isinstance(t, dict) and t.get("name") == "prediction"), None)


def _numbers(tensor: Mapping[str, object]) -> Sequence[float] | None:
    """The values of a floating-point tensor. Integers are classes or ids: they are the same or they are not."""
    data = tensor.get("data")
    if not str(tensor.get("datatype", "")).startswith("FP") or not isinstance(data, list):
        return None
    if not all(_is_number(value) for value in data):
        return None
    try:
        return [float(value) for value in data]
    except OverflowError:
        return None


def _alike(one: object, other: object) -> bool:
    if _is_number(one) and _is_number(other):
        return one == other or _near(one, other)  # type: ignore[arg-type]
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_alike(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[name], other[name]) for name in one)
    return type(one) is type(other) and one == other


def _near(one: float, other: float) -> bool:
    try:
        return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))
    except OverflowError:
        return False


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
