"""Runs whose journal lies in a PostgreSQL: struck drivers, and a server that goes away under them, change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from postgres_server import PostgresServer

from evals.crash.aftermath import aftermath, difference
from evals.crash.bench import Bench, opened
from evals.crash.cases import Case, Undisturbed, perform, undisturbed
from evals.crash.points import Point, points
from evals.crash.scenes import scenes

SCENE = "rolled back"


@pytest.fixture(scope="module")
def place(session_folder: Path) -> Path:
    folder = session_folder / "crash-pg"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def whole(place: Path) -> Undisturbed:
    """What the run leaves with a store in its home, which is what it has to leave with any."""
    return undisturbed(place / "whole", scenes()[SCENE])


@pytest.mark.parametrize(
    ("kind", "point"),
    [("kill", Point("commit", 4, after=True)), ("stop", Point("jobs.submit", 2, after=False))],
)
def test_a_run_is_gone_on_with_there_as_well(
    place: Path, whole: Undisturbed, database: str, kind: str, point: Point
) -> None:
    case = Case("kill" if kind == "kill" else "stop", SCENE, point)
    result = perform(case, whole, place / kind, store=database)
    assert result.clean, result


def _restarted(bench: Bench, point: Point, postgres: PostgresServer) -> list[str]:
    """The server is killed and started while the driver stands at that point; what its driver came to then."""
    driver = bench.driver(point, blow="stop")
    try:
        if driver.wait(stops=True) != "stopped":
            return ["it was not there"]
        postgres.stop("immediate")
        postgres.start()
        driver.go_on()
        ends = [driver.wait()]
        while ends[-1] == "broken" and len(ends) < 4:
            assert "resume" in driver.said, driver.said
            ends.append(bench.drive())
        return list(ends)
    finally:
        driver.end()


@pytest.mark.parametrize("point", [Point("commit", 4, after=False), Point("jobs.submit", 2, after=True)], ids=str)
def test_a_server_that_is_killed_and_comes_back_costs_nothing(
    place: Path, whole: Undisturbed, database: str, postgres: PostgresServer, point: Point
) -> None:
    with opened(place / f"{point}".replace(" ", "-"), scenes()[SCENE], store=database) as bench:
        assert _restarted(bench, point, postgres)[-1] == "ended"
        assert difference(aftermath(bench), whole.left).none


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_server_that_is_killed_anywhere_costs_nothing(
    place: Path, whole: Undisturbed, postgres: PostgresServer
) -> None:
    wrong = []
    here = [p for p in points(whole.reached) if not p.boundary.startswith(("jobs.poll", "serving.state"))]
    for number, point in enumerate(here[6::3]):
        with opened(place / f"any{number}", scenes()[SCENE], store=postgres.database()) as bench:
            ends = _restarted(bench, point, postgres)
            if ends[-1] != "ended" or not (found := difference(aftermath(bench), whole.left)).none:
                wrong.append((point, ends, found))
    assert wrong == []
