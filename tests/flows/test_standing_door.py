"""Standing goals at the command line: listed like service levels, told whole, verified, ended, in both languages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from standing_desk import Home, begun, pass_time, wanted

from agent.doors.cli.app import execute
from agent.record.nudge import Listener
from agent.session import Session
from agent.settings import Settings

Say = Callable[..., tuple[int, str]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path, wanted(tmp_path, retrain_on=("drift",)))
    session, _, _ = begun(made)
    pass_time(session, made, checks=3)
    session.close()
    return made


@pytest.fixture
def say(home: Home, capsys: pytest.CaptureFixture[str]) -> Say:
    """Carries a command line out; (exit code, what it printed)."""

    def opened(_: Settings) -> Session:
        return home.open()

    def run(*words: str) -> tuple[int, str]:
        code = execute([*words, "--home", str(home.settings.home)], opened)
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def goal_of(say: Say) -> str:
    _, text = say("goals", "--json")
    (level,) = json.loads(text)["goals"]
    return str(level["id"])


def test_goals_lists_state_clauses_budget_and_the_next_check(say: Say) -> None:
    code, text = say("goals")
    assert code == 0
    for told in (
        "healthy",
        "tumours",
        "error_rate <= 0.01 live",
        "MET",
        "0%",
        "▁▁▁",
        "next 2026-01-01",
        "0 of at most 4",
    ):
        assert told in text, told
    code, text = say("goals", "--json")
    (level,) = json.loads(text)["goals"]
    assert (level["state"], level["checks"], level["do"]) == ("healthy", 3, "")


def test_it_is_said_where_nobody_makes_the_checks(say: Say, home: Home) -> None:
    _, text = say("goals")
    assert "No worker drives this home" in text
    with Listener(home.settings.home, worker=True):
        _, text = say("goals")
        _, document = say("goals", "--json")
    assert "No worker" not in text
    assert json.loads(document)["idle"] == ""


def test_one_goal_is_shown_with_its_events_and_reported_whole(say: Say) -> None:
    goal = goal_of(say)
    code, text = say("goals", goal)
    assert code == 0
    assert "check 3: healthy" in text
    code, text = say("report", goal)
    assert code == 0
    assert text.startswith(f"# Standing goal {goal}")
    code, text = say("events", goal)
    assert code == 0
    assert "handed over by run" in text
    code, text = say("report", goal, "--json")
    assert json.loads(text)["markdown"].startswith("# Standing goal")


def test_what_is_for_runs_alone_says_so(say: Say) -> None:
    goal = goal_of(say)
    for words in (("show", goal), ("resume", goal)):
        code, text = say(*words)
        assert code == 2
        assert "is a standing goal, and no run" in text
    code, text = say("goals", "nothing-of-that-name")
    assert code == 2


def test_cancelling_at_the_door_ends_it_at_once(say: Say) -> None:
    goal = goal_of(say)
    code, text = say("cancel", goal)
    assert code == 0
    assert "not extended any more" in text
    code, text = say("goals")
    assert "ended" in text
    assert "keeps it" in text, "what becomes of the endpoint is said"


def test_its_record_is_verified_like_a_run_s(say: Say, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    goal = goal_of(say)
    monkeypatch.setenv("GOALKEEPER_AUDIT_DIR", str(home.settings.audit_folder))
    code, text = say("audit", "verify", goal)
    assert code == 0, text


def test_nothing_is_looked_after_in_a_new_home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = execute(["goals", "--home", str(tmp_path / "new"), "--backend", "sim"])
    assert code == 0
    assert "Nothing is looked after" in capsys.readouterr().out


def test_a_goal_in_chinese_is_told_in_chinese(tmp_path: Path) -> None:
    made = Home(tmp_path, wanted(tmp_path))
    made.goal = "训练一个分类器并部署，每小时检查一次"
    session, goal, _ = begun(made)
    pass_time(session, made, checks=1)
    story = session.story(goal)
    for told in ("常驻目标", "正常", "移交", "次检查"):
        assert told in story
