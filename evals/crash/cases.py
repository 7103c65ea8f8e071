"""Everything that is done to the runs: which cases there are, and what comes of one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from agent.errors import GoalkeeperError
from evals.crash.aftermath import Aftermath, Difference, aftermath, difference
from evals.crash.bench import Bench, Driver, Wrong, opened
from evals.crash.points import Blow, Point, points
from evals.crash.scenes import Scene, scenes
from tools.backends.sim.faults import EFFECTS, Fault, FaultKind
from tools.record import Record

Kind = Literal["kill", "stop", "full", "read-only", "fault", "pair"]
"""SIGKILL; SIGSTOP while another goes on with the run; a disk without room, or a database for reading only, from one
commit on; a fault of the world, alone and with a kill while it is found out; two drivers at once, one of them killed.
"""
KINDS: tuple[Kind, ...] = get_args(Kind)
LOST: tuple[FaultKind, ...] = ("timeout_after", "answer_500_after", "lose_answer", "twice")
"""What becomes of the answer of a change that was made."""
COMMITS = ("append", "bound", "claim", "commit", "create", "decision", "enter", "release", "remember")


@dataclass(frozen=True)
class Case:
    """One disturbance of one scene."""

    kind: Kind
    scene: str
    point: Point | None = None
    operation: str = ""
    fault: str = ""
    """A fault kind, or `stale`: the answer is lost, names are no promise, and the list that is looked in lies."""
    skip: int = 0

    def __str__(self) -> str:
        fault = f" {self.fault} of {self.operation} {self.skip + 1}" if self.fault else ""
        return f"{self.scene}: {self.kind}{fault}{f' {self.point}' if self.point else ''}"

    @property
    def beside(self) -> str:
        """The boundary it is about."""
        return self.operation or (self.point.boundary if self.point is not None else "")

    @property
    def faults(self) -> tuple[Fault, ...]:
        if not self.fault:
            return ()
        lost = "lose_answer" if self.fault == "stale" else self.fault
        made = [Fault.model_validate({"operation": self.operation, "fault": lost, "skip": self.skip})]
        if self.fault == "stale":
            listing = f"{self.operation.partition('.')[0]}.find"
            made.append(Fault.model_validate({"operation": listing, "fault": "stale"}))
        return tuple(made)


class Result(Record):
    """What came of one case."""

    case: str
    kind: Kind
    scene: str
    beside: str
    struck: bool
    """It was where it was to be struck."""
    drivers: int
    duplicates: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    """Whatever else is not as it is to be."""
    seconds: float

    @property
    def clean(self) -> bool:
        return self.struck and not (self.duplicates or self.orphans or self.missing or self.wrong)


@dataclass(frozen=True)
class Undisturbed:
    """A scene when nothing strikes it."""

    left: Aftermath
    reached: tuple[str, ...]


def undisturbed(folder: Path, scene: Scene) -> Undisturbed:
    with opened(folder, scene) as bench:
        if (end := bench.drive()) != "ended":
            raise Wrong(f"without any disturbance the run ended as {end}")
        return Undisturbed(aftermath(bench), tuple(bench.reached()))


def cases(name: str, whole: Undisturbed, kinds: Sequence[Kind] = KINDS) -> Iterator[Case]:
    """Every case of one scene."""
    reached = whole.reached
    for kind in kinds:
        match kind:
            case "kill":
                yield from (Case("kill", name, p) for p in points(reached))
            case "stop":
                begun = [i for i, boundary in enumerate(reached) if boundary == "claim"][1]
                early = set(points(reached[:begun]))
                yield from (Case("stop", name, p) for p in points(reached) if p not in early)
            case "full" | "read-only":
                yield from (Case(kind, name, p) for p in points(reached) if p.boundary in COMMITS and not p.after)
            case "fault":
                yield from _faults(name, reached)
            case "pair":
                yield from (Case("pair", name, p) for p in points(reached) if p.boundary == "commit" and p.after)


def _faults(name: str, reached: Sequence[str]) -> Iterator[Case]:
    """Each change of the world with each fate of its answer; the look that follows is survived, or killed after."""
    seen = Counter[str]()
    for number, operation in enumerate(reached, start=1):
        if operation in EFFECTS:
            listed = operation in ("jobs.submit", "serving.deploy")
            for fault in (*LOST, "stale") if listed else LOST:
                for point in (None, Point("any", number + 1, after=True)):
                    yield Case("fault", name, point, operation, fault, seen[operation])
        seen[operation] += 1


def perform(case: Case, whole: Undisturbed, folder: Path, *, store: str | None = None) -> Result:
    """Do it, let somebody finish the run, and look at what is left."""
    began, scene = time.monotonic(), scenes()[case.scene]
    if case.fault == "stale":
        scene = Scene(**scene.__dict__ | {"world": scene.world.model_copy(update={"atomic": False})})
    with opened(folder, scene, *case.faults, store=store) as bench:
        try:
            struck, wrong = _DEEDS[case.kind](case, bench)
            found = difference(aftermath(bench), whole.left, timeless=case.kind == "fault")
        except Wrong as error:
            struck, wrong, found = True, [str(error)], Difference()
        return Result(
            case=str(case),
            kind=case.kind,
            scene=case.scene,
            beside=case.beside,
            struck=struck,
            drivers=bench.drivers,
            duplicates=found.duplicates,
            orphans=found.orphans,
            missing=found.missing,
            wrong=(*wrong, *found.more),
            seconds=round(time.monotonic() - began, 3),
        )


def _kill(case: Case, bench: Bench) -> tuple[bool, list[str]]:
    struck = bench.drive(case.point) == "killed"
    return struck, _finish(bench)


def _fault(case: Case, bench: Bench) -> tuple[bool, list[str]]:
    ended = bench.drive(case.point)
    wrong = _finish(bench) if ended == "killed" else [] if ended == "ended" else [f"the driver was {ended}"]
    return any(f.fault != "stale" for f in bench.world.faults.fired), wrong


def _stop(case: Case, bench: Bench) -> tuple[bool, list[str]]:
    """One sleeps past its lease, another finishes the run; the first one wakes, and may neither write nor act."""
    sleeper = bench.driver(case.point, blow="stop")
    try:
        if (end := sleeper.wait(stops=True)) != "stopped":
            return False, [f"it was {end}"]
        epochs = _epochs(bench)
        if (end := bench.driver(heir=True).wait()) != "ended":
            return True, [f"whoever went on with the run was {end}"]
        taken = _epochs(bench) != epochs  # it is not where the run had come to its end by then
        before, home = bench.world.effects, _written(bench)
        sleeper.go_on()
        end = sleeper.wait()
        wrong = [] if bench.world.effects == before else ["the one that slept changed the world"]
        wrong += [] if _written(bench) == home else ["the one that slept wrote to the journal"]
        wrong += _signed(bench)
        # One that had nothing left to do, or had not claimed the run yet, finds it over and ends: it did nothing.
        if taken and end != "ended" and (end != "busy" or len(sleeper.said.splitlines()) != 1):
            wrong.append(f"the one that slept {end}: {sleeper.said}")
        return True, wrong
    finally:
        sleeper.end()


def _epochs(bench: Bench) -> list[int]:
    with bench.session() as session:
        return [row.epoch for row in session._store.rows()]


def _signed(bench: Bench) -> list[str]:
    """What is wrong with the journal, for whoever would own the run next."""
    try:
        with bench.session() as session:
            for line in session.runs().runs:
                with session._owned(line.id):
                    pass
    except GoalkeeperError as error:
        return [str(error)]
    return []


def _written(bench: Bench) -> object:
    """What stands in the journal and in the money's books."""
    with bench.session() as session:
        return [[(e.seq, e.hash) for e in session.events(line.id)] for line in session.runs().runs]


