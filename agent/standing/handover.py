"""What a run that ends hands over: one standing goal for each part that is to be looked after. Pure.

Names are made of the run's own, so that handing over again after a crash changes nothing.
"""

from __future__ import annotations

from agent.contract import Contract, Part
from agent.running import NEEDED, handed_over
from agent.state import Run
from agent.upkeep import Terms

EVERY_S = 3600.0
"""How often it is looked at where the goal does not say."""
COOL_CHECKS = 3
"""A cool-down is so many checks long."""
LONGEST_COOL_S = 86_400.0
MOST_REACTIONS = 4
"""In a month, unless a rhythm of training is asked for."""
MONTH_S = 31 * 86_400.0
ALARM_RATE = 0.01
SPARE = 2.0
"""A reaction may reserve so many times what its origin has reserved: it compares and watches more."""
MICRO = 1_000_000


def terms(run: Run, *, at: float, trained_on: dict[str, str]) -> tuple[tuple[str, Terms], ...]:
    """(name, terms) of every standing goal of a run. `trained_on`: part → content digest of its data."""
    assert run.stated is not None
    return tuple((name, _terms(run, part, at, trained_on.get(part.name, ""))) for name, part in handed_over(run))


def _terms(run: Run, part: Part, at: float, trained_on: str) -> Terms:
    stated, contract, upkeep = run.stated, run.contract, part.upkeep
    assert stated is not None
    assert contract is not None
    assert upkeep is not None
    every = upkeep.every_s or EVERY_S
    lease_s, lease_until = _lease(run, part)
    ends = [t for t in (at + upkeep.for_s if upkeep.for_s else None, _asked_to_end(part, lease_until)) if t]
    monthly = contract.budget_per == "month"
    return Terms(
        run=run.id,
        goal=stated.goal,
        accept=stated.accept,
        owner=stated.owner,
        backend=stated.backend,
        brain=stated.brain,
        runtime=stated.runtime,
        folder=stated.folder,
        contract=_alone(contract, part),
        endpoint=part.endpoint,
        began=at,
        every_s=every,
        until=min(ends, default=None),
        month_usd=contract.budget_usd if monthly else None,
        total_usd=_rest(run, contract) if not monthly else None,
        reaction_usd=_once(run, contract),
        cool_down_s=min(COOL_CHECKS * every, LONGEST_COOL_S),
        most_reactions=_most(part, every),
        alarm_rate=ALARM_RATE,
        lease_s=lease_s,
        lease_until=lease_until,
        usd_per_hour=_hourly(run, part),
        trained_on=trained_on,
    )


def replaces(newer: Terms, older: Terms) -> bool:
    """Both look after one endpoint for one owner, and both have deployed it, or neither."""
    same = (newer.endpoint, newer.owner) == (older.endpoint, older.owner)
    alike = (newer.part.task in NEEDED) == (older.part.task in NEEDED)
    return same and alike and newer.began >= older.began and newer.run != older.run


def _alone(contract: Contract, part: Part) -> Contract:
    return contract.model_copy(update={"parts": (part,), "questions": ()})


def _lease(run: Run, part: Part) -> tuple[float | None, float | None]:
    """For how long the endpoint's lease is extended at a time, and when it ends now; nothing where this run has not
    handed it over itself: whose it is looks after that."""
    for step in reversed(run.plan.of_part(part.name)):
        if step.tool == "extend_lease" and (result := run.result(step.id)) is not None:
            return float(step.args["for_s"]), float(result["lease_until"])
    return None, None


def _hourly(run: Run, part: Part) -> float | None:
    """What the servers that the run left cost an hour."""
    micro = run.survey.usd_micro_per_hour if run.survey is not None else None
    sizes = [int(r.get("replicas", 1)) for s in run.plan.of_part(part.name) if (r := run.result(s.id)) is not None]
    return None if micro is None else micro / MICRO * max(sizes, default=1)


def _asked_to_end(part: Part, lease_until: float | None) -> float | None:
    """A goal that says how long it is served says how long it is looked after."""
    return lease_until if part.rollout.lease_s is not None else None


def _rest(run: Run, contract: Contract) -> float | None:
    """What is left of a budget for the whole goal."""
    return None if contract.budget_usd is None else max(0.0, contract.budget_usd - run.settled_micro / MICRO)


def _once(run: Run, contract: Contract) -> float:
    """What one reaction may cost: as much as the goal allowed the run, else some times what the run reserved."""
    if contract.budget_usd is not None:
        return contract.budget_usd
    reserved = sum(c.verdict.reserve_micro for c in run.calls.values() if c.phase not in ("held", "refused"))
    return SPARE * reserved / MICRO


def _most(part: Part, every: float) -> int:
    asked = part.upkeep.retrain_on if part.upkeep is not None else ()
    return MOST_REACTIONS + (int(MONTH_S // every) if "schedule" in asked else 0)
