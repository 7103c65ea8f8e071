"""How long a lease lasts when clocks are set, machines sleep and records are odd."""

from __future__ import annotations

import json

import pytest

from tools.backends.local.lease import Instant, Term, term, term_of

NOON = Instant(wall=1_800_000_000.0, up=5_000.0, boot="b1")
HOUR = 3600.0
LEASE = term(NOON.wall + HOUR, NOON)


def later(seconds: float, *, set_by: float = 0.0) -> Instant:
    """The moment so many seconds after noon, on a machine whose wall clock was set by that much meanwhile."""
    return Instant(wall=NOON.wall + seconds + set_by, up=NOON.up + seconds, boot=NOON.boot)


@pytest.mark.parametrize("set_by", [0.0, -86_400.0, 86_400.0, -1e9, 1e9])
def test_a_clock_that_is_set_makes_a_lease_neither_longer_nor_shorter(set_by: float) -> None:
    assert LEASE.left(later(0.0, set_by=set_by)) == HOUR
    assert LEASE.left(later(HOUR - 1, set_by=set_by)) == 1.0
    assert LEASE.left(later(HOUR, set_by=set_by)) == 0.0
    assert LEASE.left(later(2 * HOUR, set_by=set_by)) == -HOUR


def test_after_another_boot_epoch_time_is_all_there_is() -> None:
    restarted = Instant(wall=NOON.wall + 600.0, up=12.0, boot="b2")
    assert LEASE.left(restarted) == HOUR - 600.0


def test_a_record_without_the_clock_since_boot_is_judged_by_epoch_time() -> None:
    assert Term(until=NOON.wall + 5, lapses=None, boot="").left(NOON) == 5.0


def test_a_lease_that_was_over_when_it_was_given_has_lapsed() -> None:
    assert term(NOON.wall - 1, NOON).left(NOON) == -1.0


@pytest.mark.parametrize(
    "said", ["{}", '{"lease_until": "soon"}', '{"lease_until": true}', '{"lease_until": NaN}', '{"lease_until": null}']
)
def test_a_record_without_a_time_says_nothing(said: str) -> None:
    assert term_of(json.loads(said)) is None


def test_an_odd_note_of_the_clock_since_boot_counts_as_none() -> None:
    said = {"lease_until": 7, "lapses": "x", "boot": 3}
    assert term_of(said) == Term(until=7.0, lapses=None, boot="")
