"""Rounds of an activation: fold in what has finished, decide, guard and start every ready call.

The outcomes of one round and the intents of the next share one commit, made before anything is
performed. It returns when a decision is due or when there is nothing to do but wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent import accounts, act, diagnose, guard, inbox, operated, symptoms
from agent.approving import asking
from agent.approving.approvals import beforehand
from agent.approving.audience import Today
from agent.book import Book
from agent.brain.protocol import Brain
from agent.clock import Clock
from agent.decide import TAKES_BACK, Continue, decide, wound_down
from agent.diagnose import WORDS
from agent.errors import OverLimit
from agent.guard import Approved
from agent.observe import Observation, observe
from agent.patience import Interruption, Waits
from agent.plan import Step
from agent.record.ledger import Purse
from agent.record.store import Message, Store
from agent.state import Decided, Diagnosed, Ended, Intent, Rejudged
from policies.engine import Policies
from tools.dispatch import Dispatcher
from tools.language import tr
from tools.monitor import Reading
from tools.record import Json, Record

FASTER = 3
"""How often in a row another run may have used up what was to be reserved."""


class Wait(Record):
    """Only waiting is left: for running work, or for a person."""

    for_person: bool


@dataclass(frozen=True, kw_only=True)
class World:
    """What an activation works with."""

    book: Book
    store: Store
    dispatcher: Dispatcher
    policies: Policies
    clock: Clock
    brain: Brain
    amend: Callable[[Message], tuple[Record, ...]] = lambda _: ()
    """The lines that a change of the contract, left by its requester, comes to."""
    stopping: Callable[[], bool] = lambda: False
    """This process was asked to stop."""
    taken: float = 0.0
    """When it took the run over, on the run's clock."""

    def waits(self) -> Waits:
        """How calls wait now: not for long once a cancelled run winds down."""
        since = self.wound_at
        return Waits(
            clock=self.clock,
            interrupted=self.interrupted,
            until=None if since is None else since + act.WIND_DOWN_S,
            observer=self.book.observer,
        )

    @property
    def wound_at(self) -> float | None:
        """Since when a cancelled run winds down."""
        run = self.book.run
        return run.wound_at if any(d.action == "cancel" for d in run.decisions) else None

    def interrupted(self) -> Interruption | None:
        """Why a wait is to end."""
        if self.stopping():
            return "stop"
        cancelled = any(message.kind == "cancel" for message in self.store.messages(self.book.run.id))
        return "cancel" if cancelled else None

    def purse(self) -> Purse:
        """What the accounts outside the run allow now."""
        return self.book.purse()

    def today(self) -> Today:
        """The run under the policies of today, now."""
        return Today(run=self.book.run, policies=self.policies, now=self.clock.now())


def advance(world: World) -> Decided | Wait:
    """Rounds until a decision is due. Whoever carries the decision out stores it together with what follows from it."""
    book = world.book
    _adopt(world)
    again = 0
    while not world.stopping():
        _take_in(world)
        if wound_down(book.run) is not None:
            act.stop(accounts.ending(book.run.live_calls()), world.dispatcher)
        finished = _collect(world)
        decision = decide(book.run, now=world.clock.now())
        if not isinstance(decision, Continue):
            book.add(decision)
            return decision
        _ask(world)
        approved = [] if any(p.kind == "plan" for p in book.run.pending.values()) else _review(world)
        if not _stored(world, again=again):
            again += 1
            continue
        if approved:
            for ended in act.perform(approved, world.dispatcher, world.waits()):
                _record(world, ended)
        elif not finished:
            break
    if book.open:
        book.commit()
    return Wait(for_person=bool(book.run.pending))


def _take_in(world: World) -> None:
    """What other processes left: changes of the contract first, since what is asked may be another question then."""
    messages = world.store.messages(world.book.run.id)
    for message in messages:
        if message.kind == "amend":
            world.book.fold_in(message.id)
            for record in world.amend(message):
                world.book.add(record)
    inbox.take_in([m for m in messages if m.kind != "amend"], world.book, world.today())


def _adopt(world: World) -> None:
    """Intents without an outcome: the agent was gone in between. The backend knows what became of them."""
    for state in [c for c in world.book.run.live_calls() if c.phase == "intended"]:
        ended = act.resume(guard.readmit(state.verdict), world.dispatcher, world.waits())
        if ended is not None:
            _record(world, ended)
    world.book.commit()


def _stored(world: World, *, again: int) -> bool:
    """Commit the round. Where another run was faster and an account has no room left, forget it: it is judged anew."""
    try:
        world.book.commit()
    except OverLimit:
        if again >= FASTER:
            raise
        world.book.reload()
        _adopt(world)
        return False
    return True


