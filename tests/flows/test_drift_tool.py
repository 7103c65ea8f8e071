"""One window of an endpoint's traffic becomes one verdict, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from tools.drift import Drift, ReadDrift, read_drift
from tools.errors import Failed, NotFound
from tools.inputs import Binned, Inputs
from tools.language import speaking
from tools.ports import Backend, Tags
from tools.tool import Done, Site

REFERENCE = (0, *(200,) * 10, 0, 0)
QUIET = (0, *(60,) * 10, 0, 0)
MOVED = (0, *(20,) * 5, *(100,) * 5, 0, 0)


def inputs(*served: tuple[int, ...], rows: int = 600, **more: object) -> Inputs:
    features = tuple(Binned(name=f"x{k}", reference=REFERENCE, served=s) for k, s in enumerate(served))
    said = {"version": "v1", "since": 10.0, "until": 90.0, "rows": rows, "watched": True, "features": features}
    return Inputs.model_validate(said | more)


@dataclass
class Router:
    """A backend of which only what its endpoint counted is asked."""

    counted: Inputs | None

    @property
    def telemetry(self) -> Router:
        return self

    def inputs(self, endpoint: str, *, version: str, since: float, until: float | None = None) -> Inputs:
        assert (endpoint, version, since, until) == ("shop", "v1", 10.0, None)
        if self.counted is None:
            raise NotFound("it is gone")
        return self.counted


def read(counted: Inputs | None, *, limit_s: float = 60.0, **wishes: object) -> Drift:
    args = ReadDrift.model_validate({"endpoint": "shop", "version": "v1", "since": 10.0} | wishes)
    tags = Tags(run="r", call="r/s/1", owner="o", lease_until=0.0)
    site = Site(backend=cast(Backend, Router(counted)), tags=tags, limit_s=limit_s, now=100.0)
    outcome = read_drift.start(args, site)
    assert isinstance(outcome, Done)
    return Drift.model_validate(outcome.result)


def test_a_window_that_looks_like_training_is_steady() -> None:
    found = read(inputs(QUIET, QUIET))
    assert (found.verdict, found.alarm, found.rows, found.since, found.until) == ("steady", False, 600, 10.0, 90.0)
    assert found.level == pytest.approx(0.001 / 2)
    assert found.psi == 0.0


def test_what_has_moved_is_named_first() -> None:
    prediction = Binned(name="prediction", reference=(300, 300, 0, 0), served=(300, 300, 0, 0))
    found = read(inputs(QUIET, QUIET, MOVED, predictions=prediction))
    assert found.alarm
    assert [(s.name, s.drifted) for s in found.features] == [("x2", True), ("x0", False), ("x1", False)]
    assert found.predictions is not None
    assert not found.predictions.drifted
    assert found.psi == found.features[0].excess
    assert found.why.startswith("1 of 4 have drifted: x2 (PSI ")


def test_drift_of_the_predictions_alone_is_an_alarm() -> None:
    prediction = Binned(name="prediction", reference=(300, 300, 0, 0), served=(500, 100, 0, 0))
    assert read(inputs(QUIET, predictions=prediction)).alarm


def test_too_few_rows_are_not_judged_however_far_off_they_are() -> None:
    found = read(inputs(MOVED, rows=499))
    assert (found.verdict, found.alarm, found.psi, found.features) == ("not_enough", False, None, ())
    assert found.why == "499 of 500 rows: the window stays open"


def test_a_model_without_a_reference_is_no_fault() -> None:
    found = read(Inputs(version="v1", since=10.0, until=10.0, rows=0, watched=False))
    assert (found.verdict, found.alarm) == ("no_reference", False)
    with speaking("zh"):
        assert "训练数据" in read(Inputs(version="v1", since=10.0, until=10.0, rows=0, watched=False)).why


def test_a_sample_is_said_to_be_one() -> None:
    found = read(inputs(QUIET, rows=20, requests=900, unread=300, unbinned=7, unwatched={"when": "time"}))
    assert (found.requests, found.unread, found.unbinned, dict(found.unwatched)) == (900, 300, 7, {"when": "time"})


def test_a_version_that_is_gone_is_a_typed_failure() -> None:
    with pytest.raises(Failed) as caught:
        read(None)
    assert caught.value.cause == "data_missing"


def test_a_judgement_that_takes_too_long_is_a_typed_failure() -> None:
    with pytest.raises(Failed) as caught:
        read(inputs(QUIET), limit_s=0.001)
    assert caught.value.cause == "timeout"


def test_a_model_of_which_nothing_can_be_watched_is_not_called_steady() -> None:
    found = read(inputs(unwatched={"when": "time"}))
    assert (found.verdict, found.psi) == ("no_reference", None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"alarm_rate": 0.0},
        {"alarm_rate": 0.9},
        {"least_rows": 10},
        {"threshold": 0.0},
        {"since": float("nan")},
        {"x": 1},
    ],
)
def test_arguments_that_promise_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ReadDrift.model_validate({"endpoint": "shop", "version": "v1", "since": 10.0} | wrong)
