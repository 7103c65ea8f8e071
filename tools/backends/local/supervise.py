"""Runs one job to its end: `python -I -m tools.backends.local.supervise FOLDER`.

Detached from whoever started it. It holds the hard limit and the lease, keeps the output, hands the result over,
and writes one status. It imports neither pydantic nor the agent: it must start in milliseconds.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import stat
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tools.backends.local import keeper, linux, room
from tools.backends.local.claims import read
from tools.backends.local.credentials import Redactor
from tools.backends.local.disk import remove, replace, write_once
from tools.backends.local.environment import of_command, of_recipe
from tools.backends.local.keeper import Kept, Mode, Program
from tools.backends.local.launch import Launch
from tools.backends.local.lease import Held
from tools.backends.local.output import Output, last_lines
from tools.backends.local.process import boot, process
from tools.credential import is_credential
from tools.language import speaking, tr

LOOK_S = 0.5
"""How often the lease is read again."""
REGISTER_S = 60
"""A supervisor that has not registered by then is given up by whoever started it."""
RESULT = 16 << 20
"""Bytes of a result read at most."""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Fork the supervisor, wait until it is registered, and return: 0, or 3 when the job was given up before."""
    folder = Path(argv[0])
    launch = Launch.read(folder)
    signal.alarm(REGISTER_S)  # this process only: a fork has no alarm
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(told)
        _detached(folder, launch, environ, tell)
    os.close(tell)
    if os.read(told, 1) == b"r":
        return 0
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _detached(folder: Path, launch: Launch, environ: Mapping[str, str], tell: int) -> NoReturn:
    os.setsid()
    if not _claim(folder):
        os._exit(3)
    os.write(tell, b"r")
    os.close(tell)
    _supervise(folder, launch, environ)


def _claim(folder: Path) -> bool:
    """Say that this process runs the job; False when that was decided already."""
    me = process(os.getpid())
    identity = {"pid": me.pid, "ticks": me.ticks, "boot": boot()}
    if not write_once(folder / "process.json", identity):
        return False
    tags = json.loads((folder / "tags.json").read_bytes())
    replace(folder / "tags.json", {**tags, "process": identity})
    return True


def _supervise(folder: Path, launch: Launch, environ: Mapping[str, str]) -> NoReturn:
    started = time.time()
    try:
        with speaking(launch.language):
            status = Supervisor(folder, launch, environ, started).run()
    except Exception as error:  # noqa: BLE001 - the process boundary: whatever it was becomes the job's status
        import traceback

        traceback.print_exc()
        status = _failed("unknown", f"The supervisor failed: {type(error).__name__}: {error}")
        status |= {"started": started, "isolation": "none"}
    remove(Path(launch.box))
    write_once(folder / "status.json", {**status, "ended": time.time()})
    sys.stderr.flush()
    os._exit(0)


