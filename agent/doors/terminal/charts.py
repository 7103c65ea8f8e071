"""The report's pictures in characters: the same figures as the page, for a terminal of any width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from agent.documents import Attained, Bars, Figures, Histogram, Matrix, Point, Span
from agent.wording import clean, duration, number
from tools.language import tr

_WIDE = 32
"""Cells of a scale."""
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_FEW = 14
"""Rows of one picture; the page shows all."""


def blocks(figures: Figures) -> Iterator[tuple[str, RenderableType]]:
    """(title, picture), the most telling first."""
    for attained in figures.attained:
        yield f"{attained.metric} · {clean(attained.part)}", _attained(attained)
    for matrix in figures.matrices:
        if len(matrix.classes) <= _FEW:
            yield tr("Confusion on the holdout · {part}", part=clean(matrix.part)), _matrix(matrix)
    for histogram in figures.histograms:
        yield _title(histogram), _histogram(histogram)
    for bars in figures.bars:
        yield f"{bars.metric} · {clean(bars.part)}", _bars(bars)
    if figures.timeline:
        yield tr("Steps"), _timeline(figures.timeline)


def _title(chart: Histogram) -> str:
    if chart.of == "latency_ms":
        return tr("Latency of the served version in ms · {part}", part=clean(chart.part))
    return tr("Residuals on the holdout (prediction − label) · {part}", part=clean(chart.part))


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=28)
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    return grid


def _attained(chart: Attained) -> Table:
    ends = [chart.target, *(v for p in chart.points for v in (p.value, p.low, p.high) if v is not None)]
    low, high = min(ends), max(ends)
    grid = _grid()
    for point in chart.points[-_FEW:]:
        name = Text.assemble(tr(point.stage), (f" {clean(point.step)}", "dim"))
        grid.add_row(name, _scale(chart, point, low, high), Text(number(point.value), style="bold"))
    grid.add_row("", Text(tr("┃ target {op} {value}", op=chart.op, value=number(chart.target)), style="red"), "")
    return grid


def _scale(chart: Attained, point: Point, low: float, high: float) -> Text:
    cells = ["·"] * _WIDE
    if point.low is not None and point.high is not None:
        for cell in range(_cell(point.low, low, high), _cell(point.high, low, high) + 1):
            cells[cell] = "─"
    target = _cell(chart.target, low, high)
    cells[target] = "┃"
    at = _cell(point.value, low, high)
    cells[at] = "●" if point.stage != "validation" else "○"
    line = Text("".join(cells), style="dim")
    line.stylize("red not dim", target, target + 1)
    line.stylize("bold cyan not dim", at, at + 1)
    return line


def _cell(value: float, low: float, high: float) -> int:
    return round((_WIDE - 1) * (value - low) / ((high - low) or 1))


def _matrix(chart: Matrix) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column(tr("label ╲ prediction"), style="dim", no_wrap=True, overflow="ellipsis", max_width=20)
    for name in chart.classes:
        table.add_column(clean(name), justify="right", no_wrap=True, overflow="ellipsis", max_width=10)
    for i, (name, counts) in enumerate(zip(chart.classes, chart.counts, strict=True)):
        cells = (Text(str(count), style="bold cyan" if i == j else "") for j, count in enumerate(counts))
        table.add_row(clean(name), *cells)
    return table


def _histogram(chart: Histogram) -> Text:
    most = max(chart.counts, default=0) or 1
    line = "".join(_EIGHTHS[min(8, -(-8 * count // most))] for count in chart.counts)
    target = "" if chart.target is None else "   " + tr("target {op} {value}", op="≤", value=number(chart.target))
    ends = (f"{number(float(f'{edge:.3g}'))}" for edge in (chart.edges[0], chart.edges[-1]))
    first, last = ends
    return Text.assemble((f"{first} ", "dim"), (line, "cyan"), (f" {last}", "dim"), (target, "red"))


def _bars(chart: Bars) -> Table:
    most = max((abs(v) for v in (*chart.values, *chart.others)), default=0) or 1
    grid = _grid()
    for index, (name, value) in list(enumerate(zip(chart.names, chart.values, strict=True)))[:_FEW]:
        full = round(_WIDE * abs(value) / most)
        line = Text("━" * full, style="cyan")
        told = number(value)
        if index < len(chart.others):
            line.append("╌" * max(0, round(_WIDE * abs(chart.others[index]) / most) - full), style="dim")
            told += f" ({number(chart.others[index])})"
        grid.add_row(clean(name), line, told)
    if chart.others:
        grid.add_row("", Text(tr("(in brackets: {other})", other=tr(chart.other)), style="dim"), "")
    return grid


def _timeline(spans: Sequence[Span]) -> Table:
    whole = max(s.start_s + s.seconds for s in spans) or 1.0
    grid = _grid()
    for span in spans[:_FEW]:
        start = min(_WIDE - 1, int(_WIDE * span.start_s / whole))
        length = max(1, min(_WIDE - start, round(_WIDE * span.seconds / whole)))
        style = "bold red" if span.phase == "failed" else "cyan"
        line = Text.assemble(" " * start, ("█" * length, style))
        grid.add_row(Text(clean(span.step)), line, duration(span.seconds))
    if len(spans) > _FEW:
        grid.add_row(Text(tr("and {n} more", n=len(spans) - _FEW), style="dim"), "", "")
    return grid
