"""What a journal's lines move: reservations, bills by time or as told, what stays open, and what is ended first."""

from __future__ import annotations

from decimal import Decimal

import pytest
from given import ACCURACY, NOW, Story, contract, endpoint, part, plan, step, survey

from agent.accounts import UNDO, bill, billed, bounds, caps, closing, ending, overran, reservations, settlements
from agent.contract import Search
from agent.judged import pricing
from agent.record.ledger import LARGEST, Entry
from agent.state import CallState, Ended, Intent, Run, Settled, Verdict
from policies.limits import load_limits
from tools.ports import EndpointState, VersionState
from tools.record import Json
from tools.tool import Call

HOUR = 3600.0


def run(*endpoints: EndpointState, usd_per_hour: float | None = 1.0, gpus: int = 0) -> Run:
    seen = survey(*endpoints, usd_per_hour=usd_per_hour)
    if gpus:
        offers = tuple(o.model_copy(update={"gpu": "L4", "gpu_count": gpus}) for o in seen.offers)
        seen = seen.model_copy(update={"offers": offers})
    return Story(contract(part(ACCURACY)), plan(step("prepare")), seen=seen).run


def begun(
    told: Run, tool: str, args: Json | None = None, *, id_: str = "s", limit_s: float = HOUR, gpu_ms: int = 0
) -> CallState:
    """A call that was approved with what it reserves, and its intent."""
    made = step(id_, tool, args, limit_s=limit_s)
    cost, rate = pricing.cost(made, told, now=NOW), pricing.rate_micro(made, told)
    call = Call.of(run="r", step=id_, attempt=1, tool=tool, args=made.args, limit_s=limit_s, owner="ada")
    verdict = Verdict(
        call=call,
        ruling="approved",
        policies=(),
        reasons=(),
        facts={"gpu_ms": gpu_ms},
        reserve_micro=cost or 0,
        rate_micro=rate or 0,
    )
    told.apply(told.seq + 1, NOW, "verdict", verdict)
    told.apply(told.seq + 1, NOW, "intent", Intent(call=call.id, digest=call.digest))
    return told.calls[call.id]


def over(told: Run, state: CallState, *, after: float, **more: object) -> Ended:
    """The outcome of the call, billed and folded."""
    fields: dict[str, object] = {"call": state.call.id, "phase": "done", "result": {}}
    ended = billed(state, told, NOW + after, Ended.model_validate(fields | more))
    told.apply(told.seq + 1, NOW + after, "outcome", ended)
    return ended


def amounts(entries: list[Entry]) -> dict[tuple[str, str], int]:
    return {(e.call, e.resource): e.amount for e in entries}


def test_a_job_reserves_price_times_limit_and_is_billed_for_its_time() -> None:
    told = run()
    state = begun(told, "tune_model", {"trials": 7})
    (money, trials) = reservations(state, told, NOW)
    assert (money.amount, money.rate, money.until, money.source) == (1_000_000, 1_000_000, NOW + HOUR, "compute")
    assert (trials.resource, trials.amount) == ("trials", 7)
    ended = over(told, state, after=900, result={"trials": 5})
    assert amounts(list(settlements(state, told, ended, NOW + 900))) == {
        ("r/s/1", "usd_micro"): 250_000,
        ("r/s/1", "trials"): 5,
    }


def test_what_failed_gives_back_what_it_did_not_use() -> None:
    told = run()
    state = begun(told, "tune_model", {"trials": 7})
    ended = over(told, state, after=1, phase="failed", result=None, cause="timeout")
    assert amounts(list(settlements(state, told, ended, NOW + 1))) == {
        ("r/s/1", "usd_micro"): 278,  # a second, rounded up
        ("r/s/1", "trials"): 0,
    }


@pytest.mark.parametrize(("after", "paid"), [(-500.0, 0), (0.0, 0), (1e-3, 1), (HOUR, 1_000_000), (1e9, 1_000_000)])
def test_a_bill_by_time_is_never_above_the_reservation_nor_below_nothing(after: float, paid: int) -> None:
    """The hard limit had ended it by then; a clock that goes back earns nothing."""
    told = run()
    state = begun(told, "tune_model")
    assert bill(state, told, NOW + after) == paid


def test_a_bill_that_a_backend_tells_is_taken_as_it_is_and_above_its_reservation_is_an_overrun() -> None:
    told = run()
    state = begun(told, "tune_model", {"trials": 1})
    below = Ended(call=state.call.id, phase="done", result={}, billed_micro=3)
    assert billed(state, told, NOW + 60, below).settled_micro == 3
    assert overran(state, told, billed(state, told, NOW + 60, below)) is None
    ended = over(told, state, after=60, billed_micro=LARGEST * 2)
    found = overran(state, told, ended)
    assert found is not None
    assert (found.reserved_micro, found.billed_micro) == (1_000_000, LARGEST)
    assert max(e.amount for e in settlements(state, told, ended, NOW)) == LARGEST


