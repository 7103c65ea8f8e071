"""The state of a run: the fold of its journal, and the shape of every line.

A line's kind names its record here. Folding is a pure function of the lines in order, so a run that
was killed at any instant is what its journal says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.contract import Contract, Refusal
from agent.documents import ApprovalAsked, Feasibility, Pending, RunReport
from agent.goal import Goal
from agent.observe import Observation
from agent.plan import Plan, Step
from agent.record.store import Line
from agent.survey import Survey
from tools.errors import Cause
from tools.record import Json, Record
from tools.tool import Call

WITHOUT = "without:"
"""A decision's change that goes on without one candidate that failed."""
RETRY = "retry:"
"""A decision's change that lets a step be tried again under a new attempt."""
Ruling = Literal["approved", "held", "refused"]


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
    folder: str
    """Absolute: where relative paths are resolved and the user's own program starts."""


class Understood(Record):
    """Kind `contract`."""

    contract: Contract | None
    refusal: Refusal | None = None


class Planned(Record):
    """Kind `plan`: a version, what it would ask, and whether it can work."""

    plan: Plan
    approvals: tuple[ApprovalAsked, ...]
    feasibility: Feasibility


class Verdict(Record):
    """Kind `verdict`: the guard's answer about exactly one call."""

    call: Call
    ruling: Ruling
    policies: tuple[str, ...]
    reasons: tuple[str, ...]
    facts: Json
    reserve_micro: int = 0


class Intent(Record):
    """Kind `intent`: this call is about to be performed."""

    call: str
    digest: str


class Ended(Record):
    """Kind `outcome`: what a call came to."""

    call: str
    phase: Literal["running", "done", "failed"]
    handle: str | None = None
    result: Json | None = None
    cause: Cause | None = None
    message: str = ""
    faults: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    settled_micro: int = 0
    holds: bool = False
    """What it made goes on: its reservation stays open until that is handed over or has ended."""


class Settled(Record):
    """Kind `settled`: what a call's creation cost until it was handed over or ended."""

    call: str
    usd_micro: int


class Answer(Record):
    """Kind `answer`: a person decided, or time did."""

    pending: str
    approve: bool
    who: str


class Diagnosed(Record):
    """Kind `diagnosis`: a cause from the closed set, for a failure or a clause that is short."""

    part: str | None
    step: str | None
    cause: Cause
    text: str


class Decided(Record):
    """Kind `decision`: why the plan is revised or the run ends."""

    action: Literal["revise", "finish", "cancel"]
    part: str | None = None
    change: str = ""
    """For `revise`: `search`, `exhausted`, `extend`, `grow`, `roll_back`, `stop`, `wind_down`, or `retry:STEP`."""
    why: str
    code: int = 0
    """The exit code that this reason leads to, before the clauses are counted."""


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
    "observation": Observation,
    "diagnosis": Diagnosed,
    "decision": Decided,
    "asked": Pending,
    "answer": Answer,
    "finish": Finished,
}


@dataclass
class CallState:
    """One call as the journal has it."""

    verdict: Verdict
    phase: Literal["held", "refused", "approved", "intended", "running", "done", "failed"]
    handle: str | None = None
    ended: Ended | None = None
    started_at: float | None = None
    ended_at: float | None = None
    intended_seq: int | None = None
    """Where its intent stands in the journal: nothing is performed before that line is stored."""
    holds: bool = False
    """Its reservation is open although it is over: what it made goes on."""
    seq: int = 0

    @property
    def call(self) -> Call:
        return self.verdict.call

    @property
    def live(self) -> bool:
        """The backend may hold something for it that is not settled."""
        return self.phase in ("intended", "running")


