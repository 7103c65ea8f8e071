"""Sessions on a simulated world, with a brain that understands one given contract and plans like the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from peopled import policies

from agent.clock import Clock
from agent.contract import Clause, Contract, Data, Part, Refusal, Rollout
from agent.documents import Pending, RunDocument
from agent.prospect import Request
from agent.session import Session
from agent.settings import Settings
from evals.given import Given, Reading
from evals.given import Reader as Reader
from policies.engine import Policies
from policies.limits import Limits
from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.effects import Effect
from tools.backends.sim.world import World, load_world
from tools.ports import Backend, Offer, Owned, Scope

Asked = Callable[[Pending], bool | None]


def clause(metric: str, op: str, value: float, where: str = "holdout", **more: object) -> Clause:
    return Clause.model_validate({"id": metric, "metric": metric, "op": op, "value": value, "where": where} | more)


ACCURACY = clause("accuracy", ">=", 0.9)
LATENCY = clause("latency_p95_ms", "<=", 80, "live")
ERRORS = clause("error_rate", "<=", 0.01, "live", abort=True)


def part(*clauses: Clause, name: str = "model", target: str = "tumours", **more: object) -> Part:
    """One part about breast cancer; `rollout` is a strategy or a whole rollout."""
    strategy = more.pop("rollout", "none")
    rollout = strategy if isinstance(strategy, Rollout) else Rollout.model_validate({"strategy": strategy})
    fields: dict[str, object] = {
        "name": name,
        "target": target,
        "task": "classification",
        "data": (Data(uri="sklearn:breast_cancer", label="target", format="bundled"),),
        "clauses": clauses,
        "rollout": rollout,
    }
    return Part.model_validate(fields | more)


def classify(*clauses: Clause, rollout: str | Rollout = "none", **more: object) -> Contract:
    """Breast cancer, with these clauses."""
    return Contract.model_validate({"parts": (part(*clauses, rollout=rollout),)} | more)


def priced(world: str = "steady", *, usd_per_hour: float | None) -> World:
    """The world where the only place to run has that price; None: nobody knows it."""
    price = None if usd_per_hour is None else round(usd_per_hour * 1_000_000)
    offer = Offer(id="here", backend="sim", cpus=4, memory_gb=16, usd_micro_per_hour=price, standing=True)
    return load_world(world).model_copy(update={"offers": (offer,)})


class Stage:
    """One home on one simulated world."""

    def __init__(
        self,
        folder: Path,
        contract: Contract | Refusal,
        *,
        world: str | World = "steady",
        seed: int = 0,
        policies: Policies | None = None,
    ) -> None:
        self.policies = policies
        self.folder = folder
        self.clock = VirtualClock()
        chosen = world if isinstance(world, World) else load_world(world)
        self.backend = SimBackend(chosen, seed=seed, clock=self.clock, folder=folder / "objects")
        self.brain = Given(contract)
        self.goal = "the goal"
        self.settings = Settings(home=folder / "home", runtime=folder / "runtime", user="ada", backend="sim")

    def session(self, limits: Limits | None = None, *, clock: Clock | None = None) -> Session:
        return Reading(
            settings=self.settings,
            backend=self.backend,
            brain=self.brain,
            clock=clock or self.clock,
            policies=self.policies or policies(limits),
        )

    def request(self, *, accept: bool = False) -> Request:
        return Request(text=self.goal, source="cli:ada", accept=accept, folder=str(self.folder))

    def run(
        self, *, accept: bool = False, ask: Asked | None = None, limits: Limits | None = None
    ) -> tuple[Session, RunDocument]:
        session = self.session(limits)
        run = session.start(self.request(accept=accept))
        return session, session.drive(run, ask=ask)

    def ended(self, *, accept: bool = True, ask: Asked | None = None) -> RunDocument:
        """The document of a run that was driven as far as it goes."""
        session, document = self.run(accept=accept, ask=ask)
        session.close()
        return document

    @contextmanager
    def begun(self, *, accept: bool = True, limits: Limits | None = None) -> Iterator[tuple[Session, str]]:
        """A session and the run it has started and not driven yet."""
        with self.session(limits) as session:
            yield session, session.start(self.request(accept=accept))

    def kinds(self) -> list[str]:
        """What happened in the world, in order."""
        return [f"{e.kind}" for e in self.backend.effects]

    def calls(self, kind: str = "") -> list[Effect]:
        """What calls changed, in order; of one kind when it is named."""
        return [e for e in self.backend.effects if e.by == "call" and kind in ("", e.kind)]

    def owned(self) -> list[Owned]:
        return owned(self.backend)


def owned(backend: Backend) -> list[Owned]:
    """Everything that any run owns there."""
    return [o for port in (backend.jobs, backend.serving, backend.compute) for o in port.owned(Scope())]


def verdicts(document: RunDocument) -> dict[str, str]:
    return {c.metric: c.verdict for c in document.run.clauses}


def steps_of(effects: list[Effect]) -> list[str]:
    """The steps whose calls made these effects."""
    return [e.token.split("/")[1] if "/" in e.token else "" for e in effects]
