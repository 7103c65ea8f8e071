"""The stable documents: what `plan --json` and `run --json` print, and the live view of a run.

Fields may be added, never renamed.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agent.contract import Contract
from agent.goal import Goal
from agent.plan import Estimate, Plan
from tools.ports import Progress
from tools.record import Json, Record

Verdict = Literal["MET", "NOT MET", "UNPROVEN"]
Status = Literal["planning", "waiting", "running", "done", "cancelled", "failed"]
FeasibilityVerdict = Literal["feasible", "infeasible", "needs_input", "refused", "unknown"]
StepPhase = Literal["pending", "asking", "running", "done", "failed", "refused", "skipped"]


class ApprovalAsked(Record):
    """What a person would be, or is, asked."""

    step: str
    reason: str
    policies: tuple[str, ...]
    roles: tuple[str, ...] = ()
    """Every role of which somebody must agree."""
    who: tuple[str, ...] = ()
    """Who has one of them and may answer, by name; `*` is everybody, nobody is nobody."""
    reasons: tuple[str, ...] = ()
    """What each policy says, in the order of `policies`."""


class Kind(Record):
    """Calls that an envelope allows: exactly these arguments, so many of them, for so much."""

    tool: str
    target: str | None = None
    """What they act on, by id."""
    namespace: str | None = None
    count: int = Field(ge=1)
    """Steps; an attempt repeated after a known failure is none."""
    usd_micro: int | None = Field(default=None, ge=0)
    """The most that all of them may cost; None where no price is known and that was approved."""
    args: Json = {}
    """As the plan shows them; `{"$ref": "TOOL.FIELD"}` is what a step by that tool will give."""
    policies: tuple[str, ...] = ()
    """Those that hold them and that the approval answers."""


class Bounds(Record):
    """What an approval reaches, as it was shown."""

    usd_micro: int | None
    kinds: tuple[Kind, ...]
    public: Literal[False] = False
    until: float
    """Epoch seconds: what has not begun by then needs another approval."""


class Pending(Record):
    """A question to people that a run waits for: what an answer to it will mean, and whose counts."""

    id: str
    """`plan-N` and `plan-N.ROLE` for the plan's held calls, `call-STEP-ATTEMPT` and `.ROLE` for a single one."""
    step: str
    tool: str
    reason: str
    policies: tuple[str, ...]
    """Those that asked, of which this question is about each."""
    usd: float | None
    """What the plan or the call may cost; None when a price is not known."""
    asked: float
    expires: float
    """Unanswered by then is a no."""
    kind: Literal["plan", "call"] = "plan"
    plan: int = 0
    """Version of the plan it was asked under."""
    digest: str = ""
    """Of the exact call, or of the plan with these bounds: an answer to anything else is none."""
    policies_digest: str = ""
    requester: str = ""
    roles: tuple[str, ...] = ()
    """Whoever answers has every one of them."""
    other_than_requester: bool = False
    who: tuple[str, ...] = ()
    """Who may answer, by name; `*` is everybody. Empty: nobody yet."""
    bounds: Bounds | None = None
    again: str = ""
    """Why an earlier answer does not reach this."""
    answer: str = ""
    """The command that answers it."""

    def may_be_answered_by(self, user: str) -> bool:
        """Whether that person's yes counts, as the question was put."""
        if self.other_than_requester and user == self.requester:
            return False
        return user in self.who or "*" in self.who


class Feasibility(Record):
    """Whether the plan can work, and why not."""

    verdict: FeasibilityVerdict
    reasons: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()


class Evidence(Record):
    """Where a measured value can be checked."""

    id: str
    """Journal record: `RUN#SEQUENCE`."""
    path: str | None = None


class ClauseVerdict(Record):
    """How one clause ended."""

    id: str
    part: str
    metric: str
    verdict: Verdict
    measured: float | str | None = None
    interval: tuple[float, float] | None = None
    evidence: Evidence | None = None
    demanded: str
    """The clause in words: `accuracy >= 0.9 on holdout`."""
    note: str = ""
    """`margin within noise`, the number of requests, why it is unproven."""


class Kept(Record):
    """What goes on after the report, by name, with its price and how to end it."""

    id: str
    url: str
    model: str
    usd_per_hour: float | None
    expires: str
    extend: str
    stop: str


class Resources(Record):
    created: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()


class Spent(Record):
    usd: float
    by: dict[str, float] = {}


class Pace(Record):
    """What goes on and what it comes to, in dollars: of the run, and of all runs of its home."""

    usd_per_hour: float = 0.0
    """Of the run, what is kept after it included."""
    forecast_usd: float = 0.0
    """Spent, and what is reserved for what runs: the most that the run comes to if nothing new starts."""
    home_usd_per_hour: float = 0.0
    month_usd: float = 0.0
    """Accrued in this UTC month by all runs of the home."""
    month_forecast_usd: float = 0.0
    """What that comes to at most by the month's end if nothing new starts."""


