"""What is told of a model that was asked: where the rules took over, and why."""

from __future__ import annotations

from agent.consulting import notes, taken_over
from agent.lines import Consulted, Purpose


def line(purpose: Purpose, id_: str = "") -> Consulted:
    return Consulted(id=id_ or f"{purpose}-1", purpose=purpose, model="m", outcome="answered")


def test_a_plan_that_could_not_be_run_is_told_as_one_that_the_rules_made() -> None:
    marked = taken_over((line("understand"), line("propose"), line("propose", "propose-2")), "no step measures it")
    assert [c.instead for c in marked] == [False, False, True]
    assert notes(marked) == ("the plan was made by the rules, not by m: no step measures it",)


def test_nothing_is_told_where_nobody_took_over_or_no_plan_was_asked_for() -> None:
    asked = (line("understand"), line("propose"))
    assert taken_over(asked, "") == asked
    assert taken_over(asked[:1], "why") == asked[:1]
    assert notes(asked) == ()
