"""Results drawn on a terminal: the contract, the plan, the report and small tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.contract import Contract, Part
from agent.documents import ClauseVerdict, Kept, Pending, PlanDocument, RunDocument, RunView
from agent.doors.outlet import Outlet
from agent.doors.paper import Grid
from agent.doors.terminal import charts
from agent.doors.terminal.questions import question
from agent.doors.terminal.steps import plan_table, steps_table
from agent.doors.terminal.style import console, word
from agent.posed import asks, together
from agent.wording import (
    budget,
    clean,
    demand,
    duration,
    headline,
    interval,
    measured_where,
    moment,
    money,
    number,
    outside,
    paces,
    rollout,
    span,
    spent,
    wanted,
    work,
)
from tools.language import language_of, plural, speaking, tr

_ROOMY = 96
"""Columns from which a plan also names its tools."""
_LEAST = 12
"""Columns left to what gives way in a table."""


class TerminalPaper:
    """Draws on one stream."""

    def __init__(self, stream: Outlet) -> None:
        self._console = console(stream)

    def plan(self, document: PlanDocument) -> None:
        with speaking(language_of(document.goal.text)):
            for block in plan_blocks(document, tools=self._console.width >= _ROOMY):
                self._block(block)

    def report(self, document: RunDocument) -> None:
        with speaking(language_of(document.goal.text)):
            for block in report_blocks(document):
                self._block(block)

    def view(self, view: RunView) -> None:
        with speaking(language_of(view.goal)):
            self._block(steps_table(view, limit=None))
            for pending in view.pending:
                self.question(pending)

    def question(self, pending: Pending) -> None:
        self._block(Padding(question(pending), (1, 0, 0, 0)))

    def grid(self, grid: Grid) -> None:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        widths = [max(cell_len(row[i]) for row in (grid.heads, *grid.rows)) for i in range(len(grid.heads))]
        others = sum(width + 2 for i, width in enumerate(widths) if i != grid.fold)
        if grid.fold >= 0 and self._console.width - 2 - others < min(_LEAST, widths[grid.fold]):
            self._stacked(grid)
            return
        for index, head in enumerate(grid.heads):
            room = max(_LEAST, self._console.width - 2 - others) if index == grid.fold else widths[index]
            side: Literal["left", "right"] = "right" if index in grid.right else "left"
            table.add_column(
                head,
                justify=side,
                no_wrap=True,
                overflow="ellipsis",
                min_width=min(widths[index], room),
                max_width=room,
            )
        for row in grid.rows:
            table.add_row(*(Text(cell, style=_tone(cell)) for cell in row))
        self._block(table)

    def _stacked(self, grid: Grid) -> None:
        """What gives way stands below its row, where nothing is left for it beside the others."""
        for row in grid.rows:
            beside = "  ".join(cell for i, cell in enumerate(row) if i != grid.fold)
            self._block(Text(beside, overflow="fold"))
            self._block(Padding(Text(row[grid.fold], no_wrap=True, overflow="ellipsis"), (0, 0, 0, 2)))

    def line(self, text: str = "") -> None:
        self._console.print(Text(text))

    def _block(self, block: RenderableType) -> None:
        self._console.print(Padding(block, (0, 1)))


def _tone(cell: str) -> str:
    return {"ok": "green", "warning": "yellow", "failed": "bold red", "unowned": "bold red"}.get(cell, "")


def _pairs(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """Names in a narrow column, values beside them."""
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="dim", no_wrap=True, min_width=9)
    table.add_column(ratio=1, overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), value)
    return table


def plan_blocks(document: PlanDocument, *, tools: bool) -> Iterator[RenderableType]:
    """Contract, plan, approvals and verdict, with a blank line between them; `tools` where there is room for them."""
    yield _pairs([(tr("Goal"), Text(clean(document.goal.text), style="bold"))])
    if document.contract is not None:
        yield Text()
        yield _pairs(_contract(document.contract))
    if document.plan.steps:
        yield Text()
        yield _pairs([(tr("Plan"), _estimate(document))])
        yield Padding(plan_table(document.plan.steps, tools=tools), (0, 0, 0, 2))
    yield Text()
    yield _pairs(_verdict(document))


def _estimate(document: PlanDocument) -> Text:
    estimate = document.estimate
    text = Text(f"{span(estimate.seconds, 'seconds')}, {span(estimate.usd, 'usd')}")
    if document.plan.version > 1:
        text.append("  " + tr("version {n}", n=document.plan.version), style="dim")
    return text


def _contract(contract: Contract) -> Iterator[tuple[str, RenderableType]]:
    for part in contract.parts:
        yield (tr("Part") if len(contract.parts) == 1 else clean(part.name)), Text(outside(work(part)))
        yield from _part(part)
    if contract.budget_usd is not None:
        yield tr("Budget"), Text(budget(contract))
    if contract.deadline_s is not None:
        yield tr("Deadline"), Text(duration(contract.deadline_s))
    if contract.environment is not None:
        yield tr("Where"), Text(tr(contract.environment))
    if contract.constraints:
        yield (
            tr("Ruled out"),
            Text(", ".join(tr(c.removeprefix("no_").replace("_", " ")) for c in contract.constraints)),
        )
    for index, remark in enumerate(contract.assumptions):
        yield (tr("Assumed") if index == 0 else ""), Text(outside(remark.text))
    for index, remark in enumerate(contract.questions):
        yield (tr("Open") if index == 0 else ""), Text.assemble(("? ", "bold yellow"), outside(remark.text))


def _part(part: Part) -> Iterator[tuple[str, RenderableType]]:
    for index, clause in enumerate(part.clauses):
        line = Text(demand(clause))
        line.append(f"  {measured_where(clause)}", style="dim")
        if clause.abort:
            line.append(tr(", else roll back"), style="dim")
        yield (tr("Demands") if index == 0 else ""), line
    if part.objective is not None:
        yield tr("Wants"), Text(wanted(part.objective))
    if part.models:
        yield tr("Models"), Text(", ".join(map(clean, part.models)))
    if part.rollout.strategy != "none":
        yield tr("Rollout"), Text(rollout(part.rollout))


def _verdict(document: PlanDocument) -> Iterator[tuple[str, RenderableType]]:
    for index, (steps, approval) in enumerate(together(document)):
        line = Text.assemble((", ".join(map(clean, steps)), "bold"), f"  {outside(approval.reason)}")
        line.append(f"  {', '.join(approval.policies)}, {asks(approval)}", style="dim")
        yield (tr("Will ask") if index == 0 else ""), line
    yield tr("Verdict"), word(document.feasibility.verdict)
    for index, reason in enumerate(document.feasibility.reasons):
        yield (tr("Because") if index == 0 else ""), Text(outside(reason))
    for index, other in enumerate(document.feasibility.alternatives):
        yield (tr("Instead") if index == 0 else ""), Text(outside(other))


def report_blocks(document: RunDocument) -> Iterator[RenderableType]:
    """Verdict first, then the clauses, what goes on, and where the rest is written."""
    run = document.run
    name, why = headline(document)
    head = Text.assemble(word(name), "  ", outside(why))
    yield head
    limit = document.contract.budget_usd if document.contract is not None else None
    told = (
        tr("run {run}", run=clean(run.id)),
        duration(run.seconds),
        tr("{usd} spent", usd=spent(run.spent.usd, limit)),
        *(f"{name}{tr(': ')}{figure}" for name, figure in paces(run.pace)),
    )
    yield Text(", ".join(told), style="dim")
    if run.clauses:
        yield Text()
        yield _clauses(run.clauses, len({c.part for c in run.clauses} - {"run"}) > 1)
    for title, chart in charts.blocks(run.figures):
        yield from _section(title, [chart])
    yield from _section(tr("Findings"), [Text(outside(finding)) for finding in run.findings])
    revised = [Text(tr("plan {version}: {why}", version=r.version, why=outside(r.why))) for r in run.revisions]
    yield from _section(tr("Revisions"), revised)
    yield from _section(tr("Kept running"), [_kept(one) for one in run.resources.kept])
    if footing := list(_footing(document)):
        yield Text()
        yield _pairs(footing)


def _clauses(verdicts: tuple[ClauseVerdict, ...], parts: bool) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    if parts:
        table.add_column(tr("part"), no_wrap=True, overflow="ellipsis", max_width=16)
    table.add_column(tr("verdict"), no_wrap=True)
    table.add_column(tr("demanded"), overflow="fold")
    table.add_column(tr("measured"), justify="right", no_wrap=True)
    table.add_column(tr("95 % interval"), no_wrap=True)
    table.add_column(tr("evidence"), style="dim", overflow="fold")
    for verdict in verdicts:
        demanded = Text(outside(verdict.demanded))
        if verdict.note:
            demanded.append(f"\n{outside(verdict.note)}", style="dim")
        record = verdict.evidence.id.rpartition("#")[2] if verdict.evidence is not None else ""
        proof = Text(f"#{clean(record)}" if record else tr("none"))
        cells = (
            word(verdict.verdict),
            demanded,
            Text(number(verdict.measured), style="bold"),
            Text(interval(verdict.interval), style="dim"),
            proof,
        )
        table.add_row(*((Text(clean(verdict.part)),) if parts else ()), *cells)
    return table


def _section(title: str, items: Sequence[RenderableType]) -> Iterator[RenderableType]:
    if items:
        yield Text()
        yield Text(title, style="bold")
        yield from (Padding(item, (0, 0, 0, 2)) for item in items)


def _kept(one: Kept) -> Group:
    price = tr("price unknown") if one.usd_per_hour is None else tr("{usd} an hour", usd=money(one.usd_per_hour))
    head = Text.assemble((clean(one.id), "bold"), f"  {clean(one.url)}")
    return Group(
        head,
        _pairs(
            [
                (tr("serves"), Text(clean(one.model))),
                (tr("costs"), Text(f"{price}, " + tr("until {time}", time=moment(one.expires)))),
                (tr("extend"), Text(clean(one.extend), style="cyan")),
                (tr("stop"), Text(clean(one.stop), style="cyan")),
            ]
        ),
    )


def _footing(document: RunDocument) -> Iterator[tuple[str, RenderableType]]:
    run = document.run
    if run.holdout_looks or run.isolation != "none":
        yield tr("Isolation"), Text(run.isolation)
        yield tr("Holdout"), Text(tr("looked at {times}", times=plural(run.holdout_looks, "time")))
    if run.report:
        yield tr("Report"), Text(clean(run.report), overflow="fold")
    if run.page:
        yield tr("Page"), Text(clean(run.page), overflow="fold")
