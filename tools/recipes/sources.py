"""Which of our own modules a program depends on: its imports, followed by name, wherever the files lie."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import tools
from tools.digest import digest_of


@cache
def digest_of_program(module: str) -> str:
    """sha256 over the names and sources of a module and of all of ours that it imports, at once or later."""
    return digest_of(sorted((name, _file(name)) for name in closure(module)))


@cache
def closure(module: str) -> frozenset[str]:
    """The module, and every one of ours that it imports, or that those import; the packages they lie in too."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += [part for part in _imported(name) if part not in found]
    return frozenset(found)


def _imported(name: str) -> Iterator[str]:
    """What a module imports of ours, anywhere in its text; its packages run before it."""
    yield from (package for package in _packages(name) if package != name)
    for node in ast.walk(ast.parse(_file(name).read_bytes())):
        if isinstance(node, ast.Import):
            asked = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            asked = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (part for whole in asked for part in _packages(whole))


def _packages(name: str) -> Iterator[str]:
    """The module itself where it is one of ours, and the packages it lies in."""
    parts = name.split(".")
    names = [".".join(parts[: n + 1]) for n in range(len(parts))] if parts[0] == tools.__name__ else []
    yield from (each for each in names if _file(each).is_file())


def _file(name: str) -> Path:
    place = Path(tools.__path__[0]).joinpath(*name.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