class Revised(Record):
    """One revision of the plan."""

    version: int
    why: str


class Point(Record):
    """One measurement of a metric."""

    step: str
    stage: Literal["validation", "holdout", "live"]
    value: float
    low: float | None = None
    high: float | None = None


class Attained(Record):
    """A clause's metric as it was measured, in order, beside what is demanded."""

    part: str
    clause: str
    metric: str
    op: str
    target: float
    points: tuple[Point, ...]


class Matrix(Record):
    """A confusion matrix: rows are labels, columns predictions."""

    part: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Histogram(Record):
    """Counts over rising edges; one edge more than there are counts."""

    part: str
    of: Literal["residuals", "latency_ms"]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    target: float | None = None


class Bars(Record):
    """Named values, with another series beside them where there is one to compare with."""

    part: str
    of: Literal["error_by_horizon", "ranking", "clusters"]
    metric: str
    names: tuple[str, ...]
    values: tuple[float, ...]
    other: str = ""
    """What the second series is of: `seasonal naive`, `popularity`."""
    others: tuple[float, ...] = ()


class Span(Record):
    """One call on the clock of the run."""

    step: str
    tool: str
    part: str | None
    start_s: float
    seconds: float
    phase: StepPhase
    attempt: int


class Figures(Record):
    """The numbers behind the pictures of a report."""

    attained: tuple[Attained, ...] = ()
    matrices: tuple[Matrix, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    bars: tuple[Bars, ...] = ()
    timeline: tuple[Span, ...] = ()


class RunReport(Record):
    """What a run did, clause by clause."""

    id: str
    status: Status
    clauses: tuple[ClauseVerdict, ...]
    spent: Spent
    pace: Pace = Pace()
    resources: Resources
    holdout_looks: int
    revisions: tuple[Revised, ...]
    report: str | None
    """Path of the Markdown report."""
    page: str | None = None
    """Path of the same as one HTML page to pass on."""
    reason: str = ""
    """Why it ended as it did, in one sentence."""
    started: str = ""
    ended: str | None = None
    seconds: float = 0.0
    isolation: str = "none"
    """`sandboxed`, `encrypted` or `none`: what kept the holdout from the training jobs."""
    brain: str = "rules"
    findings: tuple[str, ...] = ()
    """What a person should know of the data and the evaluation."""
    figures: Figures = Figures()
    exit_code: int = 0


class PlanDocument(Record):
    """`plan --json`."""

    version: Literal[1] = 1
    now: str
    goal: Goal
    contract: Contract | None
    plan: Plan
    approvals: tuple[ApprovalAsked, ...]
    feasibility: Feasibility
    estimate: Estimate
    questions: tuple[Pending, ...] = ()
    """What `run` would ask before it starts; of a run, what it asks now."""


class RunDocument(PlanDocument):
    """`run --json`: the plan as it ended, and the run."""

    run: RunReport


class RunLine(Record):
    """One line of `runs`."""

    id: str
    status: Status
    goal: str
    started: str
    spent_usd: float
    reserved_usd: float = 0.0
    """For what runs."""


class RunList(Record):
    runs: tuple[RunLine, ...]


class StepView(Record):
    """One step as a screen shows it."""

    id: str
    tool: str
    part: str | None
    phase: StepPhase
    needs: tuple[str, ...] = ()
    started: float | None = None
    ended: float | None = None
    expected_s: float | None = None
    progress: Progress | None = None
    summary: str = ""
    """One line: what came out, or what went wrong."""
    attempt: int = 1


class Answered(Record):
    """What an answer was for."""

    questions: tuple[str, ...]
    message: str
    """What carries it out."""
    left: tuple[str, ...] = ()
    """Questions that it was not for, each with who can answer and how."""


class RunView(Record):
    """A run at one instant, for screens."""

    id: str
    status: Status
    goal: str
    plan_version: int
    revisions: tuple[Revised, ...] = ()
    steps: tuple[StepView, ...] = ()
    clauses: tuple[ClauseVerdict, ...] = ()
    pending: tuple[Pending, ...] = ()
    spent_usd: float = 0.0
    reserved_usd: float = 0.0
    pace: Pace = Pace()
    budget_usd: float | None = None
    started: float
    now: float


class Event(Record):
    """One journal line for people and `events --json`."""

    seq: int
    at: float
    kind: str
    text: str
    """The line in one sentence."""
    body: dict[str, object]
    hash: str


class Swept(Record):
    """One resource in `sweep`'s list."""

    kind: str
    id: str
    run: str
    owner: str
    lease_until: str
    detail: str
    unowned: bool
    released: bool = False
    failed: str = ""
    """Why it could not be released."""
