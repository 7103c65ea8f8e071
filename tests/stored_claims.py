"""Who drives a run and when, in whatever database: for each, a file of tests has these with its own fixtures."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest
from stored_journals import THREE, begun, say

from agent.errors import Broken, Busy, NoSuchRun
from agent.record import owner
from agent.record.ledger import Crossing, Entry
from agent.record.store import Store, open_store

ELSEWHERE = "another-host/7@7"
"""Nobody here can say whether that process lives: only its lease can."""
RACE = """
import sys
from pathlib import Path
from agent.errors import Busy
from agent.record.store import open_store
where, name = sys.argv[1:]
store = open_store(where)
sys.stdin.readline()
won = []
for run in range(20):
    try:
        won.append((run, store.claim(f"r{run}", owner=f"host-{name}/1@1", lease_s=60.0)))
    except Busy:
        pass
print(won)
"""


def suspended(store: Store, run: str = "r", *, due: float | None = None, status: str | None = None) -> int:
    """A run with its first lines that nobody owns; the epoch in which they were written."""
    epoch = begun(store, run)
    say(store, epoch, THREE, run=run, status=status)
    store.release(run, epoch=epoch, due=due)
    return epoch


def wanted(store: Store, now: float = 100.0, most: int = 10) -> list[str]:
    return store.wanted(now=now, most=most)


class Claimed:
    """Owner, epoch and lease of a run."""

    def test_a_second_run_of_a_name_changes_nothing(self, store: Store) -> None:
        assert store.create(run="r", goal="the goal", started=1.0, bounds={"usd_micro": 5})
        before = store.row("r")
        assert not store.create(run="r", goal="another", started=2.0, bounds={"usd_micro": 7}, kind="standing", due=1.0)
        assert store.row("r") == before
        assert (before.goal, before.budget, before.kind, before.due) == ("the goal", 5, "goal", None)

    def test_each_claim_raises_the_epoch_and_only_the_last_is_current(self, store: Store) -> None:
        first = begun(store)
        with pytest.raises(Busy):
            store.claim("r", owner="me", lease_s=60.0)  # another thread of the same process is another
        second = store.claim("r", owner="me", gone=("me",), lease_s=60.0)
        assert (first, second) == (1, 2)
        assert [store.holds("r", epoch=epoch) for epoch in (0, 1, 2, 3)] == [False, False, True, False]
        assert not store.holds("nobody", epoch=1)

    def test_a_lease_that_goes_on_keeps_others_out_and_one_that_lapsed_does_not(self, store: Store) -> None:
        store.create(run="r", goal="g", started=1.0)
        epoch = store.claim("r", owner=ELSEWHERE, lease_s=60.0)
        with pytest.raises(Busy, match="another-host"):
            store.claim("r", owner="me", lease_s=60.0)
        leased = store.row("r").leased
        assert leased is not None
        assert 0 < leased <= 60
        store.renew("r", epoch=epoch, lease_s=0.0)
        assert not store.holds("r", epoch=epoch)
        assert store.row("r").leased == 0
        assert store.claim("r", owner="me", lease_s=60.0) == epoch + 1

    def test_whoever_slept_past_its_lease_can_neither_write_nor_act_nor_stay(self, store: Store, where: Path) -> None:
        old = begun(store)
        say(store, old, THREE[:1])
        store.renew("r", epoch=old, lease_s=0.0)
        other = open_store(where)
        new = other.claim("r", owner=ELSEWHERE, lease_s=60.0)
        assert not store.holds("r", epoch=old)
        for attempt in (
            lambda: say(store, old, THREE[1:]),
            lambda: say(store, old, [], status="done"),
            lambda: say(store, old, [], money=[Entry(call="c", kind="reserve", amount=1)]),
            lambda: store.append("r", epoch=old, at=1.0, lines=[], due=1.0, chapter=1),
            lambda: store.renew("r", epoch=old, lease_s=60.0),
        ):
            with pytest.raises(Busy):
                attempt()
        store.release("r", epoch=old, due=3.0)
        row = other.row("r")
        assert (row.owner, row.epoch, row.status, row.due, row.chapter) == (ELSEWHERE, new, "planning", None, 0)
        assert other.holds("r", epoch=new)
        say(other, new, THREE[1:])
        assert len(store.lines("r")) == 3
        other.close()

    def test_a_lapsed_lease_that_nobody_took_may_be_renewed(self, store: Store) -> None:
        epoch = begun(store)
        store.renew("r", epoch=epoch, lease_s=0.0)
        store.renew("r", epoch=epoch, lease_s=60.0)
        assert store.holds("r", epoch=epoch)

    def test_what_was_let_go_of_is_not_held_and_cannot_be_renewed(self, store: Store) -> None:
        epoch = begun(store)
        store.release("r", epoch=epoch)
        assert not store.holds("r", epoch=epoch)
        with pytest.raises(Busy):
            store.renew("r", epoch=epoch, lease_s=60.0)
        with pytest.raises(Busy):
            store.renew("nobody", epoch=1, lease_s=60.0)

    def test_of_threads_that_claim_at_once_one_has_each_run(self, store: Store) -> None:
        for run in range(20):
            store.create(run=f"r{run}", goal="g", started=1.0)
        start = Barrier(5)

        def claim(name: int) -> list[int]:
            won = []
            start.wait()
            for run in range(20):
                try:
                    assert store.claim(f"r{run}", owner=f"host-{name}/1@1", lease_s=60.0) == 1
                    won.append(run)
                except Busy:
                    continue
            return won

        with ThreadPoolExecutor(5) as pool:
            found = [run for won in pool.map(claim, range(5)) for run in won]
        assert sorted(found) == list(range(20))

    def test_of_processes_that_claim_at_once_one_has_each_epoch(self, store: Store, where: Path | str) -> None:
        for run in range(20):
            store.create(run=f"r{run}", goal="g", started=1.0)
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", RACE, str(where), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for name in ("a", "b")
        ]
        found = [line for racer in racers for line in eval(racer.communicate("\n")[0])]
        assert sorted(found) == [(run, 1) for run in range(20)]


class Due:
    """When somebody is to look at a run."""

    def test_a_suspended_run_is_wanted_once_it_is_due(self, store: Store) -> None:
        suspended(store, due=50.0)
        assert (wanted(store, 49.0), wanted(store, 50.0), store.soonest()) == ([], ["r"], 50.0)
        assert store.row("r").due == 50.0

    def test_one_that_is_not_due_is_wanted_by_a_message_until_that_is_folded(self, store: Store) -> None:
        suspended(store)
        assert (wanted(store), store.soonest()) == ([], None)
        store.post(run="r", kind="approve", body={}, at=1.0, dedupe="x")
        assert wanted(store) == ["r"]
        epoch = store.claim("r", owner=owner.me(), lease_s=60.0)
        assert wanted(store) == []
        say(store, epoch, [], folded=[message.id for message in store.messages("r")])
        store.release("r", epoch=epoch, due=None)
        assert wanted(store) == []

    def test_waking_makes_it_due_earlier_and_never_later(self, store: Store) -> None:
        suspended(store, due=50.0)
        for at, soonest in ((70.0, 50.0), (30.0, 30.0), (40.0, 30.0)):
            store.wake("r", at=at)
            assert (store.soonest(), store.row("r").due) == (soonest, soonest)
        store.wake("nobody", at=1.0)
        assert wanted(store, 30.0) == ["r"]

    def test_a_wake_up_that_comes_while_somebody_drives_it_is_seen_when_it_is_let_go_of(self, store: Store) -> None:
        suspended(store, due=5.0)
        epoch = store.claim("r", owner=owner.me(), lease_s=60.0)
        store.wake("r", at=20.0)
        assert wanted(store) == []
        say(store, epoch, [], due=80.0)
        store.release("r", epoch=epoch, due=90.0)
        assert (store.soonest(), wanted(store, 20.0)) == (20.0, ["r"])
        epoch = store.claim("r", owner=owner.me(), lease_s=60.0)
        store.release("r", epoch=epoch, due=90.0)
        assert store.soonest() == 90.0

    def test_when_it_is_due_stands_in_the_commit_that_says_so(self, store: Store) -> None:
        """Whoever dies between the commit and letting go has said it all the same."""
        epoch = begun(store)
        say(store, epoch, THREE, due=40.0)
        assert store.row("r").due == 40.0
        say(store, epoch, [], status="waiting")
        assert store.row("r").due == 40.0
        say(store, epoch, [], due=None)
        assert store.row("r").due is None

    @pytest.mark.parametrize("status", ["done", "cancelled", "failed"])
    def test_what_has_ended_is_never_wanted(self, store: Store, status: str) -> None:
        suspended(store, due=1.0, status=status)
        store.post(run="r", kind="approve", body={}, at=1.0, dedupe="x")
        store.wake("r", at=2.0)
        assert (wanted(store), store.soonest()) == ([], None)

    def test_a_run_whose_owner_is_gone_is_wanted_whatever_it_was_doing(self, store: Store) -> None:
        for run, who, lease_s in (
            ("dead", owner.me().replace("@", "@9"), 60.0),
            ("lapsed", ELSEWHERE, 0.0),
            ("far", ELSEWHERE, 60.0),
            ("mine", owner.me(), 60.0),
        ):
            suspended(store, run, status="waiting")
            store.claim(run, owner=who, lease_s=lease_s)
        assert sorted(wanted(store)) == ["dead", "lapsed"]

    def test_one_without_a_line_was_begun_by_nobody(self, store: Store) -> None:
        store.create(run="r", goal="g", started=1.0, due=1.0)
        assert (wanted(store), store.soonest(), store.rows()) == ([], None, [])

    def test_those_that_waited_longest_come_first_and_no_more_than_asked_for(self, store: Store) -> None:
        for run, due in (("a", 30.0), ("b", 10.0), ("c", 20.0), ("d", 200.0)):
            suspended(store, run, due=due)
        store.post(run="d", kind="cancel", body={}, at=15.0, dedupe="x")
        assert wanted(store) == ["b", "d", "c", "a"]
        assert wanted(store, most=2) == ["b", "d"]

    def test_standing_goals_are_rows_of_their_own_kind_with_a_chapter(self, store: Store) -> None:
        suspended(store, "goal")
        store.create(run="stands", goal="keep it", started=2.0, kind="standing", due=9.0)
        epoch = store.claim("stands", owner="me")
        say(store, epoch, THREE, run="stands", chapter=2)
        assert [row.id for row in store.rows()] == ["goal"]
        assert [(row.id, row.due, row.chapter) for row in store.rows("standing")] == [("stands", 9.0, 2)]
        assert [row.id for row in store.rows(None)] == ["stands", "goal"]
        say(store, epoch, THREE[:1], run="stands")
        assert [line.seq for line in store.lines("stands", after=store.row("stands").chapter)] == [3, 4]
        store.release("stands", epoch=epoch, due=9.0)
        assert wanted(store) == ["stands"]

    def test_a_time_that_is_none_is_not_taken_for_never(self, store: Store) -> None:
        suspended(store, due=5.0)
        epoch, never = store.claim("r", owner="me"), float("nan")
        for attempt in (
            lambda: store.wake("r", at=never),
            lambda: say(store, epoch, [], due=never),
            lambda: store.release("r", epoch=epoch, due=never),
            lambda: store.create(run="other", goal="g", started=1.0, due=never),
        ):
            with pytest.raises(Broken, match="no calendar"):
                attempt()
        assert store.row("r").due == 5.0


class Many(Claimed, Due):
    """Both, and what holds between them."""

    def test_an_unknown_run_cannot_be_claimed(self, store: Store) -> None:
        with pytest.raises(NoSuchRun):
            store.claim("nobody", owner="me", lease_s=1.0)

    def test_who_reads_in_the_middle_of_a_commit_sees_all_of_it_or_nothing(self, store: Store) -> None:
        epoch, turn = begun(store, budget=100), Event()
        money = [Entry(call="c", kind="reserve", amount=90), Entry(call="c", kind="settle", amount=90)]

        def look() -> tuple[int, int, int]:
            return len(store.lines("r")), store.row("r").settled, len(store.movements("r"))

        with ThreadPoolExecutor(1) as pool:
            looks: list[Future[tuple[int, int, int]]] = []

            def tell(crossing: Crossing) -> tuple[str, str]:
                looks.append(pool.submit(look))
                turn.wait(0.05)  # the other thread has its turn now, with some lines written and one not
                return "crossed", "{}"

            say(store, epoch, THREE, money=money, tell=tell)
            after = look()
            assert after == (5, 90, 1)
            assert {found.result() for found in looks} <= {(0, 0, 0), after}

    def test_readers_of_other_threads_never_see_half_a_commit(self, store: Store) -> None:
        epoch = begun(store, budget=10**9)

        def write() -> None:
            for number in range(40):
                money = [Entry(call=f"{number}", kind="reserve", amount=1)]
                say(store, epoch, [("intent", "{}"), ("intent", "{}")], money=money)

        def look(_: int) -> tuple[int, int]:
            return len(store.lines("r")) % 2, store.row("r").reserved - sum(m.reserved for m in store.movements("r"))

        with ThreadPoolExecutor(4) as pool:
            writing = pool.submit(write)
            looks = list(pool.map(look, range(60)))
            writing.result()
        assert {odd for odd, _ in looks} == {0}
        assert all(behind <= 0 for _, behind in looks)
        assert store.row("r").reserved == 40
