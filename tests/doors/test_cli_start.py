"""How the process starts: quickly, from the installation, and quietly when nobody reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from agent.__main__ import misplaced
from agent.doors.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "pydantic",
    "rich",
    "yaml",
    "langgraph",
    "langchain_core",
    "openai",
    "sqlite3",
    "asyncio",
    "numpy",
    "polars",
    "sklearn",
    "agent.session",
    "agent.settings",
    "agent.errors",
    "tools",
)


def goalkeeper(
    *arguments: str, environ: dict[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(environ or {})},
        timeout=60,
        check=False,
    )


def test_help_lists_every_command_and_nothing_else() -> None:
    done = goalkeeper("--help")
    assert done.returncode == 0
    listed = [line.split()[0] for line in done.stdout.partition("Commands:\n")[2].splitlines() if line.startswith("  ")]
    assert listed[: len(COMMANDS)] == list(COMMANDS)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['goalkeeper', '--help']; from agent.__main__ import main; main();"
        "print(sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60, check=True
    )
    loaded = done.stdout.splitlines()[-1]
    assert [name for name in HEAVY if f"'{name}'" in loaded] == []


def _lines() -> list[str]:
    """Every command as it is typed, those of a group after the group's name."""
    from agent.doors.cli.app import build

    group = build()
    assert isinstance(group, click.Group)
    found = {name: group.get_command(click.Context(group), name) for name in COMMANDS}
    inside = [f"{name} {own}" for name, one in found.items() if isinstance(one, click.Group) for own in one.commands]
    return [*(name for name, one in found.items() if not isinstance(one, click.Group)), *inside]


@pytest.mark.parametrize("line", _lines())
def test_every_command_explains_itself(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    from agent.doors.cli.app import execute

    assert execute([*line.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: goalkeeper {line}")
    assert "--json" in out


def test_without_arguments_help_is_shown() -> None:
    done = goalkeeper()
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: goalkeeper")


@pytest.mark.parametrize("name", ["tools", "policies", "prompts"])
def test_a_foreign_package_of_the_same_name_stops_the_start(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    script = tmp_path / "bin" / "goalkeeper"
    script.parent.mkdir()
    script.write_text(
        f"import sys\nsys.path.append({str(ROOT)!r})\nfrom agent.__main__ import main\nsys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, str(script), "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": "."},
        timeout=60,
        check=False,
    )
    assert done.returncode == 5
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert f"'{name}'" in done.stderr
    assert str(tmp_path / name) in done.stderr


def test_our_own_packages_are_in_place() -> None:
    assert misplaced(ROOT) is None


def test_a_reader_that_leaves_is_no_failure(tmp_path: Path) -> None:
    command = f"{sys.executable} -m agent plan --help | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_full_pipe_that_closes_early_is_no_failure(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from fake_session import FakeWorld;"
        "from agent.doors.cli.app import execute;"
        "sys.exit(execute(['plan', 'x' * 300_000], FakeWorld().open))"
    )
    command = f'{sys.executable} -c "{code}" {Path(__file__).parent} | head -c 1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


def test_output_that_the_terminal_cannot_show_is_written_all_the_same(tmp_path: Path) -> None:
    done = goalkeeper("completion", "bash", environ={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    done = goalkeeper("run", "用数据", "--budget", "五", environ={"PYTHONIOENCODING": "ascii"}, cwd=ROOT)
    assert done.returncode == 2
    assert "\\u4e94" in done.stderr
