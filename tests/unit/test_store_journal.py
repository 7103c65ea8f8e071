"""The store: a chain that shows every alteration, one owner, money within the budget, and a full disk that stops it."""

from __future__ import annotations

import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.errors import Broken, Busy, NoSuchRun, OverLimit
from agent.record.ledger import Entry, Resource
from agent.record.store import Store

Lines = list[tuple[str, str]]
THREE: Lines = [("goal", '{"a": 1}'), ("contract", '{"b": 2}'), ("plan", '{"c": 3}')]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "goalkeeper.db"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    opened = Store(file)
    yield opened
    opened.close()


def begun(store: Store, run: str = "r", *, budget: int | None = None) -> int:
    """A run with its account, owned; the epoch."""
    bounds: dict[Resource, int] = {} if budget is None else {"usd_micro": budget}
    store.create(run=run, goal="the goal", started=1.0, requester="ada", bounds=bounds)
    return store.claim(run, owner="me", gone=())


def say(store: Store, epoch: int, lines: Lines, run: str = "r", **more: object) -> None:
    store.append(run, epoch=epoch, at=1.5, lines=lines, **more)  # type: ignore[arg-type]


def alter(file: Path, statement: str) -> None:
    """Somebody changes the file behind the store's back."""
    with sqlite3.connect(file) as db:
        assert db.execute(statement).rowcount > 0
    db.close()


def test_lines_come_back_in_order_as_they_were_written(store: Store) -> None:
    epoch = begun(store)
    say(store, epoch, THREE[:1])
    say(store, epoch, THREE[1:])
    found = store.lines("r")
    assert [(line.seq, line.at, line.kind, line.body) for line in found] == [
        (1, 1.5, "goal", {"a": 1}),
        (2, 1.5, "contract", {"b": 2}),
        (3, 1.5, "plan", {"c": 3}),
    ]
    assert store.lines("r", after=2) == found[2:]
    assert store.lines("r", after=3) == []


def test_another_process_reads_what_was_committed(store: Store, file: Path) -> None:
    say(store, begun(store), THREE)
    other = Store(file)
    assert other.lines("r") == store.lines("r")
    other.close()


