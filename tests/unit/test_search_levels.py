"""How far a search goes, and what a rollout must see."""

from __future__ import annotations

import pytest
from earlier import work
from given import ERRORS, LATENCY, clause, contract, part, survey
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import bounds, estimate, rollout, search
from agent.contract import Data, Part, Search
from agent.plan import Range
from agent.survey import DataFacts, Survey
from tools.monitor import WARM_UP
from tools.recipes.probe_records import Probe


def searching(**more: object) -> Part:
    return part(search=Search.model_validate(more))


def test_a_search_goes_from_the_simplest_family_to_the_broadest() -> None:
    tried = [search.families(part(), level) for level in range(search.LEVELS)]
    assert tried[0][0] == "logistic_regression"
    assert {f for level in tried for f in level} == {"logistic_regression", "gradient_boosting", "random_forest"}
    assert search.families(part(task="regression"), 0)[0] == "ridge"


def test_named_families_are_all_that_is_tried_at_every_level() -> None:
    named = part(models=("random_forest",))
    assert {search.families(named, level) for level in range(search.LEVELS)} == {("random_forest",)}


def test_later_levels_try_harder() -> None:
    tried = [search.trials(part(), level) for level in range(search.LEVELS)]
    assert tried == sorted(set(tried))


@pytest.mark.parametrize("wanted", [1, 2, 3, 7, 100])
def test_a_number_of_trials_is_kept_to_over_all_families(wanted: int) -> None:
    asked = searching(trials=wanted)
    assert len(search.families(asked, 0)) * search.trials(asked, 0) <= wanted
    assert not search.can_search_on(asked, 0)


def test_a_search_ends_after_its_levels() -> None:
    assert [search.can_search_on(part(), level) for level in range(3)] == [True, True, False]
    assert not search.can_search_on(part(train={"kind": "command", "value": "python train.py"}), 0)
    assert search.can_search_on(searching(method="random"), 0)


LIVE = st.lists(
    st.sampled_from(
        [
            LATENCY,
            ERRORS,
            clause("latency_p99_ms", "<=", 200, "live"),
            clause("error_rate", "<=", 0.005, "live", id="e"),
            clause("error_rate", "<=", 0, "live", id="z"),
            clause("availability", ">=", 0.999, "live"),
            clause("throughput_rps", ">=", 10, "live"),
        ]
    ),
    max_size=3,
    unique_by=lambda c: c.id,
)
ROLLOUTS = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(["direct", "blue_green", "canary"]),
        "steps": st.lists(st.floats(0.01, 100), max_size=5).map(tuple),
        "hold_s": st.none() | st.floats(1.0, 3600.0),
    }
)


@given(LIVE, ROLLOUTS, st.floats(1.0, 500.0), st.booleans())
@settings(max_examples=120, deadline=None)
def test_a_rollout_sees_what_its_clauses_need_or_says_beforehand_that_it_cannot(
    clauses: list[object], how: dict[str, object], load: float, alone: bool
) -> None:
    asked = part(*clauses, **how)  # type: ignore[arg-type]
    stages = rollout.stages(asked, load_rps=load, alone=alone)
    percents = [s.percent for s in stages]
    assert percents == sorted(set(percents)), "traffic rises, and no stage comes twice"
    assert percents[-1] == 100
    assert all(s.rate_rps <= load for s in stages)
    last = stages[-1]
    enough = round(last.seconds * last.rate_rps) >= rollout.needed(asked) + WARM_UP
    assert enough or rollout.shortfall(asked, load_rps=load)


def test_what_is_needed_is_what_the_strictest_clause_needs() -> None:
    assert rollout.needed(part(LATENCY, ERRORS)) == bounds.needed(0.01)
    assert rollout.needed(part()) == 0


def test_a_hold_that_is_too_short_is_said_with_both_numbers() -> None:
    asked = part(clause("error_rate", "<=", 0.001, "live"), strategy="canary", hold_s=10.0)
    said = rollout.shortfall(asked, load_rps=50.0)
    assert "10 s" in said
    assert "500 requests" in said
    assert str(bounds.needed(0.001) + WARM_UP) in said
    assert rollout.shortfall(asked, load_rps=500.0) == ""


