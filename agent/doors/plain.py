"""Results and progress as plain lines: for pipes, logs and files. No colour, no cursor, one line a change."""

from __future__ import annotations

from collections.abc import Iterator

from agent import markdown, posed
from agent.contract import Contract, Part
from agent.documents import Pending, PlanDocument, RunDocument, RunView, StepView
from agent.doors.outlet import Outlet
from agent.doors.paper import Grid
from agent.doors.tree import arrange
from agent.wording import (
    budget,
    clean,
    demand,
    duration,
    interval,
    is_measured,
    measured_where,
    money,
    number,
    outside,
    rollout,
    span,
    wanted,
    work,
)
from tools.language import language_of, speaking, tr


class PlainPaper:
    """Lines to one stream."""

    def __init__(self, stream: Outlet) -> None:
        self._stream = stream

    def plan(self, document: PlanDocument) -> None:
        with speaking(language_of(document.goal.text)):
            for line in plan_lines(document):
                self.line(line)

    def report(self, document: RunDocument) -> None:
        self.line(markdown.render(document).rstrip("\n"))

    def view(self, view: RunView) -> None:
        with speaking(language_of(view.goal)):
            for line in view_lines(view):
                self.line(line)

    def question(self, pending: Pending) -> None:
        for line in question_lines(pending):
            self.line(line)

    def grid(self, grid: Grid) -> None:
        table = [grid.heads, *grid.rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(grid.heads))]
        for row in table:
            cells = (
                c.rjust(w) if i in grid.right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
            )
            self.line("  ".join(cells).rstrip())

    def line(self, text: str = "") -> None:
        self._stream.line(text)


class PlainWatch:
    """One line for every change of a step, a clause or the plan."""

    def __init__(self, stream: Outlet) -> None:
        self._stream = stream
        self._told: set[tuple[str, ...]] = set()

    def see(self, view: RunView) -> None:
        with speaking(language_of(view.goal)):
            for key, line in changes(view):
                if key not in self._told:
                    self._told.add(key)
                    self._stream.line(line)

    def ask(self, pending: Pending) -> bool | None:
        return None

    def stop(self) -> None:
        self._stream.flush()


def changes(view: RunView) -> Iterator[tuple[tuple[str, ...], str]]:
    """What there is to tell of a view, each with a key by which it is told once."""
    at = f"{view.now - view.started:7.1f} {tr('s')}  "
    yield ("run", view.id), f"{tr('run {run}', run=clean(view.id))}: {clean(view.goal)}"
    for revision in view.revisions:
        revised = tr("plan {version}: {why}", version=revision.version, why=outside(revision.why))
        yield ("revision", str(revision.version)), at + revised
    for step in view.steps:
        if step.phase != "pending":
            yield ("step", step.id, step.phase, str(step.attempt)), at + step_line(step, view.now)
    for clause in view.clauses:
        if not is_measured(clause):
            continue
        measured = f"{number(clause.measured)} {interval(clause.interval)}".strip()
        key = ("clause", clause.part, clause.id, clause.verdict)
        yield key, f"{at}{outside(clause.demanded)}: {measured} {tr(clause.verdict)}"
    for pending in view.pending:
        yield ("pending", pending.id), at + tr("waits for a person: {question}", question=asked(pending))


def step_line(step: StepView, now: float) -> str:
    """One step in words: `train: done in 12 s: accuracy 0.97 on validation`."""
    words = f"{step.id}: {tr(step.phase)}"
    if step.attempt > 1:
        words += f" ({tr('attempt {n}', n=step.attempt)})"
    if step.phase in ("done", "failed") and step.started is not None:
        words += " " + tr("after {time}", time=duration((step.ended if step.ended is not None else now) - step.started))
    return words + (f": {outside(step.summary)}" if step.summary else "")


