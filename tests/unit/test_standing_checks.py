"""What a check proves, what it decides, and what the lines fold into: pure, with clocks that jump."""

from __future__ import annotations

import random

import pytest

from agent.contract import Clause, Contract, Data, Part, Upkeep
from agent.goal import Goal
from agent.service_state import Chapter, Standing, fold_in
from agent.standing import deciding
from agent.standing.check import check, due
from agent.standing.reaction import NO_WORSE, again, no_worse
from agent.standing.seen import Seen
from agent.upkeep import Checked, Closed, Concluded, DriftSeen, Held, Reacted, Terms
from tools.deploy import Inspected
from tools.monitor import Reading
from tools.ports import EndpointState, Traffic, VersionState

START = 1_772_442_000.0
HOUR = 3600.0
DAY = 24 * HOUR


def clause(metric: str, op: str, value: float, **more: object) -> Clause:
    where = more.pop("where", "live")
    return Clause.model_validate({"id": metric, "metric": metric, "op": op, "value": value, "where": where} | more)


ERRORS = clause("error_rate", "<=", 0.01)
SLOW = clause("latency_p95_ms", "<=", 80.0)


def terms(*clauses: Clause, retrain_on: tuple[str, ...] = ("drift", "breach"), **more: object) -> Terms:
    part = Part(
        name="folk",
        task="classification",
        target="folk",
        data=(Data(uri="people.csv", label="outcome"),),
        clauses=clauses,
        upkeep=Upkeep.model_validate({"every_s": HOUR, "retrain_on": retrain_on}),
    )
    fields: dict[str, object] = {
        "run": "r",
        "goal": Goal.of("look after folk", source="cli:ada"),
        "owner": "ada",
        "backend": "sim",
        "brain": "rules",
        "runtime": "/r",
        "folder": "/f",
        "contract": Contract(parts=(part,)),
        "endpoint": "folk",
        "began": START,
        "every_s": HOUR,
        "reaction_usd": 1.0,
        "cool_down_s": 3 * HOUR,
        "most_reactions": 4,
        "alarm_rate": 0.01,
        "trained_on": "old",
    }
    return Terms.model_validate(fields | more)


def opened(*clauses: Clause, **more: object) -> Standing:
    return fold_in(None, terms(*clauses, **more))  # type: ignore[arg-type]


def seen(at: float, requests: int = 1000, errors: int = 0, *, slow: int = 0, **more: object) -> Seen:
    version = VersionState(name="v1", state="ready", weight=100, model="models/folk/v1", replicas=1, ready=1)
    there = EndpointState(
        name="folk", url="u", versions=(version,), run="r", owner="ada", lease_until=at + DAY, started=START
    )
    traffic = Traffic(
        version="v1",
        since=at - HOUR,
        until=at,
        requests=requests,
        errors=errors,
        over={repr(80.0): slow},
        quantiles_ms={"p50": 10.0, "p95": 20.0, "p99": 30.0} if requests else {},
    )
    fields: dict[str, object] = {
        "at": at,
        "since": at - HOUR,
        "looked": Inspected(state=there, at=at),
        "reading": Reading(at=at, seconds=HOUR, versions=(traffic,)),
        "drift_since": at,
        "data": "new",
    }
    return Seen.model_validate(fields | more)


def drifted(at: float, **more: object) -> Seen:
    return seen(at, drift=DriftSeen(verdict="drifted", rows=900, psi=0.4, why="income has shifted"), **more)  # type: ignore[arg-type]


def after(state: Standing, look: Seen, **more: float | None) -> tuple[Standing, object]:
    found = check(state, look)
    state = fold_in(state, found)
    return state, deciding.after(state, found, "g", left_usd=more.get("left"))


def _hits(draw: random.Random, n: int, share: float) -> int:
    return sum(draw.random() < share for _ in range(n))


def test_traffic_that_just_keeps_its_clause_raises_an_alarm_no_oftener_than_stated() -> None:
    draw, state = random.Random(3), opened(ERRORS, SLOW)
    known: dict[tuple[int, int], bool] = {}
    alarms = 0
    for _ in range(1500):
        pair = (_hits(draw, 400, 0.01), _hits(draw, 400, 0.05))
        if pair not in known:
            known[pair] = check(state, seen(START + HOUR, 400, pair[0], slow=pair[1])).health == "breached"
        alarms += known[pair]
    assert alarms / 1500 <= state.terms.alarm_rate / 2 * 1.8


