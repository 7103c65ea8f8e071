"""How a rollout collects what its clauses need: stages, how long each is watched, and how many requests.

A live clause is proven by counting; the count needed follows from the clause (`agent.bounds`). Where
the hold time and the load cannot collect it, that is said before anything starts.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from agent import beside, bounds
from agent.contract import Clause, Part, Strategy
from agent.judge import allowed_share
from agent.observe import HEALTHY, QUANTILES
from agent.survey import Survey, source_model, wanted_version
from tools.language import tr
from tools.monitor import WARM_UP
from tools.ports import EndpointState, VersionState
from tools.record import Json, Record

DEFAULT_STEPS = (10.0, 50.0, 100.0)
SHORTEST_S = 3.0
"""No watch is shorter than this."""
CALM_S = 6.0
"""Over how long the last watch spreads what it needs: a load that nobody asked for saturates slow models."""
SPARE = 1.3
"""Collected beyond what is needed when nothing misses, so that a few misses can be outvoted."""
SLOWEST_RPS = 5.0
LONG_S = 900.0
"""A watch longer than this is worth a remark beforehand."""
LIKELY_SPREAD = 0.25
"""Standard deviation of the logarithm of latencies with which a comparison is planned; where it is larger, the watch
is extended."""
POWER = 0.9
"""How likely two equal versions are to be found no worse at the first look."""
FEWEST = 60
"""Requests that even an early stage sees: fewer would show nothing of a tail."""


class Stage(Record):
    """One step of a rollout."""

    percent: int
    """Of the traffic; 0 is a shadow's: it gets a copy of everything."""
    seconds: float
    rate_rps: float


def incumbent(state: EndpointState | None) -> VersionState | None:
    """The version that serves at an endpoint now."""
    serving = [v for v in state.versions if v.weight > 0] if state is not None else []
    return max(serving, key=lambda v: v.weight, default=None)


def way(part: Part, state: EndpointState | None) -> Strategy:
    """How it is rolled out: where nothing serves yet, nothing can be shadowed or replaced server by server."""
    beside = part.rollout.strategy in ("shadow", "rolling")
    return "direct" if beside and incumbent(state) is None else part.rollout.strategy


def stays(part: Part, seen: Survey) -> bool:
    """What is to be deployed is known beforehand, and it has all the traffic already: there is nothing to roll out."""
    now = incumbent(seen.endpoints.get(part.endpoint))
    about = wanted_version(part) if part.task == "rollback" else ":".join(filter(None, source_model(part) or ()))
    model = seen.models.get(about)
    return now is not None and now.weight == 100 and model is not None and now.model == model


def only_longer(part: Part) -> bool:
    """A goal that asks nothing of an endpoint but to live for a while: no strategy, no version, no clause."""
    silent = not part.source_models and not part.clauses and part.rollout.replicas is None
    return part.task == "deploy" and part.rollout.strategy == "none" and silent and part.rollout.lease_s is not None


def replicas(part: Part, state: EndpointState | None) -> int:
    """Servers to begin with: as the goal says, at least its minimum, else as many as what is replaced has."""
    wanted, before = part.rollout, incumbent(state)
    size = max(1, before.replicas) if before is not None else 1
    return wanted.replicas or wanted.min_replicas or min(size, wanted.max_replicas or size)


def remark(part: Part, state: EndpointState | None) -> str:
    """What is done otherwise than the goal says, and why; empty when nothing is."""
    wanted = part.rollout.strategy
    if way(part, state) == wanted:
        return ""
    done = tr("it is watched under load alone, before it is handed over")
    return tr(
        "nothing serves at {endpoint} that a {wanted} rollout could stand beside: {done}",
        endpoint=part.endpoint,
        wanted=tr(wanted),
        done=done,
    )


def relative(part: Part) -> list[Clause]:
    """Live clauses that compare with what serves now."""
    return [c for c in part.clauses if c.where == "live" and c.relative is not None]


def compared(part: Part) -> list[str]:
    """The quantiles of latency that the watch must measure of both for them."""
    names = (c.metric.removeprefix("latency_").removesuffix("_ms") for c in relative(part) if c.metric in QUANTILES)
    return list(dict.fromkeys(names))


