"""A formula as a tree of frozen nodes, and what can be said of it without any data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

AGGREGATES: Mapping[str, tuple[int, ...]] = {
    "mean": (1,),
    "sum": (1,),
    "count": (0, 1),
    "min": (1,),
    "max": (1,),
    "median": (1,),
    "std": (1,),
    "quantile": (2,),
    "share": (1,),
}
"""How many arguments each may have."""
FUNCTIONS = ("abs", "log", "exp", "sqrt")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, kw_only=True)
class Number:
    value: float


@dataclass(frozen=True, kw_only=True)
class Flag:
    value: bool


@dataclass(frozen=True, kw_only=True)
class Text:
    value: str


@dataclass(frozen=True, kw_only=True)
class Column:
    name: str


@dataclass(frozen=True, kw_only=True)
class Unary:
    operator: Literal["-", "not"]
    inner: Node


@dataclass(frozen=True, kw_only=True)
class Binary:
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, kw_only=True)
class Call:
    function: str
    arguments: tuple[Node, ...]


Node = Number | Flag | Text | Column | Unary | Binary | Call


@dataclass(frozen=True, kw_only=True)
class Formula:
    """A formula that can be computed: its value is one number, whatever the columns hold."""

    text: str
    root: Node

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads, each once, in the order they are first named."""
        return tuple(dict.fromkeys(node.name for node in walk(self.root) if isinstance(node, Column)))


def per_row(node: Node) -> bool:
    """True where the value is one for every row, False where it is one for all."""
    match node:
        case Column():
            return True
        case Unary():
            return per_row(node.inner)
        case Binary():
            return per_row(node.left) or per_row(node.right)
        case Call():
            return node.function not in AGGREGATES and any(per_row(a) for a in node.arguments)
        case _:
            return False


def walk(node: Node) -> Iterator[Node]:
    yield node
    match node:
        case Unary():
            yield from walk(node.inner)
        case Binary():
            yield from walk(node.left)
            yield from walk(node.right)
        case Call():
            for argument in node.arguments:
                yield from walk(argument)
        case _:
            return


def is_text(node: Node) -> bool:
    return isinstance(node, Text)


def is_flag(node: Node) -> bool:
    """Yes or no for certain; a column may be either."""
    match node:
        case Flag():
            return True
        case Unary():
            return node.operator == "not"
        case Binary():
            return node.operator in (*COMPARISONS, "and", "or")
        case _:
            return False
