"""What the README shows is true: its commands run, what they print is what it prints, its tables are the product's.

Commands are the lines of ```console blocks that begin with `$ `; what follows is what they print, where `...` stands
for lines left out and figures may differ. `goalkeeper run GOAL` takes a minute, so here the same goal is planned, and
of a pipeline its first goal; `make` runs these very tests; where a run's id is meant (`ID`), the command's name and
options are checked through its help.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from readme_parts import MADE, POLICIES, README, ROOT, made, parts

TIMEOUT_S = 60
ELSEWHERE = {"make", "git", "cd", "curl"}
"""Commands that another test runs, or that belong to a person's shell."""


def _readme() -> str:
    return README.read_text(encoding="utf-8")


def _examples() -> list[tuple[str, str]]:
    """(command, what the README says it prints); a line that ends in a backslash goes on."""
    examples = []
    for block in re.findall(r"^```console\n(.*?)^```", _readme() if README.exists() else "", re.MULTILINE | re.DOTALL):
        for example in re.split(r"^\$ ", block.replace("\\\n", ""), flags=re.MULTILINE)[1:]:
            command, _, printed = example.partition("\n")
            examples.append((command.strip(), printed))
    return examples


def test_the_readme_shows_the_two_commands_and_the_main_job() -> None:
    commands = [command for command, _ in _examples()]
    assert {"make demo", "make test"} <= set(commands)
    assert [c for c in commands if shlex.split(c)[:2] == ["goalkeeper", "run"]]
    assert [c for c in commands if shlex.split(c)[:2] == ["goalkeeper", "plan"]]


@pytest.mark.parametrize(("command", "printed"), [e for e in _examples() if e[0].split()[0] not in ELSEWHERE])
def test_a_command_of_the_readme_runs_and_prints_what_is_shown(command: str, printed: str, tmp_path: Path) -> None:
    argv, shown = _quick(shlex.split(command))
    ended = subprocess.run(
        argv,
        cwd=ROOT,
        env={**os.environ, "GOALKEEPER_HOME": str(tmp_path), "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    if shown:
        _compare(printed, ended.stdout)


def _quick(argv: Sequence[str]) -> tuple[list[str], bool]:
    """What to run for a command, and whether it prints what is shown there."""
    program, *rest = argv
    if program == "python":
        return [sys.executable, *rest], False
    assert program == "goalkeeper", f"{program} is not a command this test knows"
    goalkeeper = [sys.executable, "-m", "agent"]
    if "ID" in rest:
        command = rest[: rest.index("ID")]
        options = [word for word in rest if word.startswith("--")]
        assert all(option in _help(*command) for option in options)
        return [*goalkeeper, *command, "--help"], False
    if rest[0] == "ci":
        files = [word for word in rest[1:] if word.endswith(".yaml")]
        assert all((ROOT / file).is_file() for file in files)
        assert all(word in _help("ci") for word in rest[1:] if word.startswith("--"))
        return [*goalkeeper, "plan", files[0]], False
    if rest[0] == "run":
        return [*goalkeeper, "plan", *(word for word in rest[1:] if word != "--yes")], False
    return [*goalkeeper, *rest], True


def _help(*command: str) -> str:
    argv = [sys.executable, "-m", "agent", *command, "--help"]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def _compare(printed: str, actual: str) -> None:
    """Every line shown is printed, in that order, figures aside; without `...` nothing else is."""
    wanted, got = _lines(printed), _lines(actual)
    if "..." not in wanted:
        assert not wanted or wanted == got
        return
    remaining = iter(got)
    missing = [line for line in wanted if line != "..." and line not in remaining]
    assert not missing


def _lines(text: str) -> list[str]:
    return [re.sub(r"\s+", " ", re.sub(r"\d+", "0", line)).strip() for line in text.splitlines() if line.strip()]


def test_the_comparison_notices_a_line_that_is_no_longer_printed() -> None:
    _compare("a 1\n...\nc 3\n", "a 12\nb 2\nc 4\n")
    with pytest.raises(AssertionError):
        _compare("a 1\n...\nd\n", "a 12\nb 2\nc 4\n")


@pytest.mark.parametrize(
    ("page", "part"),
    [
        (page, part)
        for page in MADE
        for part in (("refusals", "endorsements") if page == POLICIES else ("help", "tools"))
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.relative_to(ROOT)),
)
def test_a_part_made_from_the_product_is_up_to_date(page: Path, part: str) -> None:
    held = parts(page.read_text(encoding="utf-8"))
    assert part in held, f"{page.name} has no part between `<!-- made: {part} -->` and `<!-- end -->`"
    assert held[part] == made(part), f"{page.name}: `python tests/architecture/readme_parts.py` writes it anew"
