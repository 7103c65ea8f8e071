"""Sessions on a simulated world, with a brain that understands one given contract and plans like the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agent.brain.protocol import Context
from agent.brain.rules.propose import propose, unsupported
from agent.contract import Clause, Contract, Data, Part, Refusal, Rollout
from agent.documents import Pending, RunDocument
from agent.goal import Goal
from agent.prospect import Request
from agent.session import Session
from agent.settings import Settings
from policies.limits import Limits, load_limits
from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.world import load_world


class Given:
    """A brain that was told what the goal means."""

    name = "given"
    unsupported = staticmethod(unsupported)
    propose = staticmethod(propose)

    def __init__(self, contract: Contract | Refusal) -> None:
        self.contract = contract

    def understand(self, goal: Goal, context: Context) -> Contract | Refusal:
        return self.contract


def clause(metric: str, op: str, value: float, where: str = "holdout", **more: object) -> Clause:
    return Clause.model_validate({"id": metric, "metric": metric, "op": op, "value": value, "where": where} | more)


def classify(*clauses: Clause, rollout: str = "none", **more: object) -> Contract:
    """Breast cancer, with these clauses."""
    part = Part(
        name="model",
        target="tumours",
        task="classification",
        data=(Data(uri="sklearn:breast_cancer", label="target", format="bundled"),),
        clauses=clauses,
        rollout=Rollout.model_validate({"strategy": rollout}),
    )
    return Contract.model_validate({"parts": (part,)} | more)


class Stage:
    """One home on one simulated world."""

    def __init__(self, folder: Path, contract: Contract | Refusal, *, world: str = "steady", seed: int = 0) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.backend = SimBackend(load_world(world), seed=seed, clock=self.clock, folder=folder / "objects")
        self.brain = Given(contract)
        self.settings = Settings(home=folder / "home", runtime=folder / "runtime", user="ada", backend="sim")

    def session(self, limits: Limits | None = None) -> Session:
        return Session(
            settings=self.settings,
            backend=self.backend,
            brain=self.brain,
            clock=self.clock,
            limits=limits or load_limits(),
        )

    def run(
        self, *, accept: bool = False, ask: Callable[[Pending], bool | None] | None = None
    ) -> tuple[Session, RunDocument]:
        session = self.session()
        run = session.start(Request(text="the goal", source="cli:ada", accept=accept, folder=str(self.folder)))
        return session, session.drive(run, ask=ask)

    def kinds(self) -> list[str]:
        """What happened in the world, in order."""
        return [f"{e.kind}" for e in self.backend.effects]
