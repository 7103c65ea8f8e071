"""What the ledger's accounts are, in whatever database: for each, a file of tests has these with its own fixtures."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent.errors import Broken, OverLimit
from agent.record.ledger import LARGEST, Burn, Cap, Crossing, Entry, Purse, Resource, model_call, month_of
from agent.record.store import Store

HOUR = 3600.0
JUNE, JULY = 1_782_000_000.0, 1_784_000_000.0
"""2026-06-21 and 2026-07-14."""
CAPS = (Cap(holder="requester", most=100), Cap(holder="month", most=150))


def begun(store: Store, run: str = "r", *, who: str = "ada", budget: int | None = None, standing: str = "") -> int:
    bounds: dict[Resource, int] = {} if budget is None else {"usd_micro": budget}
    store.create(
        run=run, goal="g", started=JUNE, requester=who, standing=(standing,) if standing else (), bounds=bounds
    )
    return store.claim(run, owner="me", gone=())


def reserve(call: str, amount: int, **more: object) -> Entry:
    return Entry.model_validate({"call": call, "kind": "reserve", "amount": amount} | more)


def settle(call: str, amount: int, **more: object) -> Entry:
    return Entry.model_validate({"call": call, "kind": "settle", "amount": amount} | more)


def move(
    store: Store, epoch: int, *money: Entry, run: str = "r", at: float = JUNE, caps: tuple[Cap, ...] = CAPS
) -> None:
    store.append(run, epoch=epoch, at=at, lines=[], money=money, caps=caps)


def said(store: Store, epoch: int, *money: Entry, run: str = "r", at: float = JUNE) -> list[tuple[str, int]]:
    """The thresholds that a commit says, as (holder, percent)."""
    found: list[Crossing] = []

    def tell(crossing: Crossing) -> tuple[str, str]:
        found.append(crossing)
        return "crossed", crossing.model_dump_json()

    store.append(run, epoch=epoch, at=at, lines=[], money=money, caps=CAPS, tell=tell)
    return [(c.holder, c.percent) for c in found]


class Ledgers:
    """What the accounts allow, what they say, and what two runs at once can have of them."""

    def test_a_requester_has_one_limit_in_all_runs_and_another_person_another(self, store: Store) -> None:
        first, second, other = begun(store, "a"), begun(store, "b"), begun(store, "c", who="bob")
        move(store, first, reserve("1", 60), run="a")
        with pytest.raises(OverLimit):
            move(store, second, reserve("1", 41), run="b")
        move(store, second, reserve("1", 40), run="b")
        move(store, other, reserve("1", 50), run="c")
        with pytest.raises(OverLimit):
            move(store, other, reserve("2", 1), run="c")  # everybody's 150 are committed

    def test_a_new_month_has_new_accounts_and_what_was_reserved_before_is_settled_where_it_was(
        self, store: Store
    ) -> None:
        epoch = begun(store)
        move(store, epoch, reserve("1", 100))
        move(store, epoch, reserve("2", 100), at=JULY)
        move(store, epoch, settle("1", 30), at=JULY)
        months = {(a.holder, a.month): (a.reserved, a.settled) for a in store.accounts("r") if a.holder != "run"}
        assert months == {
            ("requester", "2026-06"): (0, 30),
            ("month", "2026-06"): (0, 30),
            ("requester", "2026-07"): (100, 0),
            ("month", "2026-07"): (100, 0),
        }
        move(store, epoch, reserve("3", 70), at=JUNE)  # the clock went back: June has what June has left
        with pytest.raises(OverLimit):
            move(store, epoch, reserve("4", 1), at=JUNE)

    @pytest.mark.parametrize(
        ("at", "month"),
        [(0.0, "1970-01"), (1_767_225_599.9999, "2025-12"), (1_767_225_600.0, "2026-01"), (253402300799.0, "9999-12")],
    )
    def test_a_month_is_that_of_coordinated_universal_time(self, at: float, month: str) -> None:
        assert month_of(at) == month

    @pytest.mark.parametrize("at", [float("nan"), float("inf"), -1e15, 1e15])
    def test_a_time_that_no_calendar_has_reserves_nothing(self, store: Store, at: float) -> None:
        epoch = begun(store)
        with pytest.raises(Broken, match="no calendar"):
            move(store, epoch, reserve("1", 1), at=at)
        assert store.movements("r") == []

    def test_a_standing_goal_has_an_account_of_its_own_over_all_runs_that_work_on_it(self, store: Store) -> None:
        caps = (Cap(holder="standing", most=100),)
        first, second = begun(store, "a", standing="tumours"), begun(store, "b", who="bob", standing="tumours")
        elsewhere = begun(store, "c", standing="other")
        move(store, first, reserve("1", 70), run="a", caps=caps)
        assert store.purse("b", at=JUNE, caps=caps).left_standing_micro == 30
        assert store.purse("c", at=JUNE, caps=caps).left_standing_micro == 100
        with pytest.raises(OverLimit):
            move(store, second, reserve("1", 31), run="b", caps=caps)
        move(store, elsewhere, reserve("1", 100), run="c", caps=caps)

    def test_a_limit_that_is_lowered_below_what_is_committed_allows_nothing_new_and_breaks_nothing_old(
        self,
        store: Store,
    ) -> None:
        epoch = begun(store)
        move(store, epoch, reserve("1", 80))
        less = (Cap(holder="requester", most=50),)
        with pytest.raises(OverLimit):
            move(store, epoch, reserve("2", 1), caps=less)
        assert store.purse("r", at=JUNE, caps=less).left_requester_micro == -30
        move(store, epoch, reserve("free", 0), settle("1", 80), caps=less)
        move(store, epoch, reserve("3", 20))
        none = (Cap(holder="requester", most=LARGEST), Cap(holder="month", most=LARGEST))
        move(store, epoch, reserve("4", 10**12), caps=none)
        assert store.purse("r", at=JUNE, caps=none) == Purse()

    def test_two_processes_cannot_both_have_what_is_left(self, where: Path | str, store: Store) -> None:
        """Fifty calls of ten runs at once, each in a connection of its own; there is room for ten."""
        epochs = {f"run{n}": begun(store, f"run{n}") for n in range(10)}

        def spend(run: str) -> int:
            own, had = Store(where), 0
            for call in range(5):
                try:
                    move(own, epochs[run], reserve(str(call), 10), run=run)
                    had += 1
                except OverLimit:
                    continue
            own.close()
            return had

        with ThreadPoolExecutor(max_workers=10) as pool:
            assert sum(pool.map(spend, epochs)) == 10
        (account,) = [a for a in store.accounts("run0") if a.holder == "requester"]
        assert (account.reserved, account.bound) == (100, 100)

    def test_what_is_left_counts_what_bills_had_above_their_reservations(self, store: Store) -> None:
        epoch, other = begun(store, "a"), begun(store, "b")
        move(store, epoch, reserve("1", 10), run="a")
        move(store, epoch, settle("1", 95), run="a")
        assert store.purse("a", at=JUNE, caps=CAPS) == Purse(left_requester_micro=5, left_month_micro=55, frozen=True)
        assert not store.purse("b", at=JUNE, caps=CAPS).frozen
        with pytest.raises(OverLimit):
            move(store, other, reserve("1", 6), run="b")
        move(store, other, reserve("1", 5), run="b")

    def test_a_new_run_of_somebody_is_allowed_what_they_have_left(self, store: Store) -> None:
        move(store, begun(store), reserve("1", 30))
        assert store.purse(at=JUNE, requester="ada", caps=CAPS) == Purse(left_requester_micro=70, left_month_micro=120)
        assert store.purse(at=JUNE, requester="bob", caps=CAPS) == Purse(left_requester_micro=100, left_month_micro=120)
        assert store.purse(at=JULY, requester="ada", caps=CAPS) == Purse(left_requester_micro=100, left_month_micro=150)

    @pytest.mark.parametrize("amount", [-1, 2**63, 0.5, float("nan"), float("inf"), "1", None, True])
    def test_what_is_no_amount_is_no_movement(self, amount: object) -> None:
        with pytest.raises(ValidationError):
            Entry.model_validate({"call": "1", "kind": "reserve", "amount": amount})

    def test_amounts_that_64_bits_do_not_hold_together_are_refused_and_a_bill_that_large_is_not_lost(
        self, store: Store
    ) -> None:
        epoch = begun(store)
        move(store, epoch, reserve("1", LARGEST - 5), reserve("2", 5), caps=())
        with pytest.raises(OverLimit):
            move(store, epoch, reserve("3", 1), caps=())
        move(store, epoch, reserve("4", 0), reserve("5", 0), settle("4", LARGEST), settle("5", LARGEST), caps=())
        assert {a.overrun for a in store.accounts("r")} == {LARGEST}

    def test_a_bill_without_a_reservation_is_an_error_and_is_not_swallowed(self, store: Store) -> None:
        epoch = begun(store)
        with pytest.raises(Broken, match="nothing of usd_micro was reserved for 1"):
            move(store, epoch, settle("1", 5))

    def test_other_resources_have_accounts_like_money(self, store: Store) -> None:
        caps = (Cap(holder="requester", resource="gpu_ms", most=1000), Cap(holder="run", resource="trials", most=5))
        epoch = begun(store)
        move(store, epoch, reserve("1", 600, resource="gpu_ms"), reserve("1", 4, resource="trials"), caps=caps)
        assert store.purse("r", at=JUNE, caps=caps).left_gpu_ms == 400
        for more in (reserve("2", 401, resource="gpu_ms"), reserve("2", 2, resource="trials")):
            with pytest.raises(OverLimit):
                move(store, epoch, more, caps=caps)
        move(store, epoch, settle("1", 100, resource="gpu_ms"), settle("1", 1, resource="trials"), caps=caps)
        assert store.purse("r", at=JUNE, caps=caps).left_gpu_ms == 900
        assert store.row("r").settled == 0

    def test_a_call_of_a_language_model_reserves_tokens_and_their_money_and_settles_what_it_used(
        self, store: Store
    ) -> None:
        caps = (Cap(holder="run", resource="tokens", most=1000), *CAPS)
        epoch = begun(store, budget=90)
        move(store, epoch, *model_call("understand/1", tokens=800, usd_micro=80), caps=caps)
        for tokens, usd_micro in ((201, 1), (1, 11)):  # of the tokens, then of the budget
            with pytest.raises(OverLimit):
                move(store, epoch, *model_call("propose/1", tokens=tokens, usd_micro=usd_micro), caps=caps)
        move(store, epoch, *model_call("understand/1", tokens=300, usd_micro=30, settle=True), caps=caps)
        move(store, epoch, *model_call("propose/1", tokens=700, usd_micro=60), caps=caps)
        assert store.money("r") == {"tokens": 30}
        assert {(m.call, m.resource): m.settled for m in store.movements("r")} == {
            ("understand/1", "tokens"): 300,
            ("understand/1", "usd_micro"): 30,
            ("propose/1", "tokens"): None,
            ("propose/1", "usd_micro"): None,
        }

    def test_each_threshold_is_said_once_for_each_account_whoever_crosses_it(self, store: Store) -> None:
        first, second = begun(store, "a", budget=1000), begun(store, "b", budget=20)
        assert said(store, first, reserve("1", 60), reserve("2", 40), run="a") == []  # reserved is not accrued
        assert said(store, first, settle("1", 49), run="a") == []
        assert said(store, first, settle("2", 1), run="a") == [("requester", 50)]
        assert said(store, first, run="a") == []
        assert said(store, second, reserve("1", 20), settle("1", 20), run="b") == [
            ("run", 50),
            ("run", 80),
            ("run", 95),
        ]
        assert said(store, second, reserve("2", 0), settle("2", 12), run="b") == [("month", 50), ("requester", 80)]
        kinds = [json.dumps(line.body) for line in store.lines("b")]
        assert len(kinds) == 5

    def test_what_runs_accrues_by_the_hour_and_never_more_than_is_reserved(self, store: Store) -> None:
        epoch = begun(store, budget=1000)
        going = reserve("1", 600, rate=300, until=JUNE + 2 * HOUR)
        store.append("r", epoch=epoch, at=JUNE, lines=[], money=[going])
        for hours, crossed in ((0.0, False), (1.6, False), (1.7, True), (-5.0, False), (50.0, True)):
            assert store.crossed("r", at=JUNE + hours * HOUR) == crossed, hours
        assert said(store, epoch, at=JUNE + 50 * HOUR) == [("run", 50)]
        assert not store.crossed("r", at=JUNE + 500 * HOUR)

    def test_what_goes_on_costs_by_the_hour_until_it_is_over_or_its_limit_has_passed(self, store: Store) -> None:
        first, second = begun(store, "a"), begun(store, "b")
        job = reserve("1", 60, rate=30, until=JUNE + 2 * HOUR)
        kept = reserve("2", 40, rate=10, until=JUNE + 4 * HOUR, source="endpoint", thing="ep")
        move(store, first, job, kept, run="a")
        assert store.purse("b", at=JUNE, caps=()) == Purse(rate_micro_per_hour=40, jobs=1)
        hour = Burn(run_micro_per_hour=40, home_micro_per_hour=40, month_micro=40, month_forecast_micro=100)
        assert store.burn("a", at=JUNE + HOUR) == hour
        assert store.burn("b", at=JUNE + HOUR) == hour.model_copy(update={"run_micro_per_hour": 0})
        assert store.purse("b", at=JUNE + 3 * HOUR, caps=()) == Purse(rate_micro_per_hour=10)
        move(store, first, settle("1", 55), settle("2", 40, until=JUNE + 4 * HOUR), run="a")
        assert store.purse("b", at=JUNE + HOUR, caps=()) == Purse(rate_micro_per_hour=10)
        stop = Entry(call="stop", kind="end", thing="ep")
        move(store, second, reserve("stop", 0), settle("stop", 0), stop, run="b")
        assert store.purse("b", at=JUNE + HOUR, caps=()) == Purse()
        month = store.burn("b", at=JUNE + HOUR)
        assert (month.month_micro, month.month_forecast_micro) == (95, 95)
