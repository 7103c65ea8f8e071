"""Who holds a rollout, by every way it can begin, change hands and end."""

from __future__ import annotations

import pytest

from tools import fence
from tools.errors import Refused
from tools.fence import Rollout

HELD = Rollout(run="r1", version="v2", before=frozenset({"v0", "v1"}), until=1e12)


def begun(held: Rollout | None, call: str) -> Rollout | None:
    return fence.deployed(held, endpoint="e", call=call, version="v3", there=["v2"], until=5.0)


def test_a_deployment_begins_a_rollout_and_the_same_run_goes_on_with_what_served_before_it() -> None:
    first = begun(None, "r1/deploy/1")
    assert first == Rollout(run="r1", version="v3", before=frozenset({"v2"}), until=5.0)
    again = begun(HELD, "r1/deploy-2/1")
    assert again == Rollout(run="r1", version="v3", before=frozenset({"v0", "v1"}), until=5.0)


def test_a_call_that_names_no_run_is_not_fenced_and_holds_nothing() -> None:
    assert begun(None, "by-hand") is None
    assert begun(HELD, "by-hand") == HELD
    assert fence.weighed(HELD, endpoint="e", call="by-hand", weights={"v2": 100}) == HELD


@pytest.mark.parametrize(
    "weights", [{"v2": 100}, {"v1": 99, "v2": 1}, {"v1": 50, "v0": 50}, {"v9": 100}, {}, {"v1": 0}]
)
def test_another_run_gives_all_traffic_to_one_version_that_was_there_before_or_none(weights: dict[str, int]) -> None:
    with pytest.raises(Refused, match="run r1 is rolling v2 out behind e"):
        fence.weighed(HELD, endpoint="e", call="r2/shift/1", weights=weights)


def test_where_nothing_was_there_before_there_is_nothing_to_go_back_to() -> None:
    with pytest.raises(Refused):
        fence.weighed(HELD.model_copy(update={"before": frozenset()}), endpoint="e", call="r2/x/1", weights={"v2": 100})


def test_a_version_that_served_before_and_is_rolled_out_again_is_not_gone_back_to() -> None:
    held = HELD.model_copy(update={"before": frozenset({"v1", "v2"})})
    with pytest.raises(Refused):
        fence.weighed(held, endpoint="e", call="r2/x/1", weights={"v2": 100})


def test_who_goes_back_takes_over() -> None:
    taken = fence.weighed(HELD, endpoint="e", call="r2/back/1", weights={"v1": 100, "v2": 0})
    assert taken == HELD.model_copy(update={"run": "r2", "back": True})
    with pytest.raises(Refused, match="run r2 has gone back from v2 behind e"):
        fence.weighed(taken, endpoint="e", call="r1/shift/1", weights={"v2": 100})


def test_it_is_over_when_its_run_has_given_it_all_traffic_or_its_version_is_gone() -> None:
    assert fence.weighed(HELD, endpoint="e", call="r1/shift/1", weights={"v1": 50, "v2": 50}) == HELD
    assert fence.weighed(HELD, endpoint="e", call="r1/back/1", weights={"v1": 100}) == HELD
    assert fence.weighed(HELD, endpoint="e", call="r1/shift/1", weights={"v1": 0, "v2": 100}) is None
    assert fence.withdrawn(HELD, version="v1") == HELD
    assert fence.withdrawn(HELD, version="v2") is None


def test_a_shadowing_is_ended_by_anybody_and_begun_by_its_own_run() -> None:
    fence.mirrored(HELD, endpoint="e", call="r2/x/1", version=None)
    fence.mirrored(HELD, endpoint="e", call="r1/x/1", version="v2")
    with pytest.raises(Refused):
        fence.mirrored(HELD, endpoint="e", call="r2/x/1", version="v2")
