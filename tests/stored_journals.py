"""What a journal in a store is, in whatever database: for each, a file of tests has these with its own fixtures.

`where` is the place of the store, `store` it opened, and `alter` changes its tables behind its back.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import Broken, Busy, NoSuchRun, OverLimit
from agent.record.ledger import Entry, Resource
from agent.record.store import Store

Alter = Callable[[str], None]
Lines = list[tuple[str, str]]
THREE: Lines = [("goal", '{"a": 1}'), ("contract", '{"b": 2}'), ("plan", '{"c": 3}')]


def begun(store: Store, run: str = "r", *, budget: int | None = None) -> int:
    """A run with its account, owned; the epoch."""
    bounds: dict[Resource, int] = {} if budget is None else {"usd_micro": budget}
    store.create(run=run, goal="the goal", started=1.0, requester="ada", bounds=bounds)
    return store.claim(run, owner="me", gone=())


def say(store: Store, epoch: int, lines: Lines, run: str = "r", **more: object) -> None:
    store.append(run, epoch=epoch, at=1.5, lines=lines, **more)  # type: ignore[arg-type]


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


class Journals:
    """One owner, and a chain that shows every alteration."""

    def test_lines_come_back_in_order_as_they_were_written(self, store: Store) -> None:
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

    def test_another_process_reads_what_was_committed(self, store: Store, where: Path | str) -> None:
        say(store, begun(store), THREE)
        other = Store(where)
        assert other.lines("r") == store.lines("r")
        other.close()

    @pytest.mark.parametrize("what", ALTERATIONS)
    def test_an_altered_journal_is_not_read(self, store: Store, alter: Alter, what: str) -> None:
        say(store, begun(store), THREE)
        alter(ALTERATIONS[what])
        with pytest.raises(Broken, match="journal of r"):
            store.lines("r")

    def test_a_tail_is_checked_from_the_line_before_it(self, store: Store, alter: Alter) -> None:
        say(store, begun(store), THREE)
        alter("DELETE FROM journal WHERE seq = 2")
        with pytest.raises(Broken):
            store.lines("r", after=1)
        with pytest.raises(Broken):
            store.lines("r", after=2)

    def test_lines_of_one_run_do_not_serve_another(self, store: Store, alter: Alter) -> None:
        say(store, begun(store), THREE)
        say(store, begun(store, "other"), THREE[::-1], run="other")
        alter("UPDATE journal SET run = 'x' WHERE run = 'r'")
        alter("UPDATE journal SET run = 'r' WHERE run = 'other'")
        with pytest.raises(Broken):
            store.lines("r")

    def test_a_run_that_somebody_drives_is_not_taken(self, store: Store) -> None:
        begun(store)
        with pytest.raises(Busy, match="me"):
            store.claim("r", owner="another", gone=())
        with pytest.raises(Busy, match="me"):
            store.claim("r", owner="me", gone=())

    def test_only_a_dead_owner_is_replaced_and_never_heard_again(self, store: Store) -> None:
        old = begun(store)
        say(store, old, THREE[:1])
        new = store.claim("r", owner="another", gone=("me",))
        for _ in ("before the new owner wrote", "and after"):
            with pytest.raises(Busy, match="taken over"):
                say(store, old, THREE[1:])
            say(store, new, THREE[1:2])
        assert [line.kind for line in store.lines("r")] == ["goal", "contract", "contract"]

    def test_a_zombie_in_another_process_is_fenced_off_whatever_it_still_holds(
        self, store: Store, where: Path | str
    ) -> None:
        old = begun(store, budget=10)
        say(store, old, THREE[:1])
        other = Store(where)
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

    def test_releasing_an_old_epoch_does_not_release_the_new_owner(self, store: Store) -> None:
        old = begun(store)
        store.claim("r", owner="another", gone=("me",))
        store.release("r", epoch=old)
        assert store.row("r").owner == "another"

    def test_an_unknown_run_is_said_to_be_unknown(self, store: Store) -> None:
        with pytest.raises(NoSuchRun):
            store.row("nobody")
        with pytest.raises(NoSuchRun):
            store.claim("nobody", owner="me", gone=())

    def test_a_run_whose_process_ended_before_its_first_line_is_not_listed(self, store: Store) -> None:
        epoch = begun(store)
        assert store.rows() == []
        say(store, epoch, THREE[:1])
        assert [row.id for row in store.rows()] == ["r"]

    def test_a_round_that_the_budget_refuses_leaves_no_line_and_no_money(self, store: Store) -> None:
        epoch = begun(store, budget=10)
        entries = [Entry(call="a", kind="reserve", amount=6), Entry(call="b", kind="reserve", amount=5)]
        with pytest.raises(OverLimit, match="no room"):
            say(store, epoch, THREE, money=entries, status="done")
        row = store.row("r")
        assert (store.lines("r"), row.reserved, row.status, store.money("r")) == ([], 0, "planning", {})
        say(store, epoch, THREE[:1], money=entries[:1])
        assert store.row("r").reserved == 6

    def test_settling_twice_moves_nothing(self, store: Store) -> None:
        epoch = begun(store, budget=10)
        say(store, epoch, [], money=[Entry(call="a", kind="reserve", amount=6)])
        for bill in (4, 6, 0):
            say(store, epoch, [], money=[Entry(call="a", kind="settle", amount=bill)])
            row = store.row("r")
            assert (row.reserved, row.settled, row.overrun) == (0, 4, 0)

    def test_a_bill_above_its_reservation_is_recorded_as_an_overrun(self, store: Store) -> None:
        epoch = begun(store, budget=10)
        say(store, epoch, [], money=[Entry(call="a", kind="reserve", amount=6)])
        say(store, epoch, [], money=[Entry(call="a", kind="settle", amount=9)])
        row = store.row("r")
        assert (row.reserved, row.settled, row.overrun) == (0, 6, 3)
        assert store.money("r") == {"compute": 9}

    def test_denials_and_cancellations_come_before_approvals(self, store: Store) -> None:
        begun(store)
        for kind in ("approve", "cancel", "approve", "deny"):
            store.post(run="r", kind=kind, body={}, at=1.0, dedupe=f"{kind}{len(store.messages('r'))}")
        assert [m.kind for m in store.messages("r")] == ["cancel", "deny", "approve", "approve"]

    def test_the_same_message_is_left_once(self, store: Store) -> None:
        begun(store)
        assert store.post(run="r", kind="approve", body={"who": "bob"}, at=1.0, dedupe="x")
        assert not store.post(run="r", kind="approve", body={"who": "eve"}, at=2.0, dedupe="x")
        assert [m.body["who"] for m in store.messages("r")] == ["bob"]

    def test_a_message_is_folded_together_with_the_lines_that_follow_from_it(self, store: Store) -> None:
        epoch = begun(store, budget=1)
        store.post(run="r", kind="deny", body={}, at=1.0, dedupe="x")
        (message,) = store.messages("r")
        with pytest.raises(Broken):
            say(store, epoch, THREE, folded=[message.id], money=[Entry(call="a", kind="reserve", amount=2)])
        assert store.messages("r") == [message]
        say(store, epoch, THREE, folded=[message.id])
        assert store.messages("r") == []

    def test_a_store_of_a_newer_version_is_refused(self, store: Store, alter: Alter, where: Path | str) -> None:
        begun(store)
        alter("UPDATE runs SET schema = schema + 1")
        with pytest.raises(Broken, match="newer version"):
            Store(where)
