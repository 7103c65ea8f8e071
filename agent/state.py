"""The state of a run: the fold of its journal.

Folding is a pure function of the lines in order, so a run that was killed at any instant is what its journal says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from agent.calls import Calls, CallState
from agent.clock import stamp
from agent.contract import Contract, Refusal
from agent.documents import Pending, RunReport
from agent.front import Front
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
from agent.service_state import ENTRIES, Entry, Standing, fold_in
from agent.survey import Survey
from tools.collected import uncollected
from tools.record import Json, Record

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
class Run:
    """A run, folded."""

    id: str
    stated: Stated | None = None
    contract: Contract | None = None
    refusal: Refusal | None = None
    survey: Survey | None = None
    plans: list[Planned] = field(default_factory=list)
    calls: Calls = field(default_factory=Calls)
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
    wound_at: float | None = None
    """When it was decided to wind down."""
    overrun: Overran | None = None
    """The first bill above its reservation."""
    standing: Standing | None = None
    """What the journal of a standing goal folds into; None for every other run."""
    troubled: set[str] = field(default_factory=set)
    """Steps whose latest call was refused or failed."""
    _front: Front | None = field(default=None, init=False, repr=False, compare=False)
    """Made when it is asked for; None once a step may begin anew."""

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
        return self.calls.live

    def looks(self, part: str) -> int:
        """How often the holdout of a part has been opened, openings under way included: those of one round are one.

        What earlier goals and other parts had opened of the same rows, when this part last looked, counts too.
        """
        steps = [s for p in self.plans for s in p.plan.of_part(part) if s.tool == "evaluate_model"]
        own = len({s.round for s in steps if (c := self.of_step(s.id)) is not None and c.phase in _OPENED})
        return own + max((o.looks for o in self.observations if o.part == part), default=0)

    def ready(self) -> list[Step]:
        """Steps whose needs are done and that have not been judged, or whose questions were all answered with yes."""
        if self._front is None or self._front.plan is not self.plan:
            self._front = Front(self.plan, begun=self.by_step, done=self.done)
        return self._front.steps()

    def in_trouble(self, part: str | None = None) -> list[Step]:
        """Steps of the plan, or of one part of it, whose latest call was refused or failed."""
        steps = [s for id_ in self.troubled if (s := self.plan.step(id_)) is not None]
        return sorted((s for s in steps if part is None or s.part == part), key=self.plan.place)

    def begin(self, step: str, call: str, *, refused: bool) -> None:
        """The latest call of a step was judged."""
        if self._front is not None:
            if step in self.by_step:
                self._front = None
            else:
                self._front.begin(step)
        self.by_step[step] = call
        self._trouble(step, refused)

    def end(self, step: str, call: str, *, done: bool) -> None:
        """A call of a step is over; only that of its latest says anything of the step."""
        if self.by_step.get(step) == call:
            self._trouble(step, not done)
            if done and self._front is not None:
                self._front.finish(step)

    def anew(self, step: str) -> None:
        """The step may begin once more."""
        self.by_step.pop(step, None)
        self._trouble(step, False)
        self._front = None

    def _trouble(self, step: str, is_in: bool) -> None:
        (self.troubled.add if is_in else self.troubled.discard)(step)

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
        return sum(1 for c in self.calls.of_step(step) if c.phase not in ("held", "refused"))

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
    run.calls.judged(CallState(verdict=record, phase=record.ruling, seq=seq))
    run.begin(record.call.step, record.call.id, refused=record.ruling == "refused")


def _intent(run: Run, record: Intent, seq: int, at: float) -> None:
    state = run.calls[record.call]
    state.phase, state.started_at, state.intended_seq = "intended", at, seq
    run.reserved_micro += state.verdict.reserve_micro
    run.calls.moved(state)


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
    run.calls.moved(state)
    if record.phase != "running":
        run.end(state.call.step, record.call, done=record.phase == "done")


def _settled(run: Run, record: Settled, seq: int, at: float) -> None:
    state = run.calls[record.call]
    state.holds, state.settled_micro = False, record.usd_micro
    run.reserved_micro -= state.verdict.reserve_micro
    run.settled_micro += record.usd_micro
    run.calls.moved(state)


def _overrun(run: Run, record: Overran, seq: int, at: float) -> None:
    run.overrun = run.overrun or record


def _observation(run: Run, record: Observation, seq: int, at: float) -> None:
    run.observations.append(record)
    run.observed_at.append(seq)


def _decision(run: Run, record: Decided, seq: int, at: float) -> None:
    run.decisions.append(record)
    if record.change == "wind_down" and run.wound_at is None:
        run.wound_at = at
    if record.change.startswith(RETRY):
        run.anew(record.change.removeprefix(RETRY))


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
        run.anew(question.step)


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


def _service(run: Run, record: Entry, seq: int, at: float) -> None:
    """A line of a standing goal, which is asked for in the words of the run that handed it over."""
    kept = fold_in(run.standing, record)
    if run.stated is None:
        terms = kept.terms
        run.stated = Stated(
            goal=terms.goal,
            accept=terms.accept,
            owner=terms.owner,
            backend=terms.backend,
            brain=terms.brain,
            plan_now=stamp(terms.began),
            runtime=terms.runtime,
            folder=terms.folder,
        )
        run.contract, run.started = terms.contract, terms.began
    run.standing = kept


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
    **dict.fromkeys(ENTRIES, _service),
}


def fold(run: str, lines: Iterable[Line]) -> Run:
    """The run that these lines make."""
    state = Run(id=run)
    with uncollected():
        for line in lines:
            state.apply(line.seq, line.at, line.kind, parse(line))
    return state


def parse(line: Line) -> Record:
    """The line's record. Its body comes from JSON text, and is read as such: tuples arrive as lists."""
    return LINES[line.kind].model_validate(line.body)
