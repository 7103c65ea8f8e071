"""Which version answers: exact shares, no bursts, nothing without weight."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.backends.local.endpoint_records import endpoint_folder, split_faults
from tools.backends.local.router import Rotation
from tools.errors import Invalid


def picks(rotation: Rotation, count: int) -> list[str | None]:
    return [version for version in islice(iter(rotation.next, object()), count)]


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(0, 100), min_size=1))
def test_a_full_cycle_gives_every_version_exactly_its_share(weights: dict[str, int]) -> None:
    rotation = Rotation()
    rotation.set(weights)
    total = sum(weights.values())
    expected = {name: weight for name, weight in weights.items() if weight} if total else {}
    assert Counter(picks(rotation, total)) == expected


@given(st.integers(1, 100))
def test_after_any_number_of_requests_a_share_is_off_by_less_than_one_request(percent: int) -> None:
    rotation = Rotation()
    rotation.set({"new": percent, "old": 100 - percent})
    seen = 0
    for sent in range(1, 201):
        seen += rotation.next() == "new"
        assert abs(seen - sent * percent / 100) < 1


def test_a_small_share_does_not_come_in_a_burst() -> None:
    rotation = Rotation()
    rotation.set({"new": 10, "old": 90})
    places = [place for place, version in enumerate(picks(rotation, 100)) if version == "new"]
    assert {after - before for before, after in pairwise(places)} == {10}


def test_without_weight_nobody_is_picked() -> None:
    rotation = Rotation()
    assert rotation.next() is None
    rotation.set({"v1": 0})
    assert rotation.next() is None
    assert rotation.heaviest() is None


def test_a_version_whose_weight_is_taken_away_is_never_picked_again() -> None:
    rotation = Rotation()
    rotation.set({"old": 50, "new": 50})
    picks(rotation, 7)
    rotation.set({"old": 100, "new": 0})
    assert set(picks(rotation, 50)) == {"old"}


def test_every_fault_of_weights_is_named_at_once() -> None:
    faults = split_faults({"v1": -5, "v2": 120, "v9": 10}, {"v1", "v2"})
    assert faults == [
        "weight of v1: -5 is not 0 to 100",
        "weight of v2: 120 is not 0 to 100",
        "version v9 is not behind this endpoint: deploy it first",
        "the weights add up to 125: make it 100",
    ]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc", "a\x00b", "-x", "a b", "x" * 64])
def test_a_name_that_leads_elsewhere_is_no_endpoint(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(Invalid):
        endpoint_folder(tmp_path_factory.getbasetemp(), name)
