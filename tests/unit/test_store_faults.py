"""What befalls a store's file: full, read-only, gone, locked, spoilt. Nothing is half written; there is a way out."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stored_journals import THREE, begun, say

from agent.errors import Broken, Busy
from agent.record.engine import Unreachable
from agent.record.ledger import Entry
from agent.record.store import Store
from tools.language import speaking

LARGE = [("plan", '{"x": "' + "x" * 100_000 + '"}')]
RESERVED = [Entry(call="a", kind="reserve", amount=1)]


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "goalkeeper.db"


@pytest.fixture
def store(where: Path) -> Iterator[Store]:
    opened = Store(where)
    yield opened
    opened.close()


def fill(store: Store) -> Callable[[], object]:
    """The file may not grow any more; what makes room again."""
    (pages,) = store._db.execute("PRAGMA page_count")[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    return lambda: store._db.execute("PRAGMA max_page_count = 1000000")


def protect(store: Store) -> Callable[[], object]:
    store._db.execute("PRAGMA query_only = ON")
    return lambda: store._db.execute("PRAGMA query_only = OFF")


def remove(store: Store) -> Callable[[], object]:
    (_, _, path), *_ = store._db.execute("PRAGMA database_list")
    os.rename(path, f"{path}.away")
    return lambda: os.rename(f"{path}.away", path)


def replace(store: Store) -> Callable[[], object]:
    (_, _, path), *_ = store._db.execute("PRAGMA database_list")
    back = remove(store)
    Path(path).write_bytes(b"")
    return back


def lock(store: Store) -> Callable[[], object]:
    """Another process is in the middle of something, for longer than anybody waits."""
    (_, _, path), *_ = store._db.execute("PRAGMA database_list")
    store._db.execute("PRAGMA busy_timeout = 20")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other.close


FAULTS = {
    "full": (fill, "free space on its disk, then resume"),
    "read-only": (protect, "writable, then resume"),
    "removed": (remove, "put it back, then resume"),
    "replaced": (replace, "put it back, then resume"),
    "locked": (lock, "another process"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_written_is_written_in_no_part_and_goes_on_once_it_can(store: Store, fault: str) -> None:
    epoch = begun(store, budget=10)
    say(store, epoch, THREE[:1])
    before = store.row("r"), store.lines("r")
    befall, way_out = FAULTS[fault]
    repair = befall(store)
    with pytest.raises(Unreachable, match=way_out):
        say(store, epoch, LARGE, money=RESERVED, status="done", due=5.0)
    with pytest.raises(Unreachable):
        store.post(run="r", kind="cancel", body={"x": "y" * 100_000}, at=1.0, dedupe="x")
    assert (store.row("r"), store.lines("r")) == before
    assert store.messages("r") == []
    repair()
    say(store, epoch, LARGE, money=RESERVED)
    assert [line.kind for line in store.lines("r")] == ["goal", "plan"]
    assert store.row("r").reserved == 1


@pytest.mark.parametrize("fault", ["read-only", "removed", "locked"])
def test_nobody_becomes_or_stays_an_owner_where_that_cannot_be_written(store: Store, fault: str) -> None:
    epoch = begun(store)
    repair = FAULTS[fault][0](store)
    for attempt in (
        lambda: store.claim("r", owner="another", gone=("me",)),
        lambda: store.renew("r", epoch=epoch, lease_s=9.0),
        lambda: store.wake("r", at=1.0),
    ):
        with pytest.raises(Unreachable):
            attempt()
    repair()
    assert store.holds("r", epoch=epoch)


def test_a_full_disk_is_told_in_the_language_of_the_goal(store: Store) -> None:
    epoch = begun(store)
    fill(store)
    with speaking("zh"), pytest.raises(Broken, match="磁盘"):
        say(store, epoch, LARGE)


def test_a_spoilt_file_is_broken_whether_read_or_written(store: Store, where: Path) -> None:
    epoch = begun(store)
    for _ in range(30):
        say(store, epoch, THREE)
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    size = where.stat().st_size
    with where.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xee" * (size - 4096))
    with pytest.raises(Broken):
        Store(where).lines("r")


def test_whoever_is_not_the_owner_any_more_hears_that_and_not_what_the_ledger_says(store: Store, where: Path) -> None:
    old = begun(store, budget=5)
    other = Store(where)
    other.claim("r", owner="another", gone=("me",))
    with pytest.raises(Busy):
        say(store, old, [], money=[Entry(call="a", kind="reserve", amount=6)])
    with pytest.raises(Busy):
        say(store, old, [], money=[Entry(call="a", kind="settle", amount=6)])
    other.close()
