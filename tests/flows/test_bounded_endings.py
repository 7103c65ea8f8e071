"""A cancelled run is wound down in bounded time whatever the backend does; one that is asked to stop is handed over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from simulated import ACCURACY, ERRORS, LATENCY, Stage, classify, steps_of

from agent.act import WIND_DOWN_S
from agent.documents import RunDocument, RunView
from agent.session import Session
from agent.settings import load
from agent.stopping import Stopping
from tools.backends.sim.faults import FaultKind, Operation

CANARY = classify(ACCURACY, LATENCY, ERRORS, rollout="canary")
BOUND_S = 30.0
"""From `cancel` to everything wound down, the backend's own time aside."""
HOSTILE: list[tuple[str, tuple[Operation, ...], FaultKind, float]] = [
    ("jobs.submit", ("jobs.submit", "jobs.cancel", "jobs.poll"), "throttle", 7.0),
    ("jobs.submit", ("jobs.cancel", "jobs.poll"), "throttle", 1.0),
    ("jobs.submit", ("jobs.cancel", "jobs.poll"), "throttle", 3600.0),
    ("jobs.submit", ("jobs.poll",), "answer_500", 1.0),
    ("job.started", ("jobs.cancel",), "answer_500", 1.0),
    ("serving.deploy", ("serving.remove", "serving.withdraw", "serving.state"), "throttle", 1.0),
    ("version.ready", ("serving.remove", "serving.split"), "throttle", 13.0),
    ("version.ready", ("serving.remove", "serving.find"), "answer_500", 1.0),
]


def cancelled(stage: Stage, kind: str, spoilt: tuple[Operation, ...], fault: FaultKind, again_s: float) -> RunDocument:
    """Once that has happened the backend turns hostile for ever, and the run is cancelled."""
    at: list[float] = []
    with stage.begun() as (session, run), stage.session() as other:

        def watch(view: RunView) -> None:
            if kind in stage.kinds() and not at:
                for operation in spoilt:
                    stage.backend.faults.arm(operation=operation, fault=fault, times=None, retry_after_s=again_s)
                other.cancel(run, who="ada")
                at.append(stage.clock.now())

        document = session.drive(run, watch=watch)
        assert at
        assert stage.clock.now() - at[0] <= BOUND_S
        return document


@pytest.mark.parametrize(("kind", "spoilt", "fault", "again_s"), HOSTILE)
def test_a_cancelled_run_ends_in_time_on_a_backend_that_answers_nothing(
    tmp_path: Path, kind: str, spoilt: tuple[Operation, ...], fault: FaultKind, again_s: float
) -> None:
    stage = Stage(tmp_path, CANARY, world="steady")
    document = cancelled(stage, kind, spoilt, fault, again_s)
    assert (document.run.status, document.run.exit_code) == ("cancelled", 4)


def test_what_could_not_be_ended_in_time_is_reported_and_left_to_its_own_end(tmp_path: Path) -> None:
    stage = Stage(tmp_path, CANARY)
    document = cancelled(stage, "jobs.submit", ("jobs.cancel", "jobs.poll"), "throttle", 1.0)
    (told,) = [f for f in document.run.findings if "may still run" in f]
    assert "its own limit and lease end it" in told
    assert document.run.resources.released == ()
    stage.clock.sleep(24 * 3600.0)
    assert stage.owned() == []


def test_a_throttled_call_is_waited_for_and_a_cancellation_ends_that_wait(tmp_path: Path) -> None:
    """The wait under way is the first call's: nothing was made, and nothing is."""
    stage = Stage(tmp_path, CANARY)
    stage.backend.faults.arm(operation="jobs.submit", fault="throttle", times=None, retry_after_s=25.0)
    with stage.begun() as (session, run), stage.session() as other:
        began = stage.clock.now()
        cancel_at, sleep = began + 40.0, stage.clock.sleep

        def slept(seconds: float, interrupt: object = None) -> None:
            sleep(seconds, interrupt)
            if stage.clock.now() >= cancel_at and not told:
                told.append(stage.clock.now())
                other.cancel(run, who="ada")

        told: list[float] = []
        stage.clock.sleep = slept  # type: ignore[method-assign]
        document = session.drive(run)
    assert document.run.status == "cancelled"
    assert stage.clock.now() - told[0] <= 1.0
    assert stage.calls("jobs.submit") == []


@pytest.mark.parametrize("moment", ["waiting", "throttled", "lost"])
def test_a_run_that_is_asked_to_stop_is_handed_over_and_loses_nothing(tmp_path: Path, moment: str) -> None:
    undisturbed = Stage(tmp_path / "a", CANARY)
    undisturbed.ended()
    stage, stopping = Stage(tmp_path / "b", CANARY), Stopping()
    if moment == "throttled":
        stage.backend.faults.arm(operation="jobs.submit", fault="throttle", times=4, retry_after_s=20.0)
    if moment == "lost":
        stage.backend.faults.arm(operation="jobs.submit", fault="lose_answer", times=1)
        stage.backend.faults.arm(operation="jobs.find", fault="answer_500", times=4)
    with stage.begun() as (session, run):
        sleep = stage.clock.sleep

        def slept(seconds: float, interrupt: object = None) -> None:
            sleep(seconds, interrupt)
            stopping.ask()

        stage.clock.sleep = slept  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            session.drive(run, stopping=stopping)
        stage.clock.sleep = sleep  # type: ignore[method-assign]
    with stage.session() as other:
        assert other.show(run).run.status == "waiting"
        assert other.drive(run).run.exit_code == 0
    assert sorted(steps_of(stage.calls())) == sorted(steps_of(undisturbed.calls()))


STUBBORN = """
import pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("began").write_text("x")
while True: time.sleep(0.05)
"""


def until(path: Path, process: subprocess.Popen[str]) -> None:
    patience = time.monotonic() + 90
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < patience
        time.sleep(0.02)


@pytest.mark.slow
def test_a_real_run_leaves_on_sigterm_and_its_stubborn_job_ends_when_it_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"{n},{'a' if n % 2 else 'b'}" for n in range(60)]
    (tmp_path / "shop.csv").write_text("\n".join(("x,kind", *rows)) + "\n")
    (tmp_path / "train.py").write_text(STUBBORN)
    (tmp_path / "goal.yaml").write_text(
        "goal: Train my own program on shop.csv and predict kind. Accuracy of at least 90 %.\n"
        "train: {kind: command, value: python train.py}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOALKEEPER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setenv("GOALKEEPER_LOG", "json")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    command = [sys.executable, "-m", "agent", "run", "goal.yaml", "--yes", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    began = next(iter(tmp_path.rglob("train.py"))).parent / "began"
    until(began, process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    told = json.loads(out)["error"]
    assert told["kind"] == "interrupted"
    events = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert {"begun", "step", "activation"} <= {e["event"] for e in events}
    assert events[-1]["outcome"] in ("waits", "stopped")
    with Session.open(load({}, dict(os.environ), tmp_path)) as session:
        session.cancel(told["run"], who=load({}, {}, tmp_path).user)
        at = time.monotonic()
        document = session.drive(told["run"])
        took = time.monotonic() - at
        assert session.sweep(release=False, run=told["run"]) == ()
    assert document.run.status == "cancelled"
    assert took < WIND_DOWN_S + 30.0  # the promise itself: 30 s and the backend's own
