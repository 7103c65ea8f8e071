"""A standing goal on this machine: real servers, real requests, drift in what callers send, and a better model."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.doors import goalfile
from agent.prospect import Request
from agent.record.claims import ENDED
from agent.session import Session
from agent.settings import Settings

GOAL = """
goal: Train a classifier on people.csv, label outcome
target: folk
models: [logistic_regression]
search: {trials: 1}
clauses: ["accuracy >= 0.8", "p95 <= 10 s", "error rate <= 5%"]
rollout: {strategy: direct}
upkeep: {every_s: 2, retrain_on: [drift]}
"""
WITHIN_S = 150.0


def people(folder: Path, *, income: float, rows: int = 600, seed: int = 5) -> None:
    """A table whose outcome is decided by an income that lies around that number."""
    draw = random.Random(seed)
    lines = ["age,income,outcome"]
    for _ in range(rows):
        age, earned = draw.randint(18, 90), round(draw.gauss(income, 20), 2)
        lines.append(f"{age},{earned},{'yes' if earned + draw.gauss(0, 4) > income else 'no'}")
    (folder / "people.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Session, str]]:
    """A session whose run has handed its endpoint over, and the standing goal's name."""
    people(tmp_path, income=50.0)
    (tmp_path / "goal.yaml").write_text(GOAL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    settings = Settings(home=tmp_path / "home", runtime=tmp_path / "runtime", user="ada")
    with Session.open(settings) as session:
        file = goalfile.load(tmp_path / "goal.yaml", tmp_path)
        asked = Request(text=file.text, source=file.source, stated=file.stated, accept=True, folder=file.folder)
        run = session.start(asked)
        try:
            document = session.drive(run)
            assert document.run.exit_code == 0, document.run.reason
            yield session, f"{run}.1"
        finally:
            session.drive(session.stop("folk", accept=True))


def ask(session: Session, draw: random.Random, *, income: float, requests: int = 12, rows: int = 60) -> None:
    """What callers send: many rows at once, around that income."""
    url = session._backend.serving.state("folk").url.removeprefix("http://")
    line = http.client.HTTPConnection(url, timeout=20)
    for _ in range(requests):
        ages = [draw.randint(18, 90) for _ in range(rows)]
        earned = [draw.gauss(income, 20) for _ in range(rows)]
        inputs = [
            {"name": "age", "datatype": "INT64", "shape": [rows], "data": ages},
            {"name": "income", "datatype": "FP64", "shape": [rows], "data": earned},
        ]
        line.request("POST", "/v2/models/folk/infer", json.dumps({"inputs": inputs}))
        answer = line.getresponse()
        body = answer.read()
        assert answer.status == 200, body
    line.close()


def woken(session: Session, goal: str) -> None:
    """What a worker does now: the standing goal when it is due, and every run it has begun."""
    session.wake(goal)
    for row in session._store.rows():
        if row.status not in ENDED and row.id.startswith(goal):
            session.drive(row.id)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_drift_in_real_traffic_is_found_trained_on_canaried_promoted_and_told(
    served: tuple[Session, str], tmp_path: Path
) -> None:
    session, goal = served
    draw, old = random.Random(7), session._backend.serving.state("folk").versions[0].name
    for _ in range(3):
        ask(session, draw, income=50.0)
        time.sleep(2.1)
        woken(session, goal)
    assert session.goal(goal).alarms == 0, session.story(goal)
    people(tmp_path, income=120.0, seed=6)
    ended = time.monotonic() + WITHIN_S
    while session.goal(goal).version == old:
        assert time.monotonic() < ended, session.story(goal)
        ask(session, draw, income=120.0)
        time.sleep(2.1)
        woken(session, goal)
    for _ in range(2):
        ask(session, draw, income=120.0)
        time.sleep(2.1)
        woken(session, goal)
    level = session.goal(goal)
    assert level.state in ("healthy", "at_risk"), session.story(goal)
    story = session.story(goal)
    for told in ("**alarm**: drift", "income", "reaction: retrain", "promoted"):
        assert told in story
    (child,) = [r.id for r in session.runs().runs if "-retrain" in r.id]
    document = session.show(child)
    assert {c.id: c.verdict for c in document.run.clauses}["no-worse"] == "MET"
    assert sum(s.tool == "shift_traffic" for s in document.plan.steps) == 3
