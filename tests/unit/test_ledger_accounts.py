"""The ledger's accounts in the embedded store, and those of stores of before."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from stored_ledgers import JUNE, Ledgers, reserve, settle

from agent.errors import Broken, OverLimit
from agent.record.chained import chain
from agent.record.store import Store


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "db"


@pytest.fixture
def store(where: Path) -> Iterator[Store]:
    opened = Store(where)
    yield opened
    opened.close()


class TestEmbedded(Ledgers):
    """In SQLite."""


def old(where: Path) -> None:
    """A store as version 1 left it: a run that ended, one under way with money reserved, and one that is only begun."""
    with sqlite3.connect(where) as db:
        db.executescript(Path(__file__).with_name("store_of_version_1.sql").read_text(encoding="utf-8"))
        for run, budget, reserved, settled, overrun in (
            ("ended", 100, 0, 40, 5),
            ("under-way", None, 30, 20, 0),
            ("begun", 7, 0, 0, 0),
        ):
            body = json.dumps({"owner": "ada"})
            head = chain("", 1, JUNE, "goal", body)
            db.execute("INSERT INTO journal VALUES (?, 1, ?, 'goal', ?, ?)", (run, JUNE, body, head))
            db.execute(
                "INSERT INTO runs VALUES (?, 'g', 'running', ?, 1, ?, 'me', 3, 1, ?, ?, ?, ?)",
                (run, JUNE, head, budget, reserved, settled, overrun),
            )
        rows = [
            ("ended", "1", 60, 40, 5),
            ("under-way", "1", 30, None, 0),
            ("under-way", "2", 50, 20, 0),
        ]
        db.executemany("INSERT INTO ledger VALUES (?, ?, 'compute', ?, ?, ?)", rows)
        db.execute("INSERT INTO inbox (run, kind, body, at, dedupe) VALUES ('begun', 'deny', '{}', 1.0, 'x')")
    db.close()


def test_a_store_of_the_first_version_is_brought_here_once_with_all_it_knows(where: Path) -> None:
    old(where)
    for _ in range(2):
        store = Store(where)
        assert {r.id: (r.budget, r.reserved, r.settled, r.overrun, r.epoch) for r in store.rows()} == {
            "ended": (100, 0, 40, 5, 3),
            "under-way": (None, 30, 20, 0, 3),
            "begun": (7, 0, 0, 0, 3),
        }
        assert [line.body for line in store.lines("under-way")] == [{"owner": "ada"}]
        assert store.money("ended") == {"compute": 45}
        assert [m.run for m in store.messages("begun")] == ["begun"]
        (account,) = [a for a in store.accounts("begun") if a.holder == "requester"]
        assert (account.name, account.month, account.reserved, account.settled) == ("ada", "2026-06", 30, 60)
        store.close()
    store = Store(where)
    store.append("under-way", epoch=3, at=JUNE, lines=[("intent", "{}")], money=[settle("1", 12)])
    assert (store.row("under-way").reserved, store.row("under-way").settled) == (0, 32)
    with pytest.raises(OverLimit):
        store.append("begun", epoch=3, at=JUNE, lines=[], money=[reserve("1", 8)])
    store.close()


def test_a_store_that_cannot_be_brought_here_stays_as_it_was(where: Path) -> None:
    """More is committed than its budget allows: somebody has altered it, and it is not made worse."""
    old(where)
    with sqlite3.connect(where) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("UPDATE runs SET budget = 10 WHERE id = 'ended'")
    db.close()
    with pytest.raises(Broken, match="cannot be opened"):
        Store(where)
    with sqlite3.connect(where) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert {"runs", "ledger"} <= tables
        assert not {"account", "runs_1"} & tables
        assert db.execute("SELECT count(*) FROM ledger").fetchone() == (3,)
    db.close()


def test_a_newer_store_is_refused_by_its_number_too(where: Path) -> None:
    Store(where).close()
    with sqlite3.connect(where) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(Broken, match="newer version"):
        Store(where)