class Supervisor:
    """One program, from start to status."""

    def __init__(self, folder: Path, launch: Launch, environ: Mapping[str, str], started: float) -> None:
        self._folder, self._launch, self._environ, self._started = folder, launch, environ, started
        self._deadline = time.monotonic() + launch.time_limit_s
        self._stopped: str | None = None
        self._kill_at: float | None = None
        self._lease, self._look_at = Held(folder / "tags.json"), 0.0
        self._most, self._room = room.allowed(launch.box, launch.disk_bytes), ""
        self._redactor = Redactor({**environ, **launch.environment})
        self._output = Output(folder, self._redactor)
        self._kills = _memory_kills()

    def run(self) -> dict[str, Any]:
        """The job's status as JSON."""
        signal.signal(signal.SIGTERM, lambda *_: self._stop("cancelled"))
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        reading, writing = os.pipe()
        kept, isolation = self._start(writing)
        os.close(writing)
        replace(self._folder / "isolation.json", isolation)
        status = self._attend(kept, reading)
        self._drain(kept, reading)
        self._output.close()
        judged = self._judge(status)
        common = {"started": self._started, "isolation": isolation, "usage": _usage(), "dropped": self._output.dropped}
        return {**judged, **common}

    def _start(self, output: int) -> tuple[Kept, str]:
        """The program on its way, contained as well as the kernel allows, and what that is called."""
        reasons: list[str] = []
        modes: list[Mode] = ["namespace", "group"]
        if self._launch.sandbox:
            modes.insert(0, "sandbox")
        root = self._folder / "root"
        root.mkdir(exist_ok=True)
        for mode in modes if linux.available() else modes[-1:]:
            program = self._program(output, mode)
            kept = keeper.start(program, self._launch, mode=mode, root=os.path.realpath(root))
            if (said := keeper.said(kept.line)) == "ready":
                self._output.write("".join(reasons).encode())
                return kept, _isolation(self._launch, mode)
            reasons.append(f"[isolation by {mode} is not available: {said[5:]}]\n")
            kept.line.close()
            os.waitpid(kept.pid, 0)
        raise OSError("".join(reasons).strip())

    def _program(self, output: int, mode: Mode) -> Program:
        launch = self._launch
        if launch.argv:
            environment = of_command(self._environ, launch, sandboxed=mode == "sandbox")
            return Program(launch.argv, launch.folder, environment, output, self._environ, self._most)
        argv = (sys.executable, "-I", "-m", f"tools.recipes.{launch.program}", launch.box)
        return Program(argv, launch.folder, of_recipe(self._environ, launch), output, self._environ, self._most)

    def _attend(self, kept: Kept, reading: int) -> int | None:
        """Until the program has ended: its wait status, None when nobody can say."""
        line = kept.line.fileno()
        open_ends = [line, reading]
        while True:
            self._check(kept)
            if kept.line.fileno() < 0:
                return None
            readable, _, _ = select.select(open_ends, [], [], LOOK_S)
            if reading in readable and not self._copy(reading):
                open_ends.remove(reading)
            if line in readable:
                return _exit_status(keeper.said(kept.line))

    def _check(self, kept: Kept) -> None:
        """Hold the limits; ask once, then end."""
        now = time.monotonic()
        if now >= self._look_at:
            self._lease.read()
            self._look_at = now + LOOK_S
            self._room = room.overfull(self._launch.box, self._most) or self._room
        if now >= self._deadline:
            self._stop("time")
        elif self._lease.lapsed:
            self._stop("lease")
        elif self._room:
            self._stop("disk")
        if self._stopped and self._kill_at is None:
            self._kill_at = now + self._launch.grace_s
            kept.line.send(keeper.TERMINATE)
        if self._kill_at is not None and now >= self._kill_at:
            kept.line.close()

    def _stop(self, reason: str) -> None:
        self._stopped = self._stopped or reason

    def _copy(self, reading: int) -> bool:
        data = os.read(reading, 1 << 16)
        self._output.write(data)
        return bool(data)

    def _drain(self, kept: Kept, reading: int) -> None:
        """All processes have ended when the keeper has; what they wrote last is still in the pipe."""
        kept.line.close()
        os.waitpid(kept.pid, 0)
        while select.select([reading], [], [], 0.2)[0] and self._copy(reading):
            pass
        os.close(reading)

    def _judge(self, status: int | None) -> dict[str, Any]:
        if self._stopped == "cancelled":
            return {"phase": "cancelled"}
        if status == 0 and self._stopped is None:
            return self._succeeded()
        if not self._launch.argv and self._stopped is None and (told := _read(Path(self._launch.box, "failure.json"))):
            return {"phase": "failed", "failure": told}
        return self._explained(status)

    def _explained(self, status: int | None) -> dict[str, Any]:
        from tools.backends.local.verdict import Ending, verdict

        found = verdict(
            Ending(
                status=status,
                stopped=self._stopped,
                limit_s=self._launch.time_limit_s,
                memory_kills=_memory_kills() - self._kills,
                lines=last_lines(self._folder, 200),
                room=self._room,
            )
        )
        return _failed(found.cause, found.message, (*found.evidence, *self._withheld()))

    def _withheld(self) -> tuple[str, ...]:
        """Which credentials of the shell a user's own program did not get: it may have missed one."""
        names = sorted(name for name, value in self._environ.items() if is_credential(name, value))
        if not (names and self._launch.argv):
            return ()
        return (tr("[not given to the program, since they look like credentials: {names}]", names=", ".join(names)),)

    def _succeeded(self) -> dict[str, Any]:
        from tools.backends.local.handover import hand_over

        launch = self._launch
        if launch.out.is_symlink() or not launch.out.is_dir():
            return _failed("user_code_error", tr("The program removed or replaced its output folder."))
        if launch.argv:
            claims = read(launch.out / "metrics.json", self._redactor)
            if claims.failure is not None:
                return _failed(*claims.failure)
            result: dict[str, Any] | None = {"claimed": claims.found}
        else:
            result = _read(Path(launch.box, "result.json"))
        if result is None:
            return _failed("unknown", tr("The program ended well and left no readable result."))
        left_out = hand_over(launch)
        return {"phase": "succeeded", "result": result, "left_out": list(left_out)}


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object the program left; None when there is none that can be read."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode) or path.stat().st_size > RESULT:
            return None
        found = json.loads(path.read_bytes())
        json.dumps(found, ensure_ascii=False).encode()  # half of a character pair could not be written down again
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _failed(cause: str, message: str, evidence: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"phase": "failed", "failure": {"cause": cause, "message": message, "evidence": list(evidence)}}


def _isolation(launch: Launch, mode: Mode) -> str:
    if mode == "sandbox":
        return "sandboxed"
    return "encrypted" if launch.sandbox else "none"


def _exit_status(said: str) -> int | None:
    """What the keeper says of the end; None when it ended without a word."""
    return int(said[5:]) if said.startswith("exit ") else None


def _memory_kills() -> int:
    """Processes the kernel has ended for want of memory since boot."""
    try:
        text = Path("/proc/vmstat").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")), 0)


def _usage() -> dict[str, float]:
    """CPU seconds of all processes of the job, and the peak memory of the largest one in bytes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return {"cpu_s": used.ru_utime + used.ru_stime, "peak_bytes": used.ru_maxrss * unit}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], dict(os.environ)))
