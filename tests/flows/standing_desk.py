"""Standing goals on a simulated world: callers whose answers can be made bad, a drift detector that can be told what to
see, and a worker that wakes whatever is due."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from peopled import policies
from simulated import ACCURACY, ERRORS, LATENCY, Stage, part

from agent.clock import Clock
from agent.contract import Contract, Data, Part, Upkeep
from agent.documents import RunDocument
from agent.record.claims import ENDED
from agent.record.rows import RunRow
from agent.session import Session
from agent.state import parse
from tools.backends.sim.state import Sample, Version
from tools.backends.sim.world import World
from tools.dispatch import Dispatcher
from tools.record import Json, Record

R = TypeVar("R", bound=Record)
HOUR = 3600.0
EVERY = HOUR


class Detector:
    """A drift detector that sees what the test says, of the version that it says it of."""

    def __init__(self) -> None:
        self.drifts: set[str] = set()
        """Versions whose inputs have shifted."""
        self.rows = 800
        self.asked: list[Json] = []

    def read(self, args: Json, now: float) -> Json:
        self.asked.append(args)
        drifted = args["version"] in self.drifts
        few = self.rows < 500
        return {
            "endpoint": args["endpoint"],
            "version": args["version"],
            "since": args["since"],
            "until": now,
            "rows": self.rows,
            "least_rows": 500,
            "alarm_rate": args["alarm_rate"],
            "threshold": 0.1,
            "verdict": "not_enough" if few else "drifted" if drifted else "steady",
            "why": "income has shifted" if drifted else "nothing has shifted",
            "psi": 0.9 if drifted else 0.01,
        }


_PROBED: list[Json] = []
"""What the probe said of the one table of these tests: each look is a process."""


class Watching(Dispatcher):
    """Looks at the table once, and reads drift from the test's detector."""

    detector: Detector

    def read(self, name: str, args: Json) -> Json:
        if name == "read_drift":
            return self.detector.read(args, self._now())
        if name != "profile_data":
            return super().read(name, args)
        told = super().read(name, args) if not _PROBED else _PROBED[-1] | {"source": args["source"]}
        _PROBED.append(told)
        return told


class Home(Stage):
    """A home on a simulated world whose endpoint is called by somebody."""

    def __init__(
        self, folder: Path, contract: Contract, *, world: str | World = "steady", lease_s: float = 30 * 86_400.0
    ) -> None:
        """`lease_s`: how long the operator lets an endpoint live that nobody extends."""
        super().__init__(folder, contract, world=world)
        self.settings = self.settings.model_copy(update={"endpoint_lease_s": lease_s})
        self.detector = Detector()
        self.rps = 0.3
        self.error_rate = 0.0
        """Of what callers get, of any version that is not spoilt."""
        self.bad: dict[str, float] = {}
        """Version → share of its answers that fail."""

    def open(self, clock: Clock | None = None) -> Session:
        stage = self

        class Watched(Session):
            @property
            def _reader(self) -> Dispatcher:
                made = Watching(self._backend, approved=lambda _: None, now=self._clock.now)
                made.detector = stage.detector
                return made

        return Watched(
            settings=self.settings,
            backend=self.backend,
            brain=self.brain,
            clock=clock or self.clock,
            policies=self.policies or policies(None),
        )

    def call(self, seconds: float) -> None:
        """Callers ask for so long, evenly; the clock goes on."""
        began, count = self.clock.now(), round(seconds * self.rps)
        self.backend.advance(seconds)
        there = self.backend._state.endpoint("tumours")
        serving = [v for v in there.versions.values() if v.weight > 0] if there is not None else []
        if not serving or not count:
            return
        version = max(serving, key=lambda v: v.weight)
        wrong = self.bad.get(version.spec.version, self.error_rate)
        for number in range(count):
            ok = version.ready > 0 and (number + 0.5) % (1 / wrong) >= 1 if wrong else version.ready > 0
            version.samples.append(Sample(at=began + seconds * (number + 0.5) / count, ms=20.0, ok=ok, refused=False))

    def renew(self, number: int) -> None:
        """Other labelled rows in the same place, which teach another model."""
        fresh(self.folder, number)
        self.backend._state.seed = number

    def spoil_training(self) -> None:
        """What is trained from now on is worse than what serves."""
        world = self.backend._state.world
        worse = world.learner.model_copy(update={"start": 0.3, "plateau": 0.4})
        update = {"learner": worse, "learners": dict.fromkeys(world.learners, worse)}
        self.backend._state.world = world.model_copy(update=update)

    def serving(self) -> str:
        there = self.backend._state.endpoint("tumours")
        assert there is not None
        best: Version = max(there.versions.values(), key=lambda v: v.weight)
        return best.spec.version


def wanted(folder: Path, *, every_s: float = EVERY, strategy: str = "direct", **more: object) -> Contract:
    """A classifier of a table in that folder, served and looked after."""
    rows = folder / "rows.csv"
    if not rows.exists():
        fresh(folder, 0)
    upkeep = Upkeep.model_validate(
        {"every_s": every_s} | {k: more.pop(k) for k in ("retrain_on", "for_s") if k in more}
    )
    data = (Data(uri=str(rows), label="target", format="csv"),)
    one: Part = part(ACCURACY, LATENCY, ERRORS, rollout=strategy, upkeep=upkeep, data=data)
    return Contract.model_validate({"parts": (one,)} | more)


def fresh(folder: Path, number: int) -> None:
    """Other labelled rows in the same place."""
    lines = ["a,b,target", *(f"{i % 7 + number},{i % 5},{'yes' if i % 3 else 'no'}" for i in range(200))]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.utime(folder / "rows.csv", (0, 0))  # before the world began


def begun(home: Home) -> tuple[Session, str, RunDocument]:
    """The run is over, and its standing goal looks after the endpoint."""
    session = home.open()
    run = session.start(home.request(accept=True))
    document = session.drive(run)
    return session, f"{run}.1", document


def work(session: Session, home: Home, *, most: int = 400) -> None:
    """What a worker does until nothing is due: every due row is woken, and time passes for jobs that run."""
    for _ in range(most):
        store = session._store
        due = [r for r in store.rows(None) if r.status not in ENDED and _wants(r)]
        goals = [r for r in due if r.kind == "goal"]
        standing = [r for r in due if r.kind == "standing" and r.due is not None and r.due <= home.clock.now()]
        if not goals and not standing:
            return
        for row in standing:
            session.wake(row.id)
        for row in goals:
            session.drive(row.id)
    raise AssertionError("it never came to rest")


def _wants(row: RunRow) -> bool:
    """A run that waits for a person is left alone; whoever owned one was this process, which may have died."""
    return row.status != "waiting" or row.kind == "standing"


def pass_time(session: Session, home: Home, *, checks: int, every_s: float = EVERY) -> None:
    """So many intervals with callers, and a worker that is there whenever something is due."""
    end = home.clock.now() + checks * every_s
    while (now := home.clock.now()) < end:
        due = [r.due for r in session._store.rows("standing") if r.due is not None and r.status not in ENDED]
        home.call(max(1.0, min([end, *due]) - now))
        work(session, home)


def kinds(session: Session, goal: str) -> list[str]:
    """Of the lines of its journal."""
    return [line.kind for line in session._store.lines(goal)]


def records(session: Session, goal: str, kind: type[R]) -> list[R]:
    """The lines of one kind."""
    return [r for line in session._store.lines(goal) if isinstance(r := parse(line), kind)]