def test_a_clear_breach_is_an_alarm_with_its_cause_and_its_numbers() -> None:
    found = check(opened(ERRORS), seen(START + HOUR, 1000, 80))
    assert (found.health, found.cause) == ("breached", "slo_breach")
    assert "80 of 1000" in found.trouble


@pytest.mark.parametrize("requests", [0, 1, 3, 20])
def test_too_few_requests_prove_nothing_even_when_all_of_them_are_slow(requests: int) -> None:
    found = check(opened(clause("latency_p95_ms", "<=", 80.0)), seen(START + HOUR, requests, 0, slow=min(requests, 1)))
    assert found.health == "at_risk"
    assert found.trouble == ""


def test_a_live_clause_that_needs_labels_is_unproven_and_says_why() -> None:
    found = check(opened(clause("recall", ">=", 0.7)), seen(START + HOUR))
    told = {c.id: c for c in found.clauses}
    assert told["recall"].verdict == "UNPROVEN"
    assert "needs labels" in told["recall"].note
    assert found.health == "at_risk"


def test_an_endpoint_nobody_could_look_at_is_at_risk_and_one_that_is_gone_is_breached() -> None:
    blind = check(opened(ERRORS), seen(START + HOUR, looked=None, reading=None, failed="the backend is busy"))
    assert (blind.health, blind.trouble) == ("at_risk", "")
    assert "the backend is busy" in blind.clauses[0].note
    gone = check(opened(ERRORS), seen(START + HOUR, looked=Inspected(state=None), reading=None))
    assert (gone.health, gone.cause) == ("breached", "node_lost")


@pytest.mark.parametrize(
    ("at", "next_"),
    [
        (START + HOUR, START + 2 * HOUR),
        (START + 1.3 * HOUR, START + 2 * HOUR),
        (START + 7.5 * HOUR, START + 8 * HOUR),
        (START - 30 * DAY, START - 30 * DAY + HOUR),
    ],
)
def test_the_next_check_is_on_the_grid_however_late_and_never_far_when_the_clock_went_back(
    at: float, next_: float
) -> None:
    assert due(opened(), at) == pytest.approx(next_)


def test_drift_stays_open_until_a_whole_window_is_steady() -> None:
    state, follows = after(opened(retrain_on=()), drifted(START + HOUR))
    assert isinstance(follows, Held)
    few = DriftSeen(verdict="not_enough", rows=20, why="20 of 500 rows")
    state, _ = after(state, seen(START + 2 * HOUR, drift=few))
    assert state.last is not None
    assert state.last.cause == "drift"
    state, _ = after(state, seen(START + 3 * HOUR, drift=DriftSeen(verdict="steady", rows=900, why="nothing")))
    assert state.last is not None
    assert (state.last.cause, state.held) == (None, None)


def test_dead_servers_are_not_trained_back_to_life() -> None:
    look = seen(START + HOUR)
    there = look.state
    assert there is not None
    dead = there.model_copy(update={"versions": (there.versions[0].model_copy(update={"ready": 0}),)})
    _, follows = after(opened(ERRORS), look.model_copy(update={"looked": Inspected(state=dead)}))
    assert isinstance(follows, Held)
    assert follows.reason == "person"


def test_one_reaction_at_a_time_within_what_is_left_and_under_the_same_name_again() -> None:
    state, first = after(opened(), drifted(START + HOUR), left=0.4)
    assert isinstance(first, Reacted)
    assert (first.run, first.usd, first.cause) == ("g-retrain1", 0.4, "drift")
    state = fold_in(state, first)
    state, second = after(state, drifted(START + 2 * HOUR))
    assert second is None
    assert state.state == "reacting"


def test_without_money_nothing_is_begun_and_a_price_of_nothing_needs_none() -> None:
    _, held = after(opened(), drifted(START + HOUR), left=0.0)
    assert isinstance(held, Held)
    assert held.reason == "budget"
    _, free = after(opened(reaction_usd=0.0), drifted(START + HOUR), left=0.0)
    assert isinstance(free, Reacted)


