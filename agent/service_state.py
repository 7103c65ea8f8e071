"""The state of a standing goal: the fold of its journal.

Every hundred checks a line holds the whole fold, so that waking costs the same after months.
"""

from __future__ import annotations

from agent.record.ledger import month_of
from agent.upkeep import (
    Burned,
    Came,
    Checked,
    Closed,
    Concluded,
    DriftSeen,
    Health,
    Held,
    Point,
    Reacted,
    Served,
    ServiceState,
    Terms,
)
from tools.record import Record

HELPED: tuple[Came, ...] = ("promoted", "rolled_back")
TRAIL = 60
"""Checks whose state the fold remembers."""
VERSIONS = 4
"""Versions whose beginning it remembers."""


class Standing(Record):
    """A standing goal, folded."""

    terms: Terms
    health: Health = "at_risk"
    checks: int = 0
    alarms: int = 0
    """Checks that found something proven wrong."""
    checked: float | None = None
    due: float
    counted: float
    """Up to when its traffic was judged, by the clock of what measures it."""
    drift_since: float
    drifted: DriftSeen | None = None
    """What the drift detector found of the version that serves, until a later window is steady."""
    last: Checked | None = None
    month: str
    burned: tuple[Burned, ...] = ()
    month_reactions: int = 0
    served: tuple[Served, ...] = ()
    trained_on: str
    trained: float
    """When the last training was begun."""
    reaction: Reacted | None = None
    """Under way: a training or a roll back."""
    lease: Reacted | None = None
    """Under way: an extension."""
    lease_until: float | None = None
    """When the endpoint ends by itself, as it was last known."""
    lease_again: float = 0.0
    """An extension that failed is not tried again before."""
    lease_failed: int = 0
    """Extensions in a row that failed."""
    lease_why: str = ""
    """Why the last of them did."""
    reactions: int = 0
    extensions: int = 0
    usd: float = 0.0
    """What its reactions have cost."""
    concluded: Concluded | None = None
    """What the last training or roll back came to."""
    unhelpful: int = 0
    """Reactions in a row that did not help."""
    proven: bool = True
    """Everything was proven well since the last reaction."""
    held: Held | None = None
    trail: tuple[Point, ...] = ()
    closed: Closed | None = None

    @property
    def state(self) -> ServiceState:
        if self.closed is not None:
            return "ended"
        if (self.held is not None and self.held.do) or self.lease_failed:
            return "waiting"
        if self.reaction is not None:
            return "reacting"
        return "paused" if self.held is not None else self.health

    @property
    def version(self) -> str | None:
        return self.served[-1].version if self.served else None

    @property
    def probed(self) -> bool:
        """A reaction is at work, whose probes are counted like callers."""
        return self.reaction is not None and (self.held is None or self.held.reason != "approval")

    @property
    def cool_until(self) -> float:
        """Nothing new is begun before."""
        if self.concluded is None:
            return self.terms.began
        return self.concluded.at + self.terms.cool_down_s * 2.0 ** min(self.unhelpful, 20)


class Chapter(Record):
    """Kind `chapter`: everything before it, folded."""

    state: Standing


Entry = Terms | Checked | Reacted | Concluded | Held | Chapter | Closed
ENTRIES: dict[str, type[Record]] = {
    "standing": Terms,
    "checked": Checked,
    "reacted": Reacted,
    "concluded": Concluded,
    "held": Held,
    "chapter": Chapter,
    "closed": Closed,
}
"""Kind → record of the lines that only a standing goal has."""


def fold_in(state: Standing | None, record: Entry) -> Standing:
    """The state after one more line. The first is its terms, or a chapter."""
    match record:
        case Terms():
            return _opened(record)
        case Chapter():
            return record.state
    assert state is not None
    match record:
        case Checked():
            return _checked(_in_month(state, record.at), record)
        case Reacted():
            return _reacted(_in_month(state, record.at), record)
        case Concluded():
            return _concluded(state, record)
        case Held():
            return state.model_copy(update={"held": record})
        case Closed():
            return state.model_copy(update={"closed": record, "reaction": None, "lease": None, "held": None})