ALTERATIONS = {
    "a body": "UPDATE journal SET body = '{\"a\": 2}' WHERE seq = 1",
    "a kind": "UPDATE journal SET kind = 'plan' WHERE seq = 2",
    "a time": "UPDATE journal SET at = at + 1 WHERE seq = 2",
    "a hash": "UPDATE journal SET hash = 'x' || substr(hash, 2) WHERE seq = 2",
    "the first line": "DELETE FROM journal WHERE seq = 1",
    "a line in the middle": "DELETE FROM journal WHERE seq = 2",
    "the last line": "DELETE FROM journal WHERE seq = 3",
    "every line": "DELETE FROM journal",
    "the order": "UPDATE journal SET seq = CASE seq WHEN 1 THEN -2 WHEN 2 THEN 1 ELSE seq END WHERE seq < 3",
    "a number": "UPDATE journal SET seq = seq + 1 WHERE seq = 3",
    "a planted line": "INSERT INTO journal VALUES ('r', 4, 1.5, 'plan', '{}', 'abc')",
    "the head": "UPDATE runs SET head_hash = 'abc'",
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_an_altered_journal_is_not_read(store: Store, file: Path, what: str) -> None:
    say(store, begun(store), THREE)
    alter(file, ALTERATIONS[what])
    with pytest.raises(Broken, match="journal of r"):
        store.lines("r")


def test_a_tail_is_checked_from_the_line_before_it(store: Store, file: Path) -> None:
    say(store, begun(store), THREE)
    alter(file, "DELETE FROM journal WHERE seq = 2")
    with pytest.raises(Broken):
        store.lines("r", after=1)
    with pytest.raises(Broken):
        store.lines("r", after=2)


def test_lines_of_one_run_do_not_serve_another(store: Store, file: Path) -> None:
    say(store, begun(store), THREE)
    say(store, begun(store, "other"), THREE[::-1], run="other")
    alter(file, "UPDATE journal SET run = 'x' WHERE run = 'r'")
    alter(file, "UPDATE journal SET run = 'r' WHERE run = 'other'")
    with pytest.raises(Broken):
        store.lines("r")


def test_a_run_that_somebody_drives_is_not_taken(store: Store) -> None:
    begun(store)
    with pytest.raises(Busy, match="me"):
        store.claim("r", owner="another", gone=())
    assert store.claim("r", owner="me", gone=()) == 2


def test_only_a_dead_owner_is_replaced_and_never_heard_again(store: Store) -> None:
    old = begun(store)
    say(store, old, THREE[:1])
    new = store.claim("r", owner="another", gone=("me",))
    for _ in ("before the new owner wrote", "and after"):
        with pytest.raises(Busy, match="taken over"):
            say(store, old, THREE[1:])
        say(store, new, THREE[1:2])
    assert [line.kind for line in store.lines("r")] == ["goal", "contract", "contract"]


def test_a_zombie_in_another_process_is_fenced_off_whatever_it_still_holds(store: Store, file: Path) -> None:
    old = begun(store, budget=10)
    say(store, old, THREE[:1])
    other = Store(file)
    new = other.claim("r", owner="another", gone=("me",))
    say(other, new, THREE[1:], money=[Entry(call="c", kind="reserve", amount=10)])
    for money in ([], [Entry(call="c", kind="settle", amount=9)], [Entry(call="c", kind="reserve", amount=1)]):
        with pytest.raises(Busy):
            say(store, old, [], money=money, status="done")
        with pytest.raises(Busy):
            say(store, old, THREE[1:], money=money)
    row = other.row("r")
    assert (row.reserved, row.settled, row.status) == (10, 0, "planning")
    other.close()


def test_releasing_an_old_epoch_does_not_release_the_new_owner(store: Store) -> None:
    old = begun(store)
    store.claim("r", owner="another", gone=("me",))
    store.release("r", epoch=old)
    assert store.row("r").owner == "another"


def test_an_unknown_run_is_said_to_be_unknown(store: Store) -> None:
    with pytest.raises(NoSuchRun):
        store.row("nobody")
    with pytest.raises(NoSuchRun):
        store.claim("nobody", owner="me", gone=())


def test_a_run_whose_process_ended_before_its_first_line_is_not_listed(store: Store) -> None:
    epoch = begun(store)
    assert store.rows() == []
    say(store, epoch, THREE[:1])
    assert [row.id for row in store.rows()] == ["r"]


def test_a_round_that_the_budget_refuses_leaves_no_line_and_no_money(store: Store) -> None:
    epoch = begun(store, budget=10)
    entries = [Entry(call="a", kind="reserve", amount=6), Entry(call="b", kind="reserve", amount=5)]
    with pytest.raises(OverLimit, match="no room"):
        say(store, epoch, THREE, money=entries, status="done")
    row = store.row("r")
    assert (store.lines("r"), row.reserved, row.status, store.money("r")) == ([], 0, "planning", {})
    say(store, epoch, THREE[:1], money=entries[:1])
    assert store.row("r").reserved == 6


def test_settling_twice_moves_nothing(store: Store) -> None:
    epoch = begun(store, budget=10)
    say(store, epoch, [], money=[Entry(call="a", kind="reserve", amount=6)])
    for bill in (4, 6, 0):
        say(store, epoch, [], money=[Entry(call="a", kind="settle", amount=bill)])
        row = store.row("r")
        assert (row.reserved, row.settled, row.overrun) == (0, 4, 0)


def test_a_bill_above_its_reservation_is_recorded_as_an_overrun(store: Store) -> None:
    epoch = begun(store, budget=10)
    say(store, epoch, [], money=[Entry(call="a", kind="reserve", amount=6)])
    say(store, epoch, [], money=[Entry(call="a", kind="settle", amount=9)])
    row = store.row("r")
    assert (row.reserved, row.settled, row.overrun) == (0, 6, 3)
    assert store.money("r") == {"compute": 9}


def test_denials_and_cancellations_come_before_approvals(store: Store) -> None:
    begun(store)
    for kind in ("approve", "cancel", "approve", "deny"):
        store.post(run="r", kind=kind, body={}, at=1.0, dedupe=f"{kind}{len(store.messages('r'))}")
    assert [m.kind for m in store.messages("r")] == ["cancel", "deny", "approve", "approve"]


def test_the_same_message_is_left_once(store: Store) -> None:
    begun(store)
    assert store.post(run="r", kind="approve", body={"who": "bob"}, at=1.0, dedupe="x")
    assert not store.post(run="r", kind="approve", body={"who": "eve"}, at=2.0, dedupe="x")
    assert [m.body["who"] for m in store.messages("r")] == ["bob"]


def test_a_message_is_folded_together_with_the_lines_that_follow_from_it(store: Store) -> None:
    epoch = begun(store, budget=1)
    store.post(run="r", kind="deny", body={}, at=1.0, dedupe="x")
    (message,) = store.messages("r")
    with pytest.raises(Broken):
        say(store, epoch, THREE, folded=[message.id], money=[Entry(call="a", kind="reserve", amount=2)])
    assert store.messages("r") == [message]
    say(store, epoch, THREE, folded=[message.id])
    assert store.messages("r") == []


def test_a_store_of_a_newer_version_is_refused(store: Store, file: Path) -> None:
    begun(store)
    alter(file, "UPDATE runs SET schema = schema + 1")
    with pytest.raises(Broken, match="newer version"):
        Store(file)


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
