"""A version beside another under traffic: how often a proof is wrong, how often it comes, and what counts as failed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import pytest
from given import ERRORS, LATENCY, contract, part

from agent import beside, bounds, judge, rollout
from agent.contract import Clause, Contract, Relative
from agent.observe import HEALTHY, Observation, observe
from agent.plan import NOTHING, Estimate, Step
from tools import latency
from tools.monitor import Monitored
from tools.ports import Agreement, Traffic
from tools.recipes.records import LoadResult
from tools.record import Json
from tools.tool import Effect

TIMES = 120
"""Rollouts that are simulated; seeded, and the bounds leave a wide margin."""
Drawn = Callable[[], Sequence[float]]


def about(metric: str, delta: float = 0.0, *, op: str = "<=", kind: str = "absolute") -> Clause:
    relative = {"to": "incumbent", "delta": delta, "kind": kind}
    return Clause.model_validate(
        {"id": "beside", "metric": metric, "op": op, "value": None, "where": "live", "relative": relative}
    )


def two(clause: Clause, mine: Sequence[float], other: Sequence[float]) -> Observation:
    """What a watch of both makes of these latencies; a negative one failed."""
    result = Monitored(
        traffic=latency.traffic("v1", 0.0, 1.0, mine, []),
        load=LoadResult(sent=len(mine), answered=len(mine), failed=0, seconds=1.0),
        beside=latency.traffic("v0", 0.0, 1.0, other, []),
    )
    (found,) = [o for o in watched(result, clause) if o.to is not None]
    return found


def watched(seen: Monitored, *clauses: Clause) -> tuple[Observation, ...]:
    goal: Contract = contract(part(*clauses, strategy="shadow"))
    return observe(STEP, seen.model_dump(mode="json"), goal)


STEP = Step(
    id="monitor-shadow",
    tool="monitor_endpoint",
    part="model",
    effect=Effect.CREATES,
    args={"beside": "v0"},
    estimate=Estimate(usd=NOTHING, seconds=NOTHING),
    limit_s=60.0,
)


def shares(
    clause: Clause, mine: Callable[[], Sequence[float]], other: Callable[[], Sequence[float]]
) -> dict[str, float]:
    """How often each verdict comes of such traffic."""
    found = [judge.live(clause, two(clause, mine(), other())).verdict for _ in range(TIMES)]
    return {verdict: found.count(verdict) / TIMES for verdict in ("MET", "NOT MET", "UNPROVEN")}


def slow(draw: random.Random, n: int, *, times: float = 1.0, spread: float = 0.5) -> Drawn:
    return lambda: [times * draw.lognormvariate(0.0, spread) for _ in range(n)]


def failing(draw: random.Random, n: int, share: float) -> Drawn:
    return lambda: [-1.0 if draw.random() < share else 1.0 for _ in range(n)]


@pytest.mark.parametrize(
    ("metric", "other"), [("latency_p95_ms", 60), ("latency_p95_ms", 309), ("latency_p99_ms", 309)]
)
def test_identical_versions_are_seldom_rolled_back_however_few_requests_the_incumbent_had(
    metric: str, other: int
) -> None:
    draw = random.Random(1)
    assert shares(about(metric), slow(draw, 600), slow(draw, other))["NOT MET"] <= bounds.ALPHA


@pytest.mark.parametrize("other", [60, 309, 1000])
def test_what_is_exactly_as_slow_as_the_margin_is_seldom_called_no_worse_and_seldom_worse(other: int) -> None:
    draw = random.Random(2)
    found = shares(about("latency_p95_ms"), slow(draw, 800, times=1.0 + beside.SLOWER), slow(draw, other))
    assert found["MET"] <= bounds.ALPHA
    assert found["NOT MET"] <= bounds.ALPHA


@pytest.mark.parametrize("other", [60, 110, 300])
def test_a_promise_to_be_faster_is_seldom_proven_of_what_is_as_fast(other: int) -> None:
    draw = random.Random(3)
    faster = about("latency_p95_ms", -0.1, kind="ratio")
    assert shares(faster, slow(draw, 800, times=0.9), slow(draw, other))["MET"] <= bounds.ALPHA
    assert shares(faster, slow(draw, 800), slow(draw, other))["MET"] <= bounds.ALPHA


def test_the_planned_requests_prove_that_equal_versions_are_no_slower() -> None:
    draw, clause = random.Random(4), about("latency_p95_ms")
    n = rollout.needed_beside(part(clause))
    found = shares(clause, slow(draw, n, spread=0.25), slow(draw, n, spread=0.25))
    assert found["MET"] >= 0.8
    assert shares(clause, slow(draw, n, times=1.5), slow(draw, n))["NOT MET"] >= 0.8


@pytest.mark.parametrize(("share", "n", "other"), [(0.0, 300, 60), (0.03, 1000, 110), (0.03, 600, 600)])
def test_versions_that_fail_alike_are_seldom_rolled_back(share: float, n: int, other: int) -> None:
    draw = random.Random(5)
    assert shares(about("error_rate"), failing(draw, n, share), failing(draw, other, share))["NOT MET"] <= bounds.ALPHA


def test_failures_at_the_margin_are_seldom_called_no_worse() -> None:
    draw, clause = random.Random(6), about("error_rate")
    for other in (0.0, 0.03, 0.1):
        limit = beside.allowed(clause, clause.relative or Relative(), other)
        found = shares(clause, failing(draw, 900, limit), failing(draw, 300, other))
        assert found["MET"] <= bounds.ALPHA
        assert found["NOT MET"] <= bounds.ALPHA


@pytest.mark.parametrize(
    ("clause", "mine", "other"),
    [
        (about("error_rate", -0.02), 0.03, 0.03),
        (about("error_rate", -0.5, kind="ratio"), 0.02, 0.035),
        (about("availability", 0.02, op=">="), 0.03, 0.03),
    ],
    ids=["two points", "half", "availability"],
)
def test_a_margin_is_not_proven_against_the_others_estimate(clause: Clause, mine: float, other: float) -> None:
    draw = random.Random(7)
    assert shares(clause, failing(draw, 1000, mine), failing(draw, 110, other))["MET"] <= bounds.ALPHA


def test_want_of_evidence_does_not_meet_a_clause() -> None:
    clause = about("error_rate")
    three, none = [-1.0] * 3 + [1.0] * 297, [1.0] * 300
    found = judge.live(clause, two(clause, three, none))
    assert found.verdict == "UNPROVEN"
    assert "at most 1% of the requests more, or 20% of the other's" in found.note
    assert judge.live(clause, two(clause, [1.0] * 500, none)).verdict == "MET"
    assert "at most 10% slower" in judge.live(about("latency_p95_ms"), two(about("latency_p95_ms"), none, none)).note


def test_better_than_the_other_has_no_margin() -> None:
    strictly = about("latency_p50_ms", op="<")
    draw = random.Random(8)
    assert shares(strictly, slow(draw, 500), slow(draw, 500))["MET"] <= bounds.ALPHA
    assert shares(strictly, slow(draw, 500, times=0.6), slow(draw, 500))["MET"] >= 0.9
    assert beside.margin_words(strictly) == ""


def test_limits_of_a_quantile_are_order_statistics_that_hold_as_often_as_promised() -> None:
    draw, wrong = random.Random(9), [0, 0]
    for _ in range(1000):
        ranks = latency.around(sorted(draw.random() for _ in range(150)), 0.95)
        wrong[0] += bounds.quantile_below(ranks, 150, 0.95, 0.05) > 0.95
        wrong[1] += bounds.quantile_above(ranks, 150, 0.95, 0.05) < 0.95
    assert max(wrong) <= 65
    assert bounds.quantile_above(latency.around([1.0] * 20, 0.95), 20, 0.95, 0.05) == math.inf
    assert bounds.quantile_below((), 0, 0.95, 0.05) == -math.inf


def traffic(version: str, requests: int, errors: int = 0, **more: object) -> Traffic:
    fields: Json = {
        "version": version,
        "since": 0.0,
        "until": 10.0,
        "requests": requests,
        "errors": errors,
        "over": {"80.0": 0},
        "quantiles_ms": {"p50": 1.0, "p95": 2.0, "p99": 3.0},
    }
    return Traffic.model_validate(fields | more)


def load(sent: int, failed: int) -> LoadResult:
    return LoadResult(sent=sent, answered=sent - failed, failed=failed, seconds=10.0)


def test_what_a_version_refuses_of_a_well_formed_load_failed_while_traffic_is_split_too() -> None:
    clause = about("error_rate")
    seen = Monitored(traffic=traffic("v2", 350, refused=150), load=load(1000, 150), beside=traffic("v1", 500))
    found = watched(seen, clause, ERRORS)
    for wanted in (clause, ERRORS):
        assert judge.live(wanted, judge.find(wanted, found, "live")).breached
    unasked = watched(seen)
    assert judge.live(HEALTHY, judge.find(HEALTHY, unasked, "live")).breached


def test_what_others_ask_wrongly_is_no_failure_of_the_version() -> None:
    seen = Monitored(traffic=traffic("v2", 500, refused=150), load=load(1000, 0), beside=traffic("v1", 500))
    (found,) = watched(seen, ERRORS)
    assert (found.count, found.n) == (0, 500)


def test_what_a_shadow_never_answered_failed_and_was_slower_than_anything() -> None:
    agreement = Agreement(version="v2", compared=320, agreed=320, unanswered=20, waiting=60)
    seen = Monitored(traffic=traffic("v2", 340, 20), load=load(400, 0), beside=traffic("v1", 400), agreement=agreement)
    found = {o.metric: o for o in watched(seen, ERRORS, LATENCY)}
    assert (found["error_rate"].count, found["error_rate"].n) == (80, 400)
    assert (found["latency_p95_ms"].count, found["latency_p95_ms"].n) == (80, 400)
    assert all(judge.live(c, found[c.metric]).breached for c in (ERRORS, LATENCY))
    early = seen.model_copy(update={"stopped": "latency_p95_ms"})
    assert {o.metric: o.count for o in watched(early, ERRORS)}["error_rate"] == 20


def test_a_canary_with_a_comparison_sees_enough_of_both_before_it_goes_on() -> None:
    for metric in ("latency_p95_ms", "latency_p99_ms", "error_rate"):
        asked = part(about(metric), strategy="canary", steps=(10.0, 40.0))
        (stage,) = [s for s in rollout.stages(asked, load_rps=100.0, alone=False) if s.percent == 40]
        assert stage.seconds * stage.rate_rps * 0.4 >= rollout.needed_beside(asked)
        shadow = rollout.shadow(asked.model_copy(update={"rollout": asked.rollout}), load_rps=100.0)
        assert shadow.seconds * shadow.rate_rps >= rollout.needed_beside(asked)


def test_a_hold_that_cannot_compare_is_said_beforehand() -> None:
    short = part(about("latency_p95_ms"), strategy="shadow", hold_s=3.0)
    assert "its live clauses need about" in rollout.shortfall(short, load_rps=100.0)
    assert rollout.shortfall(short, load_rps=1000.0) == ""
