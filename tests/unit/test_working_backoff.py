"""Runs that failed are left alone, longer each time, and never for good."""

from __future__ import annotations

from agent.working.backoff import ELSEWHERE_S, MOST_S, Backoff


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_each_failure_in_a_row_doubles_the_wait_up_to_a_limit() -> None:
    backoff = Backoff(Clock())
    waits = [backoff.failed("run") for _ in range(9)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, MOST_S, MOST_S, MOST_S]


def test_a_run_is_left_alone_as_long_as_was_said_and_the_others_are_not() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    backoff.failed("run")
    assert (backoff.allows("run"), backoff.allows("other")) == (False, True)
    clock.now += 1.0
    assert backoff.allows("run")


def test_a_look_that_went_well_forgets_what_was_before() -> None:
    backoff = Backoff(Clock())
    backoff.failed("run")
    backoff.failed("run")
    backoff.went_well("run")
    assert len(backoff) == 0
    assert backoff.failed("run") == 1.0


def test_a_run_of_another_place_waits_longer_than_any_failure() -> None:
    assert Backoff(Clock()).failed("run", elsewhere=True) == ELSEWHERE_S > MOST_S
