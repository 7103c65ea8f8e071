"""What the quick commands cost a person: CPU of `--help`, latency of `plan`. Each repeat is a process of its own."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evals.bench_series import Measurement, Series, Target
from tools.record import Record

HELP_MS = 80.0
PASS_MS = 13.0
"""`--help` may cost HELP_MS on a machine where `python -c pass` costs PASS_MS; elsewhere in proportion."""
PLAN_S = 1.0
BUNDLED = "Classify sklearn:breast_cancer with at least 90% accuracy, deploy it with a canary, p95 under 80 ms"
FILE = "Classify the column churned in {path} with f1 at least 0.7"
ROWS = 20_000


class Spent(Record):
    """What one process cost."""

    wall_ms: float
    cpu_ms: float
    code: int


def goalkeeper() -> list[str]:
    """The command as it is installed beside this interpreter; in a bare checkout the module."""
    installed = Path(sys.executable).with_name("goalkeeper")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "agent"]


def spend(argv: Sequence[str]) -> Spent:
    """Run a program to its end without its output."""
    nothing = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    began = time.perf_counter()
    pid = os.posix_spawnp(argv[0], list(argv), os.environ, file_actions=nothing)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    cpu = usage.ru_utime + usage.ru_stime
    return Spent(wall_ms=1000 * wall, cpu_ms=1000 * cpu, code=os.waitstatus_to_exitcode(status))


def bench_help(repeats: int = 15) -> Measurement:
    """CPU of `goalkeeper --help` beside `python -c pass`, in turns."""
    helps, passes = [], []
    for _ in range(repeats):
        passes.append(spend([sys.executable, "-c", "pass"]).cpu_ms)
        helps.append(_expect(0, [*goalkeeper(), "--help"]).cpu_ms)
    shown, bare = Series.of("goalkeeper --help", "ms CPU", helps), Series.of("python -c pass", "ms CPU", passes)
    limit = HELP_MS * bare.median / PASS_MS
    says = f"at most {HELP_MS:.0f} ms where python -c pass costs {PASS_MS:.0f}: {limit:.0f} ms here"
    return Measurement(name="help", series=(shown, bare), targets=(Target(says=says, met=shown.median <= limit),))


def bench_plan(repeats: int = 7) -> Measurement:
    """Latency of `plan --json` for a bundled set, and for a CSV file whose sample it has to look at."""
    with _table() as path:
        goals = {"bundled set": BUNDLED, f"CSV file of {ROWS} rows": FILE.format(path=path)}
        spent = {
            name: [_expect(0, [*goalkeeper(), "plan", "--json", goal]) for _ in range(repeats)]
            for name, goal in goals.items()
        }
    walls = [Series.of(f"plan, {name}", "s", [s.wall_ms / 1000 for s in all_]) for name, all_ in spent.items()]
    cpus = [Series.of(f"plan, {name}, CPU", "s CPU", [s.cpu_ms / 1000 for s in all_]) for name, all_ in spent.items()]
    targets = [Target(says=f"{wall.name}: at most {PLAN_S:.0f} s", met=wall.median <= PLAN_S) for wall in walls]
    return Measurement(name="plan", series=(*walls, *cpus), targets=tuple(targets))


def _expect(code: int, argv: Sequence[str]) -> Spent:
    spent = spend(argv)
    if spent.code != code:
        raise RuntimeError(f"{' '.join(argv)} ended with exit code {spent.code}: nothing to measure; run it by hand")
    return spent


@contextmanager
def _table() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="goalkeeper-bench-") as folder:
        path = Path(folder) / "customers.csv"
        with path.open("w", encoding="utf-8") as file:
            file.write("age,plan,spend,churned\n")
            for row in range(ROWS):
                file.write(f"{18 + row % 60},{'abc'[row % 3]},{row * 7 % 1000 / 10},{int(row * 7 % 1000 > 700)}\n")
        yield path
