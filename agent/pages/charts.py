"""Pictures as HTML that needs no script: positions and sizes in percent, so that text stays as large on a phone.

Pure. Every text is escaped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from agent.documents import Attained, Bars, Figures, Histogram, Matrix, Span
from agent.wording import clean, duration, money, number
from tools.language import tr

WIDEST = 60
"""Rows of a timeline; more are summed up in one line."""


def text(words: str) -> str:
    """Outside text as HTML."""
    return escape(clean(words), quote=True)


def attained(chart: Attained) -> str:
    """A row a measurement: where it lies, how sure it is, and the line it must reach."""
    ends = [chart.target, *(v for p in chart.points for v in (p.value, p.low, p.high) if v is not None)]
    low, high = _room(min(ends), max(ends))
    stages = {"validation": tr("validation"), "holdout": tr("holdout"), "live": tr("live")}
    rows = []
    for point in chart.points:
        spread = ""
        if point.low is not None and point.high is not None:
            left, right = _at(point.low, low, high), _at(point.high, low, high)
            spread = f'<i class="spread" style="left:{left:.2f}%;width:{max(0.0, right - left):.2f}%"></i>'
        firm = "" if point.stage == "validation" else " firm"
        dot = f'<i class="dot{firm}" style="left:{_at(point.value, low, high):.2f}%"></i>'
        line = f'<i class="target" style="left:{_at(chart.target, low, high):.2f}%"></i>'
        name = f'<span title="{text(point.step)}">{stages[point.stage]} · {text(point.step)}</span>'
        rows.append(_row(name, spread + dot + line, number(point.value)))
    demand = tr("target {op} {value}", op=escape(chart.op), value=number(chart.target))
    axis = f"{_edge(low)}</span><span>{demand}</span><span>{_edge(high)}"
    return _chart(f"{text(chart.metric)} · {text(chart.part)}", rows, axis)


def matrix(chart: Matrix) -> str:
    """Rows are labels, columns predictions; shaded by the share of the row."""
    heads = "".join(f'<th scope="col" title="{text(c)}">{text(c)}</th>' for c in chart.classes)
    lines = []
    for i, (name, counts) in enumerate(zip(chart.classes, chart.counts, strict=True)):
        whole = max(1, sum(counts))
        cells = "".join(
            f'<td style="--v:{count / whole:.3f}"{" class=hit" if i == j else ""}>{count}</td>'
            for j, count in enumerate(counts)
        )
        lines.append(f'<tr><th scope="row" title="{text(name)}">{text(name)}</th>{cells}</tr>')
    title = tr("Confusion on the holdout · {part}", part=text(chart.part))
    key = tr("rows: label, columns: prediction")
    table = f'<table class="matrix"><tr><th></th>{heads}</tr>{"".join(lines)}</table>'
    return f'<h3>{title}</h3><div class="scroll">{table}</div><p class="axis">{key}</p>'


def histogram(chart: Histogram) -> str:
    """Columns over the edges; latencies are drawn up to what nearly all needed, the rest is told."""
    edges, counts = chart.edges, chart.counts
    most = max(counts, default=0) or 1
    columns = "".join(
        f'<i style="height:{100 * count / most:.2f}%" title="{number(a)} – {number(b)}: {count}"></i>'
        for a, b, count in zip(edges, edges[1:], counts, strict=False)
    )
    titles = {
        "residuals": tr("Residuals on the holdout (prediction − label) · {part}", part=text(chart.part)),
        "latency_ms": tr("Latency of the served version in ms · {part}", part=text(chart.part)),
    }
    line, key = "", ""
    if chart.target is not None:
        inside = _column_of(chart.target, edges)
        key = tr("target {op} {value}", op="≤", value=number(chart.target))
        if inside is None:
            key += " " + tr("(beyond the right edge)")
        else:
            line = f'<i class="target" style="left:{inside:.2f}%"></i>'
    axis = f"{_edge(edges[0])}</span><span>{key}</span><span>{_edge(edges[-1])}"
    return (
        f'<h3>{titles[chart.of]}</h3><div class="chart"><div class="columns">{columns}{line}</div>'
        f'<div class="axis ends"><span>{axis}</span></div></div>'
    )


def bars(chart: Bars) -> str:
    """Named values; the thin bar under each is what it is compared with."""
    titles = {
        "error_by_horizon": tr("{metric} by steps ahead · {part}", metric=text(chart.metric), part=text(chart.part)),
        "ranking": tr("{metric} by length of the list · {part}", metric=text(chart.metric), part=text(chart.part)),
        "clusters": tr("{metric} by cluster · {part}", metric=text(chart.metric), part=text(chart.part)),
    }
    most = max((abs(v) for v in (*chart.values, *chart.others)), default=0) or 1
    rows = []
    for index, (name, value) in enumerate(zip(chart.names, chart.values, strict=True)):
        other = ""
        if index < len(chart.others):
            other = f'<i class="fill other" style="bottom:0;width:{100 * abs(chart.others[index]) / most:.2f}%"></i>'
        fill = f'<i class="fill" style="width:{100 * abs(value) / most:.2f}%"></i>'
        rows.append(_row(f"<span>{text(name)}</span>", fill + other, number(value)))
    key = tr("thin: {other}", other=text(tr(chart.other))) if chart.others else ""
    return _chart(titles[chart.of], rows, f"{key}</span><span>")


def timeline(spans: Sequence[Span]) -> str:
    """When each step ran, on the clock of the run."""
    whole = max((s.start_s + s.seconds for s in spans), default=0.0) or 1.0
    rows = []
    for span in spans[:WIDEST]:
        failed = " failed" if span.phase == "failed" else ""
        left, width = 100 * span.start_s / whole, 100 * span.seconds / whole
        bar = f'<i class="fill{failed}" style="left:{min(left, 99.5):.2f}%;width:{width:.2f}%"></i>'
        name = span.step + (f" ({span.attempt})" if span.attempt > 1 else "")
        rows.append(_row(f'<span title="{text(span.tool)}">{text(name)}</span>', bar, duration(span.seconds)))
    more = tr("and {n} more", n=len(spans) - WIDEST) if len(spans) > WIDEST else ""
    return _chart("", rows, f"{duration(0.0)}</span><span>{more}</span><span>{duration(whole)}")


def costs(by: Sequence[tuple[str, float]], spent: float, limit: float | None) -> str:
    """Money by source, on the scale of the budget where there is one."""
    whole = max(limit or 0.0, spent, *(usd for _, usd in by), 1e-9)
    line = f'<i class="target" style="left:{100 * limit / whole:.2f}%"></i>' if limit else ""
    rows = [
        _row(f"<span>{text(source)}</span>", f'<i class="fill" style="width:{100 * usd / whole:.2f}%"></i>', money(usd))
        for source, usd in by
    ]
    fill = f'<i class="fill" style="width:{100 * spent / whole:.2f}%"></i>'
    rows.append(_row(f"<b>{tr('in all')}</b>", fill + line, money(spent)))
    budget = tr("budget {usd}", usd=money(limit)) if limit is not None else tr("no budget was set")
    return _chart("", rows, f"$0</span><span>{budget}")


def results(figures: Figures) -> str:
    """Every picture of what was measured."""
    drawn = [
        *map(attained, figures.attained),
        *map(matrix, figures.matrices),
        *map(histogram, figures.histograms),
        *map(bars, figures.bars),
    ]
    return "\n".join(drawn)


def _chart(title: str, rows: Sequence[str], axis: str) -> str:
    head = f"<h3>{title}</h3>" if title else ""
    ends = f'<div class="row axis"><span></span><span class="ends"><span>{axis}</span></span><span></span></div>'
    return f'{head}<div class="chart">{"".join(rows)}{ends}</div>'


def _row(name: str, track: str, value: str) -> str:
    return f'<div class="row">{name}<div class="track">{track}</div><span>{value}</span></div>'


def _room(low: float, high: float) -> tuple[float, float]:
    """A scale with some room on both sides."""
    pad = 0.08 * (high - low) or 0.05 * abs(high) or 0.5
    return (max(0.0, low - pad) if low >= 0 else low - pad), high + pad


def _edge(value: float) -> str:
    """The end of an axis: a round number is enough."""
    return number(float(f"{value:.3g}"))


def _at(value: float, low: float, high: float) -> float:
    return max(0.0, min(100.0, 100 * (value - low) / (high - low)))


def _column_of(value: float, edges: Sequence[float]) -> float | None:
    """Where a value lies among columns of equal width, in percent; None beyond the last."""
    for index, (a, b) in enumerate(pairwise(edges)):
        if a <= value <= b:
            return 100 * (index + (value - a) / ((b - a) or 1)) / (len(edges) - 1)
    return None
