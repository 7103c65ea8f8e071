"""The state of a run: the fold of its journal.

Folding is a pure function of the lines in order, so a run that was killed at any instant is what its journal says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.contract import Contract, Refusal
from agent.documents import Pending, RunReport
from agent.lines import (
    LINES,
    RETRY,
    WITHOUT,
    Amended,
    Answer,
    Answered,
    Consulted,
    Decided,
    Diagnosed,
    Ended,
    Finished,
    Grant,
    Ignored,
    Intent,
    Known,
    Overran,
    Planned,
    Rejudged,
    Ruling,
    Settled,
    Stated,
    Understood,
    Verdict,
)
from agent.observe import Observation
from agent.plan import Plan, Step
from agent.record.chained import Line
from agent.record.ledger import Crossing
from agent.survey import Survey
from tools.record import Json, Record
from tools.tool import Call

__all__ = [
    "LINES",
    "RETRY",
    "WITHOUT",
    "Amended",
    "Answer",
    "Answered",
    "CallState",
    "Consulted",
    "Decided",
    "Diagnosed",
    "Ended",
    "Finished",
    "Grant",
    "Ignored",
    "Intent",
    "Known",
    "Overran",
    "Planned",
    "Rejudged",
    "Ruling",
    "Run",
    "Settled",
    "Stated",
    "Understood",
    "Verdict",
    "fold",
    "parse",
]


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
    settled_micro: int | None = None
    """What it cost, once that is known."""
    seq: int = 0

    @property
    def call(self) -> Call:
        return self.verdict.call

    @property
    def live(self) -> bool:
        """The backend may hold something for it that is not settled."""
        return self.phase in ("intended", "running")

    @property
    def committed_micro(self) -> int:
        """What it cost, or may still cost."""
        return self.verdict.reserve_micro if self.settled_micro is None else self.settled_micro


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
    asked: dict[str, Pending] = field(default_factory=dict)
    """Every question so far, open or not."""
    pending: dict[str, Pending] = field(default_factory=dict)
    """Those that are open."""
    answers: dict[str, Answer] = field(default_factory=dict)
    opened: bool = False
    """What the goal leaves open was, or is, to be found out."""
    consulted: list[Consulted] = field(default_factory=list)
    looked: list[Known] = field(default_factory=list)
    amended: list[Amended] = field(default_factory=list)
    rejudged: bool = False
    """The policies have changed since the run was planned."""
    report: RunReport | None = None
    started: float = 0.0
    last: float = 0.0
    seq: int = 0
    settled_micro: int = 0
    reserved_micro: int = 0
    overrun: Overran | None = None
    """The first bill above its reservation."""

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
        """Steps whose needs are done and that have not been judged, or whose questions were all answered with yes."""
        return [s for s in self.plan.steps if s.id not in self.by_step and all(self.done(n) for n in s.needs)]

    def holds(self, question: Pending) -> bool:
        """It is about a single call, and that call is held."""
        state = self.of_step(question.step)
        if question.kind != "call" or state is None:
            return False
        return state.phase == "held" and state.call.digest == question.digest

    def said_no(self, question: Pending) -> bool:
        """Somebody denied it, or nobody answered in time. What journals called an answer before it named what it
        was to may have been a later plan's."""
        answer = self.answers.get(question.id)
        if answer is None or answer.approve:
            return False
        return answer.by == "time" or (answer.by == "person" and bool(answer.digest))

    def attempts(self, step: str) -> int:
        """How often the step was begun."""
        return sum(1 for c in self.calls.values() if c.call.step == step and c.phase not in ("held", "refused"))

    def apply(self, seq: int, at: float, kind: str, record: Record) -> None:
        """Fold one line in. Time does not go back, whatever a clock says."""
        at = max(at, self.last)
        self.seq, self.last = seq, at
        _FOLD[kind](self, record, seq, at)


_OPENED = ("intended", "running", "done", "failed")


def _goal(run: Run, record: Stated, seq: int, at: float) -> None:
    run.stated, run.started = record, at


def _contract(run: Run, record: Understood, seq: int, at: float) -> None:
    run.contract, run.refusal, run.opened = record.contract, record.refusal, record.open


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
            state.settled_micro = record.settled_micro
            run.reserved_micro -= state.verdict.reserve_micro
            run.settled_micro += record.settled_micro
    state.phase, state.ended, state.seq = record.phase, record, seq
    state.handle = record.handle or state.handle


def _settled(run: Run, record: Settled, seq: int, at: float) -> None:
    state = run.calls[record.call]
    state.holds, state.settled_micro = False, record.usd_micro
    run.reserved_micro -= state.verdict.reserve_micro
    run.settled_micro += record.usd_micro


def _overrun(run: Run, record: Overran, seq: int, at: float) -> None:
    run.overrun = run.overrun or record


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
    run.asked[record.id] = run.pending[record.id] = record


def _answer(run: Run, record: Answer, seq: int, at: float) -> None:
    """The first answer to a question is the answer. A held call is judged anew once nothing is asked about it."""
    if run.pending.pop(record.pending, None) is None:
        return
    run.answers[record.pending] = record
    question = run.asked[record.pending]
    if record.by == "overtaken" or not run.holds(question):
        return
    if not any(q.id in run.pending or run.said_no(q) for q in run.asked.values() if q.digest == question.digest):
        del run.by_step[question.step]


def _ignored(run: Run, record: Ignored | Crossing, seq: int, at: float) -> None:
    """It changes nothing."""


def _model(run: Run, record: Consulted, seq: int, at: float) -> None:
    run.consulted.append(record)
    run.settled_micro += record.usd_micro or 0


def _looked(run: Run, record: Known, seq: int, at: float) -> None:
    run.looked.append(record)


def _amended(run: Run, record: Amended, seq: int, at: float) -> None:
    """What was understood is replaced: judged from now on is what was amended."""
    run.amended.append(record)
    run.contract = record.contract


def _rejudged(run: Run, record: Rejudged, seq: int, at: float) -> None:
    update = {"approvals": record.approvals, "policies_digest": record.policies_digest}
    run.plans[-1] = run.plans[-1].model_copy(update=update)
    run.rejudged = True


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
    "overrun": _overrun,
    "crossed": _ignored,
    "observation": _observation,
    "decision": _decision,
    "diagnosis": _diagnosis,
    "asked": _asked,
    "answer": _answer,
    "ignored": _ignored,
    "rejudged": _rejudged,
    "model": _model,
    "looked": _looked,
    "amended": _amended,
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
