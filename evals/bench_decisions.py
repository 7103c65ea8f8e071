"""What a decision costs: the request built from a run, and its judgement, with few and with many policies.

Policies are made that object to nothing, so that all that can match are evaluated: a few cross-cutting ones, the
rest spread evenly over the catalogue's actions, or all on one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from agent.clock import stamp
from agent.contract import Contract, Data, Part
from agent.documents import Feasibility
from agent.goal import Goal
from agent.judged.facts import request
from agent.plan import Estimate, Plan, Step
from agent.record.ledger import Purse
from agent.state import Planned, Run, Stated, Understood
from agent.survey import DataFacts, Survey
from evals.bench_series import Measurement, Series, Target
from policies.engine import Policies
from policies.judge import CedarPolicies
from policies.limits import load_limits
from policies.load import load_policies
from tools.catalogue import BY_NAME, TOOLS
from tools.ports import EndpointState, Offer, VersionState
from tools.record import Json

NUMBERS = (12, 100, 1000)
CROSS_CUTTING = 15
"""At most so many policies about groups of actions, or all."""
DECISIONS = 120
"""Of one policy set in one round."""
MEDIAN_MS = 0.5
FLAT = 1.5
NOW = 1_767_225_600.0
_GROUPS = ('action in Action::"mutate"', 'action in Action::"spend"', "action", 'action in Action::"serve"')
_CONDITIONS = (
    "context.facts has cost_micro && context.facts.cost_micro > {n}000000000",
    'context.facts.constraints.contains("rule_{n}") || context.facts.frozen',
    'context.facts has region && context.facts.region == "region-{n}"',
    'context.facts has target && context.facts.target like "team-{n}-*" && !context.facts.mine',
    "context.facts.limit_ms > {n}0000000000 && !context.facts.undoes",
)
CALLS: dict[str, Json] = {
    "profile_data": {"source": "sklearn:breast_cancer"},
    "prepare_data": {"tables": [{"name": "t", "source": "sklearn:breast_cancer", "format": "bundled"}]},
    "tune_model": {"data": "jobs/r-1", "task": "classification", "family": "ridge", "trials": 24},
    "evaluate_model": {"data": "jobs/r-1", "model": "jobs/r-2/model"},
    "register_model": {"name": "tumours", "model": "jobs/r-2/model"},
    "deploy_model": {"endpoint": "tumours", "version": "v-1", "model": "models/tumours/v-1", "lease_s": 600.0},
    "shift_traffic": {"endpoint": "tumours", "version": "v-1", "percent": 10},
    "monitor_endpoint": {"endpoint": "tumours", "version": "v-1", "rate_rps": 20.0, "seconds": 300.0},
    "rollback_endpoint": {"endpoint": "tumours", "to": "v-0", "replicas": 2, "for_s": 3600.0},
    "release_resource": {"kind": "endpoint", "id": "tumours"},
}
"""The calls that are judged, in turns."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A policy set, and the calls that it judges."""

    name: str
    policies: Policies
    tools: tuple[str, ...] = tuple(CALLS)


class Took(NamedTuple):
    """Milliseconds of one decision."""

    wall: float
    cpu: float


def bench_decisions(repeats: int = 15) -> Measurement:
    """Median and 99th percentile of a decision, the sets in turns."""
    run = _run()
    suites = [*_suites()]
    for suite in suites:
        _times(suite, run)  # parses and splits
    found: dict[str, list[list[Took]]] = {suite.name: [] for suite in suites}
    for round_ in range(repeats):
        for suite in suites[round_ % len(suites) :] + suites[: round_ % len(suites)]:
            found[suite.name].append(_times(suite, run))
    return judge(found)


def judge(found: dict[str, list[list[Took]]]) -> Measurement:
    """Series and targets. Ratios are taken within a round, in which the machine was the same."""
    medians = {name: [statistics.median(t.wall for t in round_) for round_ in all_] for name, all_ in found.items()}
    cpu = {name: [statistics.median(t.cpu for t in round_) for round_ in all_] for name, all_ in found.items()}
    few, many = medians[_spread(NUMBERS[0])], medians[_spread(NUMBERS[-1])]
    ratio = Series.of(f"{NUMBERS[-1]} / {NUMBERS[0]}, spread", "x", [a / b for a, b in zip(many, few, strict=True)])
    middle = {name: statistics.median(values) for name, values in medians.items()}
    slowest = max(middle[_spread(number)] for number in NUMBERS)
    return Measurement(
        name="decisions",
        series=(
            *(Series.of(f"{name}, median", "ms", values) for name, values in medians.items()),
            *(Series.of(f"{name}, p99", "ms", [_p99([t.wall for t in chain(*all_)])]) for name, all_ in found.items()),
            *(Series.of(f"{name}, CPU", "ms", values) for name, values in cpu.items()),
            ratio,
        ),
        targets=(
            Target(says=f"median under {MEDIAN_MS} ms, spread over the actions", met=slowest < MEDIAN_MS),
            Target(says=f"{NUMBERS[-1]} policies within {FLAT} x of {NUMBERS[0]}", met=ratio.median <= FLAT),
        ),
        notes=(f"{len(CALLS)} kinds of call in turns, {DECISIONS} decisions a round; building the request included",),
    )