def test_the_cool_down_doubles_with_each_reaction_that_did_not_help_and_ends_with_proof() -> None:
    state, waits = opened(), []
    at = START
    for number in range(4):
        done = Reacted(number=number + 1, at=at, what="retrain", trigger="drift", run=f"g-retrain{number}", why="")
        state = fold_in(fold_in(state, done), Concluded(at=at, run=done.run, came="kept"))
        waits.append((state.cool_until - at) / HOUR)
        at = state.cool_until
    assert waits == [6.0, 12.0, 24.0, 48.0]
    well = seen(at, drift=DriftSeen(verdict="steady", rows=900, why="nothing"))
    state, _ = after(state, well)
    assert state.unhelpful == 0


def test_a_promotion_after_which_the_trouble_goes_on_did_not_help() -> None:
    state = opened()
    for number in (1, 2):
        done = Reacted(number=number, at=START, what="retrain", trigger="drift", run=f"g-retrain{number}", why="")
        state = fold_in(fold_in(state, done), Concluded(at=START, run=done.run, came="promoted", data="x"))
    assert state.unhelpful == 1


def test_a_new_month_begins_with_whole_budgets_and_an_old_one_does_not_come_back() -> None:
    state, _ = after(opened(ERRORS), seen(START + HOUR, 1000, 20))
    assert [b.used for b in state.burned] == [2.0]
    state, _ = after(state, seen(START + 40 * DAY, 1000, 5))
    assert [b.used for b in state.burned] == [0.5]
    state, _ = after(state, seen(START + 2 * HOUR, 1000, 5))
    assert [b.used for b in state.burned] == [0.5], "what was counted stays counted"


def test_a_clock_that_leapt_over_the_end_ends_nothing_until_a_check_in_time_agrees() -> None:
    state = opened(until=START + 10 * DAY)
    leapt = check(state, seen(START + 400 * DAY))
    assert deciding.over(state, leapt) is None
    state = fold_in(state, leapt)
    there = check(state, seen(START + 400 * DAY + HOUR))
    assert isinstance(deciding.over(state, there), Closed)


def test_a_lease_is_extended_at_half_its_life_never_beyond_the_end_and_ever_later_when_it_fails() -> None:
    state = opened(lease_s=8 * HOUR, lease_until=START + 8 * HOUR, until=START + 10 * HOUR)
    assert deciding.lease_due(state) == START + 4 * HOUR
    assert deciding.extension(state, "g", START + 3 * HOUR, left_usd=None) is None
    asked = deciding.extension(state, "g", START + 4 * HOUR, left_usd=None)
    assert asked is not None
    assert asked.lease_to == START + 10 * HOUR
    failed = fold_in(fold_in(state, asked), Concluded(at=START + 4 * HOUR, run=asked.run, came="refused", why="no"))
    assert deciding.lease_due(failed) == START + 5 * HOUR
    assert failed.state == "waiting"
    done = fold_in(fold_in(state, asked), Concluded(at=START + 4 * HOUR, run=asked.run, came="extended"))
    assert deciding.lease_due(done) is None, "it lives until the end"


def test_the_state_after_a_chapter_is_the_state_before_it() -> None:
    state, follows = after(opened(ERRORS), drifted(START + HOUR, requests=900))
    assert isinstance(follows, Reacted)
    state = fold_in(state, follows)
    assert fold_in(None, Chapter.model_validate_json(Chapter(state=state).model_dump_json())) == state


def test_a_reaction_is_the_same_goal_with_a_canary_a_rival_and_no_upkeep() -> None:
    state, done = after(opened(ERRORS, clause("f1", ">=", 0.8, where="holdout")), drifted(START + HOUR))
    assert isinstance(done, Reacted)
    (part,) = again(state, done).parts
    assert (part.rollout.strategy, part.upkeep) == ("canary", None)
    rival = part.clauses[-1]
    assert (rival.id, rival.metric, rival.op) == (NO_WORSE, "f1", ">=")
    assert rival.relative is not None
    assert rival.relative.to == "incumbent"


