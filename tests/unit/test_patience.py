"""Retrying: as patiently as the class of an error allows, never sooner than asked, and ended at once on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from agent.patience import BOUNDS, CANCELLED_S, Interrupted, Interruption, Waits
from agent.telemetry.observer import Silent
from tools.errors import Passing, Refused, Transient, Unknown
from tools.tool import Call

START = 1_767_225_600.0


class Hands:
    """A clock that notes every wait, and what happens at a time."""

    def __init__(self) -> None:
        self.at = START
        self.interrupted: Callable[[], Interruption | None] = lambda: None

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def ends(self, after_s: float, why: Interruption) -> None:
        self.interrupted = lambda: why if self.at >= START + after_s else None


class Server:
    """Fails with these errors, one after the other; the last one for ever."""

    def __init__(self, hands: Hands, *errors: Exception | None) -> None:
        self.hands, self.errors = hands, list(errors)
        self.asked: list[float] = []

    def __call__(self) -> str:
        self.asked.append(self.hands.now() - START)
        error = self.errors.pop(0) if len(self.errors) > 1 else self.errors[0]
        if error is not None:
            raise error
        return "done"


class Told(Silent):
    def __init__(self) -> None:
        self.heard: list[tuple[str, float]] = []

    def retried(self, call: Call, why: Passing, wait_s: float) -> None:
        self.heard.append((why, wait_s))


def call(step: str = "s") -> Call:
    return Call.of(run="r", step=step, attempt=1, tool="prepare_data", args={}, limit_s=9.0, owner="ada")


def waits(hands: Hands, **more: object) -> Waits:
    return Waits(clock=hands, interrupted=lambda: hands.interrupted(), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("why", get_args(Passing))
def test_every_class_has_bounds_that_hold_for_ever_failing_backends(why: Passing) -> None:
    hands, told = Hands(), Told()
    server = Server(hands, Transient(why=why, retry_after_s=0.0))
    with pytest.raises(Transient):
        waits(hands, observer=told).of(call()).ask(server)
    bounds = BOUNDS[why]
    assert 2 < len(server.asked) <= bounds.tries
    assert server.asked[-1] <= bounds.within_s
    assert len(told.heard) == len(server.asked) - 1
    assert all(wait <= min(bounds.most_s, bounds.first_s * 2**n) for n, (_, wait) in enumerate(told.heard))


def test_waits_are_drawn_and_grow_and_are_the_same_for_the_same_call() -> None:
    def took(step: str) -> list[float]:
        hands, told = Hands(), Told()
        with pytest.raises(Transient):
            waits(hands, observer=told).of(call(step)).ask(Server(hands, Transient(why="throttled", retry_after_s=0.0)))
        return [wait for _, wait in told.heard]

    assert took("a") == took("a")
    assert took("a") != took("b")
    many = [took(f"s{n}") for n in range(40)]
    for n in range(4):
        drawn = [waited[n] for waited in many]
        assert max(drawn) > 0.8 * 2**n  # full jitter: anywhere from nothing to the whole interval
        assert min(drawn) < 0.2 * 2**n


def test_a_backend_is_never_asked_sooner_than_it_says() -> None:
    hands = Hands()
    server = Server(hands, Transient(retry_after_s=17.0, why="throttled"), Transient(retry_after_s=3.0), None)
    assert waits(hands).of(call()).ask(server) == "done"
    first, second, third = server.asked
    assert second - first == pytest.approx(17.0)
    assert third - second == pytest.approx(3.0)
    too_long = Server(hands, Transient(retry_after_s=10_000.0))
    with pytest.raises(Transient):
        waits(hands).of(call()).ask(too_long)
    assert len(too_long.asked) == 1


def test_all_questions_of_one_call_draw_on_the_same_bounds() -> None:
    hands = Hands()
    turn, server = waits(hands).of(call()), Server(hands, Transient(why="network", retry_after_s=0.0))
    for _ in range(3):
        with pytest.raises(Transient):
            turn.ask(server)
    assert len(server.asked) <= BOUNDS["network"].tries + 2  # each question is asked once
    assert not turn.again(Unknown())


@pytest.mark.parametrize("error", [Refused(), Unknown(), ValueError("x")])
def test_what_will_not_pass_is_not_asked_twice(error: Exception) -> None:
    hands = Hands()
    server = Server(hands, error)
    with pytest.raises(type(error)):
        waits(hands).of(call()).ask(server)
    assert len(server.asked) == 1
    mixed = Server(hands, Transient(), error)
    with pytest.raises(type(error)):
        waits(hands).of(call()).ask(mixed)
    assert len(mixed.asked) == 2


@pytest.mark.parametrize("why", get_args(Interruption))
def test_a_wait_ends_within_a_second_of_a_cancellation_or_a_request_to_stop(why: Interruption) -> None:
    hands = Hands()
    hands.ends(5.0, why)
    server = Server(hands, Transient(why="throttled", retry_after_s=25.0))
    with pytest.raises(Interrupted) as caught:
        waits(hands).of(call()).ask(server)
    assert caught.value.why == why
    assert 5.0 <= hands.now() - START <= 6.0


def test_to_see_what_a_cancelled_run_has_made_is_waited_for_a_little() -> None:
    hands = Hands()
    hands.ends(0.0, "cancel")
    seen = Server(hands, Transient(retry_after_s=2.0), None)
    assert waits(hands, urgent=True).of(call()).ask(seen) == "done"
    never = Server(hands, Transient(retry_after_s=0.5))
    began = hands.now()
    with pytest.raises((Transient, Interrupted)):
        waits(hands, urgent=True).of(call()).ask(never)
    assert hands.now() - began <= CANCELLED_S + 1.0
    hands.ends(0.0, "stop")
    with pytest.raises(Interrupted):
        waits(hands, urgent=True).of(call()).ask(Server(hands, Transient()))


def test_while_a_run_winds_down_nothing_is_tried_after_its_time() -> None:
    hands = Hands()
    server = Server(hands, Transient(why="throttled", retry_after_s=3.0))
    with pytest.raises(Transient):
        waits(hands, until=START + 20.0).of(call()).ask(server)
    assert len(server.asked) > 2
    assert server.asked[-1] <= 20.0


def test_a_lost_effect_is_waited_for_before_it_is_looked_for_unless_the_run_is_cancelled() -> None:
    hands = Hands()
    turn = waits(hands).of(call())
    assert [turn.again(Unknown()) for _ in range(6)] == [True] * 5 + [False]
    hands.ends(0.0, "cancel")
    assert not waits(hands).of(call()).again(Unknown())
    hands.ends(0.0, "stop")
    with pytest.raises(Interrupted):
        waits(hands).of(call()).again(Unknown())
