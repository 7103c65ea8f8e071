"""What a durable step costs: the agent beside one bare SQLite commit and LangGraph's SQLite saver, in turns.

An engine is prepared on a folder of its own, then asked for steps; only the steps are timed. The agent's own part is in
`evals.bench_agent`, so that this module judges three engines it knows nothing of.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TypedDict

from evals.bench_agent import agent
from evals.bench_series import Measurement, Series, Target
from tools.record import Record

PAYLOAD = json.dumps({"kind": "outcome", "body": "x" * 560})
"""About what one journal line of the agent holds."""
STEPS = 60
INSERT_FACTOR = 4.0
LANGGRAPH_FACTOR = 2.0

Steps = Callable[[], int]
"""Performs the durable steps that were prepared; how many they were."""
Engine = Callable[[Path, int], AbstractContextManager[Steps]]
"""Prepares at least that many steps on an empty folder, and closes what it opened."""


class Turn(Record):
    """One engine's turn, per step."""

    wall_us: float
    cpu_us: float
    bytes: float


@contextmanager
def insert(folder: Path, count: int) -> Iterator[Steps]:
    """One line, one commit: SQLite in WAL mode with synchronous FULL, the least a durable step can cost here."""
    database = sqlite3.connect(folder / "insert.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE line (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT")

    def steps() -> int:
        for _ in range(count):
            database.execute("INSERT INTO line (body) VALUES (?)", (PAYLOAD,))
        return count

    with closing(database):
        yield steps


class Counted(TypedDict):
    """The state of the compared graph."""

    done: int
    until: int
    line: str


@contextmanager
def langgraph(folder: Path, count: int) -> Iterator[Steps]:
    """One node a step, with LangGraph's own SQLite saver and every checkpoint written before the next step."""
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, StateGraph

    def step(state: Counted) -> dict[str, object]:
        return {"done": state["done"] + 1, "line": PAYLOAD}

    def then(state: Counted) -> str:
        return "step" if state["done"] < state["until"] else END

    builder = StateGraph(Counted)
    builder.add_node("step", step)
    builder.add_edge(START, "step")
    builder.add_conditional_edges("step", then)
    saver = SqliteSaver(sqlite3.connect(folder / "langgraph.db", check_same_thread=False))
    saver.setup()
    saver.conn.execute("PRAGMA synchronous = FULL")
    graph = builder.compile(checkpointer=saver)

    def steps() -> int:
        begun: Counted = {"done": 0, "until": count, "line": ""}
        ended = graph.invoke(
            begun, {"configurable": {"thread_id": "bench"}, "recursion_limit": count + 5}, durability="sync"
        )
        return int(ended["done"])

    with closing(saver.conn):
        yield steps


def turns(engines: Mapping[str, Engine], *, rounds: int, folder: Path) -> dict[str, list[Turn]]:
    """Every engine once a round, in rotating order; a first round warms up and does not count."""
    names = list(engines)
    found: dict[str, list[Turn]] = {name: [] for name in names}
    for round_ in range(rounds + 1):
        for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
            turn = _turn(engines[name], folder / f"{name}-{round_}")
            if round_:
                found[name].append(turn)
    return found


def _turn(engine: Engine, folder: Path) -> Turn:
    folder.mkdir(parents=True)
    with engine(folder, STEPS) as steps:
        before = _stored(folder)
        wall, cpu = time.perf_counter(), time.process_time()
        count = steps()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    size = _stored(folder) - before
    shutil.rmtree(folder)
    return Turn(wall_us=1e6 * wall / count, cpu_us=1e6 * cpu / count, bytes=size / count)


def _stored(folder: Path) -> int:
    """Bytes in the folder's databases, their logs folded in."""
    for path in folder.rglob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return sum(path.stat().st_size for path in folder.rglob("*.db"))


def bench_durable(repeats: int = 11, folder: Path | None = None) -> Measurement:
    """Wall and CPU per step of the three, on a real disk."""
    where = Path(tempfile.mkdtemp(prefix=".goalkeeper-bench-", dir=folder or Path.cwd()))
    try:
        kind = filesystem(where)
        if kind in ("tmpfs", "ramfs"):
            raise ValueError(
                f"{where.parent} is in memory ({kind}), where a commit costs nothing: give --folder on a disk"
            )
        found = turns({"insert": insert, "agent": agent, "langgraph": langgraph}, rounds=repeats, folder=where)
    finally:
        shutil.rmtree(where)
    return judge(found, f"on {kind}, {STEPS} steps a turn, the three in turns")


def judge(found: Mapping[str, list[Turn]], note: str) -> Measurement:
    """Series and targets of the three. Ratios are taken within a round, in which the machine was the same."""
    wall = {name: [turn.wall_us for turn in all_] for name, all_ in found.items()}
    cpu = {name: [turn.cpu_us for turn in all_] for name, all_ in found.items()}
    over = _ratio("agent / insert, wall", wall["agent"], wall["insert"])
    below = _ratio("langgraph / agent, wall", wall["langgraph"], wall["agent"])
    cheaper = _ratio("langgraph / agent, CPU", cpu["langgraph"], cpu["agent"])
    return Measurement(
        name="durable",
        series=(
            *(Series.of(f"{name}, wall", "us a step", values) for name, values in wall.items()),
            *(Series.of(f"{name}, CPU", "us a step", values) for name, values in cpu.items()),
            *(Series.of(f"{name}, stored", "bytes a step", [t.bytes for t in all_]) for name, all_ in found.items()),
            over,
            below,
            cheaper,
        ),
        targets=(
            Target(says=f"at most {INSERT_FACTOR:.0f} x the insert", met=over.median <= INSERT_FACTOR),
            Target(says=f"at least {LANGGRAPH_FACTOR:.0f} x below LangGraph", met=below.median >= LANGGRAPH_FACTOR),
        ),
        notes=(note,),
    )


def _ratio(name: str, above: Sequence[float], below: Sequence[float]) -> Series:
    return Series.of(name, "x", [a / b for a, b in zip(above, below, strict=True)])


def filesystem(path: Path) -> str:
    """The kind of file system a path lies on, as the kernel names it; `unknown` where it does not say."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    holding = [(m[1], m[2]) for m in map(str.split, mounts) if path.resolve().is_relative_to(m[1])]
    return max(holding, key=lambda mount: len(mount[0]), default=("", "unknown"))[1]
