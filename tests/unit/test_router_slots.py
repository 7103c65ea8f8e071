"""Counts by time: windows that follow each other share no row and lose none, within bounded memory."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.backends.local.router_slots import Slots, total


def count(slots: Slots, at: float, cell: int = 0) -> None:
    slot = slots.at(at)
    slot.requests += 1
    slot.rows += 1
    slot.cells[cell] += 1


def read(slots: Slots, since: float, now: float) -> tuple[float, float, int]:
    """(where it begins, where the next begins, rows)"""
    until = slots.cut(now)
    begins, found = slots.span(since, until)
    return begins, until, total(found, 3).rows


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=80))
def test_windows_that_follow_each_other_hold_every_row_once(steps: list[tuple[float, bool]]) -> None:
    slots, now, since, seen, sent = Slots(3, began=0.0), 0.0, 0.0, 0, 0
    for wait, reads in [*steps, (1.0, True)]:
        now += wait
        if reads:
            begins, since_next, rows = read(slots, since, now)
            assert begins == since, "nothing was left out"
            since, seen = since_next, seen + rows
        else:
            count(slots, now)
            sent += 1
    assert seen == sent


def test_a_window_may_begin_when_a_version_got_traffic_long_after_it_was_there() -> None:
    slots = Slots(3, began=0.0)
    count(slots, 500.0)
    assert read(slots, 400.0, 501.0) == (400.0, 501.0, 1)


def test_rows_from_before_the_window_are_left_out_and_that_is_said() -> None:
    slots = Slots(3, began=0.0, slot_s=10.0)
    for at in (100.0, 104.0, 111.0, 112.0):
        count(slots, at)
    begins, _, rows = read(slots, 102.0, 120.0)
    assert (begins, rows) == (111.0, 2), "what came at 104 cannot be told apart from what came at 100"


def test_a_clock_that_goes_back_counts_into_the_present() -> None:
    slots = Slots(3, began=100.0)
    count(slots, 100.0)
    since = slots.cut(110.0)
    count(slots, 50.0)
    assert read(slots, since, 60.0) == pytest.approx((110.0, 110.0, 1))
    assert read(slots, since, 60.0)[2] == 1
    assert read(slots, slots.cut(60.0), 60.0)[2] == 0


def test_a_past_end_gives_whole_slots_up_to_it() -> None:
    slots = Slots(3, began=0.0, slot_s=10.0)
    for at in range(0, 100, 2):
        count(slots, float(at))
    slots.cut(100.0)
    _, found = slots.span(0.0, 50.0)
    assert total(found, 3).rows == 25
    assert max(slot.ended for slot in found) <= 50.0


def test_memory_is_bounded_and_old_rows_are_still_there() -> None:
    slots = Slots(3, began=0.0, slot_s=1.0, cells_most=3 * 64)
    for at in range(20_000):
        count(slots, float(at))
    assert len(slots._closed) <= 64
    begins, _, rows = read(slots, 0.0, 20_000.0)
    assert (begins, rows) == (0.0, 20_000)


def test_where_somebody_reads_on_from_stays_a_border_when_slots_are_merged() -> None:
    slots = Slots(3, began=0.0, slot_s=1.0, cells_most=3 * 64)
    for at in range(100):
        count(slots, float(at))
    since = slots.cut(100.0)
    for at in range(101, 3000):
        count(slots, float(at))
    begins, _, rows = read(slots, since, 3000.0)
    assert (begins, rows) == (since, 2899)


def test_many_readers_do_not_make_it_grow() -> None:
    slots = Slots(3, began=0.0, slot_s=1.0, cells_most=3 * 64)
    for at in range(5000):
        count(slots, float(at))
        slots.cut(at + 0.5)
    assert len(slots._closed) <= 64
    assert read(slots, 0.0, math.inf)[2] == 5000
