"""Rounds of an activation: fold in what has finished, decide, guard and start every ready call.

The outcomes of one round and the intents of the next share one commit, made before anything is
performed. It returns when a decision is due or when there is nothing to do but wait.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent import act, diagnose, guard
from agent.book import Book
from agent.clock import Clock
from agent.decide import Continue, decide, wound_down
from agent.diagnose import WORDS
from agent.guard import Approved
from agent.observe import Observation, observe
from agent.plan import Step
from agent.record.store import Message, Store
from agent.state import Answer, CallState, Decided, Diagnosed, Ended, Intent, Settled
from policies.limits import Limits
from tools.deploy import Inspected
from tools.dispatch import Dispatcher
from tools.language import tr
from tools.monitor import Reading
from tools.record import Json, Record


class Wait(Record):
    """Only waiting is left: for running work, or for a person."""

    for_person: bool


@dataclass(frozen=True, kw_only=True)
class World:
    """What an activation works with."""

    book: Book
    store: Store
    dispatcher: Dispatcher
    limits: Limits
    clock: Clock
    usd_micro_per_hour: int | None


def advance(world: World) -> Decided | Wait:
    """Rounds until a decision is due. Whoever carries the decision out stores it together with what follows from it."""
    book = world.book
    _adopt(world)
    while True:
        _inbox(world)
        if wound_down(book.run) is not None:
            act.stop(book.run.live_calls(), world.dispatcher)
        finished = _collect(world)
        decision = decide(book.run, now=world.clock.now())
        if not isinstance(decision, Continue):
            book.add(decision)
            return decision
        if (asked := guard.question(book.run, now=world.clock.now(), limits=world.limits)) is not None:
            book.add(asked)
        approved = [] if book.run.pending else _review(world)
        book.commit()
        if approved:
            for ended in act.perform(approved, world.dispatcher, world.clock):
                _record(world, ended)
        elif not finished:
            return Wait(for_person=bool(book.run.pending))


def _adopt(world: World) -> None:
    """Intents without an outcome: the agent was gone in between. The backend knows what became of them."""
    for state in [c for c in world.book.run.calls.values() if c.phase == "intended"]:
        _record(world, act.resume(guard.readmit(state.verdict), world.dispatcher, world.clock))
    world.book.commit()


def _inbox(world: World) -> None:
    """What other processes asked of this run: denials before approvals, each once."""
    run, book = world.book.run, world.book
    for message in world.store.messages(run.id):
        book.fold_in(message.id)
        if message.kind == "cancel":
            who = str(message.body.get("who", "somebody"))
            book.add(Decided(action="cancel", why=tr("{who} cancelled the run", who=who), code=4))
        else:
            _answer(world, message)
    now = world.clock.now()
    for pending in list(run.pending.values()):
        if pending.id != guard.envelope(run):
            book.add(Answer(pending=pending.id, approve=False, who=tr("a later plan")))
        elif pending.expires <= now:
            book.add(Answer(pending=pending.id, approve=False, who=tr("nobody in time")))


def _answer(world: World, message: Message) -> None:
    """An answer counts for the question it names, and a yes only when it came in time."""
    pending = world.book.run.pending.get(str(message.body.get("pending")))
    approve = message.kind == "approve"
    if pending is None or (approve and message.at >= pending.expires):
        return
    who = str(message.body.get("who", "somebody"))
    world.book.add(Answer(pending=pending.id, approve=approve, who=who))


def _collect(world: World) -> bool:
    """Look at everything that runs; whether anything has finished."""
    finished = False
    for state in world.book.run.live_calls():
        ended = act.look(state, world.dispatcher) or act.overdue(state, world.dispatcher, now=world.clock.now())
        if ended is not None:
            _record(world, ended)
            finished = True
    return finished


def _review(world: World) -> list[Approved]:
    """Judge every ready step and journal the intents of those that may start."""
    book, approved = world.book, list[Approved]()
    room = world.limits.parallel.calls - len(book.run.live_calls())
    for step in book.run.ready()[: max(0, room)]:
        attempt = 1 + sum(1 for c in book.run.calls.values() if c.call.step == step.id)
        verdict, ticket = guard.review(step, book.run, world.limits, attempt=attempt, now=world.clock.now())
        if verdict.policies == ("budget",) and book.run.live_calls():
            continue  # what is reserved for running calls may come back: it is judged again when they end
        book.add(verdict)
        if ticket is not None:
            book.add(Intent(call=verdict.call.id, digest=verdict.call.digest))
            approved.append(ticket)
    return approved


def _record(world: World, ended: Ended) -> None:
    """The outcome, what it cost, what it measured, and what a failure means."""
    book = world.book
    state = book.run.calls[ended.call]
    if ended.phase == "done" and state.call.tool in _GOES_ON:
        ended = ended.model_copy(update={"holds": True})
    elif ended.phase != "running":
        ended = ended.model_copy(update={"settled_micro": _bill(world, state)})
    book.add(ended)
    if ended.phase == "failed":
        act.stop([state], world.dispatcher)  # nothing of a failed call stays registered
    if ended.phase == "done" and state.call.tool in _TAKES_OVER:
        settle(world, part=_part_of(world, state))
    step = book.run.plan.step(state.call.step)
    if ended.phase == "done" and step is not None and ended.result is not None and book.run.contract is not None:
        for seen in observe(step, ended.result, book.run.contract):
            book.add(seen.model_copy(update={"looks": _looks(world, seen)}))
        if step.tool == "read_traffic" and (ails := _diagnosed(world, step, ended.result)) is not None:
            book.add(ails)
    if ended.phase == "failed" and ended.cause is not None:
        part = step.part if step is not None else None
        text = f"{tr(WORDS[ended.cause])}{tr(': ')}{ended.message}"
        book.add(Diagnosed(part=part, step=state.call.step, cause=ended.cause, text=text))


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
    looked = next((r for n in step.needs if (r := run.result(n)) is not None), None)
    found = diagnose.examine(Inspected.model_validate(looked or {"state": None}), Reading.model_validate(result))
    if found.cause is None:
        return None
    return Diagnosed(part=step.part, step=step.id, cause=found.cause, text=found.text)


_GOES_ON = ("deploy_model", "scale_endpoint")
_TAKES_OVER = ("extend_lease", "release_resource", "rollback_endpoint")
"""What these end or hand over is paid for up to here; from then on somebody else's lease pays."""


def settle(world: World, *, part: str | None = None) -> None:
    """Close the reservations of what went on after its call was over: of one part, or at the end of the run."""
    for state in [c for c in world.book.run.calls.values() if c.holds]:
        if part is None or _part_of(world, state) == part:
            stays = part is None and state.call.tool == "scale_endpoint"  # nobody took it back or over
            cost = state.verdict.reserve_micro if stays else _bill(world, state)
            world.book.add(Settled(call=state.call.id, usd_micro=cost))


def _part_of(world: World, state: CallState) -> str | None:
    steps = (s for p in world.book.run.plans for s in p.plan.steps if s.id == state.call.step)
    return next((s.part for s in steps), None)


def _bill(world: World, state: CallState) -> int:
    """Price × time used, never more than was reserved: the hard limit ended it by then."""
    reserved = state.verdict.reserve_micro
    price = world.usd_micro_per_hour
    if not reserved or price is None or state.started_at is None:
        return 0
    if state.call.tool in ("extend_lease", "rollback_endpoint"):
        return reserved  # what keeps running after the report is paid for by its lease
    used = max(0.0, world.clock.now() - state.started_at) * guard.servers(state.call.args)
    return min(reserved, -(-round(price * used) // 3600))