def test_a_price_that_nobody_knows_reserves_nothing_and_any_bill_is_an_overrun() -> None:
    told = run(usd_per_hour=None)
    state = begun(told, "prepare_data")
    (money,) = reservations(state, told, NOW)
    assert (money.amount, money.rate) == (0, 0)
    assert bill(state, told, NOW + 60) == 0
    assert overran(state, told, billed(state, told, NOW, Ended(call="r/s/1", phase="done", billed_micro=1))) is not None


def test_gpus_are_reserved_for_the_limit_and_settled_for_the_time() -> None:
    told = run(gpus=4)
    made = step("s", "tune_model", {"trials": 1}, limit_s=HOUR)
    gpu_ms = pricing.gpu_ms(made, told, now=NOW)
    assert gpu_ms == 4 * 3_600_000
    state = begun(told, "tune_model", {"trials": 1}, gpu_ms=gpu_ms)
    assert amounts(list(reservations(state, told, NOW)))[("r/s/1", "gpu_ms")] == gpu_ms
    ended = over(told, state, after=900)
    assert amounts(list(settlements(state, told, ended, NOW + 900)))[("r/s/1", "gpu_ms")] == 4 * 900_000


def test_an_amount_that_64_bits_do_not_hold_is_the_largest_that_they_do() -> None:
    assert pricing.priced(LARGEST, Decimal(3601)) == LARGEST
    told = run(usd_per_hour=9e12)
    made = step("s", "deploy_model", DEPLOY | {"replicas": 1000})
    assert pricing.cost(made, told, now=NOW) == LARGEST


def test_what_undoes_reserves_nothing_of_its_own_and_what_does_not_reserves_all() -> None:
    """The same roll-back to three servers: once of this run's own deployment, once of nothing that it did."""
    back = {"endpoint": "tumours", "to": "v0", "replicas": 3, "for_s": HOUR}
    wanted = plan(step("back", "rollback_endpoint", back))
    story = Story(
        contract(part(ACCURACY)), wanted, seen=survey(serving(lives_s=HOUR), usd_per_hour=1.0), accept=True
    ).agreed()
    unasked, _ = story.judged(wanted.steps[0])
    assert (unasked.facts.get("undoes"), unasked.reserve_micro) == (None, 3_000_000)
    begun(story.run, "deploy_model", DEPLOY)
    verdict, _ = story.judged(wanted.steps[0])
    assert (verdict.facts["undoes"], verdict.reserve_micro, verdict.rate_micro) == (True, 0, 0)


DEPLOY: Json = {"endpoint": "tumours", "version": "v1", "model": "m", "replicas": 2, "lease_s": HOUR}


def serving(replicas: int = 3, *, lives_s: float = 1e6) -> EndpointState:
    there = endpoint(("v0", 100))
    versions = tuple(VersionState.model_validate(dict(v) | {"replicas": replicas}) for v in there.versions)
    return there.model_copy(update={"versions": versions, "lease_until": NOW + lives_s})


def test_a_deployment_beside_what_serves_reserves_what_bringing_that_back_would_cost() -> None:
    told = run(serving())
    state = begun(told, "deploy_model", DEPLOY)
    own, back = reservations(state, told, NOW)
    assert (own.amount, own.source, own.thing, own.until) == (2_000_000, "endpoint", "tumours", NOW + HOUR)
    assert (back.call, back.amount, back.source) == ("r/s/1" + UNDO, 3_000_000, "endpoint")
    assert state.verdict.reserve_micro == 5_000_000
    alone = run()
    assert len(list(reservations(begun(alone, "deploy_model", DEPLOY), alone, NOW))) == 1
    same = run(serving())
    again = begun(same, "deploy_model", DEPLOY | {"version": "v0"})
    assert again.verdict.reserve_micro == 2_000_000


@pytest.mark.parametrize(
    ("tool", "args", "undo"),
    [
        ("extend_lease", {"endpoint": "tumours", "owner": "ada", "for_s": HOUR}, 0),
        ("rollback_endpoint", {"endpoint": "tumours", "to": "v0"}, 1_500_000),
    ],
)
def test_a_deployment_is_paid_for_until_it_is_handed_over_or_taken_back(tool: str, args: Json, undo: int) -> None:
    """What served before is kept half an hour longer than its own lease, where the traffic goes back to it."""
    told = run(serving(lives_s=HOUR / 2))
    state = begun(told, "deploy_model", DEPLOY)
    assert over(told, state, after=60).holds
    by = begun(told, tool, args, id_="by")
    result = {"lease_until": NOW + 9 * HOUR} if tool == "extend_lease" else {}
    ended = over(told, by, after=900, result=result)
    (closed,) = closing(told, NOW + 900, by=by)
    assert (closed.usd_micro, closed.undo_micro, closed.until) == (500_000 + undo, undo, None)
    told.apply(told.seq + 1, NOW + 900, "settled", closed)
    moved = amounts(list(settlements(state, told, closed, NOW + 900)))
    assert moved == {("r/s/1", "usd_micro"): 500_000, ("r/s/1" + UNDO, "usd_micro"): undo}
    kinds = {e.kind: e for e in settlements(by, told, ended, NOW + 900)}
    assert ("end" in kinds) == (tool == "extend_lease")
    assert kinds["settle"].until == (NOW + 9 * HOUR if tool == "extend_lease" else None)
    assert told.reserved_micro == 0


