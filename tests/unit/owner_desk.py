"""The owner of a run at their desk: a journal, an inbox and hands that work, in memory, and that may die anywhere.

Only what the loop itself is made of is real: rounds, questions, answers, the guard. What hands do is written down.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import cast

from agent.advance import World, advance
from agent.answering import choose
from agent.book import Book
from agent.brain.rules.brain import Rules
from agent.clock import Clock
from agent.documents import Feasibility, Pending
from agent.errors import InvalidRequest
from agent.guard import preview
from agent.lines import LINES
from agent.plan import Plan
from agent.record.chained import Line
from agent.record.ledger import Purse
from agent.record.store import Message, Store
from agent.state import Decided, Planned, Run, fold
from agent.telemetry.observer import SILENT
from policies.engine import Policies
from tools.dispatch import Dispatcher
from tools.errors import Failed
from tools.record import Json, Record
from tools.tool import Call, Done, Outcome

_KIND = {record: kind for kind, record in LINES.items()}


class Died(BaseException):
    """The process is gone."""


@dataclass
class Watch:
    """A clock that can be put forward and back."""

    at: float

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Hands:
    """What performs calls: every effect that happened, in order, and what is to go wrong next."""

    world: Desk
    effects: list[Call] = field(default_factory=list)
    fails: set[str] = field(default_factory=set)
    """Steps whose next call fails, leaving nothing."""
    dies: str = ""
    """`before` or `after` the next effect."""

    def start(self, call: Call) -> Outcome:
        assert self.world.admits(call), f"{call.id} was performed without a stored verdict of its digest"
        if self.dies == "before":
            self._die()
        if call.step in self.fails:
            self.fails.discard(call.step)
            raise Failed("no room", cause="capacity")
        self.effects.append(call)
        if self.dies == "after":
            self._die()
        return Done(result={"version": "v1", "key": "k", "endpoint": str(call.args.get("endpoint"))})

    def _die(self) -> None:
        self.dies = ""
        raise Died

    def find(self, call: Call) -> Outcome | None:
        made = any(c.id == call.id for c in self.effects)
        return Done(result={"version": "v1", "key": "k"}) if made else None

    def staleness_s(self, call: Call) -> float:
        return 0.0

    def stop(self, call: Call, handle: str) -> None:
        return None


class Desk:
    """One run, its journal and its inbox. It stands in for the book and for the store."""

    def __init__(self, policies: Policies, *, at: float) -> None:
        self.policies = policies
        self.clock = Watch(at)
        self.lines: list[Line] = []
        """What is stored."""
        self.inbox: list[tuple[Message, bool]] = []
        self.run = Run(id="r")
        self.hands = Hands(self)
        self.over = False
        self.observer = SILENT
        self._added: list[tuple[str, str]] = []
        self._folded: set[int] = set()

    # The book.

    def add(self, record: Record) -> None:
        self._added.append((_KIND[type(record)], record.model_dump_json()))
        self.run.apply(self.run.seq + 1, self.clock.now(), _KIND[type(record)], record)

    def fold_in(self, message: int) -> None:
        self._folded.add(message)

    @property
    def open(self) -> bool:
        return bool(self._added or self._folded)

    def commit(self) -> None:
        at = self.run.last
        for kind, body in self._added:
            line = Line(run="r", seq=len(self.lines) + 1, at=at, kind=kind, body=json.loads(body), hash="")
            self.lines.append(line)
        self.inbox = [(m, done or m.id in self._folded) for m, done in self.inbox]
        self._added, self._folded = [], set()

    def purse(self) -> Purse:
        return Purse()

    # The store.

    def messages(self, run: str) -> list[Message]:
        """As the store gives them: denials first."""
        open_ = [m for m, done in self.inbox if not done]
        return sorted(open_, key=lambda m: (m.kind == "approve", m.id))

    def looks(self, holdout: str, *, but: str) -> int:
        return 0

    # What happens.

    def reopen(self, policies: Policies | None = None) -> None:
        """Another process takes over: what was not stored is gone."""
        self._added, self._folded = [], set()
        self.policies = policies or self.policies
        self.run = fold("r", self.lines)

    def planned(self, plan: Plan) -> None:
        """The plan's next version."""
        planned = Planned(plan=plan, approvals=(), feasibility=Feasibility(verdict="feasible"))
        draft = fold("r", self.lines)
        draft.plans.append(planned)
        asked, _ = preview(plan, draft, self.policies, purse=Purse())
        self.add(planned.model_copy(update={"approvals": asked, "policies_digest": self.policies.digest}))
        self.commit()

    def drive(self) -> None:
        """Rounds until there is nothing to do but wait; a process that dies is taken over."""
        world = World(
            book=cast(Book, self),
            store=cast(Store, self),
            dispatcher=cast(Dispatcher, self.hands),
            policies=self.policies,
            clock=cast(Clock, self.clock),
            brain=Rules(),
        )
        try:
            while isinstance(decision := advance(world), Decided):
                self.commit()
                if decision.action != "revise":
                    self.over = True
                    return
                if decision.change == "wind_down":
                    plan = self.run.plan
                    begun = tuple(s for s in plan.steps if s.id in self.run.by_step)
                    self.planned(Plan(version=plan.version + 1, steps=begun))
        except Died:
            self.reopen()
            self.drive()

    def admits(self, call: Call) -> bool:
        """An intent and an approved verdict for exactly this call are stored."""
        verdicts = [x.body for x in self.lines if x.kind == "verdict" and x.body["call"]["id"] == call.id]
        intents = [x.body for x in self.lines if x.kind == "intent" and x.body["call"] == call.id]
        if not verdicts or not intents or verdicts[-1]["ruling"] != "approved":
            return False
        return bool(verdicts[-1]["call"]["digest"] == intents[-1]["digest"] == call.digest)

    def post(self, kind: str, body: Json, *, at: float | None = None) -> int:
        """A row in the inbox, whoever puts it there."""
        when = max(self.clock.now(), self.run.last) if at is None else at
        fields = {"id": len(self.inbox) + 1, "run": "r", "kind": kind, "body": body, "at": when}
        message = Message.model_validate(fields)
        self.inbox.append((message, False))
        return message.id

    def answer(self, names: list[str], *, who: str, approve: bool) -> list[Pending]:
        """As a door does it; nothing where it is refused."""
        state = fold("r", self.lines)
        try:
            now = max(self.clock.now(), state.last)
            chosen = choose(state, names, who=who, approve=approve, waiting=self.messages("r"), now=now)
        except InvalidRequest:
            return []
        for question in chosen.theirs:
            body = {"pending": question.id, "who": who, "digest": question.digest, "uid": 1}
            self.post("approve" if approve else "deny", body)
        return list(chosen.theirs)