@dataclass
class Run:
    """A run, folded."""

    id: str
    stated: Stated | None = None
    contract: Contract | None = None
    refusal: Refusal | None = None
    survey: Survey | None = None
    plans: list[Planned] = field(default_factory=list)
    calls: dict[str, CallState] = field(default_factory=dict)
    by_step: dict[str, str] = field(default_factory=dict)
    """Step id → id of its latest call."""
    observations: list[Observation] = field(default_factory=list)
    observed_at: list[int] = field(default_factory=list)
    """Journal sequence of each observation: the evidence id."""
    decisions: list[Decided] = field(default_factory=list)
    diagnoses: list[Diagnosed] = field(default_factory=list)
    pending: dict[str, Pending] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    report: RunReport | None = None
    started: float = 0.0
    last: float = 0.0
    seq: int = 0
    settled_micro: int = 0
    reserved_micro: int = 0

    @property
    def plan(self) -> Plan:
        return self.plans[-1].plan

    def of_step(self, step: str) -> CallState | None:
        call = self.by_step.get(step)
        return None if call is None else self.calls[call]

    def result(self, step: str) -> Json | None:
        state = self.of_step(step)
        if state is None or state.phase != "done" or state.ended is None:
            return None
        return state.ended.result

    def done(self, step: str) -> bool:
        state = self.of_step(step)
        return state is not None and state.phase == "done"

    def live_calls(self) -> list[CallState]:
        return [c for c in self.calls.values() if c.live]

    def looks(self, part: str) -> int:
        """How often the holdout of a part has been opened, openings under way included: those of one round are one.

        What earlier goals and other parts had opened of the same rows, when this part last looked, counts too.
        """
        steps = [s for p in self.plans for s in p.plan.of_part(part) if s.tool == "evaluate_model"]
        own = len({s.round for s in steps if (c := self.of_step(s.id)) is not None and c.phase in _OPENED})
        return own + max((o.looks for o in self.observations if o.part == part), default=0)

    def ready(self) -> list[Step]:
        """Steps whose needs are done and that have not been judged."""
        return [s for s in self.plan.steps if s.id not in self.by_step and all(self.done(n) for n in s.needs)]

    def apply(self, seq: int, at: float, kind: str, record: Record) -> None:
        """Fold one line in."""
        self.seq, self.last = seq, at
        _FOLD[kind](self, record, seq, at)


_OPENED = ("intended", "running", "done", "failed")


def _goal(run: Run, record: Stated, seq: int, at: float) -> None:
    run.stated, run.started = record, at


def _contract(run: Run, record: Understood, seq: int, at: float) -> None:
    run.contract, run.refusal = record.contract, record.refusal


def _survey(run: Run, record: Survey, seq: int, at: float) -> None:
    run.survey = record


def _plan(run: Run, record: Planned, seq: int, at: float) -> None:
    run.plans.append(record)


def _verdict(run: Run, record: Verdict, seq: int, at: float) -> None:
    run.calls[record.call.id] = CallState(verdict=record, phase=record.ruling, seq=seq)
    run.by_step[record.call.step] = record.call.id


def _intent(run: Run, record: Intent, seq: int, at: float) -> None:
    state = run.calls[record.call]
    state.phase, state.started_at, state.intended_seq = "intended", at, seq
    run.reserved_micro += state.verdict.reserve_micro


def _outcome(run: Run, record: Ended, seq: int, at: float) -> None:
    state = run.calls[record.call]
    if record.phase != "running":
        state.ended_at, state.holds = at, record.holds
        if not record.holds:
            run.reserved_micro -= state.verdict.reserve_micro
            run.settled_micro += record.settled_micro
    state.phase, state.ended, state.seq = record.phase, record, seq
    state.handle = record.handle or state.handle


def _settled(run: Run, record: Settled, seq: int, at: float) -> None:
    state = run.calls[record.call]
    state.holds = False
    run.reserved_micro -= state.verdict.reserve_micro
    run.settled_micro += record.usd_micro


def _observation(run: Run, record: Observation, seq: int, at: float) -> None:
    run.observations.append(record)
    run.observed_at.append(seq)


def _decision(run: Run, record: Decided, seq: int, at: float) -> None:
    run.decisions.append(record)
    if record.change.startswith(RETRY):
        run.by_step.pop(record.change.removeprefix(RETRY), None)


def _diagnosis(run: Run, record: Diagnosed, seq: int, at: float) -> None:
    run.diagnoses.append(record)


def _asked(run: Run, record: Pending, seq: int, at: float) -> None:
    run.pending[record.id] = record


def _answer(run: Run, record: Answer, seq: int, at: float) -> None:
    run.pending.pop(record.pending, None)
    run.answers[record.pending] = record


def _finish(run: Run, record: Finished, seq: int, at: float) -> None:
    run.report = record.report


_FOLD: dict[str, Callable[[Run, Any, int, float], None]] = {
    "goal": _goal,
    "contract": _contract,
    "survey": _survey,
    "plan": _plan,
    "verdict": _verdict,
    "intent": _intent,
    "outcome": _outcome,
    "settled": _settled,
    "observation": _observation,
    "decision": _decision,
    "diagnosis": _diagnosis,
    "asked": _asked,
    "answer": _answer,
    "finish": _finish,
}


def fold(run: str, lines: Iterable[Line]) -> Run:
    """The run that these lines make."""
    state = Run(id=run)
    for line in lines:
        state.apply(line.seq, line.at, line.kind, parse(line))
    return state


def parse(line: Line) -> Record:
    """The line's record. It comes from JSON text, so tuples arrive as lists."""
    return LINES[line.kind].model_validate_json(json.dumps(line.body))