def test_without_steps_a_canary_has_some() -> None:
    stages = rollout.stages(part(strategy="canary"), load_rps=100.0, alone=False)
    assert [s.percent for s in stages] == [10, 50, 100]
    assert [s.percent for s in rollout.stages(part(strategy="direct"), load_rps=100.0, alone=False)] == [100]


def test_an_early_stage_beside_an_incumbent_gets_enough_traffic_through_its_share() -> None:
    first = rollout.stages(part(LATENCY, strategy="canary", steps=(5,)), load_rps=1000.0, alone=False)[0]
    assert first.rate_rps * first.seconds * 0.05 >= rollout.FEWEST


def test_a_first_version_is_ramped_up_instead() -> None:
    wanted = part(LATENCY, strategy="canary", steps=(10, 50))
    rates = [s.rate_rps for s in rollout.stages(wanted, load_rps=1000.0, alone=True)]
    full = rates[-1]
    fewest = (WARM_UP + rollout.FEWEST) / rollout.SHORTEST_S
    assert full * rollout.CALM_S >= rollout.needed(wanted)
    assert rates == [max(full * 0.1, fewest), max(full * 0.5, fewest), full]


def known(rows: int, columns: int, price: float | None = 0.36) -> Survey:
    names = tuple({"name": f"c{i}", "kind": "number", "missing": 0, "distinct": 9} for i in range(columns))
    profile = Probe.model_validate({"source": "x.csv", "format": "csv", "rows": rows, "columns": names})
    return survey(usd_per_hour=price).model_copy(
        update={"data": {"x.csv": DataFacts(uri="x.csv", source="/x.csv", profile=profile)}}
    )


def test_sizes_come_from_the_profile_and_are_guessed_only_without_one() -> None:
    assert estimate.size(known(500, 7), "x.csv") == (500, 7)
    assert estimate.size(known(500, 7), "y.csv") == (estimate.UNKNOWN_ROWS, estimate.UNKNOWN_COLUMNS)
    assert estimate.size(survey(), None) == (estimate.UNKNOWN_ROWS, estimate.UNKNOWN_COLUMNS)


def test_more_rows_and_more_trials_take_longer() -> None:
    def high(rows: int, trials: int) -> float:
        return estimate.seconds(work(family="random_forest", rows=rows, trials=trials)).high or 0.0

    assert high(100, 8) < high(100_000, 8) < high(100_000, 64)
    assert high(100, 8) < high(100, 64)


@pytest.mark.parametrize(("high", "deadline", "limit"), [(1.0, None, 120.0), (100.0, None, 400.0), (100.0, 90.0, 90.0)])
def test_the_hard_limit_is_above_the_estimate_and_never_past_the_deadline(
    high: float, deadline: float | None, limit: float
) -> None:
    assert estimate.limit_s(Range(low=0.0, high=high), deadline) == limit
    assert estimate.limit_s(Range(low=0.0, high=None), deadline) >= min(deadline or 120.0, 120.0)


def test_money_is_price_times_time_and_unknown_when_the_price_is() -> None:
    hour = Range(low=1800.0, high=3600.0)
    assert estimate.cost(hour, survey(usd_per_hour=0.36)) == Range(low=0.18, high=0.36)
    assert estimate.cost(hour, survey(usd_per_hour=None)) == Range(low=0.0, high=None)
    assert estimate.cost(hour, survey().model_copy(update={"offers": ()})) == Range(low=0.0, high=None)


def test_work_goes_to_what_stands_there_then_to_the_cheapest_known_price() -> None:
    (here,) = survey().offers
    dear = here.model_copy(update={"id": "dear", "standing": False, "usd_micro_per_hour": 9})
    cheap = here.model_copy(update={"id": "cheap", "standing": False, "usd_micro_per_hour": 3})
    secret = here.model_copy(update={"id": "secret", "standing": False, "usd_micro_per_hour": None})
    offers = (secret, dear, cheap)
    assert survey().model_copy(update={"offers": offers}).offer == cheap
    assert survey().model_copy(update={"offers": (*offers, here)}).offer == here
    assert survey().model_copy(update={"offers": (secret,)}).usd_micro_per_hour is None


def test_a_part_about_named_data_is_sized_by_its_own_data() -> None:
    asked = contract(part(data=(Data(uri="x.csv", label="y", format="csv"),)))
    assert estimate.size(known(500, 7), asked.parts[0].data[0].uri) == (500, 7)
