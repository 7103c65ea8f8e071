"""Exactly once: a run that is struck at any instant, and gone on with, leaves the world as if nothing had happened.

Some cases of each kind, drawn by a seed; `make crash` goes through all.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from evals.crash import machine
from evals.crash.aftermath import aftermath, difference
from evals.crash.bench import Bench, opened
from evals.crash.cases import Case, Kind, Undisturbed, cases, perform, undisturbed
from evals.crash.matrix import Records, every, strike
from evals.crash.points import Point
from evals.crash.scenes import scenes

SCENES = tuple(scenes())
SEED = 20_26
SAMPLE: dict[Kind, int] = {"kill": 8, "stop": 4, "full": 1, "read-only": 1, "fault": 6, "pair": 1}
Whole = Callable[[str], Undisturbed]
Place = Callable[[], Path]


@pytest.fixture(scope="module")
def place(session_folder: Path) -> Place:
    """A new folder with a short path at each call: sockets are made below it."""
    numbers = iter(range(10_000))
    return lambda: session_folder / f"crash-{next(numbers)}"


@pytest.fixture(scope="module")
def whole(place: Place) -> Whole:
    """What each scene leaves when nothing strikes it, and the boundaries that it passes."""
    return cache(lambda scene: undisturbed(place(), scenes()[scene]))


@pytest.mark.parametrize("scene", SCENES)
def test_the_scene_ends_as_it_is_meant_to_and_leaves_nothing_behind(scene: str, whole: Whole) -> None:
    left, reached = whole(scene).left, whole(scene).reached
    wanted = {"rolled back": "(1, 'done'", "not replaced": "(1, 'done'", "cancelled": "(4, "}
    assert left.ending.startswith(wanted.get(scene, "(0, 'done'"))
    assert left.owned == (("endpoint tumours of ada",) if scenes()[scene].kept else ())
    assert min(reached.count(boundary) for boundary in ("commit", "jobs.poll", "objects.put")) >= 3
    assert {"fence", "claim", "create", "release", "jobs.submit", "serving.deploy"} <= set(reached)


@pytest.mark.parametrize(("kind", "number"), [(kind, n) for kind, most in SAMPLE.items() for n in range(most)])
def test_a_run_that_is_struck_somewhere_leaves_the_world_as_if_nothing_had_happened(
    place: Place, whole: Whole, kind: Kind, number: int
) -> None:
    scene = SCENES[(number + list(SAMPLE).index(kind)) % len(SCENES)]
    case = random.Random(f"{SEED}/{kind}/{number}").choice(list(cases(scene, whole(scene), [kind])))
    result = perform(case, whole(scene), place())
    assert result.clean, result


@pytest.mark.parametrize(
    ("scene", "number"),
    [("searched on", 1), ("rolled back", 1), ("rolled back", 2), ("cancelled", 1), ("cancelled", 2)],
)
def test_a_run_killed_once_it_has_decided_carries_the_decision_out(
    place: Place, whole: Whole, scene: str, number: int
) -> None:
    """A decision and the plan that follows from it are one commit: the old plan never goes on after it."""
    assert whole(scene).reached.count("decision") >= 2
    result = perform(Case("kill", scene, Point("decision", number, after=True)), whole(scene), place())
    assert result.clean, result


@pytest.mark.parametrize(("number", "after"), [(3, True), (6, False), (6, True)])
def test_a_run_killed_around_an_answer_makes_each_approved_call_once(
    place: Place, whole: Whole, number: int, after: bool
) -> None:
    """The third commit stores the question; the sixth the answer, and the verdicts and intents that it leads to."""
    result = perform(Case("kill", "approved", Point("commit", number, after=after)), whole("approved"), place())
    assert result.clean, result


def test_a_run_killed_again_and_again_still_comes_to_its_end(place: Place, whole: Whole) -> None:
    chance = random.Random(SEED)
    at = [Point("commit", chance.randint(1, 4), after=chance.random() < 0.5) for _ in range(6)]
    with opened(place(), scenes()["served"]) as bench:
        assert [bench.drive(point) for point in at] == ["killed"] * len(at)
        assert bench.drive() == "ended"
        assert difference(aftermath(bench), whole("served").left).none


def test_a_run_whose_process_died_before_its_first_line_was_never_begun(place: Place) -> None:
    with opened(place(), scenes()["served"]) as bench:
        assert bench.drive(Point("commit", 1, after=False)) == "killed"
        with bench.session() as session:
            assert session.runs().runs == ()
        assert bench.drive() == "ended"
        assert aftermath(bench).owned == ("endpoint tumours of ada",)


@pytest.mark.parametrize("blow", ["full", "read-only"])
def test_nothing_happens_in_the_world_once_the_store_cannot_be_written(place: Place, blow: Kind) -> None:
    """Not even the calls of the commit that failed; and in one sentence it is said what to do."""
    with opened(place(), scenes()["served"]) as bench:
        driver = bench.driver(Point("commit", 5, after=False), blow=blow)
        assert driver.wait() == "broken"
        (said,) = driver.said.splitlines()
        assert "resume" in said
        assert _started(bench) == ["RUN/prepare/1"]
        assert bench.drive() == "ended"


def _started(bench: Bench) -> list[str]:
    return [f"RUN/{e.token.partition('/')[2]}" for e in bench.world.effects if e.kind == "jobs.submit"]


def test_two_who_drive_one_run_at_once_are_one_owner_and_one_who_is_told_so(place: Place, whole: Whole) -> None:
    with opened(place(), scenes()["served"]) as bench:
        bench.drive(Point("commit", 1, after=True))
        drivers = [bench.driver() for _ in range(3)]
        ends = sorted(driver.wait() for driver in drivers)
        assert ends == ["busy", "busy", "ended"]
        assert all("another process" in d.said for d in drivers if d.said)
        assert difference(aftermath(bench), whole("served").left).none


def test_what_happened_twice_or_was_left_is_seen(place: Place, whole: Whole) -> None:
    """The comparison itself: a world in which somebody made a job again, and left it running."""
    with opened(place(), scenes()["served"]) as bench:
        assert bench.drive() == "ended"
        left = aftermath(bench)
        job = next(e for e in left.effects if e[0] == "jobs.submit")
        again = type(left)(
            effects=tuple(sorted((*left.effects, job))),
            state=left.state,
            owned=(*left.owned, "job x of ada"),
            ending=left.ending,
        )
        found = difference(again, left)
        assert (len(found.duplicates), found.orphans, found.missing, found.more) == (1, ("job x of ada",), (), ())
        assert difference(left, again).missing == (" ".join(job),)


def test_results_are_kept_and_not_made_again(place: Place, whole: Whole, tmp_path: Path) -> None:
    folder, records = place(), Records(tmp_path / "results")
    folder.mkdir()
    wanted = list(cases("rolled back", whole("rolled back"), ["kill"]))[7:9]
    first = strike(wanted[:1], {"rolled back": whole("rolled back")}, folder, records)
    with records.path.open("a") as file:
        file.write('{"case": "torn')
    told = list[int]()
    both = strike(
        wanted, {"rolled back": whole("rolled back")}, place(), records, tell=lambda done, of, _: told.append(done)
    )
    assert both[0] == first[0]
    assert told == [2]
    assert all(result.clean for result in both)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_run_struck_in_a_hundred_places_leaves_the_world_as_if_nothing_had_happened(
    place: Place, tmp_path: Path
) -> None:
    folder = place()
    folder.mkdir()
    found = every(folder, SCENES, list(SAMPLE))
    results = strike(found.drawn(100, SEED), found.whole, folder, Records(tmp_path / "results"))
    assert [r for r in results if not r.clean] == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_an_agent_killed_on_this_machine_does_each_job_once_and_leaves_nothing(place: Place, tmp_path: Path) -> None:
    results = machine.strike(place(), Records(tmp_path / "r"), kills=3, seed=SEED, tell=lambda *_: None)
    assert [r for r in results if not r.clean] == []