def test_an_error_that_must_be_small_is_compared_the_other_way_and_a_formula_is_not_compared() -> None:
    part = terms(clause("rmse", "<=", 3.0, where="holdout")).part
    assert [c.op for c in no_worse(part.model_copy(update={"task": "regression"}))] == ["<="]
    own = clause("custom:profit", ">=", 1.0, where="holdout")
    assert [c.metric for c in no_worse(terms(own).part)] == ["accuracy"]


def test_the_goal_may_forbid_training_or_name_nothing_to_train_on() -> None:
    forbidden = terms().contract.model_copy(update={"constraints": ("no_retrain",)})
    _, held = after(opened(contract=forbidden), drifted(START + HOUR))
    assert isinstance(held, Held)
    (part,) = terms().contract.parts
    empty = Contract(parts=(part.model_copy(update={"data": ()}),))
    _, held = after(opened(contract=empty), drifted(START + HOUR))
    assert isinstance(held, Held)
    assert "no data" in held.do


def test_checks_are_told_apart_by_their_number() -> None:
    state = opened()
    for number in range(1, 4):
        state, _ = after(state, seen(START + number * HOUR))
        assert isinstance(state.last, Checked)
        assert state.last.number == state.checks == number


def test_a_look_that_failed_forgets_neither_the_lease_nor_the_drift() -> None:
    state, _ = after(opened(ERRORS, retrain_on=("drift", "schedule"), lease_s=DAY), drifted(START + HOUR))
    lease, blind = state.lease_until, {"looked": None, "reading": None, "drift": None, "failed": "the disk is away"}
    state, follows = after(state, seen(START + 2 * HOUR, **blind))  # type: ignore[arg-type]
    assert lease is not None
    assert (state.lease_until, state.drifted is not None) == (lease, True)
    assert deciding.lease_due(state) == lease - DAY / 2, "it is to be extended all the same"
    assert follows is None, "nothing is decided, and no person is told that the endpoint has gone"


def test_a_version_that_served_before_it_was_watched_was_not_rolled_out_of_late() -> None:
    one = terms(ERRORS, retrain_on=())
    part = one.contract.parts[0].model_copy(update={"task": "watch"})
    watched = fold_in(None, one.model_copy(update={"contract": Contract(parts=(part,))}))
    for state, what in ((watched, "held"), (fold_in(None, one), "rollback")):
        _, follows = after(state, seen(START + HOUR, errors=300, previous="folk:v0"))
        assert isinstance(follows, Held | Reacted)
        assert (follows.what if isinstance(follows, Reacted) else "held") == what


def test_the_probes_of_a_reaction_are_no_breach_of_what_serves() -> None:
    state = fold_in(opened(ERRORS), Reacted(number=1, at=START, what="retrain", trigger="drift", run="g-1", why="so"))
    found = check(state, seen(START + HOUR, errors=300))
    assert (found.health, found.trouble) == ("at_risk", "")
    asked = Held(at=START, reason="approval", why="so", do="approve it")
    assert check(fold_in(state, asked), seen(START + HOUR, errors=300)).health == "breached", "nothing probes yet"
    state = fold_in(fold_in(state, found), Concluded(at=START + 1.5 * HOUR, run="g-1", came="kept"))
    assert state.counted == START + 1.5 * HOUR, "what its canary was sent is not judged afterwards"
    assert check(state, seen(START + 2 * HOUR, errors=300)).health == "breached"


def test_what_has_ended_asks_nothing_of_a_person_any_more() -> None:
    state, follows = after(opened(ERRORS, retrain_on=()), seen(START + HOUR, errors=300))
    assert isinstance(follows, Held)
    state = fold_in(fold_in(state, follows), Closed(at=START + HOUR, by="ada", why="it was cancelled"))
    assert (state.state, state.held) == ("ended", None)


def test_what_a_person_went_back_to_is_not_gone_back_from() -> None:
    from agent.upkeep import Served

    went = tuple(Served(version=name, since=START) for name in ("v1", "v2"))
    state = opened(ERRORS, retrain_on=()).model_copy(update={"served": went})
    _, follows = after(state, seen(START + HOUR, errors=300, previous="folk:v0"))
    assert isinstance(follows, Held)
    assert follows.reason == "person"