def test_what_nobody_took_over_or_back_is_paid_for_until_its_lease_ends_it() -> None:
    told = run(serving(lives_s=0.0))
    state = begun(told, "deploy_model", DEPLOY)
    over(told, state, after=60)
    (closed,) = closing(told, NOW + 120)
    assert closed == Settled(call="r/s/1", usd_micro=5_000_000, undo_micro=3_000_000, until=NOW + HOUR)


def test_a_deployment_that_failed_keeps_what_bringing_back_would_cost_until_that_is_over() -> None:
    told = run(serving())
    state = begun(told, "deploy_model", DEPLOY)
    assert over(told, state, after=36, phase="failed", result=None, cause="user_code_error").holds
    assert told.reserved_micro == 5_000_000
    (closed,) = closing(told, NOW + 900)
    assert (closed.usd_micro, closed.undo_micro) == (
        20_000,
        0,
    )  # 36 seconds of two servers; the incumbent lives on its own
    alone = run()
    lonely = begun(alone, "deploy_model", DEPLOY)
    assert not over(alone, lonely, after=36, phase="failed", result=None, cause="user_code_error").holds


def test_taking_the_version_away_ends_what_it_costs_and_taking_away_another_does_not() -> None:
    told = run()
    state = begun(told, "deploy_model", DEPLOY)
    over(told, state, after=60)
    other = begun(told, "withdraw_version", {"endpoint": "tumours", "version": "v0"}, id_="other")
    over(told, other, after=900)
    assert closing(told, NOW + 900, by=other) == []
    own = begun(told, "withdraw_version", {"endpoint": "tumours", "version": "v1"}, id_="own")
    over(told, own, after=900)
    assert [c.usd_micro for c in closing(told, NOW + 900, by=own)] == [500_000]


@pytest.mark.parametrize(("cause", "paid"), [("permission", 0), ("data_missing", 0), ("network", 8_000_000)])
def test_a_lease_that_is_known_not_to_have_been_extended_costs_nothing(cause: str, paid: int) -> None:
    told = run()
    state = begun(told, "extend_lease", {"endpoint": "tumours", "owner": "ada", "for_s": 8 * HOUR})
    assert over(told, state, after=1, phase="failed", result=None, cause=cause).settled_micro == paid


def test_what_is_ended_first_is_what_wastes_least() -> None:
    """Searches, the dearest first; then what measures; what serves traffic last, however dear it is."""
    told = run(gpus=1)
    serves = begun(told, "deploy_model", DEPLOY | {"replicas": 20}, id_="deploy")
    measures = begun(told, "evaluate_model", {"model": "m"}, id_="evaluate")
    searches = begun(told, "tune_model", {"trials": 1}, id_="tune")
    dear = begun(told, "launch_training", {"command": ["x"]}, id_="train")
    dear.verdict = dear.verdict.model_copy(update={"rate_micro": 9_000_000})
    watches = begun(told, "monitor_endpoint", {"endpoint": "tumours"}, id_="watch")
    found = ending([serves, measures, watches, searches, dear])
    assert [s.call.step for s in found] == ["train", "tune", "evaluate", "watch", "deploy"]


def test_limits_bound_the_accounts_and_any_takes_a_bound_away() -> None:
    limits = load_limits()
    found = {(c.holder, c.resource): c.most for c in caps(limits)}
    assert found[("requester", "usd_micro")] == round(limits.money.requester_usd_per_month * 1e6)  # type: ignore[operator]
    assert found[("standing", "usd_micro")] == LARGEST
    assert found[("requester", "gpu_ms")] == 2000 * 3_600_000
    assert found[("run", "tokens")] == limits.tokens.per_run


@pytest.mark.parametrize(
    ("budget", "trials", "expected"),
    [
        (None, (None,), {}),
        (1.25, (None, 3), {"usd_micro": 1_250_000}),
        (0.0, (2, 3), {"usd_micro": 0, "trials": 5}),
        (0.57, (), {"usd_micro": 570_000}),
        (1e300, (1,), {"usd_micro": LARGEST, "trials": 1}),
    ],
)
def test_a_goal_bounds_its_money_and_where_it_says_so_its_trials(
    budget: float | None, trials: tuple[int | None, ...], expected: dict[str, int]
) -> None:
    parts = tuple(part(ACCURACY, name=f"p{i}", search=Search(trials=t) if t else None) for i, t in enumerate(trials))
    assert bounds(contract(*parts, budget_usd=budget)) == expected
    assert bounds(None) == {}
