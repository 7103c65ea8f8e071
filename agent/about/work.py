"""What a run does now, what it waits for, and how every step stands."""

from __future__ import annotations

from collections.abc import Iterator

from agent.about.told import Row, Told
from agent.plan import Step
from agent.state import CallState, Finished
from agent.view import summary
from agent.wording import duration, outside, percent, span
from tools.language import tr
from tools.ports import Progress

_OVER = ("done", "cancelled", "failed")


def now(told: Told) -> Iterator[Row]:
    """Topic `now`: the state of the run, what runs, and what comes next."""
    run, report = told.run, told.report
    over = report.status in _OVER
    why = outside(report.reason)
    value = f"{tr(report.status)}{tr(': ')}{why}" if over and why else tr(report.status)
    seq = told.last(Finished) if over else told.end
    yield Row("now", tr("the run"), value, seq, outside=over and bool(why))
    live = run.live_calls()
    for state in live:
        yield Row("now", tr("it is doing {step}", step=state.call.step), _under_way(state, told), state.intended_seq)
    for question in run.pending.values():
        yield Row("now", tr("it waits for an answer to {id}", id=question.id), outside(question.reason), told.end, True)
    if over or not run.plans:
        return
    if not live and not run.pending:
        yield Row("now", tr("what runs"), tr("nothing at the moment"), told.end)
    if later := [s.id for s in run.plan.steps if s.id not in run.by_step]:
        yield Row("now", tr("what is still to come"), ", ".join(later), told.end)


def _under_way(state: CallState, told: Told) -> str:
    since = state.started_at if state.started_at is not None else told.now
    said = tr("{tool}, for {time}", tool=state.call.tool, time=duration(max(0.0, told.now - since)))
    step = told.run.plan.step(state.call.step)
    if step is not None and step.estimate.seconds.high is not None:
        said += tr(", {span} are expected", span=span(step.estimate.seconds, "seconds"))
    progress = told.progress.get(state.call.id)
    return said + (_claimed(progress) if progress is not None else "")


def _claimed(progress: Progress) -> str:
    """What the job says of itself; only numbers of it are told."""
    return "" if progress.fraction is None else tr(", {share} done as it says", share=percent(progress.fraction))


def steps(told: Told) -> Iterator[Row]:
    """Topic `steps`: how each step of the plan stands."""
    if not told.run.plans or not told.run.plan.steps:
        yield Row("steps", tr("the steps"), tr("there are none"), told.end)
        return
    for step in told.run.plan.steps:
        yield _step(step, told)


def _step(step: Step, told: Told) -> Row:
    state = told.run.of_step(step.id)
    says = tr("step {step}", step=step.id)
    if state is None:
        ended = told.run.report is not None
        return Row("steps", says, tr("not reached") if ended else tr("not yet begun"), told.end)
    took = _took(state, told)
    came = summary(state)
    said = f"{tr('running' if state.live else state.phase)}{took}" + (f"{tr(': ')}{came}" if came else "")
    failed = state.phase == "failed"
    return Row("steps", says, outside(said) if failed else said, state.seq, outside=failed)


def _took(state: CallState, told: Told) -> str:
    if state.started_at is None:
        return ""
    if state.ended_at is None:
        return tr(" for {time}", time=duration(max(0.0, told.now - state.started_at)))
    return tr(" after {time}", time=duration(state.ended_at - state.started_at))
