"""Exactly once: a run that is killed at any instant and resumed leaves the world as if nothing had happened."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from crash_bench import Aftermath, Bench, Boundary, Point, aftermath, world
from simulated import ACCURACY, ERRORS, LATENCY, classify, clause

from agent.contract import Contract, Rollout
from tools.backends.sim.faults import Fault
from tools.backends.sim.world import World, load_world

CANARY = classify(ACCURACY, LATENCY, ERRORS, rollout="canary")
RELAXED = classify(clause("accuracy", ">=", 0.925), rollout="direct")
STEADY = load_world("steady")
BAD = load_world("bad-canary").model_copy(update={"bad_deploys": (1,)})

SHADOW = classify(ACCURACY, LATENCY, ERRORS, rollout="shadow")
PRODUCTION = classify(ACCURACY, LATENCY, rollout="canary", environment="production")
ROLLING = classify(ACCURACY, LATENCY, ERRORS, rollout=Rollout(strategy="rolling", replicas=2))

SCENES: dict[str, tuple[Contract, World, str]] = {
    "served": (CANARY, STEADY, ""),
    "searched on": (RELAXED, STEADY.model_copy(update={"gap": 0.0, "gap_spread": 0.0}), ""),
    "rolled back": (CANARY, BAD, ""),
    "cancelled": (CANARY, STEADY, "serving.deploy"),
    "approved": (PRODUCTION, STEADY, ""),
    "shadowed": (SHADOW, STEADY, ""),
    "replaced": (ROLLING, STEADY, ""),
    "not replaced": (ROLLING, BAD.model_copy(update={"bad_deploys": (2,)}), ""),
}
BESIDE = ("shadowed", "replaced", "not replaced")
"""Scenes in which a version serves before the run."""
KEPT = ("served", "searched on", "approved", *BESIDE)
SAMPLE = 14
SEED = 20_26


@pytest.fixture(scope="module")
def place(session_folder: Path) -> Path:
    """A folder with a short path: sockets are made below it."""
    folder = session_folder / "crash"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> Callable[[str], tuple[Aftermath, dict[str, int]]]:
    """What each scene leaves when nobody dies, and how many boundaries it passes."""

    @cache
    def run(scene: str) -> tuple[Aftermath, dict[str, int]]:
        with opened(place / f"u{list(SCENES).index(scene)}", scene) as bench:
            assert bench.drive()
            return aftermath(bench), dict(bench.reached())

    return run


def opened(folder: Path, scene: str, *faults: Fault) -> AbstractContextManager[Bench]:
    contract, kind, cancel_on = SCENES[scene]
    servers = 2 if scene in BESIDE else 0
    return world(folder, contract, kind, faults=faults, servers=servers, cancel_on=cancel_on)


def points(reached: dict[str, int]) -> list[Point]:
    """Every instant of a run around a commit, a start or an effect."""
    kinds: tuple[Boundary, ...] = get_args(Boundary)
    return [Point(k, n, after=a) for k in kinds for n in range(1, reached.get(k, 0) + 1) for a in (False, True)]


def killed(bench: Bench, *at: Point) -> int:
    """Drive to the end, dying at each point in turn; how often it died."""
    died = sum(not bench.drive(point) for point in at)
    assert bench.drive()
    return died


@pytest.mark.parametrize("scene", SCENES)
def test_the_scene_ends_as_it_is_meant_to_and_leaves_nothing_behind(
    scene: str, undisturbed: Callable[[str], tuple[Aftermath, dict[str, int]]]
) -> None:
    left, reached = undisturbed(scene)
    wanted = {"rolled back": "(1, 'done'", "not replaced": "(1, 'done'", "cancelled": "(4, "}
    assert left.ending.startswith(wanted.get(scene, "(0, 'done'"))
    assert left.owned == (("endpoint tumours of ada",) if scene in KEPT else ())
    assert min(reached[boundary] for boundary in ("commit", "start", "effect")) >= 5


@pytest.mark.parametrize("number", range(SAMPLE))
def test_a_run_killed_somewhere_leaves_the_world_as_if_nothing_had_happened(
    place: Path, number: int, undisturbed: Callable[[str], tuple[Aftermath, dict[str, int]]]
) -> None:
    scene = list(SCENES)[number % len(SCENES)]
    whole, reached = undisturbed(scene)
    point = random.Random(SEED + number).choice(points(reached))
    with opened(place / f"s{number}", scene) as bench:
        assert killed(bench, point) == 1, f"it did not die {point}"
        assert aftermath(bench) == whole, f"{scene}, killed {point}"


@pytest.mark.parametrize(
    ("scene", "number"),
    [("searched on", 1), ("rolled back", 1), ("rolled back", 2), ("cancelled", 1), ("cancelled", 2)],
)
def test_a_run_killed_once_it_has_decided_carries_the_decision_out(
    place: Path, scene: str, number: int, undisturbed: Callable[[str], tuple[Aftermath, dict[str, int]]]
) -> None:
    """A decision and the plan that follows from it are one commit: the old plan never goes on after it."""
    whole, reached = undisturbed(scene)
    assert reached["decision"] >= 2
    with opened(place / f"d{list(SCENES).index(scene)}{number}", scene) as bench:
        assert killed(bench, Point("decision", number, after=True)) == 1
        assert aftermath(bench) == whole


@pytest.mark.parametrize(("number", "after"), [(3, True), (6, False), (6, True)])
def test_a_run_killed_around_an_answer_makes_each_approved_call_once(
    place: Path, number: int, after: bool, undisturbed: Callable[[str], tuple[Aftermath, dict[str, int]]]
) -> None:
    """The third commit stores the question; the sixth the answer, and the verdicts and intents that it leads to."""
    whole, _ = undisturbed("approved")
    with opened(place / f"y{number}{after:d}", "approved") as bench:
        assert killed(bench, Point("commit", number, after=after)) == 1
        assert aftermath(bench) == whole


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("boundary", get_args(Boundary))
def test_a_run_killed_anywhere_leaves_the_world_as_if_nothing_had_happened(
    place: Path, scene: str, boundary: str, undisturbed: Callable[[str], tuple[Aftermath, dict[str, int]]]
) -> None:
    whole, reached = undisturbed(scene)
    wrong = []
    for index, point in enumerate(p for p in points(reached) if p.boundary == boundary):
        with opened(place / f"a{list(SCENES).index(scene)}{boundary[0]}{index}", scene) as bench:
            killed(bench, point)
            if aftermath(bench) != whole:
                wrong.append(str(point))
    assert wrong == []


def test_a_run_killed_again_and_again_still_comes_to_its_end(
    place: Path, undisturbed: Callable[[str], tuple[Aftermath, dict[str, int]]]
) -> None:
    whole, _ = undisturbed("served")
    chance = random.Random(SEED)
    at = [Point("commit", chance.randint(1, 4), after=chance.random() < 0.5) for _ in range(6)]
    with opened(place / "again", "served") as bench:
        assert killed(bench, *at) == len(at)
        assert aftermath(bench) == whole


FAULTS: dict[str, Fault] = {
    "a time-out after the effect": Fault(operation="jobs.submit", fault="timeout_after", times=2),
    "a lost answer": Fault(operation="serving.deploy", fault="lose_answer"),
    "an error after the effect": Fault(operation="serving.split", fault="answer_500_after", times=2),
    "an upload that is not heard of": Fault(operation="objects.put", fault="lose_answer"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_killed_while_answers_are_lost_makes_nothing_twice(
    place: Path, fault: str, undisturbed: Callable[[str], tuple[Aftermath, dict[str, int]]]
) -> None:
    whole, _ = undisturbed("served")
    number = list(FAULTS).index(fault)
    operation = FAULTS[fault].operation
    with opened(place / f"f{number}", "served", FAULTS[fault]) as bench:
        died = killed(bench, Point("effect", _first(operation), after=False), Point("start", 2, after=True))
        assert died == 2
        left = aftermath(bench)
    assert creations(left) == creations(whole)
    assert (left.owned, left.ending[:11]) == (whole.owned, whole.ending[:11])


def _first(operation: str) -> int:
    """Which change of the world is the first of that kind: prepare, two trainings, evaluation, model, requests."""
    return {"jobs.submit": 2, "objects.put": 5, "serving.deploy": 7, "serving.split": 8}[operation]


def creations(left: Aftermath) -> list[tuple[str, ...]]:
    return [e[:3] for e in left.effects if e[0] in ("jobs.submit", "serving.deploy", "objects.put")]


@pytest.mark.parametrize("fault", ["timeout_after", "lose_answer"])
def test_where_lists_lie_and_names_are_no_promise_nothing_is_made_twice_either(
    place: Path, fault: str, undisturbed: Callable[[str], tuple[Aftermath, dict[str, int]]]
) -> None:
    whole, _ = undisturbed("served")
    lying = STEADY.model_copy(update={"atomic": False, "staleness_s": 6.0})
    faults = [
        Fault.model_validate({"operation": o, "fault": f, "times": 3})
        for o, f in (
            ("jobs.submit", fault),
            ("jobs.find", "stale"),
            ("serving.deploy", fault),
            ("serving.find", "stale"),
        )
    ]
    with world(place / f"l{len(fault)}", CANARY, lying, faults=faults) as bench:
        assert killed(bench, Point("start", 1, after=True), Point("effect", 1, after=True)) >= 1
        left = aftermath(bench)
    assert creations(left) == creations(whole)
    assert left.owned == whole.owned


def test_a_run_whose_process_died_before_its_first_line_was_never_begun(place: Path) -> None:
    with opened(place / "first", "served") as bench:
        assert not bench.drive(Point("commit", 1, after=False))
        with bench.session() as session:
            assert session.runs().runs == ()
        assert bench.drive()
        assert aftermath(bench).owned == ("endpoint tumours of ada",)


@pytest.mark.parametrize(
    ("scene", "operation", "fault"),
    [
        ("shadowed", "serving.mirror", "lose_answer"),
        ("shadowed", "serving.mirror", "timeout_before"),
        ("replaced", "serving.scale", "lose_answer"),
        ("replaced", "serving.scale", "answer_500"),
        ("not replaced", "serving.withdraw", "lose_answer"),
    ],
)
def test_a_change_that_is_not_heard_of_is_looked_for_and_holds(
    place: Path,
    scene: str,
    operation: str,
    fault: str,
    undisturbed: Callable[[str], tuple[Aftermath, dict[str, int]]],
) -> None:
    whole, _ = undisturbed(scene)
    lost = Fault.model_validate({"operation": operation, "fault": fault})
    with opened(place / f"h{scene[:4]}{operation[-3:]}{fault[:3]}{len(fault)}", scene, lost) as bench:
        assert bench.drive()
        left = aftermath(bench)
    assert (left.state, left.owned, left.ending[:11]) == (whole.state, whole.owned, whole.ending[:11])
