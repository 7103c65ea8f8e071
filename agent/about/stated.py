"""What was asked of a run, and what that was taken to mean."""

from __future__ import annotations

from collections.abc import Iterator

from agent.about.told import LONGEST, Row, Told
from agent.contract import Part
from agent.lines import Amended
from agent.state import Stated, Understood
from agent.wording import budget, demand, duration, measured_where, outside, rollout, wanted, work
from tools.language import tr


def goal(told: Told) -> Iterator[Row]:
    """Topic `goal`: the words, and what was changed since."""
    if told.run.stated is not None:
        yield Row("goal", tr("the goal"), outside(told.run.stated.goal.text, limit=LONGEST), told.first(Stated))
    for seq, amended in told.lines(Amended):
        value = outside(tr("; ").join(amended.changes) or amended.text)
        yield Row("goal", tr("changed by {who}", who=amended.who), value, seq)


def contract(told: Told) -> Iterator[Row]:
    """Topic `contract`: part by part what was understood, with what holds for the whole."""
    found, seq = told.run.contract, max(told.last(Understood) or 0, told.last(Amended) or 0) or None
    if found is None:
        yield Row("contract", tr("the contract"), tr("there is none"), seq)
        return
    for part in found.parts:
        yield from _part(part, seq)
    if found.budget_usd is not None:
        yield Row("contract", tr("the budget"), budget(found), seq)
    if found.deadline_s is not None:
        yield Row("contract", tr("the deadline"), duration(found.deadline_s), seq)
    if found.environment is not None:
        yield Row("contract", tr("the environment"), tr(found.environment), seq)
    if found.constraints:
        yield Row("contract", tr("what must not be done"), ", ".join(found.constraints), seq)


def _part(part: Part, seq: int | None) -> Iterator[Row]:
    yield Row("contract", tr("what is wanted ({part})", part=part.name), outside(work(part)), seq)
    for clause in part.clauses:
        said = f"{demand(clause)} {measured_where(clause)}"
        yield Row("contract", tr("demanded of {part}", part=part.name), outside(said), seq)
    if part.objective is not None:
        yield Row("contract", tr("aimed at in {part}", part=part.name), wanted(part.objective), seq)
    if part.models:
        yield Row("contract", tr("models that the goal names"), ", ".join(part.models), seq)
    if part.rollout.strategy != "none":
        yield Row("contract", tr("how {part} reaches traffic", part=part.name), rollout(part.rollout), seq)


def assumptions(told: Told) -> Iterator[Row]:
    """Topic `assumptions`: what the goal left open, and how that was settled or is asked."""
    found, seq = told.run.contract, told.last(Understood)
    remarks = found.assumptions if found is not None else ()
    questions = found.questions if found is not None else ()
    for remark in remarks:
        yield Row("assumptions", tr("assumed about {field}", field=remark.field), outside(remark.text), seq)
    for remark in questions:
        yield Row("assumptions", tr("left open about {field}", field=remark.field), outside(remark.text), seq)
    if not remarks and not questions:
        yield Row("assumptions", tr("assumptions"), tr("none were needed"), seq)
