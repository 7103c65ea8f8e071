"""Values in words, and what outside text loses."""

from __future__ import annotations

import pytest

from agent.contract import Clause, Relative
from agent.doors.tree import arrange
from agent.plan import Range
from agent.wording import clean, demand, duration, moment, money, number, outside, span


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x1b]0;title\x07text", "text"),
        ("a\tb\r\nc", "a b c"),
        ("bell\x07 back\x08space \x9b31m", "bell backspace 31m"),
        ("\u202eevil\u202c \u2066x\u2069 zero\u200bwidth", "evil x zerowidth"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("企鹅", "企鹅"),
        ("\x1b", ""),
    ],
)
def test_nothing_that_steers_a_terminal_survives(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_links_of_outside_text_are_removed_but_the_own_machine_is_shown() -> None:
    assert outside("see https://evil.example/x now") == "see (link removed) now"
    assert outside("go to www.evil.example") == "go to (link removed)"
    assert outside("javascript://x and FTP://y") == "(link removed) and (link removed)"
    assert outside("http://127.0.0.1:8080/v2 is up") == "http://127.0.0.1:8080/v2 is up"
    assert outside("http://127.0.0.1.evil.example/") == "(link removed)"
    assert outside("http://localhost@evil.example/") == "(link removed)"


def test_long_outside_text_is_cut() -> None:
    assert len(outside("x" * 100_000)) == 400


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.9649122807, "0.964912"),
        (1.0, "1"),
        (123456.7, "123457"),
        (1234567.0, "1234570"),
        (0.00001234, "1.234e-05"),
        (-2.5, "-2.5"),
        (1e20, "1e+20"),
        (None, "–"),
        ("v\x1b[1m3", "v3"),
    ],
)
def test_numbers_have_six_significant_digits(value: float | str | None, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.04, "0 s"),
        (0.4, "0.4 s"),
        (9.97, "10 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (86400 * 3 + 4 * 3600, "3 d 4 h"),
        (None, "unknown"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


def test_a_price_that_is_not_known_is_never_shown_as_zero() -> None:
    assert money(None) == "unknown"
    assert span(Range(low=None, high=None), "usd") == "unknown"
    assert span(Range(low=1, high=None), "usd") == "at least $1.00"
    assert money(0.0004) == "$0.0004"


def test_ranges_say_their_unit_once() -> None:
    assert span(Range(low=8.2, high=12.4), "seconds") == "8–12 s"
    assert span(Range(low=50, high=130), "seconds") == "50 s–2 min 10 s"
    assert span(Range(low=2, high=2.2), "seconds") == "2 s"
    assert span(Range(low=0.1, high=0.4), "usd") == "$0.10–$0.40"


def test_a_clause_reads_as_a_demand() -> None:
    clause = Clause(id="c", metric="recall", op=">=", value=0.9, where="holdout", class_="yes", confidence=0.95)
    assert demand(clause) == "recall of yes >= 0.9 with 95 % confidence"
    better = Relative(to="incumbent", delta=0.02)
    clause = Clause(id="c", metric="f1", op=">=", value=None, relative=better, where="holdout")
    assert demand(clause) == "f1 >= the incumbent's +0.02"


def test_times_are_shown_to_the_minute_in_utc() -> None:
    assert moment("2026-03-02T09:00:31+00:00") == "2026-03-02 09:00Z"
    assert moment("whenever") == "whenever"


def lines(*steps: tuple[str, tuple[str, ...]]) -> list[str]:
    return [line.guide + line.id for line in arrange(steps)]


def test_a_chain_of_steps_stays_level() -> None:
    assert lines(("a", ()), ("b", ("a",)), ("c", ("b", "a"))) == ["a", "b", "c"]


def test_parallel_steps_are_indented_and_their_join_comes_back() -> None:
    drawn = lines(
        ("prepare", ()),
        ("train_a", ("prepare",)),
        ("score_a", ("train_a",)),
        ("train_b", ("prepare",)),
        ("select", ("score_a", "train_b")),
        ("deploy", ("select", "train_b")),
    )
    assert drawn == ["prepare", "├─ train_a", "│  score_a", "└─ train_b", "select", "deploy"]


def test_every_step_of_a_long_plan_is_drawn_once() -> None:
    steps = [(f"s{i}", tuple(f"s{j}" for j in range(max(0, i - 3), i) if (i * j) % 2 == 0)) for i in range(400)]
    assert sorted(line.id for line in arrange(steps)) == sorted(id_ for id_, _ in steps)
