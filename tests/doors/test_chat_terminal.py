"""A conversation at a terminal: the real program behind a pseudo-terminal, on the simulated world."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOAL = (
    "Predict the target of sklearn:breast_cancer with at least 0.9 accuracy, and deploy it to production as a canary "
    "with p95 below 100 ms."
)
LONGEST_S = 20.0
CALM_S = 0.8
"""After a question has changed a yes is not taken at once."""


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """The shipped policies, except that whoever asked may release to production."""
    folder = tmp_path / "policies"
    folder.mkdir()
    for file in (ROOT / "policies").glob("*.cedar"):
        shutil.copy(file, folder)
    limits = (ROOT / "policies" / "limits.yaml").read_text(encoding="utf-8")
    stated = "production: {role: release, other_than_requester: true}"
    assert stated in limits
    limits = limits.replace(stated, "production: {role: operator, other_than_requester: false}")
    (folder / "limits.yaml").write_text(limits, encoding="utf-8")
    return folder


class Terminal:
    """A program at a terminal of 100 by 40 that answers where its cursor is, as terminals do."""

    def __init__(self, home: Path, policies: Path, *flags: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GOALKEEPER_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent", "chat", "--backend", "sim", "--home", str(home / "runs"), *flags],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=home,
            env=environ
            | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "HOME": str(home)}
            | {"GOALKEEPER_POLICIES": str(policies), "GOALKEEPER_RUNTIME": str(home / "runtime")},
            start_new_session=True,
        )
        os.close(slave)
        self._raw = b""
        self._from = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(LONGEST_S)
        os.close(self._master)

    @property
    def shown(self) -> str:
        """What was drawn since the last thing that was waited for: words, without colours and movements."""
        text = self._raw.decode("utf-8", "replace")
        bare = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[=>]", "", text)
        return re.sub(r"\s+", " ", bare)[self._from :]

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def see(self, text: str) -> None:
        """Wait until it is shown; what is waited for next comes after it."""
        until = time.monotonic() + LONGEST_S
        while text not in self.shown:
            assert time.monotonic() < until, f"{text!r} was never shown: {self.shown}"
            assert self._read() or text in self.shown, f"{text!r} was never shown, and it is over: {self.shown}"
        self._from += self.shown.index(text) + len(text)

    def end(self) -> int:
        until = time.monotonic() + LONGEST_S
        while self._read():
            assert time.monotonic() < until, f"it did not end: {self.shown}"
        return self.process.wait(LONGEST_S)

    def _read(self) -> bool:
        """Whether there may be more."""
        if not select.select([self._master], [], [], 0.2)[0]:
            return self.process.poll() is None
        try:
            piece = os.read(self._master, 65_536)
        except OSError:  # the other side is closed
            return False
        self._raw += piece
        for _ in range(piece.count(b"\x1b[6n")):
            self.type("\x1b[1;1R")
        return bool(piece)


@pytest.mark.timeout(240)
def test_a_goal_is_corrected_started_asked_about_changed_interrupted_taken_up_and_approved(
    tmp_path: Path, policies: Path
) -> None:
    with Terminal(tmp_path, policies) as first:
        first.see("> ")
        first.type(f"{GOAL}\r")
        first.see("Start it? [y/n")
        first.type("make it 0.92 instead\r")
        first.see("accuracy >= 0.9 on holdout → accuracy >= 0.92 on holdout")
        first.see("Start it? [y/n")
        first.type("y\r")
        first.see("has begun")
        first.see("answered by anybody (role operator)")
        first.see("Approve plan-1? [y/n]")
        first.type("what is it doing?\r")
        first.see("it waits for an answer to plan-1")
        first.see("Approve plan-1? [y/n]")
        first.type("make it 0.85 instead\r")
        first.see("this loosens the goal: less is demanded than before")
        first.see("Change it? [y/n]")
        first.type("y\r")
        first.see("the goal was changed")
        first.see("Approve plan-2? [y/n]")
        first.type("half a sentence\x03")
        first.type("\x03")
        first.see("^D or /quit leaves")
        first.process.send_signal(signal.SIGTERM)
        first.see("is left resumable")
        first.see("Go on talking with")
        assert first.end() == 130
    with Terminal(tmp_path, policies, "--resume") as again:
        again.see("make it 0.85 instead")
        again.see("Approve plan-2? [y/n]")
        again.type("y\r")
        again.see("Kept running")
        again.type("what was the accuracy?\r")
        again.see("accuracy >= 0.85 on holdout (model): MET")
        again.see("> ")
        again.type("\x04")
        assert again.end() == 0
        assert "Traceback" not in again.shown


@pytest.mark.timeout(120)
def test_what_is_pasted_is_one_message_of_bounded_length(tmp_path: Path, policies: Path) -> None:
    with Terminal(tmp_path, policies) as terminal:
        terminal.see("> ")
        terminal.type("\x1b[200~" + "x" * 20_000 + "\x1b[201~")
        terminal.see("more than 10000 characters: nothing was done")
        terminal.type("\x1b[200~/nonsense\x1b[31m\nof two lines\x1b[201~\r")
        terminal.see("There is no /nonsense")
        terminal.type("/stat")
        terminal.see("How the run stands")
        terminal.type("\t")
        time.sleep(CALM_S)
        terminal.type("\r\r")
        terminal.see("is about no run yet")
        terminal.see("> ")
        terminal.type("/quit\r")
        assert terminal.end() == 0