def stops(part: Part, *, sent: float, stages: int) -> list[Json]:
    """What ends a watch before its time: abort conditions, and answers that fail, as counts beyond doubt.

    The counts are exact binomial bounds at sizes that double; the error of a false alarm is spent over sizes and
    stages, half of it here and half at the end of the watch.
    """
    clauses = [c for c in part.clauses if c.where == "live" and c.abort and c.relative is None]
    found: list[Json] = []
    for clause in (*clauses, HEALTHY):
        share = allowed_share(clause)
        if share is None or (clause.metric in QUANTILES and not isinstance(clause.value, int | float)):
            continue
        slow = float(clause.value) if clause.metric in QUANTILES and isinstance(clause.value, int | float) else None
        most = _table(share, sent=max(sent, FEWEST), stages=stages)
        found.append({"metric": clause.metric, "threshold_ms": slow, "most": most})
    return found


def _table(share: float, *, sent: float, stages: int) -> list[list[int]]:
    sizes = [FEWEST]
    while sizes[-1] < sent:
        sizes.append(2 * sizes[-1])
    if share <= 0.0:
        return [[sizes[-1], 1]]
    alpha = bounds.ALPHA / bounds.EARLY / max(1, stages) / len(sizes)
    rows = [[n, bounds.most(n, share, alpha) + 1] for n in sizes]
    return [[n, count] for n, count in rows if count <= n]


def needed(part: Part) -> int:
    """Requests the final stage must see to prove every live clause of its own if none misses."""
    shares = [allowed_share(c) for c in part.clauses if c.where == "live" and c.relative is None]
    return max((bounds.needed(s) for s in shares if s), default=0)


def needed_beside(part: Part) -> int:
    """Requests that either version must see to prove what compares them, when the two are as alike as it supposes."""
    return max((_apart(c) for c in relative(part)), default=0)


def _apart(clause: Clause) -> int:
    """For a quantile, from the normal approximation of its limits: both lie z standard errors away, and the difference
    of the two estimates varies with the root of two of them. For failures, as many as none of which failed prove it.
    """
    given, alpha = clause.relative.delta if clause.relative is not None else 0.0, bounds.FIRST / 2
    ratio = clause.relative is not None and clause.relative.kind == "ratio"
    if (quantile := QUANTILES.get(clause.metric)) is None:
        gap = abs(given) if given and not ratio else beside.POINTS
        return math.ceil(bounds.needed(gap, alpha) * SPARE)
    normal = NormalDist()
    gap = math.log1p(abs(given) if given and ratio else beside.SLOWER)
    error = LIKELY_SPREAD * math.sqrt(quantile * (1 - quantile)) / normal.pdf(normal.inv_cdf(quantile))
    reach = 2 * normal.inv_cdf(1 - alpha) + math.sqrt(2) * normal.inv_cdf(POWER)
    return math.ceil((reach * error / gap) ** 2 * SPARE)


def stages(part: Part, *, load_rps: float, alone: bool) -> tuple[Stage, ...]:
    """The stages of a part's rollout.

    `alone`: there is no incumbent to keep the rest of the traffic, so a share of traffic becomes the
    same share of the load: the version is ramped up instead of split off.
    """
    last, rate = _final(part, load_rps)
    hold = part.rollout.hold_s
    result = []
    for share in _shares(part):
        final = share == 100
        seconds = last if final or hold is not None else min(last, SHORTEST_S)
        seen = 1.0 if alone else share / 100  # of the requests sent, how many this version gets
        wanted = rate if final or not alone else rate * share / 100
        few = (WARM_UP + FEWEST) / seen
        if not alone and share == _comparing(part):
            few = max(few, _sent_beside(part))
            seconds = seconds if hold is not None else max(seconds, CALM_S)
        sent = min(load_rps, max(wanted, SLOWEST_RPS, few / seconds))
        if hold is None:
            seconds = max(seconds, math.ceil(few / sent))
        result.append(Stage(percent=share, seconds=seconds, rate_rps=sent))
    return tuple(result)


def _comparing(part: Part) -> int | None:
    """The share of traffic at which a canary is compared with what serves: the last one before all of it."""
    return _shares(part)[-2] if relative(part) and len(_shares(part)) > 1 else None


def _sent_beside(part: Part) -> int:
    """Requests that must be sent so that both versions see what comparing them needs; 0 where nothing is compared."""
    if not relative(part):
        return 0
    share = _comparing(part) if part.rollout.strategy == "canary" else None
    fewer = 1.0 if share is None else min(share, 100 - share) / 100
    return math.ceil((needed_beside(part) + WARM_UP) / fewer)


def shadow(part: Part, *, load_rps: float) -> Stage:
    """The watch of a shadow: as long as the goal says, or as its clauses need."""
    seconds, rate = _final(part, load_rps, fewest=_sent_beside(part))
    return Stage(percent=0, seconds=seconds, rate_rps=rate)