def _opened(terms: Terms) -> Standing:
    began = terms.began
    return Standing(
        terms=terms,
        due=began + min(terms.every_s, max(0.0, (terms.until or began + terms.every_s) - began)),
        counted=began,
        drift_since=began,
        month=month_of(began),
        trained_on=terms.trained_on,
        trained=began,
        lease_until=terms.lease_until,
    )


def _in_month(state: Standing, at: float) -> Standing:
    """A new calendar month begins with whole budgets. A clock that went back does not bring one back."""
    month = month_of(at)
    if month <= state.month:
        return state
    return state.model_copy(update={"month": month, "burned": (), "month_reactions": 0})


def _checked(state: Standing, seen: Checked) -> Standing:
    steady = seen.drift is not None and seen.drift.verdict == "steady" and not seen.trouble
    update: dict[str, object] = {
        "health": seen.health,
        "checks": seen.number,
        "alarms": state.alarms + bool(seen.trouble),
        "checked": seen.at,
        "due": seen.due,
        "lease_until": seen.lease_until,
        "counted": seen.until,
        "drift_since": seen.drift_since,
        "drifted": _drifted(state, seen),
        "last": seen,
        "burned": _burned(state.burned, seen),
        "served": _served(state.served, seen),
        "trail": (*state.trail, Point(at=seen.at, state=seen.health))[-TRAIL:],
    }
    if (seen.health == "healthy" or steady) and state.reaction is None:
        update |= {"unhelpful": 0, "proven": True}
    if not seen.trouble and state.reaction is None:
        update["held"] = None
    return state.model_copy(update=update)


def _drifted(state: Standing, seen: Checked) -> DriftSeen | None:
    if seen.drift is not None and seen.drift.verdict in ("steady", "drifted"):
        return seen.drift if seen.drift.verdict == "drifted" else None
    return state.drifted if seen.version in (None, state.version) else None


def _burned(before: tuple[Burned, ...], seen: Checked) -> tuple[Burned, ...]:
    known = {b.clause: b for b in before}
    for clause in seen.clauses:
        if clause.misses is None or clause.n is None or clause.share is None:
            continue
        had = known.get(clause.id, Burned(clause=clause.id, misses=0, n=0, share=clause.share))
        known[clause.id] = Burned(
            clause=clause.id, misses=had.misses + clause.misses, n=had.n + clause.n, share=clause.share
        )
    return tuple(known.values())


def _served(before: tuple[Served, ...], seen: Checked) -> tuple[Served, ...]:
    if seen.version is None or (before and before[-1].version == seen.version):
        return before
    return (*before, Served(version=seen.version, since=seen.after))[-VERSIONS:]


def _reacted(state: Standing, done: Reacted) -> Standing:
    if done.what == "extend":
        return state.model_copy(update={"lease": done, "extensions": done.number})
    helped = state.concluded is None or state.proven or state.concluded.came not in HELPED
    return state.model_copy(
        update={
            "reaction": done,
            "reactions": done.number,
            "month_reactions": state.month_reactions + 1,
            "unhelpful": state.unhelpful if helped else state.unhelpful + 1,
            "trained": done.at if done.what == "retrain" else state.trained,
            "proven": False,
            "held": None,
        }
    )


def _concluded(state: Standing, end: Concluded) -> Standing:
    if state.lease is not None and state.lease.run == end.run:
        return state.model_copy(update=_extended(state, state.lease, end))
    update: dict[str, object] = {
        "reaction": None,
        "counted": max(state.counted, end.at),  # its probes are no callers
        "concluded": end,
        "usd": state.usd + end.usd,
        "held": None,
        "unhelpful": state.unhelpful + (end.came not in HELPED),
    }
    if end.data:
        update["trained_on"] = end.data
    return state.model_copy(update=update)


def _extended(state: Standing, asked: Reacted, end: Concluded) -> dict[str, object]:
    """After an extension; one that failed is tried again ever later."""
    update: dict[str, object] = {"lease": None, "usd": state.usd + end.usd}
    if end.came == "extended":
        return update | {"lease_until": asked.lease_to, "lease_failed": 0, "lease_again": 0.0, "lease_why": ""}
    wait = state.terms.every_s * 2.0 ** min(state.lease_failed, 20)
    return update | {"lease_failed": state.lease_failed + 1, "lease_again": end.at + wait, "lease_why": end.why}
