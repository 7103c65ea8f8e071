"""The shape of every line of a journal: a line's kind names its record here. What is added later has a default, so
that journals written before can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from agent.contract import Contract, Refusal
from agent.documents import ApprovalAsked, Feasibility, Pending, RunReport
from agent.goal import Goal
from agent.observe import Observation
from agent.plan import Plan
from agent.record.ledger import Crossing
from agent.service_state import ENTRIES
from agent.survey import Survey
from policies.request import Label
from tools.errors import Cause
from tools.inert import Seen
from tools.record import Json, Record
from tools.tool import Call

WITHOUT = "without:"
"""A decision's change that goes on without one candidate that failed."""
RETRY = "retry:"
"""A decision's change that lets a step be tried again under a new attempt."""
Ruling = Literal["approved", "held", "refused"]
Answered = Literal["person", "flag", "time", "overtaken", "policies"]
"""How a question was closed: at a door, by `--yes`, by its expiry, by a later plan or the run's end, by other
policies."""


class Stated(Record):
    """Kind `goal`: what was asked, and on what terms."""

    goal: Goal
    accept: bool
    """The requester accepts the plan's envelope beforehand."""
    owner: str
    backend: str
    brain: str
    plan_now: str
    """The clock when the goal was planned, RFC 3339."""
    runtime: str = ""
    """Where what the run makes on this machine registers."""
    load_rps: float | None = None
    """Most requests a second that the operator lets a watch send."""
    lease_s: float | None = None
    """How long the operator lets an endpoint live when the goal does not say."""
    folder: str
    """Absolute: where relative paths are resolved and the user's own program starts."""


class Understood(Record):
    """Kind `contract`."""

    contract: Contract | None
    refusal: Refusal | None = None
    open: bool = False
    """What it leaves open was, or is, to be found out before it is planned."""


class Planned(Record):
    """Kind `plan`: a version, what it would ask, and whether it can work."""

    plan: Plan
    approvals: tuple[ApprovalAsked, ...]
    feasibility: Feasibility
    policies_digest: str = ""
    """Of the policy set that judged it."""


class Rejudged(Record):
    """Kind `rejudged`: the policies have changed since the plan was made; this is what it asks now."""

    version: int
    approvals: tuple[ApprovalAsked, ...]
    policies_digest: str


class Grant(Record):
    """A yes that reaches one call, for one of the policies that hold it."""

    policy: str
    pending: str
    """The question that was answered."""
    kind: int = 0
    """Which of its kinds the call is."""
    who: str
    by: Answered = "person"
    at: float
    digest: str
    """Of what was approved."""


class Verdict(Record):
    """Kind `verdict`: the guard's answer about exactly one call."""

    call: Call
    ruling: Ruling
    policies: tuple[str, ...]
    reasons: tuple[str, ...]
    facts: Json
    """The facts that the policies saw, as `policies.request.Facts`."""
    taint: Mapping[str, Label] = {}
    """Where each judged argument came from."""
    policies_digest: str = ""
    """Of the policy set that judged."""
    reserve_micro: int = 0
    rate_micro: int = 0
    """What the call, or what it makes, costs an hour while it goes on."""
    grants: tuple[Grant, ...] = ()
    """One for every policy that would hold an approved call."""


class Intent(Record):
    """Kind `intent`: this call is about to be performed."""

    call: str
    digest: str


class Ended(Record):
    """Kind `outcome`: what a call came to."""

    call: str
    phase: Literal["running", "done", "failed"]
    handle: str | None = None
    """Of work that goes on; with a failure, of work that was given up and not seen to end."""
    result: Json | None = None
    cause: Cause | None = None
    message: str = ""
    faults: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    settled_micro: int = 0
    billed_micro: int | None = Field(default=None, ge=0)
    """What its backend says that it cost; None where it is billed by the hour."""
    holds: bool = False
    """What it made goes on: its reservation stays open until that is handed over or has ended."""

    @property
    def left(self) -> bool:
        """It was not seen to end: its own limit and lease end it, and it is paid for until then."""
        return self.phase == "failed" and self.handle is not None


