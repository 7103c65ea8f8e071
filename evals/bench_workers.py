"""Many workers on one PostgreSQL: how much one carries, what a second adds, and what a run that waits holds.

Two hundred runs are begun on a simulated world in a process of its own, whose time passes by itself; every call of it
is a while on its way. Workers are processes. The CPU of each side is the kernel's own count, so that what the cores of
this machine allow can be told beside what was reached. The server is started here and taken down again.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from evals.bench_series import Measurement, Series, Target
from evals.scene import STEPS, Server, below, held, patiently, serving, settled, staged
from tools.record import Record

RUNS = 200
WAITING = 1000
FEW = 12
"""Runs at once that leave a worker time to spare."""
STILL = 0.01
"""The same where runs only wait: nothing ends meanwhile."""
WARM, DONE = 0.08, 0.70
"""Shares of a series of runs between which throughput is measured: all of them are under way then."""
SHARE, SECOND, QUICK_S, MOST_BYTES = 0.6, 1.5, 0.25, 20_000


class Load(Record):
    """What a number of workers did with all runs under way."""

    workers: int
    steps_per_s: float
    worker_cpu_s: float
    """CPU of the workers a step; the same of the server and of the world below."""
    server_cpu_s: float
    world_cpu_s: float
    machine: float
    """Share of the machine's cores that was busy, with whatever else runs there."""

    @property
    def all_cpu_s(self) -> float:
        return self.worker_cpu_s + self.server_cpu_s + self.world_cpu_s

    def __str__(self) -> str:
        return (
            f"{self.workers} worker(s): {self.steps_per_s:.1f} steps/s; CPU a step: worker"
            f" {self.worker_cpu_s * 1e3:.1f} ms, PostgreSQL {self.server_cpu_s * 1e3:.1f} ms, world"
            f" {self.world_cpu_s * 1e3:.1f} ms; machine {self.machine:.0%} busy"
        )


def bench_workers(folder: Path | None = None) -> Measurement:
    """Throughput with one, two and four workers, the delay of a step, and a thousand runs that wait."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch, serving(Path(scratch) / "pg") as place:
        loads = [_told(_loaded(Path(scratch) / f"w{count}", place, count)) for count in (1, 2, 4)]
        delays = _delays(Path(scratch) / "few", place)
        waiting = _waiting(Path(scratch) / "many", place)
    one, two, four = loads
    c = one.worker_cpu_s
    cores = os.cpu_count() or 1
    p95 = _quantile(delays, 0.95)
    series = (
        Series.of("CPU per step, c", "ms", [c * 1e3]),
        *(Series.of(f"steps, {w.workers} worker(s)", "1/s", [w.steps_per_s]) for w in loads),
        Series.of("event to next step, p95", "ms", [p95 * 1e3]),
        Series.of("waiting run, worker's memory", "B", [waiting.memory]),
        Series.of("waiting run, rows", "B", [waiting.rows]),
    )
    targets = (
        Target(says=f"one worker reaches {SHARE:.0%} of 1/c = {1 / c:.0f} steps/s", met=one.steps_per_s * c >= SHARE),
        _second(one, two, cores),
        Target(says="four workers are not slower than two", met=four.steps_per_s >= 0.95 * two.steps_per_s),
        Target(says=f"p95 from event to next step under {QUICK_S * 1e3:.0f} ms with {FEW} runs", met=p95 < QUICK_S),
        Target(
            says=f"{WAITING} waiting runs hold no process and no thread each, and under {MOST_BYTES:,} bytes",
            met=waiting.threads < FEW and waiting.memory + waiting.rows < MOST_BYTES,
        ),
    )
    notes = (
        *map(str, loads),
        f"one worker reached {one.steps_per_s * c:.0%} of 1/c with {RUNS} runs under way and no smaller limit",
        f"{WAITING} waiting runs: {waiting.threads} more threads, {waiting.processes} more processes",
    )
    return Measurement(name="workers", series=series, targets=targets, notes=notes)


def _told(load: Load) -> Load:
    """This takes minutes: whoever waits sees what there is."""
    print(load, file=sys.stderr, flush=True)
    return load


def _second(one: Load, two: Load, cores: int) -> Target:
    """What the second worker adds. Only PostgreSQL's own share of the cores excuses less; what the simulated world
    takes of them is told beside it."""
    gained = two.steps_per_s / one.steps_per_s
    left = (cores - two.steps_per_s * two.server_cpu_s) / two.worker_cpu_s / one.steps_per_s
    world = cores / two.all_cpu_s / one.steps_per_s
    told = (
        f"two workers carry {SECOND} x one: {gained:.2f} x. PostgreSQL took {two.server_cpu_s * 1e3:.1f} ms a step, and"
        f" leaves {cores} cores room for {left:.2f} x; with the world's share too, {world:.2f} x"
    )
    return Target(says=told, met=gained >= SECOND or left < SECOND)


def _loaded(folder: Path, server: Server, workers: int) -> Load:
    """All runs at once on that many workers."""
    with staged(folder, server) as scene:
        scene.begin(RUNS)
        pids = scene.employ(workers)
        total = STEPS * RUNS
        first = last = scene.sample(pids)
        for _ in patiently():
            last = scene.sample(pids)
            if first.steps < WARM * total:
                first = last
            if last.steps >= DONE * total or scene.over(RUNS):
                break
    steps, took = last.steps - first.steps, last.at - first.at
    return Load(
        workers=workers,
        steps_per_s=steps / took,
        worker_cpu_s=(last.workers_s - first.workers_s) / steps,
        server_cpu_s=(last.server_s - first.server_s) / steps,
        world_cpu_s=(last.world_s - first.world_s) / steps,
        machine=(last.machine_s - first.machine_s) / took / (os.cpu_count() or 1),
    )


def _delays(folder: Path, server: Server) -> list[float]:
    """Real seconds from each event of the world to the next call that the run makes or the decision it takes."""
    with staged(folder, server) as scene:
        scene.begin(FEW)
        scene.employ(1)
        for _ in patiently():
            if scene.over(FEW):
                break
        return scene.delays()


class Waiting(Record):
    """What a thousand runs that wait hold, each, and all together."""

    memory: float
    rows: float
    threads: int
    processes: int


def _waiting(folder: Path, server: Server) -> Waiting:
    """A worker beside a store with few runs, and beside one with a thousand more that all wait for a job."""
    with staged(folder, server, pace=STILL) as scene:
        scene.begin(FEW)
        (pid,) = scene.employ(1)
        settled(scene, FEW)
        before, rows = held(pid), scene.bytes()
        scene.begin(WAITING, first=FEW)
        settled(scene, FEW + WAITING)
        after = held(pid)
        return Waiting(
            memory=max(0.0, (after["VmRSS"] - before["VmRSS"]) * 1024 / WAITING),
            rows=(scene.bytes() - rows) / WAITING,
            threads=after["Threads"] - before["Threads"],
            processes=len(below(pid)),
        )


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