def asked(pending: Pending) -> str:
    """A question to a person in one line."""
    cost = f", {money(pending.usd)}" if pending.usd is not None else f", {tr('cost unknown')}"
    policies = ", ".join(map(clean, pending.policies))
    again = tr("; asked again: {why}", why=outside(pending.again)) if pending.again else ""
    told = f"{clean(pending.id)}: {clean(pending.step)} ({clean(pending.tool)}{cost}): {outside(pending.reason)}{again}"
    return f"{told} [{policies}] {tr('answered by {who}', who=posed.who(pending))}"


def question_lines(pending: Pending) -> Iterator[str]:
    """The question, and what a yes to it reaches."""
    yield tr("waits for a person: {question}", question=asked(pending))
    for kind in pending.bounds.kinds if pending.bounds is not None else ():
        yield "  " + ", ".join(filter(None, posed.row(kind)))
    yield f"  {posed.ends(pending)}"


def view_lines(view: RunView) -> Iterator[str]:
    yield f"{tr('run {run}', run=clean(view.id))}: {tr(view.status)}"
    for step in view.steps:
        yield "  " + step_line(step, view.now)
    for pending in view.pending:
        yield from (f"  {line}" for line in question_lines(pending))


def plan_lines(document: PlanDocument) -> Iterator[str]:
    """Contract, plan, cost and approvals."""
    yield f"{tr('goal')}: {clean(document.goal.text)}"
    if document.contract is not None:
        yield from _contract(document.contract)
    yield from _plan(document)
    for steps, approval in posed.together(document):
        policies = ", ".join(approval.policies)
        reason = outside(approval.reason)
        named = ", ".join(map(clean, steps))
        yield f"{tr('approval')}: {named}: {reason} [{policies}, {posed.asks(approval)}]"
    yield f"{tr('verdict')}: {tr(document.feasibility.verdict)}"
    yield from (f"  {tr('because')} {outside(reason)}" for reason in document.feasibility.reasons)
    yield from (f"  {tr('instead')} {outside(other)}" for other in document.feasibility.alternatives)


def _contract(contract: Contract) -> Iterator[str]:
    for part in contract.parts:
        yield from _part(part)
    if contract.budget_usd is not None:
        yield f"{tr('budget')}: {budget(contract)}"
    if contract.deadline_s is not None:
        yield f"{tr('deadline')}: {duration(contract.deadline_s)}"
    if contract.environment is not None:
        yield f"{tr('environment')}: {tr(contract.environment)}"
    if contract.constraints:
        yield f"{tr('ruled out')}: {', '.join(map(tr, contract.constraints))}"
    yield from (f"{tr('assumed')}: {outside(remark.text)} ({remark.field})" for remark in contract.assumptions)
    yield from (f"{tr('question')}: {outside(remark.text)} ({remark.field})" for remark in contract.questions)


def _part(part: Part) -> Iterator[str]:
    yield f"{tr('part')} {clean(part.name)}: {outside(work(part))}"
    for clause in part.clauses:
        rolled = tr(", else roll back") if clause.abort else ""
        yield f"  {tr('demands')} {demand(clause)} {measured_where(clause)}{rolled}"
    if part.objective is not None:
        yield f"  {tr('wants')} {wanted(part.objective)}"
    if part.models:
        yield f"  {tr('models')}: {', '.join(map(clean, part.models))}"
    if part.rollout.strategy != "none":
        yield f"  {tr('rollout')}: {rollout(part.rollout)}"


def _plan(document: PlanDocument) -> Iterator[str]:
    if not document.plan.steps:
        return
    estimate = document.estimate
    head = tr("plan version {n}", n=document.plan.version)
    yield f"{head}: {span(estimate.seconds, 'seconds')}, {span(estimate.usd, 'usd')}"
    steps = {step.id: step for step in document.plan.steps}
    for line in arrange([(step.id, step.needs) for step in document.plan.steps]):
        step = steps[line.id]
        yield f"  {line.guide}{step.id}: {step.tool} ({tr(str(step.effect))}), {span(step.estimate.seconds, 'seconds')}"
