"""How a rollout collects what its clauses need: stages, how long each is watched, and how many requests.

A live clause is proven by counting; the count needed follows from the clause (`agent.bounds`). Where
the hold time and the load cannot collect it, that is said before anything starts.
"""

from __future__ import annotations

import math

from agent import bounds
from agent.contract import Part
from agent.judge import allowed_share
from tools.monitor import WARM_UP
from tools.record import Record

SUPPORTED = ("none", "direct", "canary", "blue_green")
DEFAULT_STEPS = (10.0, 50.0, 100.0)
SHORTEST_S = 3.0
"""No watch is shorter than this."""
SPARE = 1.3
"""Collected beyond what is needed when nothing misses, so that a few misses can be outvoted."""
SLOWEST_RPS = 5.0
LONG_S = 900.0
"""A watch longer than this is worth a remark beforehand."""
FEWEST = 60
"""Requests that even an early stage sees: fewer would show nothing of a tail."""


class Stage(Record):
    """One step of a rollout."""

    percent: int
    seconds: float
    rate_rps: float


def needed(part: Part) -> int:
    """Requests the final stage must see to prove every live clause if none misses."""
    shares = [allowed_share(c) for c in part.clauses if c.where == "live"]
    return max((bounds.needed(s) for s in shares if s), default=0)


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
        sent = min(load_rps, max(wanted, SLOWEST_RPS, (WARM_UP + FEWEST) / seconds / seen))
        if hold is None:
            seconds = max(seconds, math.ceil((WARM_UP + FEWEST) / (sent * seen)))
        result.append(Stage(percent=share, seconds=seconds, rate_rps=sent))
    return tuple(result)


def _shares(part: Part) -> tuple[int, ...]:
    """Whole percents of traffic, rising, each once; the last is everything."""
    if part.rollout.strategy != "canary":
        return (100,)
    steps = part.rollout.steps or DEFAULT_STEPS
    return tuple(sorted({max(1, round(step)) for step in steps} | {100}))


def _final(part: Part, load_rps: float) -> tuple[float, float]:
    """(seconds, requests per second) of the stage at full traffic."""
    count = math.ceil(needed(part) * SPARE) + WARM_UP
    hold, window = part.rollout.hold_s, max((c.window_s or 0.0 for c in part.clauses), default=0.0)
    if hold is None:
        return max(SHORTEST_S, window, math.ceil(count / load_rps)), load_rps
    hold = max(hold, window)
    return hold, min(load_rps, max(SLOWEST_RPS, 3 * count / hold, 1.2 * _throughput(part)))


def _throughput(part: Part) -> float:
    """Requests a second that the goal demands; to prove it, more must be sent."""
    demands = [c.value for c in part.clauses if c.metric == "throughput_rps" and isinstance(c.value, int | float)]
    return max(map(float, demands), default=0.0)


def shortfall(part: Part, *, load_rps: float) -> str:
    """Why the rollout cannot prove its clauses; empty when it can."""
    if load_rps < 1.1 * _throughput(part):
        return f"the load that {part.name} is measured with is at most {load_rps:g} requests a second: raise load_rps"
    need = needed(part) + WARM_UP
    hold = part.rollout.hold_s
    if hold is None and need / load_rps > LONG_S:
        takes = f"{need} requests: {need / load_rps:.0f} s at {load_rps:g} a second"
        return f"proving the live clauses of {part.name} takes {takes}"
    if hold is None or load_rps * hold >= need:
        return ""
    return (
        f"the rollout of {part.name} is watched for {hold:g} s and sees at most {load_rps * hold:.0f} requests; "
        f"its live clauses need about {need}"
    )
