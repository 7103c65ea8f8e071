"""The course of a run: the plan, why it was revised, and what failures were put down to."""

from __future__ import annotations

from collections.abc import Iterator

from agent.about.told import LONGEST, Row, Told
from agent.plan import total
from agent.sentences import sentence
from agent.state import Decided, Diagnosed, Planned
from agent.wording import outside, span
from tools.language import plural, tr


def plan(told: Told) -> Iterator[Row]:
    """Topic `plan`: the version in force, its steps in order, and what it is estimated to take."""
    run, seq = told.run, told.last(Planned)
    if not run.plans or not run.plan.steps:
        verdict = tr(run.plans[-1].feasibility.verdict) if run.plans else tr("not made yet")
        yield Row("plan", tr("the plan"), verdict, seq)
        return
    count = plural(len(run.plan.steps), "step")
    value = tr(
        "version {version} with {steps}, {verdict}", version=run.plan.version, steps=count, verdict=_verdict(told)
    )
    yield Row("plan", tr("the plan"), value, seq)
    yield Row("plan", tr("the steps in order"), " → ".join(s.id for s in run.plan.steps), seq)
    estimate = total(run.plan.steps)
    yield Row("plan", tr("what the whole plan is estimated to cost"), span(estimate.usd, "usd"), seq)
    yield Row("plan", tr("how long the whole plan is estimated to take"), span(estimate.seconds, "seconds"), seq)
    for reason in run.plans[-1].feasibility.reasons:
        yield Row("plan", tr("said of the plan"), outside(reason), seq, outside=True)


def _verdict(told: Told) -> str:
    return tr(told.run.plans[-1].feasibility.verdict)


def revisions(told: Told) -> Iterator[Row]:
    """Topic `revisions`: every new version of the plan and every decision, with the reasons."""
    told_any = False
    for seq, planned in told.lines(Planned):
        if planned.plan.version > 1:
            told_any = True
            says = tr("version {version} of the plan", version=planned.plan.version)
            yield Row("revisions", says, outside(planned.plan.why) or tr("no reason is on record"), seq, outside=True)
    for seq, decided in told.lines(Decided):
        told_any = True
        yield Row("revisions", tr("a decision"), outside(sentence(decided), limit=LONGEST), seq, outside=True)
    if not told_any:
        yield Row("revisions", tr("revisions of the plan"), tr("none"), told.end)


def diagnoses(told: Told) -> Iterator[Row]:
    """Topic `diagnoses`: what failed, the cause it was put down to and by whom, and the lines that this rests on."""
    found = list(told.lines(Diagnosed))
    for seq, diagnosed in found:
        where = diagnosed.step or diagnosed.part or tr("the run")
        says = tr("{where} failed by {cause}", where=where, cause=diagnosed.cause)
        if diagnosed.by == "llm":
            says += tr(", as a model reads it")
        yield Row("diagnoses", says, outside(sentence(diagnosed), limit=LONGEST), seq, outside=True)
    if not found:
        yield Row("diagnoses", tr("failures and their causes"), tr("none"), told.end)
