"""The product's own files, as text and as syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent", "tools", "policies", "prompts", "evals")


@cache
def modules() -> tuple[Path, ...]:
    """Every Python file that ships."""
    return tuple(sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name(path: Path) -> str:
    """The path from the root, as messages print it."""
    return path.relative_to(ROOT).as_posix()


def dotted(path: Path) -> str:
    """The module's import name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[Path, ast.AST]]:
    """Every node of those kinds in the product."""
    for path in modules():
        for node in ast.walk(tree(path)):
            if isinstance(node, kinds):
                yield path, node


def place(path: Path, node: ast.AST) -> str:
    return f"{name(path)}:{getattr(node, 'lineno', 1)}"


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, anywhere in it, with the line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "tools":
            for alias in node.names:
                yield f"tools.{alias.name}", node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno


def project_files() -> Iterator[Path]:
    """Every text file of the project: what the top level holds and the folders that belong to it."""
    skipped = {".venv", ".git", ".goalkeeper", "build", "__pycache__"}
    for top in sorted(ROOT.iterdir()):
        if top.name in skipped or top.name.endswith((".egg-info", "_cache")) or top.name == ".hypothesis":
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and path.suffix != ".pyc" and not path.is_symlink():
                yield path
