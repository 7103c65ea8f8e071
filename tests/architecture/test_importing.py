"""What importing and starting costs: importing does nothing, and the quick commands load nothing heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from source_tree import ROOT, dotted, modules

HERE = Path(__file__).parent
LEARNING = {"numpy", "optuna", "pandas", "polars", "scipy", "skops", "sklearn", "starlette", "uvicorn", "narwhals"}
"""Libraries of the jobs: the agent's own process never loads one."""
CLIENTS = {"boto3", "botocore", "kubernetes", "langchain_core", "langsmith", "openai", "pytest"}
"""Clients of what neither `--help` nor `plan` talks to."""
LOOP = {"langgraph", "nacl", "sqlite3"}
"""What only a run needs."""
EDITOR = {"prompt_toolkit"}
"""What only a conversation at a terminal needs."""
GOAL = "Classify sklearn:breast_cancer with at least 90% accuracy"


def _environment(home: Path | None = None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "GOALKEEPER_HOME": str(home or "")}


def _python(*argv: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv],
        env=_environment(home),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_importing_a_module_does_nothing() -> None:
    found = _python(str(HERE / "import_probe.py"), *(dotted(path) for path in modules()))
    assert found.returncode == 0, found.stderr
    assert found.stdout.split("\n") == ["", ""]


def test_the_probe_sees_a_module_that_acts_when_it_is_imported() -> None:
    acting = ROOT / "tests" / "architecture" / "acts_on_import.py"
    found = _python(str(HERE / "import_probe.py"), acting.stem)
    assert "reads the environment variable HOME" in found.stdout, found.stderr
    assert "socket.__new__" in found.stdout


def _loaded(*argv: str, home: Path) -> set[str]:
    ended = _python(str(HERE / "loaded_modules.py"), *argv, home=home)
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stderr.splitlines()[-1]))


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    assert not _loaded("--help", home=tmp_path) & (LEARNING | CLIENTS | LOOP | EDITOR | {"pydantic", "rich", "yaml"})


def test_help_on_a_conversation_loads_no_line_editor(tmp_path: Path) -> None:
    assert not _loaded("chat", "--help", home=tmp_path) & (LEARNING | CLIENTS | LOOP | EDITOR | {"rich"})


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_planning_loads_nothing_heavy(flags: tuple[str, ...], tmp_path: Path) -> None:
    assert not _loaded("plan", *flags, GOAL, home=tmp_path) & (LEARNING | CLIENTS | {"langgraph"})
