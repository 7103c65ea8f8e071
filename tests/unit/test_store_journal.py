"""The embedded store: journals as in every store, and what befalls a file."""

from __future__ import annotations

import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stored_journals import THREE, Alter, Journals, begun, say

from agent.errors import Broken
from agent.record.ledger import Entry
from agent.record.store import Store


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "home" / "goalkeeper.db"


@pytest.fixture
def store(where: Path) -> Iterator[Store]:
    opened = Store(where)
    yield opened
    opened.close()


@pytest.fixture
def alter(where: Path) -> Alter:
    """Somebody changes the file behind the store's back."""

    def change(statement: str) -> None:
        with sqlite3.connect(where) as db:
            assert db.execute(statement).rowcount > 0
        db.close()

    return change


class TestEmbedded(Journals):
    """In SQLite."""


@pytest.mark.parametrize("content", [b"this is no database, it is text\n" * 40, b"SQLite format 3\0" + b"\xff" * 2000])
def test_a_file_that_is_no_store_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "db").write_bytes(content)
    with pytest.raises(Broken, match="cannot be opened"):
        Store(tmp_path / "db")


def test_a_home_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Broken, match="cannot be opened"):
        Store(tmp_path / "file" / "home" / "db")


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow: every write beyond the first byte fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_on_a_full_disk_nothing_is_half_written(store: Store) -> None:
    epoch = begun(store, budget=10)
    say(store, epoch, THREE[:1])
    with full_disk(), pytest.raises(Broken):
        say(store, epoch, [("plan", '"' + "x" * 50_000 + '"')], money=[Entry(call="a", kind="reserve", amount=1)])
    assert [line.kind for line in store.lines("r")] == ["goal"]
    assert store.row("r").reserved == 0
    say(store, epoch, THREE[1:])
    assert len(store.lines("r")) == 3


@pytest.mark.parametrize(("folder", "others"), [(0o770, True), (0o2770, True), (0o700, False)])
def test_a_home_that_is_shared_with_a_group_is_the_groups_to_answer_in(
    folder: int, others: bool, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(folder)
    Store(home / "goalkeeper.db").close()
    assert bool((home / "goalkeeper.db").stat().st_mode & stat.S_IWGRP) is others
