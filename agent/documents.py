"""The stable documents: what `plan --json` and `run --json` print, and the live view of a run.

Fields may be added, never renamed.
"""

from __future__ import annotations

from typing import Literal

from agent.contract import Contract
from agent.goal import Goal
from agent.plan import Estimate, Plan
from tools.ports import Progress
from tools.record import Record

Verdict = Literal["MET", "NOT MET", "UNPROVEN"]
Status = Literal["planning", "waiting", "running", "done", "cancelled", "failed"]
FeasibilityVerdict = Literal["feasible", "infeasible", "needs_input", "refused", "unknown"]
StepPhase = Literal["pending", "asking", "running", "done", "failed", "refused", "skipped"]


class ApprovalAsked(Record):
    """What a person would be, or is, asked."""

    step: str
    reason: str
    policies: tuple[str, ...]


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


class Pending(Record):
    """A question to a person that a run waits for."""

    id: str
    step: str
    tool: str
    reason: str
    policies: tuple[str, ...]
    usd: float | None
    asked: float
    expires: float


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
