"""The main job on this machine, as a user runs it: real data, real jobs, a real endpoint, numbers computed again."""

from __future__ import annotations

import csv
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

GOAL = """
goal: Train a classifier on people.csv, label outcome
target: people
models: [logistic_regression]
search: {trials: 3}
clauses: ["accuracy >= 0.8", "p95 <= 500 ms", "error rate <= 5%"]
rollout: {strategy: canary, steps: [50, 100], lease_s: 300}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder with a goal and a table whose outcome follows from two of its columns, with some noise."""
    draw = random.Random(5)
    with (tmp_path / "people.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "income", "city", "outcome"])
        for _ in range(500):
            age, income, city = (
                draw.randint(18, 90),
                round(draw.gauss(50, 20), 2),
                draw.choice(["北京", "Oslo", "Lima"]),
            )
            good = income + (10 if city == "Oslo" else 0) + draw.gauss(0, 6) > 52
            writer.writerow([age, "" if draw.random() < 0.03 else income, city, "yes" if good else "no"])
    (tmp_path / "goal.yaml").write_text(GOAL, encoding="utf-8")
    yield tmp_path
    goalkeeper(tmp_path, "stop", "people", "--yes", check=False)


def goalkeeper(folder: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run([_program(), *words], cwd=folder, capture_output=True, text=True, timeout=150, check=False)
    assert not check or ran.returncode == 0, ran.stdout + ran.stderr
    return ran


def _program() -> str:
    return str(Path(sys.executable).with_name("goalkeeper"))


def _until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def _events(folder: Path, run: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(goalkeeper(folder, "events", run, "--json").stdout)["events"]
    return events


def _answers(url: str, rows: list[dict[str, str]]) -> list[str]:
    """What the endpoint predicts for rows of the source, as anybody would ask it."""
    columns = {
        "age": ("INT64", [int(r["age"]) for r in rows]),
        "income": ("FP64", [float(r["income"]) if r["income"] else None for r in rows]),
        "city": ("BYTES", [r["city"] for r in rows]),
    }
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": kind, "data": data} for name, (kind, data) in columns.items()
    ]
    body = json.dumps({"inputs": inputs}).encode()
    request = urllib.request.Request(
        f"{url}/v2/models/people/infer", data=body, headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        outputs = {o["name"]: o["data"] for o in json.load(response)["outputs"]}
    return [str(p) for p in outputs["prediction"]]


def test_a_killed_agent_goes_on_without_training_again_and_every_number_can_be_computed_again(project: Path) -> None:
    process = subprocess.Popen(
        [_program(), "run", "goal.yaml", "--yes"], cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def training() -> bool:
        runs = json.loads(goalkeeper(project, "runs", "--json").stdout)["runs"]
        return bool(runs) and any(
            e["kind"] == "outcome" and "tune" in e["body"]["call"] for e in _events(project, runs[0]["id"])
        )

    try:
        _until(training)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    run = json.loads(goalkeeper(project, "runs", "--json").stdout)["runs"][0]["id"]
    assert goalkeeper(project, "show", run, "--json").returncode in (0, 4)

    document = json.loads(goalkeeper(project, "resume", run, "--json").stdout)

    assert {c["verdict"] for c in document["run"]["clauses"]} == {"MET"}
    assert document["run"]["isolation"] == "sandboxed" or not _namespaces()
    started = [e["body"]["call"] for e in _events(project, run) if e["kind"] == "intent"]
    assert len(started) == len(set(started)), "a call was begun twice"
    _check_accuracy(project, document)
    _check_lease(project, document)


def _check_accuracy(project: Path, document: dict[str, Any]) -> None:
    """The printed number, the evidence, the source and the served model agree."""
    clause = next(c for c in document["run"]["clauses"] if c["metric"] == "accuracy")
    with (project / "people.csv").open(newline="") as file:
        source = list(csv.DictReader(file))
    with open(clause["evidence"]["path"], newline="") as file:
        evidence = list(csv.DictReader(file))
    rows = [source[int(line["row"])] for line in evidence]
    served = _answers(document["run"]["resources"]["kept"][0]["url"], rows)
    right = sum(row["outcome"] == answer for row, answer in zip(rows, served, strict=True))
    assert f"{clause['measured']:.6g}" == f"{right / len(rows):.6g}"
    assert [line["prediction"] for line in evidence] == served
    assert [line["label"] for line in evidence] == [row["outcome"] for row in rows]


def _check_lease(project: Path, document: dict[str, Any]) -> None:
    """What is kept is owned, can be extended and stopped by pasting the report's own words, and is then gone."""
    kept = document["run"]["resources"]["kept"][0]
    assert goalkeeper(project, "sweep").returncode == 0
    for command in (kept["extend"], kept["stop"]):
        ran = subprocess.run(shlex.split(command), cwd="/", capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(goalkeeper(project, "sweep", "--json").stdout).get("resources", []) == []


def _namespaces() -> bool:
    """Whether this kernel lets an ordinary program make the namespaces that a sandbox needs."""
    probe = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0
