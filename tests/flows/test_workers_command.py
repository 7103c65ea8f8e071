"""The command `goalkeeper worker` as a process: asked to stop, told nonsense, or without a store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path


def command(home: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "GOALKEEPER_RUNTIME_DIR": str(home / "runtime"), **more}
    return subprocess.Popen(
        [sys.executable, "-m", "agent", "--home", str(home), "worker", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_it_leaves_with_exit_code_0_when_asked_to(tmp_path: Path) -> None:
    worker = command(tmp_path, "--json", "--metrics", "127.0.0.1:0")
    assert worker.stderr is not None
    first = worker.stderr.readline()
    assert first.startswith("metrics: http://127.0.0.1:")
    worker.send_signal(signal.SIGHUP)
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=30)
    assert (worker.returncode, out.strip()) == (0, '{"looked":0,"ended":0,"failed":0,"under_way":[]}'), err


def test_without_its_server_it_says_so_once_and_hides_the_password(tmp_path: Path) -> None:
    worker = command(tmp_path, "--once", GOALKEEPER_STORE="postgresql://ada:canary-word@127.0.0.1:1/runs")
    out, err = worker.communicate(timeout=60)
    assert worker.returncode == 5
    assert "the store postgresql://127.0.0.1:1/runs cannot be opened" in err
    assert "canary-word" not in out + err
    assert "Traceback" not in err
