"""What a person sees on a terminal: drawn over in place, asked in place, within the width there is."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
from fake_session import FakeWorld
from rich.cells import cell_len

from agent.documents import Bounds, Kind, Pending, StepView
from agent.doors.outlet import Outlet
from agent.doors.plain import PlainPaper, PlainWatch, question_lines
from agent.doors.terminal.paper import TerminalPaper
from agent.doors.terminal.steps import remaining
from agent.doors.terminal.watch import TerminalWatch
from agent.posed import waits
from agent.prospect import Request
from tools.ports import Progress

HERE = Path(__file__).parent
CHINESE = (
    "用 企鹅数据.csv 预测物种，准确率不低于百分之九十，部署后九十五分位延迟两百毫秒以内，预算五美元，两小时内完成。"
)
ASKED = Pending(
    id="p1",
    step="deploy",
    tool="deploy_model",
    reason="production",
    policies=("production",),
    usd=2,
    asked=0,
    expires=9,
)


class Drawn(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Terminal(Outlet):
    """A terminal that remembers what was drawn."""

    def __init__(self) -> None:
        self._drawn = Drawn()
        super().__init__(self._drawn)

    def getvalue(self) -> str:
        return self._drawn.getvalue()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LINES", "40")
    return Terminal()


def bare(drawn: str) -> str:
    """What was drawn, without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)


def request(text: str) -> Request:
    return Request(text=text, source="cli:ann")


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("text", ["train", "short", "ask me", "the weather", CHINESE, "word " * 100, "x" * 300])
def test_plan_and_report_stay_within_the_width(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, width: int, text: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    world = FakeWorld()
    session = world.open(None)  # type: ignore[arg-type]
    run = session.start(request(text))
    paper = TerminalPaper(terminal)
    paper.plan(session.plan(request(text)))
    paper.report(session.drive(run))
    paper.view(session.view(run))
    lines = bare(terminal.getvalue()).splitlines()
    assert max(cell_len(line) for line in lines) <= width


def test_a_run_is_drawn_over_in_place_and_left_standing_at_its_end(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    session = FakeWorld().open(None)  # type: ignore[arg-type]
    run = session.start(request("train"))
    watch = TerminalWatch(terminal)
    session.drive(run, watch=watch.see)
    drawn = terminal.getvalue()
    assert "\x1b[2K" in drawn
    assert "50 %" in drawn
    assert "4 s left" in drawn
    watch.stop()
    left = terminal.getvalue().rpartition("\x1b[2K")[2]
    assert left.count("✓") == 10
    again = len(terminal.getvalue())
    watch.stop()
    assert len(terminal.getvalue()) == again


def test_no_colour_is_drawn_where_none_is_wanted(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    session = FakeWorld().open(None)  # type: ignore[arg-type]
    TerminalPaper(terminal).plan(session.plan(request("train")))
    assert "\x1b[3" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False), ("what\ny\n", True), ("", None)],
)
def test_a_person_is_asked_and_silence_is_no(terminal: Terminal, typed: str, answer: bool | None) -> None:
    assert TerminalWatch(terminal, io.StringIO(typed)).ask(ASKED) is answer
    assert "production" in terminal.getvalue()
    assert "at most $2.00" in terminal.getvalue()


def asked(terminal: Terminal, typed: str, *, user: str) -> tuple[TerminalWatch, tuple[Pending, ...]]:
    """A watch that has seen a run that asks everybody one thing and bob another."""
    session = FakeWorld().open(None)  # type: ignore[arg-type]
    run = session.start(request("ask somebody"))
    session.drive(run)
    watch = TerminalWatch(terminal, io.StringIO(typed), user=user)
    seen = session.view(run)
    watch.see(seen)
    return watch, seen.pending


