"""How long after a kill the agent makes its next step: a process that drives a run is killed, and another goes on.

The clock runs from the start of the other process to its first call to the backend, whose intent is stored. What
importing the agent takes of that is measured in the same process.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from evals.bench_agent import agent
from tools.record import Record

ROOT = Path(__file__).parents[1]
AHEAD = 12
"""Steps that are left to do; it is killed in the third of them."""
KILLED_IN = 3
PATIENCE_S = 60.0


class Resumed(Record):
    """One process that went on after a kill, in seconds."""

    started: float
    """From its start to its first call."""
    imported: float
    """Until the agent was imported."""

    @property
    def beyond(self) -> float:
        """What the agent itself took."""
        return self.started - self.imported


def resumed(folder: Path, *, history: int, repeats: int) -> list[Resumed]:
    """Kills as many processes on a run with that many steps behind it, each in a store of its own."""
    made = folder / "made"
    made.mkdir(parents=True)
    with agent(made, AHEAD, history):
        pass  # its steps before are done, those ahead are planned
    found = []
    for number in range(repeats):
        own = shutil.copytree(made, folder / f"killed-{number}")
        found.append(_after_a_kill(own))
        shutil.rmtree(own)
    return found


def _after_a_kill(folder: Path) -> Resumed:
    with _driving(folder, hold=KILLED_IN) as process:
        _told(process, "started")
        process.send_signal(signal.SIGKILL)
    began = time.monotonic()
    with _driving(folder, hold=0) as process:
        imported = _told(process, "imported")["imported"]
        started = _told(process, "started")["started"]
    return Resumed(started=_seconds(started) - began, imported=_seconds(imported) - began)


def _seconds(value: object) -> float:
    if not isinstance(value, int | float):
        raise RuntimeError(f"no time was told, but {value!r}")
    return float(value)


def _driving(folder: Path, *, hold: int) -> subprocess.Popen[str]:
    command: Sequence[str] = (sys.executable, "-m", "evals.killed_agent", str(folder), str(hold))
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _told(process: subprocess.Popen[str], what: str) -> Mapping[str, object]:
    """The line of that name. RuntimeError when the process ends before it says so."""
    assert process.stdout is not None
    for line in process.stdout:
        told: Mapping[str, object] = json.loads(line)
        if what in told:
            return told
    raise RuntimeError(f"the process ended with {process.wait(PATIENCE_S)} before it said {what}")
