"""Draws the figure of a data card: the label's distribution by part, and the share of missing values by column.

Plain SVG without script or outside resources; colours follow the reader's light or dark setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from itertools import accumulate
from unicodedata import east_asian_width

from tools.language import tr
from tools.recipes.data.distribution import Shares

_WIDTH, _NAMES, _BAR = 760, 230, 400
"""Pixels of the figure, of the names and of a full bar."""
_LINE, _TITLE = 22, 34
_MOST = 20
"""Columns with missing values that are drawn."""
_STYLE = """
svg { font: 13px system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; color: #1f2328; background: #ffffff }
text { fill: currentColor }
.title { font-weight: 600; font-size: 15px }
.quiet { opacity: 0.7 }
.track { fill: currentColor; opacity: 0.09 }
.train { fill: #2f6fdb }
.validation { fill: #c2720a }
.missing { fill: #b4335a }
@media (prefers-color-scheme: dark) {
  svg { color: #e6edf3; background: #0d1117 }
  .train { fill: #6ea8fe }
  .validation { fill: #f0a040 }
  .missing { fill: #f07a9b }
}
"""


def shown(text: str, most: int = 28) -> str:
    """Outside text as it may be shown: printable, on one line, cut to so many columns of a fixed-width font."""
    clean = "".join(c if c.isprintable() else "·" for c in text[: most + 1])
    widths = list(accumulate(2 if east_asian_width(c) in "WF" else 1 for c in clean))
    if not widths or widths[-1] <= most:
        return clean
    return clean[: sum(width < most for width in widths)] + "…"


def svg(label: str | None, labels: Shares | None, missing: Mapping[str, float]) -> str:
    """The figure as text. `missing`: column → share of rows without a value."""
    lines: list[str] = []
    height = 16
    for panel in (_label(label, labels), _missing(missing)):
        for step, drawn in panel:
            lines.append(f'<g transform="translate(0 {height})">{drawn}</g>')
            height += step
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>'
    about = f"<title>{tr('Label by part, and missing values by column')}</title>"
    return "\n".join([head, about, f"<style>{_STYLE}</style>", *lines, "</svg>", ""])


def _label(label: str | None, labels: Shares | None) -> Iterator[tuple[int, str]]:
    """(pixels down, what is drawn) line by line."""
    if label is None or labels is None:
        yield _TITLE, _text(16, 18, tr("Nothing is labelled"), "title")
        return
    yield (
        _TITLE,
        _text(16, 18, tr("Label {label}: share of rows", label=shown(label)), "title") + _legend(list(labels.parts)),
    )
    top = max((s for part in labels.parts.values() for s in part), default=0.0) or 1.0
    for i, name in enumerate(labels.names):
        bars = "".join(
            _bar(4 + 8 * row, 7, share[i] / top, part) for row, (part, share) in enumerate(labels.parts.items())
        )
        told = " / ".join(f"{share[i]:.1%}" for share in labels.parts.values())
        yield _LINE, _text(16, 15, shown(name)) + bars + _text(_NAMES + _BAR + 8, 15, told, "quiet")
    yield 14, ""


def _missing(missing: Mapping[str, float]) -> Iterator[tuple[int, str]]:
    worst = sorted(((share, name) for name, share in missing.items() if share > 0), key=lambda m: (-m[0], m[1]))
    if not worst:
        yield _TITLE, _text(16, 18, tr("No value is missing in {n} columns", n=len(missing)), "title")
        return
    told = tr("Missing values: {n} of {columns} columns", n=len(worst), columns=len(missing))
    yield _TITLE, _text(16, 18, told + (tr(", the first {most}", most=_MOST) if len(worst) > _MOST else ""), "title")
    for share, name in worst[:_MOST]:
        drawn = _text(16, 15, shown(name)) + _bar(4, 14, share, "missing")
        yield _LINE, drawn + _text(_NAMES + _BAR + 8, 15, f"{share:.1%}", "quiet")
    yield 10, ""


def _legend(parts: list[str]) -> str:
    return "".join(
        f'<rect class="{part}" x="{_NAMES + 260 + 110 * i}" y="8" width="12" height="12"/>'
        + _text(_NAMES + 278 + 110 * i, 18, tr(part), "quiet")
        for i, part in enumerate(parts)
    )


def _bar(top: int, height: int, share: float, kind: str) -> str:
    track = f'<rect class="track" x="{_NAMES}" y="{top}" width="{_BAR}" height="{height}"/>'
    return track + f'<rect class="{kind}" x="{_NAMES}" y="{top}" width="{_BAR * share:.1f}" height="{height}"/>'


def _text(left: int, top: int, text: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{left}" y="{top}">{escape(text)}</text>'
