"""Stores of earlier versions: brought to today's tables once, with runs that go on where they were."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.errors import OverLimit
from agent.record import owner
from agent.record.chained import chain
from agent.record.ledger import Entry
from agent.record.store import Store
from agent.record.versions import SCHEMA

AT = 1_782_000_000.0
RESERVE = (
    "INSERT INTO ledger (run, call, resource, source, at, month, reserved)"
    " VALUES (?, ?, 'usd_micro', 'compute', ?, '2026-06', 30)"
)
NOT_YET = {3: (), 2: ("turns", "outcomes")}
"""Tables that version did not have."""


def old(file: Path, version: int, owners: Sequence[str | None]) -> None:
    """A store of that version with one run for each owner: some money settled, some reserved, and a message left."""
    with sqlite3.connect(file) as db:
        db.executescript(Path(__file__).with_name("store_of_version_3.sql").read_text(encoding="utf-8"))
        for table in NOT_YET[version]:
            db.execute(f"DROP TABLE {table}")
        for number, who in enumerate(owners):
            run, head = f"r{number}", chain("", 1, AT, "goal", "{}")
            db.execute("INSERT INTO journal VALUES (?, 1, ?, 'goal', '{}', ?)", (run, AT, head))
            db.execute("INSERT INTO runs VALUES (?, 'g', 'running', ?, 1, ?, ?, 3, ?)", (run, AT, head, who, version))
            db.executemany(
                "INSERT INTO draws VALUES (?, ?, ?)", [(run, "run", run), (run, "month", ""), (run, "requester", "ada")]
            )
            db.execute(
                "INSERT INTO account (kind, name, month, resource, bound) VALUES ('run', ?, '', 'usd_micro', 100)",
                (run,),
            )
            db.executemany(RESERVE, [(run, "1", AT), (run, "2", AT)])
            db.execute("UPDATE ledger SET settled = 20 WHERE run = ? AND call = '1'", (run,))
            db.execute("INSERT INTO inbox (run, kind, body, at, dedupe) VALUES (?, 'deny', '{}', 1.0, ?)", (run, run))
        db.execute(f"PRAGMA user_version = {version}")
    db.close()


@pytest.mark.parametrize("version", NOT_YET)
def test_a_run_of_an_earlier_version_goes_on_in_todays_store(tmp_path: Path, version: int) -> None:
    file = tmp_path / "db"
    process = owner.me().rpartition("/")[2]
    old(file, version, [None, "999999@1", process])
    for _ in range(2):
        store = Store(file)
        for row in store.rows():
            assert (row.kind, row.due, row.leased, row.chapter, row.epoch) == ("goal", None, None, 0, 3)
            assert (row.reserved, row.settled, row.budget) == (30, 20, 100)
        assert store._db.execute("PRAGMA user_version") == [(SCHEMA,)]
        store.close()
    store = Store(file)
    assert sorted(store.wanted(now=AT, most=9)) == ["r0", "r1"], "r2 is driven by this very process"
    for run, gone in (("r0", ()), ("r1", ("999999@1",))):
        epoch = store.claim(run, owner=owner.me(), gone=gone, lease_s=60.0)
        assert epoch == 4
        assert store.holds(run, epoch=epoch)
        assert [m.kind for m in store.messages(run)] == ["deny"]
        store.append(run, epoch=epoch, at=AT, lines=[("x", "{}")], money=[Entry(call="2", kind="settle", amount=5)])
        assert [line.seq for line in store.lines(run)] == [1, 2]
        assert (store.row(run).reserved, store.row(run).settled) == (0, 25)
        with pytest.raises(OverLimit):
            store.append(run, epoch=epoch, at=AT, lines=[], money=[Entry(call="3", kind="reserve", amount=76)])
        store.release(run, epoch=epoch, due=5.0)
    assert store.create(run="new", goal="g", started=AT, kind="standing")
    assert store.turns("none") == store.remembered(3) == []
    assert store.soonest() == 5.0
    store.close()


def test_two_that_open_an_old_store_at_once_both_work_with_it(tmp_path: Path) -> None:
    file = tmp_path / "db"
    old(file, 3, [None])
    with ThreadPoolExecutor(4) as pool:
        for store in pool.map(Store, [file] * 4):
            assert len(store.rows()) == 1
            store.close()
