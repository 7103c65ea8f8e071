"""The verifier as one file that needs nothing but Python: what every bundle holds as `verify.py`."""

from __future__ import annotations

import ast
from functools import cache
from importlib.resources import files

PARTS = ("ed25519.py", "journal.py", "verify.py")
"""Of this package, each after those it uses."""


@cache
def verifier() -> bytes:
    """The program. The docstring of its last part stands first, and no part imports another."""
    sources = {name: files("agent.audit").joinpath(name).read_text(encoding="utf-8") for name in PARTS}
    about = ast.get_docstring(ast.parse(sources[PARTS[-1]]), clean=False)
    joined = "\n\n".join(_body(source) for source in sources.values())
    return f'"""{about}"""\n\nfrom __future__ import annotations\n\n{joined}\n'.encode()


def _body(source: str) -> str:
    """A module without its docstring, its import of the future and those of its siblings."""
    lines = source.splitlines()
    for number, statement in enumerate(ast.parse(source).body):
        foreign = isinstance(statement, ast.ImportFrom) and statement.module in _DROPPED
        if (number == 0 and isinstance(statement, ast.Expr)) or foreign:
            first, last = statement.lineno, statement.end_lineno or statement.lineno
            lines[first - 1 : last] = [""] * (last - first + 1)
    return "\n".join(lines).strip("\n")


_DROPPED = {"__future__", *(f"agent.audit.{name.removesuffix('.py')}" for name in PARTS)}