def test_what_a_yes_reaches_is_a_small_table(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    watch, (mine, _) = asked(terminal, "y\n", user="ann")
    assert watch.ask(mine) is True
    shown = bare(terminal.getvalue())
    for said in (
        r"what +where +how many +at most +with",
        r"deploy_model +penguins +1 call +\$0\.02 +replicas=2, model=as register_model gives it",
        r"shift_traffic +penguins in ml +2 calls +\$0\.00 +percent=10",
        r"cost at most \$0\.02 +policies production",
        r"answered by anybody \(role operator\), to be answered before 2026-03-02 10:00Z",
        r"a\s+yes\s+holds\s+for\s+what\s+begins\s+before\s+2026-03-02\s+11:00Z",
    ):
        assert re.search(said, shown), said


def test_what_is_not_theirs_to_answer_is_told_and_not_asked(terminal: Terminal) -> None:
    watch, (mine, _) = asked(terminal, "y\n", user="ann")
    assert watch.ask(mine) is True
    shown = bare(terminal.getvalue())
    assert "p1.release is for bob to answer" in shown
    assert shown.count("it deploys to production") == 1
    assert "approves all" not in shown


def test_several_questions_are_all_shown_before_they_are_approved_together(terminal: Terminal) -> None:
    watch, (first, second) = asked(terminal, "a\n", user="bob")
    assert watch.ask(first) is True
    shown = bare(terminal.getvalue())
    assert shown.count("it deploys to production") == 2
    assert "a approves all 2" in shown
    assert watch.ask(second) is True


@pytest.mark.parametrize(
    ("typed", "answers"), [("y\nn\n", (True, False)), ("y\n", (True, None)), ("n\ny\n", (False, True))]
)
def test_several_questions_are_answered_one_by_one(
    terminal: Terminal, typed: str, answers: tuple[bool | None, ...]
) -> None:
    watch, pending = asked(terminal, typed, user="bob")
    assert tuple(watch.ask(question) for question in pending) == answers
    assert bare(terminal.getvalue()).count("it deploys to production") == 2


def test_a_question_that_is_asked_again_says_why(terminal: Terminal) -> None:
    again = ASKED.model_copy(update={"again": "the policies have changed since bob approved p0"})
    TerminalWatch(terminal, io.StringIO("n\n")).ask(again)
    assert "asked again: the policies have changed since bob approved p0" in bare(terminal.getvalue())


def test_outside_text_cannot_steer_the_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    evil = "\x1b]8;;http://evil.example\x07here\x1b]8;;\x07 \x1b[2J [bold]markup[/bold] \u202e"
    session = FakeWorld().open(None)  # type: ignore[arg-type]
    run = session.start(request("ask me " + evil))
    document = session.drive(run)
    TerminalPaper(terminal).plan(document)
    TerminalPaper(terminal).report(document)
    forged = Kind(tool=evil, target=evil, namespace=evil, count=1, usd_micro=1, args={evil: evil, "b": [evil]})
    bounds = Bounds(usd_micro=1, kinds=(forged,), until=9)
    question = ASKED.model_copy(
        update={
            "reason": evil,
            "bounds": bounds,
            "again": evil,
            "roles": (evil,),
            "who": (evil,),
            "id": evil,
            "step": evil,
            "policies": (evil,),
        }
    )
    TerminalWatch(terminal, io.StringIO("")).ask(question)
    plain = io.StringIO()
    PlainPaper(Outlet(plain)).plan(document)
    PlainPaper(Outlet(plain)).report(document)
    session.drive(run, watch=PlainWatch(Outlet(plain)).see)
    plain.write("\n".join(question_lines(question)))
    plain.write(waits(question, approve="approve", resume="resume"))
    for shown in (terminal.getvalue(), plain.getvalue()):
        assert "evil.example" not in shown
        assert "\x1b]8" not in shown
        assert "\x1b[2J" not in shown
        assert "\u202e" not in shown
    assert "[bold]markup[/bold]" in terminal.getvalue()


def test_time_left_comes_from_the_job_or_else_from_the_estimate() -> None:
    step = StepView(id="s", tool="t", part=None, phase="running", expected_s=10)
    assert remaining(step, 4) == (0.4, "6 s left")
    assert remaining(step, 40)[1] == "taking longer"
    half = step.model_copy(update={"progress": Progress(at=0, message="", fraction=0.5)})
    assert remaining(half, 30) == (0.5, "30 s left")
    assert remaining(step.model_copy(update={"expected_s": None}), 4) == (None, "")


def test_a_long_plan_keeps_what_is_under_way_in_sight(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "14")
    monkeypatch.setenv("COLUMNS", "80")
    session = FakeWorld().open(None)  # type: ignore[arg-type]
    run = session.start(request("ask me"))
    session.drive(run)
    TerminalWatch(terminal).see(session.view(run))
    assert "steps done" in terminal.getvalue()
    assert "? deploy" in bare(terminal.getvalue())


PROGRAM = """
import sys
sys.path.insert(0, {here!r})
from fake_session import FakeWorld
from agent.doors.cli.app import execute
sys.exit(execute(["run", "ask me"], FakeWorld().open))
"""


def test_on_a_real_terminal_the_answer_typed_there_counts(tmp_path: Path) -> None:
    main, side = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "40"}
    code = PROGRAM.format(here=str(HERE))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=side, stdout=side, stderr=side, cwd=tmp_path, env=environ
    )
    os.close(side)
    seen = b""
    try:
        while chunk := _read(main):
            seen += chunk
            if b"Approve?" in seen and b"y\r\n" not in seen:
                os.write(main, b"y\n")
        assert process.wait(timeout=20) == 0, seen.decode()
    finally:
        process.kill()
        process.wait()
        os.close(main)
    assert "clauses met" in seen.decode()


def _read(descriptor: int) -> bytes:
    """The next output; empty when the other side is gone."""
    ready, _, _ = select.select([descriptor], [], [], 20)
    try:
        return os.read(descriptor, 65536) if ready else b""
    except OSError:  # Linux reports the end of a pseudo-terminal as an error
        return b""
