"""Rollouts and orders on this machine: real servers, real requests, a real shadow beside the version that serves."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

GOAL = """
goal: Train a classifier on people.csv, label outcome
target: folk
models: [{family}]
search: {{trials: 1}}
clauses: ["accuracy >= 0.6", "p95 <= 10 s", "error rate <= 5%"]
rollout: {{strategy: {strategy}, replicas: {replicas}, lease_s: 600}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder with a small table, and nothing left of its endpoint afterwards."""
    draw = random.Random(5)
    rows = ["age,income,outcome"]
    for _ in range(400):
        age, income = draw.randint(18, 90), round(draw.gauss(50, 20), 2)
        rows.append(f"{age},{income},{'yes' if income + draw.gauss(0, 6) > 52 else 'no'}")
    (tmp_path / "people.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    yield tmp_path
    _goalkeeper(tmp_path, "stop", "folk", check=False)


def _goalkeeper(folder: Path, *words: str, check: bool = True) -> dict[str, Any]:
    program = str(Path(sys.executable).with_name("goalkeeper"))
    ran = subprocess.run(
        [program, *words, "--yes", "--json"], cwd=folder, capture_output=True, text=True, timeout=280, check=False
    )
    assert not check or ran.returncode == 0, ran.stdout[-2000:] + ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout) if ran.stdout else {}
    return document


def _rolled_out(folder: Path, family: str, strategy: str, replicas: int = 1) -> dict[str, Any]:
    text = GOAL.format(family=family, strategy=strategy, replicas=replicas)
    (folder / "goal.yaml").write_text(text, encoding="utf-8")
    return _goalkeeper(folder, "run", "goal.yaml")


def _kept(document: dict[str, Any]) -> str:
    (kept,) = document["run"]["resources"]["kept"]
    return str(kept["model"])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_shadow_a_rolling_rollout_a_roll_back_and_a_scaling_follow_each_other(project: Path) -> None:
    first = _kept(_rolled_out(project, "logistic_regression", "direct"))
    shadowed = _rolled_out(project, "decision_tree", "shadow")
    second = _kept(shadowed)
    assert second != first
    assert any(f.startswith(f"as a shadow it said the same as {first} in ") for f in shadowed["run"]["findings"])
    assert "mirror_traffic" in {s["tool"] for s in shadowed["plan"]["steps"]}
    assert _kept(_goalkeeper(project, "rollback", "folk")) == first
    _goalkeeper(project, "scale", "folk", "2")
    replaced = _rolled_out(project, "decision_tree", "rolling", 2)
    assert _kept(replaced) == second
    assert [s["id"] for s in replaced["plan"]["steps"] if s["tool"] == "scale_endpoint"] == ["end-1", "start-2"]
    (project / "look.yaml").write_text("goal: Why is the endpoint folk slow?\ntask: diagnose\ntarget: folk\n")
    looked = _goalkeeper(project, "run", "look.yaml")
    assert any(f"{second} has 100 % of the traffic; 2 of 2 servers answer" in f for f in looked["run"]["findings"])
