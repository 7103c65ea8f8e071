"""What asking a model costs a run: reserved before, settled after, also before there is a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.clock import FixedClock
from agent.errors import OverLimit
from agent.record.store import Store
from agent.tokens import RunAccount
from policies.limits import Limits, load_limits

NOW = 1_767_225_600.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "goalkeeper.db")
    yield opened
    opened.close()


def limited(**tokens: int) -> Limits:
    limits = load_limits()
    return limits.model_copy(update={"tokens": limits.tokens.model_copy(update=tokens)})


def account(store: Store, limits: Limits, *, planned: bool = False, run: str = "r") -> RunAccount:
    return RunAccount(run, store=lambda: store, requester="ada", clock=FixedClock(NOW), limits=limits, planned=planned)


def test_what_is_asked_before_there_is_a_run_draws_on_its_requesters_month(store: Store) -> None:
    limits = limited(before_contract=1000, per_run=5000, per_month=1500)
    first = account(store, limits)
    first.reserve("understand-1", tokens=900, usd_micro=90)
    first.settle("understand-1", tokens=700, usd_micro=70)
    other = account(store, limits, run="another")
    with pytest.raises(OverLimit):
        other.reserve("understand-1", tokens=801, usd_micro=0)
    other.reserve("understand-1", tokens=800, usd_micro=0)
    assert store.rows() == []  # nothing of it is a run


def test_a_goal_that_is_not_understood_yet_has_the_narrower_limit_and_its_run_the_wider(store: Store) -> None:
    limits = limited(before_contract=1000, per_run=5000, per_month=9000)
    before = account(store, limits)
    before.reserve("understand-1", tokens=1000, usd_micro=0)
    with pytest.raises(OverLimit):
        before.reserve("understand-2", tokens=1, usd_micro=0)
    store.create(run="r", goal="g", started=NOW, requester="ada", bounds={"usd_micro": 50})
    after = account(store, limits, planned=True)
    after.reserve("propose-1", tokens=4000, usd_micro=50)
    for tokens, usd_micro in ((1, 0), (0, 1)):
        with pytest.raises(OverLimit):
            after.reserve("propose-2", tokens=tokens, usd_micro=usd_micro)


def test_the_money_of_a_goal_bounds_what_understanding_it_has_cost_already(store: Store) -> None:
    account(store, load_limits()).reserve("understand-1", tokens=10, usd_micro=60)
    with pytest.raises(OverLimit):
        store.create(run="r", goal="g", started=NOW, requester="ada", bounds={"usd_micro": 50})
    assert store.rows() == []


def test_a_process_that_goes_on_with_a_run_counts_its_calls_anew_and_what_was_lost_stays_reserved(store: Store) -> None:
    limits = load_limits()
    killed = account(store, limits)
    killed.reserve("propose-1", tokens=500, usd_micro=5)
    resumed = account(store, limits, planned=True)
    resumed.reserve("propose-1", tokens=300, usd_micro=3)
    resumed.settle("propose-1", tokens=100, usd_micro=1)
    held = {(m.resource, m.reserved, m.settled) for m in store.movements("r")}
    assert held == {
        ("tokens", 500, None),
        ("usd_micro", 5, None),
        ("tokens", 300, 100),
        ("usd_micro", 3, 1),
    }


def test_nothing_is_made_where_no_model_is_asked(tmp_path: Path) -> None:
    def opened() -> Store:
        raise AssertionError("the store was opened")

    RunAccount("r", store=opened, requester="ada", clock=FixedClock(NOW), limits=load_limits(), planned=False)