def _disk(case: Case, bench: Bench) -> tuple[bool, list[str]]:
    """No effect without a durable intent: from the commit on that failed, nothing may happen until there is room."""
    driver = bench.driver(case.point, blow="full" if case.kind == "full" else "read-only")
    end = driver.wait()
    wrong = _unintended(bench)
    if end == "broken" and len(driver.said.splitlines()) != 1:
        wrong.append(f"it is not said in one sentence: {driver.said}")
    if end == "ended" and case.point is not None and case.point.boundary in ("release", "remember"):
        return True, wrong  # what was lost with it is found without it
    return end == "broken", wrong + _finish(bench)


def _unintended(bench: Bench) -> list[str]:
    """Effects of calls whose intent is not in the journal."""
    with bench.session() as session:
        meant = {
            str(event.body.get("call"))
            for line in session.runs().runs
            for event in session.events(line.id)
            if event.kind == "intent"
        }
        runs = {line.id for line in session.runs().runs}
    calls = [e for e in bench.world.effects if e.by == "call" and "/" in e.token]
    return [
        f"{e.kind} of {e.token} without a stored intent"
        for e in calls
        if e.token not in meant and (e.token.partition("/")[0] in runs or not e.token.startswith("before/"))
    ]


def _pair(case: Case, bench: Bench) -> tuple[bool, list[str]]:
    """Two drive a run that was begun at once; one of them dies there if it is the owner, and the other asks on."""
    bench.drive(Point("commit", 1, after=True))
    first, end = bench.driver(case.point), bench.drive()
    while end == "busy":
        end = bench.drive()
    return first.wait() in ("killed", "busy", "ended"), [] if end == "ended" else [f"the second was {end}"]


def _finish(bench: Bench) -> list[str]:
    end = bench.drive()
    return [] if end == "ended" else [f"whoever was to finish the run was {end}"]


_DEEDS: Mapping[Kind, Callable[[Case, Bench], tuple[bool, list[str]]]] = {
    "kill": _kill,
    "stop": _stop,
    "full": _disk,
    "read-only": _disk,
    "fault": _fault,
    "pair": _pair,
}

__all__ = ["KINDS", "Blow", "Case", "Driver", "Kind", "Result", "Undisturbed", "cases", "perform", "undisturbed"]
