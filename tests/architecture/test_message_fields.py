"""A message that is said with the name of a field spelled wrong would fail where somebody is told of something else."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("agent", "policies", "tools")


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every `tr(...)` with its place."""
    for file in sorted(f for room in ROOMS for f in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr" and node.args:
                yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def templates(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from templates(node.body)
        yield from templates(node.orelse)


def fields(template: str) -> set[str]:
    return {re.split(r"[.\[]", name)[0] for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_field_of_a_message_is_given() -> None:
    lacking = [
        f"{place}: {sorted(fields(template) - given)} of {template!r}"
        for place, call in calls()
        if None not in (given := {k.arg for k in call.keywords}) and given
        for template in templates(call.args[0])
        if not fields(template) <= given
    ]
    assert not lacking
