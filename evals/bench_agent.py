"""The agent's part in `durable`: plans of cheap steps, carried out by the loop itself on the simulated backend.

Each step is decided, judged by guard and policies, journalled, reserved and settled in the ledger, dispatched and
folded, as in any run. Its call withdraws the version before the first one, of which there is none, so that the time is
the agent's and not the backend's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from agent.accounts import caps
from agent.advance import World, advance
from agent.book import Book
from agent.brain.rules.brain import Rules
from agent.clock import WallClock, stamp
from agent.contract import Contract, Part
from agent.documents import Feasibility
from agent.goal import Goal
from agent.plan import Estimate, Plan, Step
from agent.record.store import Store
from agent.state import Decided, Planned, Run, Stated, Understood
from policies.engine import Policies
from policies.load import load_policies
from tools.dispatch import Dispatcher, Place, open_backend
from tools.tool import Effect

PLAN_STEPS = 12
"""About as many as the plan of a trained model with a canary has."""
PRICE_MICRO = 1_000_000
"""Micro-USD an hour: a step reserves and settles money that is not zero."""


@contextmanager
def agent(folder: Path, count: int) -> Iterator[Callable[[], int]]:
    """Prepares plans of at least that many steps in a store on the folder; what it gives carries them out."""
    with closing(Store(folder / "runs.db")) as store:
        worlds = [_world(store, f"run-{number}") for number in range(-(-count // PLAN_STEPS))]
        yield lambda: sum(_carry_out(world) for world in worlds)


@cache
def _policies() -> Policies:
    """The shipped ones, parsed once a process as by the agent itself."""
    return load_policies()


def _carry_out(world: World) -> int:
    ended = advance(world)
    world.book.commit()  # as whoever carries the decision out does
    finished = sum(1 for step in world.book.run.plan.steps if world.book.run.done(step.id))
    if not isinstance(ended, Decided) or finished != PLAN_STEPS:
        raise RuntimeError(f"the plan ended with {ended!r} after {finished} of {PLAN_STEPS} steps")
    return finished


def _world(store: Store, run: str) -> World:
    clock = WallClock()
    store.create(run=run, goal=run, started=clock.now(), requester="bench", bounds={"usd_micro": 10_000_000})
    epoch = store.claim(run, owner="bench", gone=())
    policies = _policies()
    book = Book(store=store, run=Run(id=run), epoch=epoch, clock=clock, caps=caps(policies.limits))
    for record in _opening(run, clock.now(), policies.digest):
        book.add(record)
    book.commit()
    dispatcher = Dispatcher(
        open_backend(Place(name="sim", home="", runtime="", usd_micro_per_hour=PRICE_MICRO)),
        approved=lambda call: book.run.calls[call].call.digest if call in book.run.calls else None,
        now=clock.now,
    )
    return World(
        book=book,
        store=store,
        dispatcher=dispatcher,
        policies=policies,
        clock=clock,
        brain=Rules(),
    )


def _opening(run: str, now: float, policies: str) -> Sequence[Stated | Understood | Planned]:
    """The lines a run begins with: a goal, its contract, and a plan in which each step needs the one before."""
    goal = Goal.of(run, source="cli:bench")
    stated = Stated(
        goal=goal, accept=True, owner="bench", backend="sim", brain="rules", plan_now=stamp(now), folder="/"
    )
    steps = tuple(_step(number) for number in range(PLAN_STEPS))
    planned = Planned(
        plan=Plan(version=1, steps=steps),
        approvals=(),
        feasibility=Feasibility(verdict="feasible"),
        policies_digest=policies,
    )
    return stated, Understood(contract=Contract(parts=(Part(name="bench", task="deploy"),))), planned


def _step(number: int) -> Step:
    needs = (f"step-{number - 1}",) if number else ()
    return Step(
        id=f"step-{number}",
        tool="withdraw_version",
        part="bench",
        effect=Effect.DESTROYS,
        needs=needs,
        args={"endpoint": "bench", "version": None},
        estimate=Estimate(),
        limit_s=60.0,
    )
