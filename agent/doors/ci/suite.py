"""Goal files run beside one another without a person, each in a process of its own: one cannot harm the rest."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from threading import Lock

from pydantic import ValidationError

from agent.documents import RunDocument
from agent.errors import ExitCode
from tools.record import Record

ORDER: tuple[ExitCode, ...] = (2, 5, 3, 1, 4, 130)
"""Which exit code says most when several goals end differently."""
PATIENCE_S = 20.0
"""How long an interrupted run may take to note that it was."""
LOG_LINES = 40


class Outcome(Record):
    """How one goal file ended."""

    file: str
    exit_code: ExitCode
    seconds: float
    document: RunDocument | None = None
    """None when the request was invalid or the command itself failed."""
    problem: str = ""
    """Why there is no document, every fault on a line of its own."""
    log: tuple[str, ...] = ()
    """The last lines of its progress."""


def worst(codes: Sequence[ExitCode]) -> ExitCode:
    """The exit code of the whole: the first of `ORDER` that any goal ended with."""
    return next((code for code in ORDER if code in codes), 0)


@dataclass(kw_only=True)
class Suite:
    """Goal files and the command that runs one of them."""

    command: Sequence[str]
    """Starts `goalkeeper run FILE --json` when the file is appended."""
    jobs: int
    """How many run at once."""
    _running: set[subprocess.Popen[str]] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)
    _ending: bool = False

    def run(self, files: Sequence[str], *, ended: Callable[[Outcome], None]) -> tuple[Outcome, ...]:
        """Run every file; the outcomes in the order of the files. `ended` is told as each one ends.

        An interruption is handed on to every run, which stays resumable; what was not started ends with 130.
        """
        with ThreadPoolExecutor(self.jobs) as pool:
            futures = [pool.submit(self._one, file) for file in files]
            try:
                for future in as_completed(futures):
                    ended(future.result())
            except KeyboardInterrupt:
                self._interrupt()
            return tuple(future.result() for future in futures)

    def _interrupt(self) -> None:
        with self._lock:
            self._ending = True
            running = list(self._running)
        for process in running:
            process.send_signal(signal.SIGINT)
        until = time.monotonic() + PATIENCE_S
        for process in running:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()

    def _one(self, file: str) -> Outcome:
        began = time.monotonic()
        with self._lock:
            if self._ending:
                return Outcome(file=file, exit_code=130, seconds=0.0, problem="not started: interrupted")
            process = subprocess.Popen(
                [*self.command, file],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # a ^C reaches it once, from here
            )
            self._running.add(process)
        try:
            out, err = process.communicate()
        finally:
            with self._lock:
                self._running.discard(process)
        return _outcome(file, process.returncode, out, err, time.monotonic() - began)


_CODES: dict[int, ExitCode] = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 130: 130, -signal.SIGINT: 130}


def _outcome(file: str, code: int, out: str, err: str, seconds: float) -> Outcome:
    known = _CODES.get(code, 5)
    log = tuple(err.strip().splitlines()[-LOG_LINES:])
    try:
        told = json.loads(out)
        if "run" in told:
            document = RunDocument.model_validate_json(out)
            return Outcome(file=file, exit_code=known, seconds=seconds, document=document, log=log)
        problem = _problem(told)
    except (ValueError, ValidationError, TypeError):
        problem = log[-1] if log else f"the run ended with {code} and said nothing"
        known = 130 if known == 130 else 5
    return Outcome(file=file, exit_code=known, seconds=seconds, problem=problem, log=log)


def _problem(told: dict[str, object]) -> str:
    error = told.get("error")
    if not isinstance(error, dict):
        return "the run left no document"
    faults = error.get("faults") or ()
    lines = [f"{f['place']}: {f['what']}" + (f" ({f['fix']})" if f.get("fix") else "") for f in faults]
    return "\n".join(lines) or str(error.get("message", ""))
