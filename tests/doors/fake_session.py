"""A session over an in-memory world: it plans, drives, asks, answers and keeps documents, on a clock of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from fake_goal import CONTRACT, STEPS, SUMMARIES

from agent.brain.protocol import Answer, Context, Open
from agent.brain.rules.brain import Rules
from agent.contract import Contract, Refusal
from agent.documents import (
    Answered,
    ApprovalAsked,
    Bounds,
    ClauseVerdict,
    Event,
    Evidence,
    Feasibility,
    Kept,
    Kind,
    Pending,
    PlanDocument,
    Resources,
    Revised,
    RunDocument,
    RunLine,
    RunList,
    RunReport,
    RunView,
    Spent,
    Status,
    StepView,
    Swept,
)
from agent.errors import Broken, Fault, InvalidRequest, NoSuchRun, NotTheirs
from agent.goal import Goal
from agent.plan import Estimate, Plan, Range, Step, total
from agent.posed import waits
from agent.prospect import Request
from agent.record.chained import Line
from agent.settings import Settings
from agent.standing.telling import Level, Levels
from agent.stopping import Stopping
from tools.ports import Progress
from tools.record import Json
from tools.redact import Redaction

START = 1_772_442_000.0
BOUNDS = Bounds(
    usd_micro=20_000,
    kinds=(
        Kind(
            tool="deploy_model",
            target="penguins",
            count=1,
            usd_micro=20_000,
            args={"endpoint": "penguins", "replicas": 2, "model": {"$ref": "register_model.key"}},
        ),
        Kind(tool="shift_traffic", target="penguins", namespace="ml", count=2, usd_micro=0, args={"percent": 10}),
    ),
    until=START + 7200,
)


@dataclass
class FakeRun:
    """One run of the fake world."""

    id: str
    request: Request
    status: Status = "planning"
    at: int = 0
    """How many steps are done."""
    share: float = 0.0
    answers: dict[str, bool] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    started: float = START
    now: float = START
    contract: Contract | None = None
    """What it was changed to."""
    held: bool = False
    """It goes on in its step although it was changed."""


@dataclass
class FakeWorld:
    """What outlives a session. `pace_s` is real time per picture, for looking at screens."""

    runs: dict[str, FakeRun] = field(default_factory=dict)
    goals: dict[str, Level] = field(default_factory=dict)
    """What is looked after, by id."""
    swept: tuple[Swept, ...] = ()
    pace_s: float = 0.0
    interrupt_at: str | None = None
    """The step during which the person presses ^C."""
    opened: list[Settings] = field(default_factory=list)
    said: dict[str, list[Line]] = field(default_factory=dict)
    """Conversations, by name."""
    ignores: str = ""
    """Why the owner of a run takes no change."""
    amends_at_once: bool = True
    """A change lets a run that stays in its step go on."""
    loop_at: str | None = None
    """The step that goes on until its run is cancelled, changed or let go."""

    def release(self, run: str) -> None:
        """The run goes on."""
        self.runs[run].held = False

    def open(self, settings: Settings) -> FakeSession:
        self.opened.append(settings)
        return FakeSession(self)


class FakeSession:
    """Words in the goal steer it: `weather` is refused, `ask` waits for a person, `short` misses a clause."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def plan(self, request: Request) -> PlanDocument:
        goal = Goal.of(request.text, source=request.source)
        now = "2026-03-02T09:00:00+00:00"
        nothing = Estimate(usd=Range(low=0, high=0), seconds=Range(low=0, high=0))
        if "contradiction" in request.text:
            raise InvalidRequest(
                Fault(place="data.csv", what="is empty", fix="give it rows"),
                Fault(place="budget_usd", what="the text says 10, this says 20"),
            )
        if "weather" in request.text:
            refused = Feasibility(verdict="refused", reasons=("the weather is not ours",))
            plan = Plan(version=1, steps=())
            return PlanDocument(
                now=now, goal=goal, contract=None, plan=plan, approvals=(), feasibility=refused, estimate=nothing
            )
        approvals: tuple[ApprovalAsked, ...] = ()
        if "ask" in request.text:
            approvals = (ApprovalAsked(step="deploy", reason="it deploys to production", policies=("production",)),)
        contract = CONTRACT if request.before is None else _corrected(request.before, request.text)
        asked = tuple(q.text for q in contract.questions)
        return PlanDocument(
            now=now,
            goal=Goal.of("\n".join((*request.said, request.text)), source=request.source),
            contract=contract,
            plan=Plan(version=1, steps=() if asked else STEPS),
            approvals=approvals,
            feasibility=Feasibility(verdict="needs_input" if asked else "feasible", reasons=asked),
            estimate=total(STEPS),
        )

    def start(self, request: Request) -> str:
        if "broken" in request.text:
            raise Broken("the store cannot be written: disk full")
        self.plan(request)
        run = FakeRun(id=f"20260302-{len(self._world.runs):06x}", request=request)
        self._world.runs[run.id] = run
        self._log(run, "started", f"goal: {request.text}")
        return run.id

    def stop(self, endpoint: str, *, accept: bool = False) -> str:
        if endpoint != "penguins":
            raise InvalidRequest(Fault(place=endpoint, what="there is no endpoint of that name"))
        return self.start(Request(text=f"stop {endpoint}", source="cli:ann", accept=accept))

    def extend(self, endpoint: str, *, for_s: float, accept: bool = False) -> str:
        return self.start(Request(text=f"extend {endpoint} for {for_s:g} s", source="cli:ann", accept=accept))

    def rollback(self, endpoint: str, *, to: str | None = None, accept: bool = False) -> str:
        where = f" to {to}" if to else ""
        return self.start(Request(text=f"roll back {endpoint}{where}", source="cli:ann", accept=accept))

    def scale(self, endpoint: str, *, replicas: int, accept: bool = False) -> str:
        return self.start(Request(text=f"scale {endpoint} to {replicas}", source="cli:ann", accept=accept))

    def leave(self, run: str) -> str:
        return f"{run} is begun: `goalkeeper worker` carries it out."

    def drive(
        self,
        run: str,
        *,
        watch: Callable[[RunView], None] | None = None,
        ask: Callable[[Pending], bool | None] | None = None,
        stopping: Stopping | None = None,
    ) -> RunDocument:
        del stopping
        one = self._find(run)
        one.status = "running" if self.plan(one.request).contract is not None else "done"
        while one.status == "running" and one.at < len(STEPS):
            step = STEPS[one.at]
            if self._world.interrupt_at == step.id:
                raise KeyboardInterrupt
            if self._waits(one, step, watch, ask):
                return self.show(one.id)
            self._perform(one, step, watch)
        if one.status == "running":
            one.status = "done"
            self._log(one, "finished", "the run is over")
        if watch is not None:
            watch(self.view(one.id))
        return self.show(one.id)

    def view(self, run: str) -> RunView:
        one = self._find(run)
        steps = tuple(self._step(one, index, step) for index, step in enumerate(STEPS))
        return RunView(
            id=one.id,
            status=one.status,
            goal=one.request.text,
            plan_version=2 if "short" in one.request.text else 1,
            revisions=self._revisions(one),
            steps=steps if self.plan(one.request).plan.steps else (),
            clauses=self._clauses(one),
            pending=self._pending(one),
            spent_usd=0.0,
            reserved_usd=0.02 if one.status == "running" else 0.0,
            budget_usd=5,
            started=one.started,
            now=one.now,
        )

    def show(self, run: str) -> RunDocument:
        one = self._find(run)
        plan = self.plan(one.request)
        clauses = self._clauses(one)
        code = {"waiting": 4, "cancelled": 4}.get(one.status, 0)
        if one.status == "done":
            code = (
                3 if plan.contract is None or False in one.answers.values() else 1 if "short" in one.request.text else 0
            )
        report = RunReport(
            id=one.id,
            status=one.status,
            clauses=clauses,
            spent=Spent(usd=0.0, by={"compute": 0.0}),
            resources=self._resources(one),
            holdout_looks=1 if one.at > 4 else 0,
            revisions=self._revisions(one),
            report=None,
            started="2026-03-02T09:00:00+00:00",
            ended="2026-03-02T09:00:31+00:00" if one.status == "done" else None,
            seconds=one.now - one.started,
            isolation="sandboxed",
            findings=("class Chinstrap has only 68 rows",) if clauses else (),
            exit_code=code,
            reason=self._reason(one),
        )
        fields = {name: getattr(plan, name) for name in PlanDocument.model_fields}
        return RunDocument(**fields | {"contract": one.contract or plan.contract}, run=report)

    def _reason(self, one: FakeRun) -> str:
        if one.status == "waiting":
            asked = (waits(p, approve=f"goalkeeper approve {one.id} {p.id}", resume="") for p in self._pending(one))
            return "; ".join(asked)
        return "a person denied deploy" if False in one.answers.values() else ""

    def runs(self) -> RunList:
        lines = [
            RunLine(id=r.id, status=r.status, goal=r.request.text, started="2026-03-02T09:00:00+00:00", spent_usd=0.0)
            for r in self._world.runs.values()
        ]
        return RunList(runs=tuple(reversed(lines)))

    def events(self, run: str, after: int = 0) -> Iterator[Event]:
        yield from [e for e in self._find(run).events if e.seq > after]

    def answer(self, run: str, *, approve: bool, pending: Sequence[str] = (), who: str) -> Answered:
        one = self._find(run)
        waiting = {p.id: p for p in self._pending(one)}
        if not waiting or not set(pending) <= set(waiting):
            raise InvalidRequest(Fault(place=run, what="waits for nothing of that name"))
        asked = [waiting[name] for name in pending] or list(waiting.values())
        theirs = [p for p in asked if "release" not in p.roles]
        left = tuple(f"{p.id} waits for bob" for p in asked if p not in theirs)
        if not theirs:
            raise NotTheirs("\n".join(left))
        one.answers |= {p.step: approve for p in theirs}
        did = "approved" if approve else "denied"
        message = f"{who} {did} {theirs[0].step}; `goalkeeper resume {one.id}` carries it out"
        return Answered(questions=tuple(p.id for p in theirs), message=message, left=left)

    def cancel(self, run: str, who: str) -> str:
        one = self._find(run)
        one.status = "cancelled"
        return f"{who} cancelled {one.id}"

    def goals(self) -> Levels:
        return Levels(goals=tuple(self._world.goals.values()))

    def goal(self, name: str) -> Level:
        return self._world.goals[name]

    def story(self, name: str) -> str:
        return f"# {name}\n\nlooked after\n"

    def stands(self, name: str) -> bool:
        return name in self._world.goals

    def ask_about(self, run: str, question: str) -> Answer | None:
        one = self._find(run)
        if "moon" in question:
            return None
        return Answer(
            text=f"the run is at step {one.at} of {len(STEPS)} [{one.id}#{len(one.events)}]", facts=(), by="rules"
        )

    def corrected(self, run: str, text: str) -> Contract:
        one = self._find(run)
        return _corrected(one.contract or CONTRACT, text)

    def objections(self, run: str, contract: Contract) -> tuple[str, ...]:
        moved = contract.parts[0].data != CONTRACT.parts[0].data
        return ("the data cannot be changed any more: steps that rest on it have begun",) if moved else ()

    def amend(self, run: str, contract: Contract, *, before: Contract, text: str, who: str) -> str:
        one = self._find(run)
        assert before == (one.contract or CONTRACT)
        if self._world.ignores:
            self._log(one, "ignored", text, pending="amendment", why=self._world.ignores)
        else:
            one.held = not self._world.amends_at_once
            one.contract = contract
            self._log(one, "amended", f"{who}: {text}")
        return f"Changed: `goalkeeper resume {one.id}` carries it out."

    def say(self, conversation: str, kind: str, body: Json) -> int:
        lines = self._world.said.setdefault(conversation, [])
        seq = len(lines) + 1
        told = Redaction().value(json.loads(json.dumps(body)))
        lines.append(Line(run=conversation, seq=seq, at=START + seq, kind=kind, body=told, hash=f"{seq:064x}"))
        return seq

    def turns(self, conversation: str) -> list[Line]:
        return list(self._world.said.get(conversation, []))

    def conversations(self) -> list[tuple[str, float, int]]:
        found = [(name, lines[-1].at, len(lines)) for name, lines in self._world.said.items()]
        return list(reversed(found))

    def sweep(
        self,
        *,
        release: bool,
        run: str | None = None,
        owner: str | None = None,
        ending: Callable[[str, str], None] | None = None,
    ) -> tuple[Swept, ...]:
        meant = [s for s in self._world.swept if run in (None, s.run) and owner in (None, s.owner)]
        others = [s for s in self._world.swept if s not in meant]
        for one in meant:
            if release and one.unowned and ending is not None:
                ending(one.kind, one.id)
        found = tuple(s.model_copy(update={"released": release and s.unowned}) for s in meant)
        self._world.swept = (*others, *(s for s in found if not s.released))
        return found

    def _find(self, run: str) -> FakeRun:
        found = [r for id_, r in self._world.runs.items() if id_.startswith(run)]
        if len(found) != 1:
            raise NoSuchRun(f"there is no run {run!r}: see `goalkeeper runs`")
        return found[0]

    def _waits(
        self,
        one: FakeRun,
        step: Step,
        watch: Callable[[RunView], None] | None,
        ask: Callable[[Pending], bool | None] | None,
    ) -> bool:
        """Whether the run stops here: it needs a person and has no answer, or was denied."""
        if "ask" not in one.request.text or step.id != "deploy" or one.request.accept:
            return False
        if step.id not in one.answers:
            one.status = "waiting"
            if watch is not None:
                watch(self.view(one.id))
            said = ask(self._pending(one)[0]) if ask is not None else None
            if said is None:
                return True
            one.answers[step.id] = said
        one.status = "running" if one.answers[step.id] else "done"
        return not one.answers[step.id]

    def _perform(self, one: FakeRun, step: Step, watch: Callable[[RunView], None] | None) -> None:
        for picture in range(11):
            one.share = picture / 10
            one.now += (step.estimate.seconds.low or 0.0) / 10
            if watch is not None:
                watch(self.view(one.id))
                time.sleep(self._world.pace_s)
        while self._world.loop_at == step.id and one.status == "running" and (one.held or one.contract is None):
            if watch is not None:
                watch(self.view(one.id))
            time.sleep(0.005)
        one.at += 1
        one.share = 0.0
        self._log(one, "done", f"{step.id} is done")

    def _step(self, one: FakeRun, index: int, step: Step) -> StepView:
        seconds = step.estimate.seconds.low or 0.0
        starts = one.started + sum((s.estimate.seconds.low or 0.0) * 1.1 for s in STEPS[:index])
        if index < one.at:
            return StepView(
                id=step.id,
                tool=step.tool,
                part="penguins",
                phase="done",
                needs=step.needs,
                started=starts,
                ended=starts + seconds,
                summary=SUMMARIES.get(step.id, ""),
            )
        if index > one.at or one.status in ("planning", "done", "cancelled"):
            phase = "pending" if one.status != "done" else "skipped"
            return StepView(id=step.id, tool=step.tool, part="penguins", phase=phase, needs=step.needs)
        if one.status == "waiting":
            return StepView(id=step.id, tool=step.tool, part="penguins", phase="asking", needs=step.needs)
        message = f"trial {int(one.share * 20)} of 20" if "train" in step.id else ""
        return StepView(
            id=step.id,
            tool=step.tool,
            part="penguins",
            phase="running",
            needs=step.needs,
            started=starts,
            expected_s=seconds,
            progress=Progress(at=one.now, message=message, fraction=one.share) if message else None,
        )

    def _pending(self, one: FakeRun) -> tuple[Pending, ...]:
        if one.status != "waiting":
            return ()
        asked = Pending(
            id="p1",
            step="deploy",
            tool="deploy_model",
            reason="it deploys to production",
            policies=("production",),
            usd=0.02,
            asked=one.now,
            expires=one.now + 3600,
            digest="d" * 64,
            requester="ann",
            roles=("operator",),
            who=("*",),
            bounds=BOUNDS,
        )
        theirs = asked.model_copy(
            update={"id": "p1.release", "roles": ("release",), "other_than_requester": True, "who": ("bob",)}
        )
        return (asked, theirs) if "somebody" in one.request.text else (asked,)

    def _clauses(self, one: FakeRun) -> tuple[ClauseVerdict, ...]:
        if self.plan(one.request).contract is None:
            return ()
        short = "short" in one.request.text
        holdout = ClauseVerdict(
            id="accuracy",
            part="penguins",
            metric="accuracy",
            verdict="UNPROVEN" if one.at <= 4 else "NOT MET" if short else "MET",
            measured=None if one.at <= 4 else 0.8649121 if short else 0.9649122807,
            interval=None if one.at <= 4 else (0.8512, 0.8791) if short else (0.947, 0.981),
            evidence=None if one.at <= 4 else Evidence(id=f"{one.id}#41", path=".goalkeeper/runs/x/holdout_rows.csv"),
            demanded="accuracy >= 0.9 on holdout",
        )
        live = ClauseVerdict(
            id="latency_p95_ms",
            part="penguins",
            metric="latency_p95_ms",
            verdict="UNPROVEN" if one.at <= 8 else "MET",
            measured=None if one.at <= 8 else 6.2134,
            evidence=None if one.at <= 8 else Evidence(id=f"{one.id}#77"),
            demanded="latency_p95_ms <= 200 live",
            note="" if one.at <= 8 else "612 requests",
        )
        return (holdout, live)

    def _revisions(self, one: FakeRun) -> tuple[Revised, ...]:
        why = "accuracy is short by 0.035: 40 more trials"
        return (Revised(version=2, why=why),) if "short" in one.request.text else ()

    def _resources(self, one: FakeRun) -> Resources:
        if one.at < len(STEPS):
            return Resources()
        kept = Kept(
            id="penguins",
            url="http://127.0.0.1:43121",
            model="penguins:v1",
            usd_per_hour=0.0,
            expires="2026-03-02T17:00:31+00:00",
            extend="goalkeeper run 'Keep penguins up for 8 more hours.'",
            stop="goalkeeper run 'Remove the endpoint penguins.'",
        )
        return Resources(created=("penguins",), released=(), kept=(kept,))

    def _log(self, one: FakeRun, kind: str, text: str, **body: str) -> None:
        seq, told = len(one.events) + 1, {"text": text, **body}
        one.events.append(Event(seq=seq, at=one.now, kind=kind, text=text, body=told, hash=f"{seq:064x}"))


def _corrected(before: Contract, text: str) -> Contract:
    found = Rules().understand(Goal.of(text, source="fake"), Context(now=START, before=before))
    if isinstance(found, Refusal):
        raise InvalidRequest(Fault(place=text, what=found.reason))
    return found.contract if isinstance(found, Open) else found