def after_shadow(part: Part, *, load_rps: float) -> Stage:
    """The watch of what was promoted: its clauses again, now that callers depend on it."""
    free = part.model_copy(update={"rollout": part.rollout.model_copy(update={"hold_s": None})})
    seconds, rate = _final(free, load_rps)
    return Stage(percent=100, seconds=seconds, rate_rps=rate)


def replacements(part: Part, *, servers: int, load_rps: float) -> tuple[Stage, ...]:
    """The watches of a rolling rollout, one for each server that is replaced; the last sees everything."""
    last, rate = _final(part, load_rps)
    hold = part.rollout.hold_s
    stages = []
    for number in range(1, servers + 1):
        share = round(100 * number / servers)
        if number == servers:
            stages.append(Stage(percent=100, seconds=last, rate_rps=rate))
            continue
        few = (WARM_UP + FEWEST) * 100 / share
        seconds = hold if hold is not None else max(SHORTEST_S, math.ceil(few / load_rps))
        stages.append(Stage(percent=share, seconds=seconds, rate_rps=min(load_rps, max(SLOWEST_RPS, few / seconds))))
    return tuple(stages)


def watches(part: Part, state: EndpointState | None, *, load_rps: float) -> tuple[Stage, ...]:
    """Every watch of the rollout that a part gets."""
    match way(part, state):
        case "shadow":
            return shadow(part, load_rps=load_rps), after_shadow(part, load_rps=load_rps)
        case "rolling":
            return replacements(part, servers=replicas(part, state), load_rps=load_rps)
        case _:
            return stages(part, load_rps=load_rps, alone=incumbent(state) is None)


ENOUGH_S = 600.0
"""What a rollout's lease has beside its watches."""


def lease_s(part: Part, state: EndpointState | None, *, load_rps: float) -> float:
    """How long an endpoint may live if nobody hands it over: several times the rollout's own length."""
    return ENOUGH_S + 8 * sum(s.seconds for s in watches(part, state, load_rps=load_rps))


def _shares(part: Part) -> tuple[int, ...]:
    """Whole percents of traffic, rising, each once; the last is everything."""
    if part.rollout.strategy != "canary":
        return (100,)
    steps = part.rollout.steps or DEFAULT_STEPS
    return tuple(sorted({max(1, round(step)) for step in steps} | {100}))


def _final(part: Part, load_rps: float, *, fewest: int = 0) -> tuple[float, float]:
    """(seconds, requests per second) of the stage at full traffic."""
    count = max(fewest, math.ceil(needed(part) * SPARE) + WARM_UP)
    hold, window = part.rollout.hold_s, max((c.window_s or 0.0 for c in part.clauses), default=0.0)
    if hold is None:
        seconds = max(CALM_S, window, math.ceil(count / load_rps))
        return seconds, min(load_rps, max(SLOWEST_RPS, count / seconds, 1.2 * _throughput(part)))
    hold = max(hold, window)
    return hold, min(load_rps, max(SLOWEST_RPS, 1.5 * count / hold, 1.2 * _throughput(part)))


def _throughput(part: Part) -> float:
    """Requests a second that the goal demands; to prove it, more must be sent."""
    demands = [c.value for c in part.clauses if c.metric == "throughput_rps" and isinstance(c.value, int | float)]
    return max(map(float, demands), default=0.0)


def shortfall(part: Part, *, load_rps: float) -> str:
    """Why the rollout cannot prove its clauses; empty when it can."""
    if load_rps < 1.1 * _throughput(part):
        return tr(
            "the load that {name} is measured with is at most {load_rps:g} requests a second: raise load_rps",
            name=part.name,
            load_rps=load_rps,
        )
    need = max(needed(part) + WARM_UP, _sent_beside(part))
    hold = part.rollout.hold_s
    if hold is None and need / load_rps > LONG_S:
        return tr(
            "proving the live clauses of {name} takes {need} requests: {seconds:.0f} s at {load_rps:g} a second",
            name=part.name,
            need=need,
            seconds=need / load_rps,
            load_rps=load_rps,
        )
    if hold is None or load_rps * hold >= need:
        return ""
    return tr(
        "the rollout of {name} is watched for {hold:g} s and sees at most {seen:.0f} requests; its live "
        "clauses need about {need}",
        name=part.name,
        hold=hold,
        seen=load_rps * hold,
        need=need,
    )
