"""The pictures of a report: what is drawn is what was measured, and nothing said outside gets to steer the page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from given_report import DOCUMENT, EVIL

from agent.documents import Attained, Bars, Figures, Histogram, Matrix, Point, RunDocument
from agent.doors.terminal import charts as drawn
from agent.doors.terminal.style import console
from agent.pages import charts, page


class Checked(HTMLParser):
    """Collects what could act: tags, and attributes that load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.acting: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.acting += [name for name, _ in attrs if name.startswith("on") or name in ("src", "href", "action")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(text: str) -> Checked:
    parser = Checked()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser


def test_the_page_is_one_file_without_script_or_network() -> None:
    text = page.render(DOCUMENT)
    seen = checked(text)
    assert not {"script", "link", "iframe", "img", "object", "form"} & set(seen.tags)
    assert seen.acting == []
    assert "default-src 'none'" in text
    assert not re.search(r"url\(|@import", text)


def test_the_verdict_comes_first_and_every_section_that_has_something_is_there() -> None:
    text = page.render(DOCUMENT)
    assert text.index("<h1>NOT MET</h1>") < text.index("Clauses") < text.index("What was measured")
    for title in ("Findings", "Kept running", "Contract", "Assumptions", "Steps", "Cost and resources"):
        assert f"<h2>{title}</h2>" in text


def evil(document: RunDocument) -> RunDocument:
    run = document.run
    clauses = tuple(c.model_copy(update={"note": EVIL, "part": EVIL, "demanded": EVIL}) for c in run.clauses)
    figures = Figures(
        attained=(Attained(part=EVIL, clause="c", metric=EVIL, op=">=", target=1, points=(_point(0.5),)),),
        matrices=(Matrix(part=EVIL, classes=(EVIL, "b"), counts=((1, 2), (3, 4))),),
        bars=(Bars(part=EVIL, of="clusters", metric="silhouette", names=(EVIL,), values=(1.0,)),),
    )
    told = run.model_copy(update={"clauses": clauses, "reason": EVIL, "findings": (EVIL,), "figures": figures})
    goal = document.goal.model_copy(update={"text": EVIL, "source": f"cli:{EVIL}"})
    return document.model_copy(update={"run": told, "goal": goal})


def test_outside_text_becomes_text_wherever_it_stands() -> None:
    text = page.render(evil(DOCUMENT))
    seen = checked(text)
    assert "script" not in seen.tags
    assert "img" not in seen.tags
    assert seen.acting == []
    assert "\x1b" not in text


def _point(value: float, low: float | None = None, high: float | None = None) -> Point:
    return Point(step="evaluate", stage="holdout", value=value, low=low, high=high)


@pytest.mark.parametrize(
    "points",
    [
        (_point(0.9),),
        (_point(0.0),),
        (_point(-3.0, -4.0, -2.0),),
        (_point(1e12),),
        (_point(0.5, 0.5, 0.5), _point(0.5)),
    ],
)
def test_every_mark_lies_on_its_scale(points: tuple[Point, ...]) -> None:
    text = charts.attained(Attained(part="p", clause="c", metric="m", op=">=", target=0.5, points=points))
    places = [float(p) for p in re.findall(r"(?:left|width):([-\d.]+)%", text)]
    assert places
    assert all(0 <= p <= 100 for p in places)


def test_a_target_beyond_the_histogram_is_told_and_one_inside_is_drawn() -> None:
    chart = Histogram(part="p", of="latency_ms", edges=(0, 1, 2, 4), counts=(1, 5, 2), target=80)
    assert "beyond the right edge" in charts.histogram(chart)
    inside = charts.histogram(chart.model_copy(update={"target": 2.0}))
    assert 'class="target" style="left:66.67%"' in inside


def test_nothing_measured_draws_nothing() -> None:
    assert charts.results(Figures()) == ""
    assert list(drawn.blocks(Figures())) == []
    assert "What was measured" not in page.render(
        DOCUMENT.model_copy(update={"run": DOCUMENT.run.model_copy(update={"figures": Figures()})})
    )


def test_the_terminal_shows_the_same_figures() -> None:
    from io import StringIO

    from agent.doors.outlet import Outlet

    stream = StringIO()
    screen = console(Outlet(stream))
    screen.width = 100
    titles = []
    for title, picture in drawn.blocks(DOCUMENT.run.figures):
        titles.append(title)
        screen.print(picture)
    text = stream.getvalue()
    assert len(titles) == 7
    for shown in ("0.921", "monitor-100", "seasonal naive", "█", "┃ target >= 0.9"):
        assert shown in text
