"""The example goals, run as a pipeline runs them, and their numbers computed again by other means.

All of them: `pytest -m slow tests/flows/test_example_goals.py`. A sample of the quick ones runs every time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from sklearn import metrics

ROOT = Path(__file__).resolve().parents[2]
GOALS = ROOT / "evals" / "goals"
EXPECTED = {"out-of-reach": ("NOT MET", 1), "blue-green-abort": ("NOT MET", 1)}
"""What does not end MET, and shall not."""
SAMPLE = ("shoppers", "recommender")
Rows = pl.DataFrame


def names() -> list[str]:
    return sorted(path.stem for path in GOALS.glob("*.yaml"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy to run in, so that nothing is written beside the goals."""
    folder = tmp_path / "goals"
    shutil.copytree(GOALS, folder)
    return folder


def ci(project: Path, *goals: str, jobs: int = 1) -> tuple[int, dict[str, Any], ElementTree.Element]:
    command = [sys.executable, "-m", "agent", "ci", *(f"{goal}.yaml" for goal in goals)]
    command += ["--yes", "--json", "--junit", "out.xml", "--jobs", str(jobs)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=900
    )
    assert ran.stdout, ran.stderr
    return ran.returncode, json.loads(ran.stdout), ElementTree.parse(project / "out.xml").getroot()


def agent(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def document(project: Path, run: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(agent(project, "show", run, "--json").stdout)
    return told


def smape(rows: Rows) -> float:
    label, said = rows["label"].to_numpy().astype(float), rows["prediction"].to_numpy().astype(float)
    size = np.abs(label) + np.abs(said)
    return float(np.mean(np.where(size > 0, 2 * np.abs(label - said) / np.where(size > 0, size, 1), 0.0)))


def texts(rows: Rows) -> tuple[list[str], list[str]]:
    return rows["label"].cast(pl.String).to_list(), rows["prediction"].cast(pl.String).to_list()


AGAIN: dict[str, Callable[[Rows], float]] = {
    "accuracy": lambda r: metrics.accuracy_score(*texts(r)),
    "f1": lambda r: metrics.f1_score(*texts(r), pos_label="1"),
    "f1_macro": lambda r: metrics.f1_score(*texts(r), average="macro"),
    "r2": lambda r: metrics.r2_score(r["label"], r["prediction"]),
    "mae": lambda r: metrics.mean_absolute_error(r["label"], r["prediction"]),
    "rmse": lambda r: metrics.root_mean_squared_error(r["label"], r["prediction"]),
    "smape": smape,
    "silhouette": lambda r: float(r["silhouette"].mean()),  # type: ignore[arg-type]
}


def check(project: Path, line: dict[str, Any]) -> int:
    """The goal ended as it shall, and every holdout number is what its rows give. How many were computed again."""
    name = Path(line["file"]).stem
    assert (line["verdict"], line["exit_code"]) == EXPECTED.get(name, ("MET", 0)), line
    told, again = document(project, line["run"]), 0
    for clause in told["run"]["clauses"]:
        if name not in EXPECTED:
            assert clause["verdict"] == "MET", clause
        path = (clause["evidence"] or {}).get("path")
        if path is not None and clause["measured"] is not None:
            rows = pl.read_csv(path, infer_schema_length=None)
            assert clause["measured"] == pytest.approx(AGAIN[clause["metric"]](rows), abs=1e-6), clause
            again += 1
    assert (project / told["run"]["page"]).is_file()
    return again


def test_the_sampled_goals_are_met_and_their_numbers_are_true(project: Path) -> None:
    code, told, xml = ci(project, *SAMPLE, jobs=2)
    assert code == 0, told
    assert xml.get("failures") == xml.get("errors") == "0"
    assert all(check(project, line) >= 1 for line in told["goals"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_example_goal_ends_as_it_shall(project: Path) -> None:
    code, told, xml = ci(project, *names())
    assert code == 1, told
    assert [Path(line["file"]).stem for line in told["goals"]] == names()
    assert sum(check(project, line) for line in told["goals"]) >= len(names()) - 3
    assert xml.get("errors") == "0"
    assert agent(project, "sweep", "--json").returncode == 0
    kept = {one["id"] for line in told["goals"] for one in document(project, line["run"])["run"]["resources"]["kept"]}
    assert kept
    assert {agent(project, "stop", name, "--yes").returncode for name in kept} == {0}


def test_there_are_at_least_twelve_and_each_says_what_it_wants() -> None:
    assert len(names()) >= 12
    assert set(EXPECTED) <= set(names())
