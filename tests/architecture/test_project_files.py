"""The frame around the code: locks, versions, the wheel, and the two commands."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from pathlib import Path

import pytest
from source_tree import PACKAGES, ROOT, name, project_files

LOCKS = ("requirements.lock", "requirements-dev.lock")
REQUIREMENT = re.compile(r"([a-z0-9-]+)==([^\s;]+)( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
HOSTS = ("pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "deb." + "debian.org")
"""Registries; written so that this file does not name them either."""
FLAGS = re.compile(r"--(?:extra-)?index-url|--find-links|--trusted-host|^-[if]\b|file:///", re.MULTILINE)


@cache
def _project() -> dict[str, dict[str, object]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def _pins(lock: str) -> dict[str, str]:
    found = REQUIREMENT.findall((ROOT / lock).read_text(encoding="utf-8"))
    assert found
    return {package: version for package, version, _ in found}


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_holds_pinned_and_hashed_requirements_and_nothing_else(lock: str) -> None:
    previous_hashed = True
    for number, line in enumerate((ROOT / lock).read_text(encoding="utf-8").splitlines(), start=1):
        starts = REQUIREMENT.fullmatch(line) is not None
        assert starts or HASH.fullmatch(line), f"{lock}:{number} is neither a pinned requirement nor a hash: {line}"
        assert previous_hashed or not starts, f"{lock}:{number} follows a requirement without a hash"
        previous_hashed = not starts
    assert previous_hashed


def test_no_package_is_locked_twice() -> None:
    runs, tests = (_pins(lock) for lock in LOCKS)
    assert not set(runs) & set(tests)


def test_every_dependency_is_locked_where_its_installation_looks_for_it() -> None:
    runs, tests = (_pins(lock) for lock in LOCKS)
    project = _project()["project"]
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    needed = [*project["dependencies"], *extras["local"], *_project()["build-system"]["requires"]]  # type: ignore[misc]
    assert {_distribution(one) for one in needed} <= set(runs)
    assert {_distribution(one) for extra in ("evals", "dev") for one in extras[extra]} <= set(runs) | set(tests)


def _distribution(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower()


def test_every_dependency_says_why_it_is_there() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    requirements = re.findall(r'^  "[A-Za-z0-9_.\[\],-]+[<>=].*$', text, re.MULTILINE)
    assert requirements
    assert not [line for line in requirements if not re.search(r'",? +# \w', line)]


def test_no_file_names_a_registry_or_a_folder_of_this_machine() -> None:
    wrong = []
    for path in project_files():
        text = path.read_text(encoding="utf-8", errors="replace").lower()
        wrong += [f"{name(path)}: {host}" for host in HOSTS if host in text]
        if path.suffix in (".lock", ".txt", ".toml", ".cfg", ".yaml", ".yml") or path.name == "Makefile":
            wrong += [f"{name(path)}: {flag}" for flag in FLAGS.findall(text)]
    assert not wrong


def test_the_changelog_begins_with_the_version_that_is_built() -> None:
    newest = re.search(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == _project()["project"]["version"]


def test_ci_runs_what_a_person_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert script == ["#!/usr/bin/env bash", "set -eu", 'cd "$(dirname "$0")/.."', "make test"]


def test_make_explains_its_commands() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert targets is not None
    assert {line.split()[1] for line in shown.splitlines()} == set(targets[1].split()) - {"help"}


def test_an_unsuitable_python_is_named_in_one_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    for target in ("demo", "test"):
        ended = subprocess.run(
            ["make", "--no-print-directory", target, f"PYTHON={old}", f"VENV={tmp_path}/venv"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode != 0
        assert f"Goalkeeper needs Python 3.11 or newer, and {old} is older" in ended.stderr
        assert not (tmp_path / "venv").exists()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy so that the checkout stays as it is."""
    copy = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, copy)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", str(copy / "dist"), str(copy)], check=True, capture_output=True)
    return zipfile.ZipFile(next((copy / "dist").glob("*.whl")))


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    built = {entry for entry in wheel.namelist() if ".dist-info/" not in entry}
    assert built == {name(path) for path in project_files() if path.relative_to(ROOT).parts[0] in PACKAGES}


def test_the_wheel_brings_the_command_and_the_licence(wheel: zipfile.ZipFile) -> None:
    metadata = {Path(entry).name: entry for entry in wheel.namelist() if ".dist-info/" in entry}
    assert "goalkeeper = agent.__main__:main" in wheel.read(metadata["entry_points.txt"]).decode()
    assert "LICENSE" in metadata
