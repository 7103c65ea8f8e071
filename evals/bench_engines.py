"""What `durable` compares the agent with: one bare SQLite commit, LangGraph's SQLite saver, DBOS on SQLite.

An engine is prepared on a folder of its own with so many steps behind it, then asked for more; only these are timed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from threading import Event
from typing import TypedDict

from tools.record import Record

PAYLOAD = json.dumps({"kind": "outcome", "body": "x" * 560})
"""About what one journal line of the agent holds."""
PATIENCE_S = 120.0
"""How long another engine's thread may take for what is asked of it."""


class Performed(Record):
    """Steps that were carried out, and what of the time somebody else's business took."""

    steps: int
    deciding_s: float = 0.0
    """Wall time of policy decisions, in seconds."""
    deciding_cpu_s: float = 0.0


Steps = Callable[[], Performed]
"""Performs the durable steps that were prepared."""
Engine = Callable[[Path, int, int], AbstractContextManager[Steps]]
"""(folder, steps to come, steps behind) → those steps, ready to be performed; closes what it opened."""


@contextmanager
def insert(folder: Path, count: int, history: int) -> Iterator[Steps]:
    """One line, one commit: SQLite in WAL mode with synchronous FULL, the least a durable step can cost here."""
    database = sqlite3.connect(folder / "insert.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE line (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT")

    def steps(number: int = count) -> Performed:
        for _ in range(number):
            database.execute("INSERT INTO line (body) VALUES (?)", (PAYLOAD,))
        return Performed(steps=number)

    with closing(database):
        steps(history)
        yield steps


class Counted(TypedDict, total=False):
    """The state of the compared graph."""

    done: int
    until: int
    line: str


@contextmanager
def langgraph(folder: Path, count: int, history: int) -> Iterator[Steps]:
    """One node a step, with LangGraph's own SQLite saver and every checkpoint written before the next step."""
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.graph import END, START, StateGraph

    def step(state: Counted) -> Counted:
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
    options = RunnableConfig(configurable={"thread_id": "bench"}, recursion_limit=history + count + 5)

    def until(said: Counted) -> int:
        return int(graph.invoke(said, options, durability="sync")["done"])

    with closing(saver.conn):
        until({"done": 0, "until": history, "line": ""})
        yield lambda: Performed(steps=until({"until": history + count}) - history)


@contextmanager
def dbos(folder: Path, count: int, history: int) -> Iterator[Steps]:
    """One step of a workflow each, as DBOS is configured when nothing else is said."""
    from dbos import DBOS

    behind, go, done = Event(), Event(), Event()
    DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{folder / 'dbos.db'}", "log_level": "CRITICAL"})

    @DBOS.step()
    def step() -> str:
        return PAYLOAD

    @DBOS.workflow()
    def work() -> None:
        for number in range(history + count):
            if number == history:
                behind.set()
                go.wait(PATIENCE_S)
            step()
        done.set()

    def steps() -> Performed:
        go.set()
        if not done.wait(PATIENCE_S):
            raise RuntimeError("DBOS did not carry its steps out in time")
        return Performed(steps=count)

    DBOS.launch()
    try:
        DBOS.start_workflow(work)
        if not behind.wait(PATIENCE_S):
            raise RuntimeError("DBOS did not get through the steps before in time")
        yield steps
    finally:
        go.set()
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=10)
