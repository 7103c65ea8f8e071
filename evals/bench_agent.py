"""The agent's part in `durable`: a plan of cheap steps, carried out by the loop itself on the simulated backend.

Each step is decided, judged by guard and policies, journalled, reserved and settled in the ledger, dispatched under the
owner's epoch and folded, as in any run. Its call withdraws the version before the first one, of which there is none, so
that the time is the agent's and not the backend's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from agent.accounts import caps
from agent.advance import World, advance
from agent.book import Book
from agent.brain.rules.brain import Rules
from agent.clock import SteadyClock, stamp
from agent.contract import Contract, Part
from agent.documents import Feasibility
from agent.goal import Goal
from agent.plan import Estimate, Plan, Step
from agent.record.owner import gone
from agent.record.store import Store
from agent.state import Decided, Planned, Run, Stated, Understood, fold
from evals.bench_engines import Performed, Steps
from policies.engine import Decision, Policies
from policies.limits import Limits
from policies.load import load_policies
from policies.request import Request
from tools.dispatch import Dispatcher, Place, open_backend
from tools.tool import Effect

PRICE_MICRO = 1_000_000
"""Micro-USD an hour: a step reserves and settles money that is not zero."""
LEASE_S = 60.0


@contextmanager
def agent(folder: Path, count: int, history: int) -> Iterator[Steps]:
    """A run with that many steps behind it, folded from its journal and ready for as many more."""
    with closing(Store(folder / "runs.db")) as store:
        begun(store, "run", steps=history)
        _carry_out(opened(store, "run", owner="before"))
        longer(store, "run", steps=history + count)
        policies = Timed(_policies())
        world = opened(store, "run", owner="bench", policies=policies)
        yield lambda: _measured(world, policies, count)


class Timed:
    """Policies that say how long they took."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self.wall_s = self.cpu_s = 0.0

    @property
    def digest(self) -> str:
        return self._policies.digest

    @property
    def limits(self) -> Limits:
        return self._policies.limits

    def prepare(self) -> None:
        self._policies.prepare()

    def judge(self, request: Request) -> Decision:
        wall, cpu = time.perf_counter(), time.process_time()
        found = self._policies.judge(request)
        self.wall_s += time.perf_counter() - wall
        self.cpu_s += time.process_time() - cpu
        return found


def _measured(world: World, policies: Timed, count: int) -> Performed:
    _carry_out(world)
    return Performed(steps=count, deciding_s=policies.wall_s, deciding_cpu_s=policies.cpu_s)


@cache
def _policies() -> Policies:
    """The shipped ones, parsed once a process as by the agent itself."""
    return load_policies()


def _carry_out(world: World) -> None:
    ended = advance(world)
    world.book.commit()  # as whoever carries the decision out does
    run = world.book.run
    if not isinstance(ended, Decided) or not all(run.done(step.id) for step in run.plan.steps):
        raise RuntimeError(f"the plan ended with {ended!r} before all of its steps were done")


def begun(store: Store, run: str, *, steps: int) -> None:
    """A run with a plan of that many steps, of which none has begun."""
    now = SteadyClock().now()
    store.create(run=run, goal=run, started=now, requester="bench", bounds={"usd_micro": 10_000_000})
    stated = Stated(
        goal=Goal.of(run, source="cli:bench"),
        accept=True,
        owner="bench",
        backend="sim",
        brain="rules",
        plan_now=stamp(now),
        folder="/",
    )
    contract = Understood(contract=Contract(parts=(Part(name="bench", task="deploy"),)))
    _add(store, run, (stated, contract, _planned(1, steps)))


def longer(store: Store, run: str, *, steps: int) -> None:
    """The run's plan is revised: it has that many steps now, with those that it had."""
    _add(store, run, (_planned(2, steps),))


def opened(
    store: Store, run: str, *, owner: str, policies: Policies | None = None, by: type[Dispatcher] = Dispatcher
) -> World:
    """The run, claimed and folded from its journal. `by`: what performs its calls."""
    clock, policies = SteadyClock(), policies or _policies()
    book = _book(store, run, owner=owner, policies=policies)
    dispatcher = by(
        open_backend(Place(name="sim", home="", runtime="", usd_micro_per_hour=PRICE_MICRO)),
        approved=lambda call: book.run.calls[call].call.digest if call in book.run.calls else None,
        now=clock.now,
        epoch=book.epoch,
        current=lambda: store.holds(run, epoch=book.epoch),
    )
    return World(book=book, store=store, dispatcher=dispatcher, policies=policies, clock=clock, brain=Rules())


def _book(store: Store, run: str, *, owner: str, policies: Policies) -> Book:
    others = [row.owner for row in store.rows() if row.owner is not None and gone(row.owner)]
    epoch = store.claim(run, owner=owner, gone=("before", *others), lease_s=LEASE_S)
    state: Run = fold(run, store.lines(run))
    return Book(store=store, run=state, epoch=epoch, clock=SteadyClock(), caps=caps(policies.limits))


def _add(store: Store, run: str, records: Sequence[Stated | Understood | Planned]) -> None:
    book = _book(store, run, owner="before", policies=_policies())
    for record in records:
        book.add(record)
    book.commit()


def _planned(version: int, steps: int) -> Planned:
    """A plan in which each step needs the one before."""
    return Planned(
        plan=Plan(version=version, steps=tuple(_step(number) for number in range(steps))),
        approvals=(),
        feasibility=Feasibility(verdict="feasible"),
        policies_digest=_policies().digest,
    )


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
