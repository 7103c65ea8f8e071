"""What callers of a simulated endpoint send: always the same for the same seed, and moving when the world says so."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.backends.sim.backend import SimBackend
from tools.backends.sim.clock import VirtualClock
from tools.backends.sim.world import Requests, World, load_world
from tools.inputs import Inputs
from tools.ports import JobSpec, JobState, ServeSpec, Tags
from tools.recipes.drift_records import DriftArgs, Shift
from tools.recipes.drift_statistics import shifts
from tools.recipes.records import PrepareArgs, Table, TrainArgs
from tools.record import Json

DRIFTS_AT = 40_000.0
STEADY = load_world("steady")
START = 5_000_000.0


def world(**more: object) -> World:
    wanted = {"rows_per_s": 0.5, "drifts_at": DRIFTS_AT, "features": 3, "predictions": 0.8} | more
    return STEADY.model_copy(update={"requests": Requests.model_validate(wanted)})


class Shop:
    """A world with one trained model behind one endpoint."""

    def __init__(self, made: World, *, seed: int = 1) -> None:
        self.sim = SimBackend(made, seed=seed, clock=VirtualClock(START))
        self._calls = 0
        table = Table(name="t", source="rows.csv", format="csv")
        asked = PrepareArgs(tables=(table,), task="classification", label="y")
        self.data = f"jobs/{self._job('prepare', asked.model_dump(mode='json')).id}"
        self.train("v1")
        self.sim.serving.split("e", weights={"v1": 100}, call="r/split/1")

    def train(self, version: str) -> None:
        args = TrainArgs(
            task="classification", label="y", family="ridge", metric="accuracy", trials=1, seconds=9.0, seed=self._calls
        )
        job = self._job("train", args.model_dump(mode="json"), mounts={"data": self.data})
        spec = ServeSpec(endpoint="e", version=version, model=f"jobs/{job.id}/model")
        self.sim.serving.deploy(spec=spec, tags=self._tags())
        self.sim.advance(60.0)

    def window(self, since: float, until: float, version: str = "v1") -> Inputs:
        """Between two times after the world's start."""
        late = START + until - self.sim.clock.now()
        self.sim.advance(max(0.0, late))
        return self.sim.telemetry.inputs("e", version=version, since=START + since, until=START + until)

    def _job(self, program: str, args: Json, mounts: Json | None = None) -> JobState:
        spec = JobSpec.model_validate({"program": program, "args": args, "mounts": mounts or {}, "time_limit_s": 1e6})
        job = self.sim.jobs.submit(spec=spec, tags=self._tags())
        while not self.sim.jobs.poll(job.id).over:
            self.sim.advance(60.0)
        assert self.sim.jobs.poll(job.id).phase == "succeeded"
        return self.sim.jobs.poll(job.id)

    def _tags(self) -> Tags:
        self._calls += 1
        return Tags(run="r", call=f"r/s{self._calls}/1", owner="o", lease_until=START + 1e9)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(world())


def judged(seen: Inputs) -> tuple[Shift, ...]:
    assert seen.predictions is not None
    compared = (*seen.features, seen.predictions)
    return shifts(DriftArgs(compared=compared, alarm_rate=0.001, threshold=0.1)).shifts


def test_before_the_drift_nothing_has_moved_and_afterwards_what_the_world_says(shop: Shop) -> None:
    before = shop.window(2_000.0, 12_000.0)
    after = shop.window(DRIFTS_AT, DRIFTS_AT + 4_000.0)
    assert before.rows == pytest.approx(5_000, abs=60)
    assert not any(shift.drifted for shift in judged(before))
    assert {shift.name for shift in judged(after) if shift.drifted} == {"x1", "x2", "x3", "prediction"}


def test_a_model_that_was_trained_after_the_drift_knows_it() -> None:
    made = Shop(world(drifts_at=3_000.0))
    made.sim.advance(10_000.0)
    made.train("v2")
    made.sim.serving.split("e", weights={"v2": 100}, call="r/split/2")
    assert not any(shift.drifted for shift in judged(made.window(20_000.0, 25_000.0, "v2")))


def test_a_gradual_drift_grows() -> None:
    made = Shop(world(ramp_s=30_000.0, shift=2.0))
    early, late = (judged(made.window(t, t + 3_000.0))[0].psi for t in (DRIFTS_AT + 6_000.0, DRIFTS_AT + 30_000.0))
    assert early < late / 3


def test_the_same_seed_tells_the_same_and_another_one_does_not(shop: Shop) -> None:
    assert shop.window(2_000.0, 9_000.0) == shop.window(2_000.0, 9_000.0)
    assert Shop(world()).window(2_000.0, 9_000.0) == shop.window(2_000.0, 9_000.0)
    assert Shop(world(), seed=2).window(2_000.0, 9_000.0).features != shop.window(2_000.0, 9_000.0).features


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.floats(2_000.0, 9_000.0), max_size=6))
def test_windows_that_follow_each_other_hold_every_row_once(shop: Shop, cuts: list[float]) -> None:
    whole = shop.window(2_000.0, 9_000.0)
    since, rows = START + 2_000.0, 0
    for until in [*sorted(cuts), 9_000.0]:
        part = shop.sim.telemetry.inputs("e", version="v1", since=since, until=START + until)
        since, rows = part.until, rows + part.rows
    assert rows == whole.rows


def test_a_version_without_traffic_has_no_rows(shop: Shop) -> None:
    made = Shop(world())
    made.train("v2")
    assert made.window(2_000.0, 9_000.0, "v2").rows == 0


def test_worlds_without_callers_of_their_own_have_no_rows() -> None:
    found = Shop(STEADY).window(0.0, 9_000.0)
    assert (found.watched, found.rows, found.requests) == (True, 0, 0)
