"""Records of a standing goal: the lines of its journal.

Times are epoch seconds of the clock as it stood; money is USD.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agent.contract import Contract, Part
from agent.documents import Verdict
from agent.goal import Goal
from tools.errors import Cause
from tools.record import Record

Health = Literal["healthy", "at_risk", "breached"]
"""What the last check says: every clause proven, not proven, proven broken."""
ServiceState = Literal["healthy", "at_risk", "breached", "reacting", "waiting", "paused", "ended"]
"""`waiting`: for a person. `paused`: something is wrong and nothing may be done about it for now."""
Trigger = Literal["breach", "drift", "schedule", "new_data", "lease"]
What = Literal["retrain", "rollback", "extend"]
Came = Literal["promoted", "kept", "rolled_back", "extended", "failed", "refused", "cancelled"]
"""`kept`: the new model was not better, and what served before serves on."""


class Terms(Record):
    """Kind `standing`: what is looked after, and on what terms."""

    run: str
    """The run that handed it over."""
    goal: Goal
    accept: bool = False
    """The requester accepted the run's envelope beforehand; that reaches its reactions, within their bounds."""
    owner: str
    backend: str
    brain: str
    runtime: str
    folder: str
    contract: Contract
    """The origin's, of this part alone."""
    endpoint: str
    began: float
    every_s: float = Field(gt=0)
    until: float | None = None
    """When looking after it ends; None: when somebody ends it."""
    month_usd: float | None = None
    """What the goal allows a month, all runs on the endpoint together; None: the operator's limits alone."""
    total_usd: float | None = None
    """What the goal allows all its reactions together."""
    reaction_usd: float
    """What one reaction may cost."""
    cool_down_s: float
    """How long nothing is done after a reaction; twice as long after each that did not help."""
    most_reactions: int = Field(ge=1)
    """In a calendar month (UTC)."""
    alarm_rate: float = Field(gt=0, lt=1)
    """Chance of a false alarm per check of a service that keeps its clauses: half for the clauses, half for drift."""
    lease_s: float | None = None
    """For how long its lease is extended at a time; None: its lease is somebody else's matter."""
    lease_until: float | None = None
    """When it ends as it was handed over."""
    usd_per_hour: float | None = None
    """What its servers cost an hour; None where the price is not known."""
    trained_on: str = ""
    """Content digest of the training data; empty where it is not known."""

    @property
    def part(self) -> Part:
        return self.contract.parts[0]


class ClauseSeen(Record):
    """One clause as a check found it."""

    id: str
    metric: str
    demanded: str
    verdict: Verdict
    measured: float | None = None
    interval: tuple[float, float] | None = None
    note: str = ""
    breached: bool = False
    """Beyond doubt, at the stated rate of false alarms."""
    misses: int | None = None
    n: int | None = None
    share: float | None = None
    """The share of requests that may miss it."""


class DriftSeen(Record):
    """What the drift detector said, short."""

    verdict: Literal["no_reference", "not_enough", "steady", "drifted"]
    rows: int = 0
    psi: float | None = None
    why: str
    features: tuple[str, ...] = ()
    """Those that have shifted, the worst first."""


class Checked(Record):
    """Kind `checked`: one look at the service; it read and changed nothing."""

    number: int
    at: float
    after: float
    """When the check before was made."""
    since: float
    """Of the traffic that was judged, by the clock of what measures it."""
    until: float
    """Where the next window of traffic begins."""
    health: Health
    trouble: str = ""
    """What is wrong, in words; empty when nothing is proven wrong."""
    cause: Cause | None = None
    version: str | None
    clauses: tuple[ClauseSeen, ...]
    drift: DriftSeen | None = None
    drift_since: float
    """Where the next window of the drift detector begins."""
    requests: int = 0
    data: str = ""
    """Content digest of the training data now; empty where it is not known."""
    usd_month: float = 0.0
    lease_until: float | None = None
    previous: str | None = None
    """The version that served before and can be gone back to, as `name:version`."""
    due: float
    """Of the next check."""


class Reacted(Record):
    """Kind `reacted`: something is done about it, by a run of its own."""

    number: int
    at: float
    what: What
    trigger: Trigger
    cause: Cause | None = None
    run: str
    why: str
    usd: float | None = None
    """What it may cost."""
    data: str = ""
    lease_to: float | None = None
    """For an extension: when the lease ends then."""


class Concluded(Record):
    """Kind `concluded`: what the run of a reaction came to."""

    at: float
    run: str
    came: Came
    why: str = ""
    usd: float = 0.0
    data: str = ""
    """What was trained on, where a model was."""


class Held(Record):
    """Kind `held`: why nothing is done."""

    at: float
    reason: Literal["cool_down", "budget", "reactions", "same_data", "approval", "person"]
    why: str
    do: str = ""
    """What a person should do; empty when time will do."""


class Closed(Record):
    """Kind `closed`: it is looked after no longer."""

    at: float
    by: str
    why: str
    instead: str = ""
    """The standing goal that looks after it from now on."""


class Point(Record):
    """One check in the trail."""

    at: float
    state: Health


class Burned(Record):
    """How much of a clause's error budget this month's traffic used."""

    clause: str
    misses: int
    n: int
    share: float

    @property
    def used(self) -> float:
        """1.0 is all of it. A share of zero allows no miss at all."""
        allowed = self.share * self.n
        return self.misses / allowed if allowed > 0 else float(self.misses)


class Served(Record):
    """A version that got the traffic, and since when."""

    version: str
    since: float
