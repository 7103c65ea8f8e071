"""The steps of a plan as a tree with states, bars and times."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.documents import RunView, StepView
from agent.doors.terminal.style import bar, sign
from agent.doors.tree import Line, arrange
from agent.plan import Step
from agent.wording import clean, duration, outside, percent, span
from tools.language import plural, tr

_SLOW_S = 1.0
"""What takes longer gets a bar."""


def plan_table(steps: Sequence[Step], *, tools: bool) -> Table:
    """What will be done, in which order, what it does to the world, how long it takes and what it costs."""
    costs = any(step.estimate.usd.high != 0 for step in steps)
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(overflow="ellipsis")  # names give way first: figures are never cut
    if tools:
        table.add_column(style="dim", no_wrap=True, overflow="ellipsis")
    table.add_column(style="dim", no_wrap=True, min_width=8)
    table.add_column(justify="right", no_wrap=True, min_width=9)
    table.add_column(justify="right", no_wrap=True, min_width=13 if costs else 0)
    by_id = {step.id: step for step in steps}
    for line in arrange([(step.id, step.needs) for step in steps]):
        step = by_id[line.id]
        cost = span(step.estimate.usd, "usd")
        table.add_row(
            _name(line, "pending"),
            *([Text(step.tool)] if tools else []),
            Text(tr(str(step.effect))),
            Text(span(step.estimate.seconds, "seconds")),
            Text("" if step.estimate.usd.high == 0 else cost),
        )
    return table


def steps_table(view: RunView, *, limit: int | None) -> RenderableType:
    """The steps as they stand; at most `limit` lines, then what is over is summed up."""
    steps = {step.id: step for step in view.steps}
    lines = arrange([(step.id, step.needs) for step in view.steps])
    hidden = _foldable(lines, steps, limit)
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    table.add_column(overflow="ellipsis", max_width=34)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True, style="dim", min_width=8)
    for line in lines[hidden:]:
        step = steps[line.id]
        table.add_row(_name(line, step.phase), _detail(step, view.now), Text(_time(step, view.now)))
    if not hidden:
        return table
    done = sum(steps[line.id].phase == "done" for line in lines[:hidden])
    return Group(Text("✓ " + tr("{steps} done", steps=plural(done, "step")), style="dim"), table)


def _foldable(lines: Sequence[Line], steps: dict[str, StepView], limit: int | None) -> int:
    """How many leading steps to leave out so that what is under way stays in sight."""
    if limit is None or len(lines) <= limit:
        return 0
    over = ("done", "skipped")
    leading = next((i for i, line in enumerate(lines) if steps[line.id].phase not in over), len(lines))
    return min(leading, len(lines) - limit + 1)


def _name(line: Line, phase: str) -> Text:
    text = Text(line.guide, style="dim", no_wrap=True, overflow="ellipsis")
    if phase in ("asking", "done", "failed", "pending", "refused", "running", "skipped"):
        text.append_text(sign(phase))  # type: ignore[arg-type]
    text.append(f" {clean(line.id)}", style="" if phase != "pending" else "none")
    return text


def _detail(step: StepView, now: float) -> Text:
    if step.phase == "running":
        return _progress(step, now)
    style = {"failed": "red", "refused": "red", "asking": "yellow"}.get(step.phase, "dim")
    words = outside(step.summary) or (clean(step.tool) if step.phase == "pending" else "")
    if step.attempt > 1:
        words = tr("attempt {n}", n=step.attempt) + f"  {words}"
    return Text(words, style=style)


def _progress(step: StepView, now: float) -> Text:
    """A bar with the time left, for what takes more than a second."""
    elapsed = now - step.started if step.started is not None else 0.0
    fraction, left = remaining(step, elapsed)
    message = outside(step.progress.message) if step.progress is not None else ""
    if fraction is None or (elapsed < _SLOW_S / 4 and (step.expected_s or 0) < _SLOW_S):
        return Text(message or clean(step.tool))
    text = bar(fraction)
    text.append(f" {percent(fraction):>5}")
    text.append(f"  {left}", style="dim")
    return text.append(f"  {message}", style="dim") if message else text


def remaining(step: StepView, elapsed: float) -> tuple[float | None, str]:
    """(share done, time left in words): from what the job says of itself, else from the estimate."""
    said = step.progress.fraction if step.progress is not None else None
    if said is not None and said > 0.02:
        left = elapsed * (1 - said) / said
        return said, tr("{time} left", time=duration(_calm(left))) if said < 1 else tr("finishing")
    if step.expected_s:
        if elapsed >= step.expected_s:
            return 0.99, tr("taking longer")
        return elapsed / step.expected_s, tr("{time} left", time=duration(_calm(step.expected_s - elapsed)))
    return (said, "") if said is not None else (None, "")


def _calm(seconds: float) -> float:
    """Whole seconds: tenths of an estimate are noise."""
    return float(max(1, round(seconds)))


def _time(step: StepView, now: float) -> str:
    if step.started is None or step.phase in ("pending", "skipped"):
        return ""
    return duration((step.ended if step.ended is not None else now) - step.started)
