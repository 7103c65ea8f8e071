"""The steps of a formula on numbers: arithmetic, comparisons and functions, with NaN for what is missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from tools.recipes.formulas.tree import COMPARISONS, Flag, Node, Number, Text

Floats = NDArray[np.float64]

_SPELLED = {"true": 1.0, "false": 0.0}


class UndefinedError(Exception):
    """A step has no value although its operands are known."""


def spelled(text: str | None, strange: float) -> float:
    if text is None:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        return _SPELLED.get(text.strip().casefold(), strange)
    return number if math.isfinite(number) else strange


def constant(node: Node) -> Floats:
    match node:
        case Number() | Flag():
            return np.float64(node.value) * np.ones(())
        case Text():
            return np.float64(spelled(node.value, math.inf)) * np.ones(())
        case _:
            raise AssertionError(node)


def combined(operator: str, left: Floats, right: Floats) -> Floats:
    missing = np.isnan(left) | np.isnan(right)
    with np.errstate(all="ignore"):
        if operator in COMPARISONS:
            return np.where(missing, math.nan, COMPARE[operator](left, right))
        if operator in ("and", "or"):
            return _logical(left, right, decided=float(operator == "or"))
        found = _ARITHMETIC[operator](left, right)
    return _defined(found, missing)


def _logical(left: Floats, right: Floats, *, decided: float) -> Floats:
    """`decided` where one side says so, whatever the other is; else missing where one side is."""
    either = (left == decided) | (right == decided)
    found = np.where(np.isnan(left) | np.isnan(right), math.nan, 1 - decided)
    return np.where(either, decided, found)


def turned(operator: str, inner: Floats) -> Floats:
    return -inner if operator == "-" else 1 - inner


def applied(function: str, inner: Floats) -> Floats:
    with np.errstate(all="ignore"):
        found = _FUNCTION[function](inner)
    return _defined(found, np.isnan(inner))


def _defined(found: Floats, missing: NDArray[np.bool_]) -> Floats:
    if (~np.isfinite(found) & ~missing).any():
        raise UndefinedError
    return found


COMPARE: Mapping[str, Callable[..., NDArray[np.bool_]]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_ARITHMETIC: Mapping[str, Callable[..., Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}
_FUNCTION: Mapping[str, Callable[..., Floats]] = {"abs": np.abs, "log": np.log, "exp": np.exp, "sqrt": np.sqrt}
