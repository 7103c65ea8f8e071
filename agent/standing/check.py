"""What a look at a service says of its clauses: proven, not proven, or broken beyond doubt. Pure.

The chance of a false alarm is stated per check. Half of it is spent over the clauses, half by the drift detector.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from agent import bounds, diagnose, judge
from agent.contract import Clause
from agent.learning import DRIFT
from agent.observe import HEALTHY, QUANTILES, callers
from agent.report import words
from agent.service_state import Standing
from agent.standing.seen import Seen, unread
from agent.upkeep import Checked, ClauseSeen, DriftSeen, Health
from tools.errors import Cause
from tools.language import tr
from tools.ports import Traffic

READY = "ready"
COUNTED = (*QUANTILES, "error_rate", "availability", "throughput_rps")
"""What the router's tallies answer."""


def check(state: Standing, seen: Seen) -> Checked:
    """One check."""
    clauses = (_ready(seen), *_clauses(state, seen))
    broken = [c for c in clauses if c.breached]
    shifted = _shifted(state, seen)
    proven = all(c.verdict == "MET" for c in clauses) and shifted is None
    health: Health = "breached" if broken else "healthy" if proven else "at_risk"
    return Checked(
        number=state.checks + 1,
        at=seen.at,
        after=state.checked if state.checked is not None else state.terms.began,
        since=seen.since,
        until=traffic.until if (traffic := _serving(seen)) is not None else seen.since,
        health=health,
        trouble=_trouble(broken, shifted),
        cause=_cause(broken, seen) if broken else "drift" if shifted is not None else None,
        version=seen.version,
        clauses=clauses,
        drift=seen.drift,
        drift_since=seen.drift_since,
        requests=traffic.requests if traffic is not None else 0,
        data=seen.data,
        usd_month=seen.usd_month,
        lease_until=_lease_until(state, seen),
        previous=seen.previous,
        due=due(state, seen.at),
    )


def due(state: Standing, at: float) -> float:
    """When the next check is: on the grid of the first, however many were missed; sooner where it is to end."""
    every = state.terms.every_s
    steps = math.floor((at - state.due) / every) + 1
    found = state.due + max(1, steps) * every if at >= state.due else at + every
    until = state.terms.until
    return found if until is None or until <= at else min(found, until)


def _lease_until(state: Standing, seen: Seen) -> float | None:
    """As it is; as it was last known where nobody could look: it is to be extended all the same."""
    if seen.looked is None:
        return state.lease_until
    return seen.state.lease_until if seen.state is not None else None


def _serving(seen: Seen) -> Traffic | None:
    if seen.reading is None or seen.version is None:
        return None
    return next((t for t in seen.reading.versions if t.version == seen.version), None)


def _ready(seen: Seen) -> ClauseSeen:
    """It is there, and answers."""

    def said(measured: float | None, note: str) -> ClauseSeen:
        met, known = measured == 1.0, measured is not None
        return ClauseSeen(
            id=READY,
            metric=READY,
            demanded="ready == 1",
            verdict="MET" if met else "NOT MET" if known else "UNPROVEN",
            measured=measured,
            note=note,
            breached=known and not met,
        )

    if seen.looked is None:
        return said(None, unread(seen))
    state = seen.state
    if state is None:
        return said(0.0, tr("the endpoint is not there"))
    serving = state.version(seen.version) if seen.version is not None else None
    if serving is None:
        return said(0.0, tr("no version of {name} has traffic", name=state.name))
    told = tr("{ready} of {replicas} servers answer", ready=serving.ready, replicas=serving.replicas)
    return said(1.0 if serving.ready > 0 else 0.0, told)


def _clauses(state: Standing, seen: Seen) -> Iterator[ClauseSeen]:
    """Every live clause; that most answers succeed is always demanded."""
    part = state.terms.part
    live = [c for c in part.clauses if c.where == "live"]
    if not any(c.metric == HEALTHY.metric and c.relative is None for c in live):
        live.append(HEALTHY)
    traffic = _serving(seen)
    observed = callers(traffic, part, seconds=traffic.until - traffic.since) if traffic is not None else ()
    tested = max(1, sum(c.metric in COUNTED and c.relative is None for c in live))
    stages = math.ceil(bounds.FIRST * 2 * tested / state.terms.alarm_rate)
    for clause in live:
        if (why := _beyond(state, clause, seen)) is not None:
            yield why
            continue
        found = judge.find(clause, observed, "live")
        judged = judge.live(clause, found, stages=stages)
        note = unread(seen) if found is None and seen.failed else judged.note
        share = judge.allowed_share(clause)
        yield ClauseSeen(
            id=clause.id,
            metric=clause.metric,
            demanded=words(clause),
            verdict=judged.verdict,
            measured=judged.measured,
            interval=judged.interval,
            note=note,
            breached=judged.breached,
            misses=found.count if found is not None and share is not None else None,
            n=found.n if found is not None and share is not None else None,
            share=share,
        )


def _beyond(state: Standing, clause: Clause, seen: Seen) -> ClauseSeen | None:
    """A clause that the router's tallies cannot answer, and why; None for every other."""
    if clause.metric == DRIFT:
        return _by_drift(clause, seen.drift)
    if state.probed and clause.metric in COUNTED:
        why = tr("a reaction is at work: its probes cannot be told from callers")
    elif clause.relative is not None:
        why = tr("nothing serves beside it that it could be compared with")
    elif clause.metric in COUNTED:
        return None
    else:
        why = tr(
            "live {metric} needs labels that arrive after the prediction, and no source of them is configured",
            metric=clause.metric,
        )
    return ClauseSeen(id=clause.id, metric=clause.metric, demanded=words(clause), verdict="UNPROVEN", note=why)


def _by_drift(clause: Clause, drift: DriftSeen | None) -> ClauseSeen:
    verdict = "NOT MET" if drift is not None and drift.verdict == "drifted" else "UNPROVEN"
    wanted = judge.threshold(clause)
    steady = drift is not None and drift.verdict == "steady" and drift.psi is not None and wanted is not None
    if steady and drift is not None and drift.psi is not None and wanted is not None and drift.psi <= wanted:
        verdict = "MET"
    return ClauseSeen.model_validate(
        {
            "id": clause.id,
            "metric": clause.metric,
            "demanded": words(clause),
            "verdict": verdict,
            "measured": drift.psi if drift is not None else None,
            "note": drift.why if drift is not None else tr("not measured"),
        }
    )


def _shifted(state: Standing, seen: Seen) -> DriftSeen | None:
    """The drift of what serves: found now, or found before and not yet outvoted by a whole window."""
    if seen.drift is not None and seen.drift.verdict in ("steady", "drifted"):
        return seen.drift if seen.drift.verdict == "drifted" else None
    return state.drifted if seen.version is not None and seen.version == state.version else None


def _trouble(broken: list[ClauseSeen], drift: DriftSeen | None) -> str:
    """What is wrong, in one line."""
    told = [f"{c.metric}{tr(': ')}{c.note}" if c.id != READY else c.note for c in broken]
    if any(c.id == READY for c in broken):
        told = told[:1]
    if drift is not None:
        told.append(tr("drift: {why}", why=drift.why))
    return tr("; ").join(told)


def _cause(broken: list[ClauseSeen], seen: Seen) -> Cause:
    """From the closed set: what the look itself shows, else that a clause is broken."""
    if seen.looked is None or seen.reading is None:
        return "node_lost" if any(c.id == READY for c in broken) else "slo_breach"
    found = diagnose.examine(seen.looked, seen.reading).cause
    return found if found is not None and any(c.id == READY for c in broken) else "slo_breach"