class Settled(Record):
    """Kind `settled`: what a call's creation cost until it was handed over or ended."""

    call: str
    usd_micro: int
    undo_micro: int = 0
    """What of it keeps or brings back what served before."""
    until: float | None = None
    """Epoch seconds until which it goes on all the same: nobody took it over or back."""


class Overran(Record):
    """Kind `overrun`: a bill came in above its reservation. Nothing new starts, and the run winds down."""

    call: str
    reserved_micro: int
    billed_micro: int


class Answer(Record):
    """Kind `answer`: a person decided, or time did."""

    pending: str
    approve: bool
    who: str
    """The operating-system user; empty when nobody answered."""
    by: Answered = "person"
    uid: int | None = None
    at: float = 0.0
    """When it was given."""
    digest: str = ""
    """Of what was answered."""
    policies_digest: str = ""
    roles: tuple[str, ...] = ()
    """Those that the question demands and whoever answered had."""


class Ignored(Record):
    """Kind `ignored`: an answer that came in and does not count."""

    pending: str
    approve: bool
    who: str
    why: str


class Diagnosed(Record):
    """Kind `diagnosis`: a cause from the closed set, for a failure or a clause that is short."""

    part: str | None
    step: str | None
    cause: Cause
    text: str
    lines: tuple[Seen, ...] = ()
    """What it rests on in the evidence of the step's failed call: forms of its lines, with their numbers there."""
    by: Literal["rules", "llm"] = "rules"


class Decided(Record):
    """Kind `decision`: why the plan is revised or the run ends."""

    action: Literal["revise", "finish", "cancel"]
    part: str | None = None
    change: str = ""
    """For `revise`: `search`, `exhausted`, `extend`, `grow`, `roll_back`, `stop`, `remedy`, `wind_down`, or
    `retry:STEP`."""
    why: str
    code: int = 0
    """The exit code that this reason leads to, before the clauses are counted."""


Purpose = Literal["understand", "propose", "diagnose", "answer", "check"]
"""What a model is asked for; `check`: whether it is there."""
Form = Literal["schema", "tool", "json", "text"]
"""How a model is made to answer in a record: by a strict schema, as a tool's arguments, in JSON mode, in prose."""


class Consulted(Record):
    """Kind `model`: a language model was asked, or could not be."""

    id: str
    """`PURPOSE-N`: what its tokens are entered under."""
    purpose: Purpose
    model: str
    prompt: str = ""
    """`NAME@VERSION`."""
    outcome: Literal["answered", "invalid", "declined", "failed", "skipped"]
    why: str = ""
    """In our words, where it was not answered."""
    form: Form | None = None
    requests: int = Field(default=0, ge=0)
    """Over HTTP."""
    tokens_in: int = Field(default=0, ge=0)
    tokens_out: int = Field(default=0, ge=0)
    usd_micro: int | None = Field(default=0, ge=0)
    """None: its price is not known, and somebody agreed to that."""
    seconds: float = 0.0
    instead: bool = False
    """The embedded brain did it."""


class Known(Record):
    """Kind `looked`: what a tool that reads said before the work was planned, or why it was not asked."""

    tool: str
    args: Json
    result: Json | None = None
    why: str = ""


class Amended(Record):
    """Kind `amended`: the requester changed the contract of a run that goes on."""

    contract: Contract
    who: str
    text: str = ""
    """What was said."""
    changes: tuple[str, ...] = ()
    """Field by field, in words."""


class Finished(Record):
    """Kind `finish`: the report, final."""

    report: RunReport


LINES: dict[str, type[Record]] = {
    "goal": Stated,
    "contract": Understood,
    "survey": Survey,
    "plan": Planned,
    "verdict": Verdict,
    "intent": Intent,
    "outcome": Ended,
    "settled": Settled,
    "overrun": Overran,
    "crossed": Crossing,
    "observation": Observation,
    "diagnosis": Diagnosed,
    "decision": Decided,
    "asked": Pending,
    "answer": Answer,
    "ignored": Ignored,
    "rejudged": Rejudged,
    "model": Consulted,
    "amended": Amended,
    "looked": Known,
    "finish": Finished,
    **ENTRIES,
}