def _p99(times: Sequence[float]) -> float:
    return sorted(times)[-(-99 * len(times) // 100) - 1]


def _times(suite: Suite, run: Run) -> list[Took]:
    """What each decision took."""
    found = []
    for number in range(DECISIONS):
        step = run.plan.steps[list(CALLS).index(suite.tools[number % len(suite.tools)])]
        began, worked = time.perf_counter(), time.thread_time()
        asked = request(step, step.args, run, suite.policies, purse=Purse(), digest="0" * 64, now=NOW)
        decision = suite.policies.judge(asked)
        found.append(Took(wall=1000 * (time.perf_counter() - began), cpu=1000 * (time.thread_time() - worked)))
        if decision.errors:
            raise RuntimeError(f"{step.tool} could not be judged: {decision.errors[0]}")
    return found


def _suites() -> Iterator[Suite]:
    limits = load_limits()
    yield Suite(name="shipped", policies=load_policies())
    for number in NUMBERS:
        yield Suite(name=_spread(number), policies=CedarPolicies({"made.cedar": made(number)}, limits))
    for number in NUMBERS:
        text = made(number, only="deploy_model")
        one = CedarPolicies({"made.cedar": text}, limits)
        yield Suite(name=f"{number} on one action", policies=one, tools=("deploy_model",))


def _spread(number: int) -> str:
    return f"{number} spread"


def made(number: int, only: str | None = None) -> str:
    """So many policies that object to nothing; those that are not cross-cutting on every action in turn, or on one."""
    crossing = min(CROSS_CUTTING, number // 4)
    lines = ['@id("all") permit (principal, action, resource);']
    for n in range(1, number):
        tool = only or TOOLS[n % len(TOOLS)].name
        scope = _GROUPS[n % len(_GROUPS)] if n < crossing else f'action == Action::"{tool}"'
        condition = _CONDITIONS[n % len(_CONDITIONS)].format(n=n)
        lines.append(
            f'@id("rule_{n}") @says("no") @fix("no") forbid (principal, {scope}, resource) when {{ {condition} }};'
        )
    return "\n".join(lines)


def _run() -> Run:
    """A run with one step of each kind of call."""
    run = Run(id="bench")
    stated = Stated(
        goal=Goal.of("bench", source="cli:bench"),
        accept=True,
        owner="bench",
        backend="sim",
        brain="rules",
        plan_now=stamp(NOW),
        folder="/",
    )
    data = (Data(uri="sklearn:breast_cancer", label="target"),)
    part = Part(name="bench", task="classification", target="tumours", data=data)
    steps = tuple(
        Step(
            id=tool,
            tool=tool,
            part="bench",
            effect=BY_NAME[tool].effect,
            args=args,
            estimate=Estimate(),
            limit_s=600.0,
        )
        for tool, args in CALLS.items()
    )
    plan = Planned(plan=Plan(version=1, steps=steps), approvals=(), feasibility=Feasibility(verdict="feasible"))
    told = (
        ("goal", stated),
        ("contract", Understood(contract=Contract(parts=(part,), budget_usd=100.0))),
        ("survey", _survey()),
        ("plan", plan),
    )
    for kind, record in told:
        run.apply(run.seq + 1, NOW, kind, record)
    return run


def _survey() -> Survey:
    """What was seen before planning: the data, one offer, and an endpoint with a version that serves."""
    source = CALLS["profile_data"]["source"]
    serving = VersionState(name="v-0", state="ready", weight=100, model="models/tumours/v-0", digest="v-0")
    there = EndpointState(
        name="tumours",
        url="sim://tumours",
        versions=(serving,),
        run="before",
        owner="bench",
        lease_until=NOW + 1e6,
        started=NOW,
    )
    offer = Offer(id="here", backend="sim", cpus=4, memory_gb=16, usd_micro_per_hour=1_000_000, standing=True)
    return Survey(
        at=NOW,
        data={source: DataFacts(uri=source, source=source)},
        offers=(offer,),
        endpoints={"tumours": there},
    )
