"""How much memory an agent holds while it waits for a training job: resident size, sampled from outside."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from evals.bench_commands import goalkeeper
from evals.bench_series import Measurement, Series, Target

LIMIT_MB = 120.0
GOAL = "Classify sklearn:breast_cancer with a random forest, search 300 trials, accuracy at least 0.9"
JOB = "tools.recipes.train"
START_S = 60.0
END_S = 30.0
SETTLE_S = 1.0
"""Waited out after the job was first seen, so that the start of the job is not what is measured."""
EVERY_S = 0.2


def bench_memory(repeats: int = 15) -> Measurement:
    """`goalkeeper run` on a search that outlasts the measurement; everything it started is ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="gk-") as folder:
        environment = {**os.environ, "GOALKEEPER_HOME": f"{folder}/home", "GOALKEEPER_RUNTIME_DIR": f"{folder}/run"}
        agent = subprocess.Popen(
            [*goalkeeper(), "run", GOAL, "--yes"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _await_job(agent, folder)
            sizes = [_resident_mb(agent.pid) for _ in range(repeats)]
            peak = _status_mb(agent.pid, "VmHWM")
        finally:
            _end(agent, environment)
    waiting = Series.of("resident while a job runs", "MB", sizes)
    return Measurement(
        name="memory",
        series=(waiting, Series.of("largest since the start", "MB", [peak])),
        targets=(Target(says=f"under {LIMIT_MB:.0f} MB while it waits", met=waiting.median < LIMIT_MB),),
    )


def _await_job(agent: subprocess.Popen[bytes], folder: str) -> None:
    deadline = time.monotonic() + START_S
    while not _job_runs(folder):
        if agent.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no training job was seen; run it by hand: goalkeeper run {GOAL!r} --yes")
        time.sleep(EVERY_S)
    time.sleep(SETTLE_S)


def _job_runs(folder: str) -> bool:
    """Whether a training program that was started below this folder is there."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if JOB in command and folder in command:
            return True
    return False


def _resident_mb(pid: int) -> float:
    time.sleep(EVERY_S)
    return _status_mb(pid, "VmRSS")


def _status_mb(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024 / 1e6
    raise RuntimeError("the agent ended while it was measured")


def _end(agent: subprocess.Popen[bytes], environment: Mapping[str, str]) -> None:
    """Cancel the run, so that the agent itself ends its job, and wait until it has."""
    listed = subprocess.run([*goalkeeper(), "runs", "--json"], env=environment, capture_output=True, check=True)
    for run in json.loads(listed.stdout)["runs"]:
        subprocess.run([*goalkeeper(), "cancel", run["id"]], env=environment, capture_output=True, check=True)
    try:
        agent.wait(END_S)
    except subprocess.TimeoutExpired:
        agent.kill()
        raise
