"""What a durable step costs: the agent beside one bare SQLite commit, LangGraph's SQLite saver and DBOS, in turns.

Each engine is prepared on a folder of its own with 10, 100 or 1 000 steps behind it, then asked for more; only these
are timed. The agent's part is in `evals.bench_agent`, the others' in `evals.bench_engines`, and what it takes after a
kill in `evals.bench_killed`; here it is judged.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from evals.bench_agent import agent
from evals.bench_engines import Engine, dbos, insert, langgraph
from evals.bench_killed import Resumed, resumed
from evals.bench_series import Measurement, Series, Target
from tools.record import Record

STEPS = 60
HISTORIES = (10, 100, 1000)
"""Steps behind the run when it is measured."""
ENGINES: Mapping[str, Engine] = {"insert": insert, "agent": agent, "langgraph": langgraph, "dbos": dbos}
INSERT_FACTOR = 2.5
LANGGRAPH_FACTOR = 4.0
GROWTH_BYTES = 4096
FLAT = 1.25
"""How much more a step may take with the longest history than with the shortest: what turns differ by."""
RESUMED_S = 0.3
KILLS = 5


class Turn(Record):
    """One engine's turn, per step."""

    wall_us: float
    cpu_us: float
    bytes: float
    deciding_us: float = 0.0
    """Of the wall time: what policy decisions took."""
    deciding_cpu_us: float = 0.0

    @property
    def stored_us(self) -> float:
        """Wall time without policy decisions: what is left is there to be durable."""
        return self.wall_us - self.deciding_us


Found = Mapping[str, Sequence[Turn]]
"""The turns of every engine."""


def turns(engines: Mapping[str, Engine], *, rounds: int, folder: Path, history: int) -> dict[str, list[Turn]]:
    """Every engine once a round, in rotating order; a first round warms up and does not count."""
    names = list(engines)
    found: dict[str, list[Turn]] = {name: [] for name in names}
    for round_ in range(rounds + 1):
        for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
            turn = _turn(engines[name], folder / f"{name}-{history}-{round_}", history)
            if round_:
                found[name].append(turn)
    return found


def _turn(engine: Engine, folder: Path, history: int) -> Turn:
    folder.mkdir(parents=True)
    with engine(folder, STEPS, history) as steps:
        before = stored(folder)
        wall, cpu = time.perf_counter(), time.process_time()
        done = steps()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        size = stored(folder) - before
    shutil.rmtree(folder)
    each = 1e6 / done.steps
    return Turn(
        wall_us=each * wall,
        cpu_us=each * cpu,
        bytes=size / done.steps,
        deciding_us=each * done.deciding_s,
        deciding_cpu_us=each * done.deciding_cpu_s,
    )


def stored(folder: Path) -> int:
    """Bytes in the folder's databases, their logs folded in."""
    for path in folder.rglob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return sum(path.stat().st_size for path in folder.rglob("*.db"))


