"""Who may know whom. The contracts stand in pyproject.toml; what they cannot say stands here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from importlinter import cli
from source_tree import ROOT, imported, modules, name, nodes, place

RECIPES_MAY_IMPORT = (
    "tools.record",
    "tools.errors",
    "tools.ports",
    "tools.metrics",
    "tools.digest",
    "tools.language",
    "tools.homes",
    "tools.inputs",
    "tools.watching",
    "tools.visible",
    "tools.recipes",
)


def test_the_import_contracts_are_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    code = cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert code == 0, capsys.readouterr().out


def test_programs_that_run_inside_a_job_know_only_what_goes_in_and_out() -> None:
    strangers = [
        f"{name(path)}:{line} imports {module}"
        for path in _recipes()
        for module, line in imported(path)
        if module.split(".")[0] in ("agent", "policies", "prompts", "evals", "tools")
        and module != "tools"  # the package alone: where it lies
        and not module.startswith(RECIPES_MAY_IMPORT)
    ]
    assert not strangers


def _recipes() -> list[Path]:
    found = [path for path in modules() if name(path).startswith("tools/recipes/")]
    assert found
    return found


def test_only_the_guard_can_approve() -> None:
    approving = [
        place(path, node)
        for path, node in nodes(ast.Call)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] == "Approved"
        and name(path) != "agent/guard.py"
    ]
    assert not approving


def test_an_approval_cannot_be_made_by_another_door() -> None:
    """`Approved.model_validate`, `model_construct` and `replace` would be constructors in disguise."""
    disguised = [
        place(path, node)
        for path, node in nodes(ast.Attribute)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value).split(".")[-1] == "Approved"
        and name(path) != "agent/guard.py"
    ]
    assert not disguised