def _collect(world: World) -> bool:
    """Look at everything that runs; whether anything has finished."""
    finished = False
    for state in world.book.run.live_calls():
        ended = act.look(state, world.dispatcher) or act.overdue(
            state, world.dispatcher, now=world.clock.now(), taken=world.taken, wound_at=world.wound_at
        )
        if ended is not None:
            _record(world, ended)
            finished = True
    return finished


def _ask(world: World) -> None:
    """The questions about the plan, judged anew where the policies have changed; `--yes` answers what it can."""
    book = world.book
    if book.run.plans[-1].policies_digest != world.policies.digest:
        approvals, _ = guard.preview(book.run.plan, book.run, world.policies, purse=world.purse())
        digest = world.policies.digest
        book.add(Rejudged(version=book.run.plan.version, approvals=approvals, policies_digest=digest))
    for question in asking.questions(world.today()):
        book.add(question)
        if (answer := beforehand(question, book.run)) is not None:
            book.add(answer)


_PASSING = frozenset(
    ("budget", "budget_requester", "budget_month", "budget_standing", "rate", "gpu_hours", "calls", "jobs")
)
"""Policies that may object no longer once calls of the run have ended."""


def _review(world: World) -> list[Approved]:
    """Judge every ready step and journal the intents of those that may start, and the questions about those held."""
    book, approved = world.book, list[Approved]()
    room = world.policies.limits.parallel.calls - len(book.run.live_calls())
    for step in book.run.ready():
        if len(approved) >= room and step.tool not in TAKES_BACK:
            continue
        attempt = 1 + book.run.attempts(step.id)
        verdict, ticket = guard.review(
            step, book.run, world.policies, purse=world.purse(), attempt=attempt, now=world.clock.now()
        )
        if verdict.policies and _PASSING.issuperset(verdict.policies) and book.run.live_calls():
            continue  # what is reserved for running calls may come back: it is judged again when they end
        book.add(verdict)
        if ticket is not None:
            book.add(Intent(call=verdict.call.id, digest=verdict.call.digest))
            approved.append(ticket)
        elif verdict.ruling == "held" and wound_down(book.run) is None:
            for question in asking.call_questions(verdict, step, world.today()):
                book.add(question)
    return approved


def _record(world: World, ended: Ended) -> None:
    """The outcome, what it cost, what it measured, and what a failure means."""
    book = world.book
    state = book.run.calls[ended.call]
    if ended.phase != "running":
        ended = accounts.billed(state, book.run, world.clock.now(), ended)
    book.add(ended)
    if (over := accounts.overran(state, book.run, ended)) is not None:
        book.add(over)
    if ended.phase == "failed":
        act.stop([state], world.dispatcher)  # nothing of a failed call stays registered
    if ended.phase == "done":
        for settled in accounts.closing(book.run, world.clock.now(), by=state):
            book.add(settled)
    step = book.run.plan.step(state.call.step)
    if ended.phase == "done" and step is not None and ended.result is not None and book.run.contract is not None:
        for seen in observe(step, ended.result, book.run.contract):
            book.add(seen.model_copy(update={"looks": _looks(world, seen)}))
        if step.tool == "read_traffic" and (ails := _diagnosed(world, step, ended.result)) is not None:
            book.add(ails)
    if ended.phase == "failed" and ended.cause is not None:
        part = step.part if step is not None else None
        kept = state.ended or ended  # as it was written down
        found = symptoms.consider(world.brain, kept, tool=state.call.tool, step=state.call.step, part=part)
        _asked(world)
        text = f"{tr(WORDS[ended.cause])}{tr(': ')}{kept.message}"
        rests = diagnose.rests_on(kept)
        book.add(found or Diagnosed(part=part, step=state.call.step, cause=ended.cause, text=text, lines=rests))


def _asked(world: World) -> None:
    """What the brain asked a model meanwhile."""
    for line in world.brain.consulted():
        world.book.add(line)


def _looks(world: World, seen: Observation) -> int:
    """How often others opened the holdout of this number before: earlier runs of this home, other parts of this one."""
    holdout, run = seen.digests.get("holdout"), world.book.run
    if seen.stage != "holdout" or holdout is None:
        return 0
    here = {(o.part, o.round) for o in run.observations if o.part != seen.part and o.opens(holdout)}
    return world.store.looks(holdout, but=run.id) + len(here)


def _diagnosed(world: World, step: Step, result: Json) -> Diagnosed | None:
    """What a look at an endpoint says of what ails it; None when nothing does."""
    run = world.book.run
    state, reading = operated.inspected(step, run), Reading.model_validate(result)
    if state is None:
        return None
    found = diagnose.examine(state, reading)
    if found.cause is None:
        told = symptoms.consider_service(world.brain, found, state, reading, step=step.id, part=step.part)
        _asked(world)
        return told
    return Diagnosed(part=step.part, step=step.id, cause=found.cause, text=found.text)