def bench_durable(repeats: int = 11, folder: Path | None = None) -> Measurement:
    """Wall, CPU and bytes per step of the four, on a real disk, and what the agent takes after a kill."""
    where = Path(tempfile.mkdtemp(prefix=".goalkeeper-bench-", dir=folder or Path.cwd()))
    try:
        kind = filesystem(where)
        if kind in ("tmpfs", "ramfs"):
            raise ValueError(
                f"{where.parent} is in memory ({kind}), where a commit costs nothing: give --folder on a disk"
            )
        rounds = dict(zip(HISTORIES, (repeats, max(3, repeats // 2), max(3, repeats // 4)), strict=True))
        found = {h: turns(ENGINES, rounds=n, folder=where, history=h) for h, n in rounds.items()}
        killed = {h: resumed(where / f"killed-{h}", history=h, repeats=KILLS) for h in (HISTORIES[0], HISTORIES[-1])}
    finally:
        shutil.rmtree(where)
    return judge(found, killed, f"on {kind}, {STEPS} steps a turn, the engines in turns")


def judge(found: Mapping[int, Found], killed: Mapping[int, Sequence[Resumed]], note: str) -> Measurement:
    """Series and targets. Ratios are taken within a round, in which the machine was the same.

    Both factors are judged on the step without its policy decision, which nobody else makes, at the shortest history;
    that nothing depends on history is judged for itself.
    """
    shortest, longest = min(found), max(found)
    own = {history: one["agent"] for history, one in found.items()}
    over = [_ratio(f"agent / insert, {h} behind", own[h], one["insert"]) for h, one in found.items()]
    below = [_ratio(f"langgraph / agent, {h} behind", one["langgraph"], own[h]) for h, one in found.items()]
    whole = Series.of(
        "langgraph / agent with policy decision",
        "x",
        [a.wall_us / b.wall_us for a, b in zip(found[shortest]["langgraph"], own[shortest], strict=True)],
    )
    grown = max(turn.bytes for turn in (*own[shortest], *own[longest]))
    slower = _median(own[longest]) / _median(own[shortest])
    beyond = [Series.of(f"kill to next step, {h} behind", "s", [k.started for k in all_]) for h, all_ in killed.items()]
    apart = [Series.of(f"beyond the import, {h} behind", "s", [k.beyond for k in all_]) for h, all_ in killed.items()]
    return Measurement(
        name="durable",
        series=(*_series(found), *over, *below, whole, *beyond, *apart),
        targets=(
            Target(
                says=f"at most {INSERT_FACTOR:g} x the insert, the policy decision apart",
                met=over[0].median <= INSERT_FACTOR,
            ),
            Target(
                says=f"at least {LANGGRAPH_FACTOR:g} x below LangGraph, the policy decision apart",
                met=below[0].median >= LANGGRAPH_FACTOR,
            ),
            Target(says=f"a step grows the file by at most {GROWTH_BYTES} bytes", met=grown <= GROWTH_BYTES),
            Target(
                says=f"with {longest} steps behind it at most {FLAT:g} x the time of {shortest} ({slower:.2f} x)",
                met=slower <= FLAT,
            ),
            Target(
                says=f"the next step at most {RESUMED_S:g} s after a kill, beyond the import of the agent",
                met=all(series.median <= RESUMED_S for series in apart),
            ),
        ),
        notes=(note, "the policy decision is what the policies take to judge; the facts they judge by count as ours"),
    )


def _series(found: Mapping[int, Found]) -> list[Series]:
    """What was measured of every engine at every history."""
    series = []
    for history, one in found.items():
        behind = f"{history} behind"
        for name, all_ in one.items():
            series += [
                Series.of(f"{name}, wall, {behind}", "us a step", [t.wall_us for t in all_]),
                Series.of(f"{name}, CPU, {behind}", "us a step", [t.cpu_us for t in all_]),
                Series.of(f"{name}, stored, {behind}", "bytes a step", [t.bytes for t in all_]),
            ]
            if any(t.deciding_us for t in all_):
                series += [
                    Series.of(f"{name}, policy decision, {behind}", "us a step", [t.deciding_us for t in all_]),
                    Series.of(f"{name}, wall without it, {behind}", "us a step", [t.stored_us for t in all_]),
                    Series.of(
                        f"{name}, CPU without it, {behind}", "us a step", [t.cpu_us - t.deciding_cpu_us for t in all_]
                    ),
                ]
    return series


def _ratio(name: str, above: Sequence[Turn], below: Sequence[Turn]) -> Series:
    return Series.of(name, "x", [a.stored_us / b.stored_us for a, b in zip(above, below, strict=True)])


def _median(all_: Sequence[Turn]) -> float:
    return Series.of("", "", [turn.stored_us for turn in all_]).median


def filesystem(path: Path) -> str:
    """The kind of file system a path lies on, as the kernel names it; `unknown` where it does not say."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    holding = [(m[1], m[2]) for m in map(str.split, mounts) if path.resolve().is_relative_to(m[1])]
    return max(holding, key=lambda mount: len(mount[0]), default=("", "unknown"))[1]
