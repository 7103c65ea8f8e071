"""A conversation without a terminal: lines in, plain answers or one JSON document a line out; and its history file."""

from __future__ import annotations

import io
import json
import stat
import sys
from pathlib import Path

import pytest
from chatting import GOAL
from fake_session import FakeWorld

from agent.doors.chat.history import MOST, HistoryFile
from agent.doors.cli.app import execute
from tools.redact import Redaction


def piped(monkeypatch: pytest.MonkeyPatch, world: FakeWorld, given: bytes, *flags: str) -> int:
    stdin = io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)
    return execute(["chat", *flags], world.open)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOALKEEPER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_every_line_gets_one_document_and_the_end_of_input_ends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [GOAL, "make it 0.92 instead", "y", "/wait", "what did it cost?", "", "/nonsense"]
    assert piped(monkeypatch, FakeWorld(), "\n".join(lines).encode() + b"\n", "--json") == 0
    out, err = capsys.readouterr()
    told = [json.loads(line) for line in out.splitlines()]
    assert [t["kind"] for t in told] == ["goal", "correction", "yes", "/wait", "question", "empty", "/nonsense"]
    assert [t["turn"] for t in told] == [1, 2, 3, 4, 5, 6, 7]
    assert [t["posed"] for t in told[:3]] == ["start", "start", ""]
    assert told[1]["changes"][0]["after"] == "accuracy >= 0.92 on holdout"
    assert told[3]["report"]["run"]["status"] == "done"
    assert [t["ok"] for t in told] == [True] * 6 + [False]
    assert "chat --resume chat-" in err


def test_plain_lines_say_the_same_and_what_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert piped(monkeypatch, FakeWorld(), f"{GOAL}\ny\n/wait\n".encode()) == 0
    out, err = capsys.readouterr()
    assert "Start it? [y/n" in out
    assert "has begun" in out
    assert "| accuracy" in out or "accuracy >= 0.9 on holdout" in out
    assert "evaluate: done" in err
    assert "\x1b" not in out + err


def test_hostile_input_is_answered_line_by_line_and_never_with_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = b"\xff\xfe\x00\n" + b"x" * 1_000_000 + b"\n" + "\u202e\x1b[2J\n".encode() + b"\x00\x07y\n" + b"z" * 70_000
    assert piped(monkeypatch, FakeWorld(), given, "--json") == 0
    out, err = capsys.readouterr()
    told = [json.loads(line) for line in out.splitlines()]
    assert [t["kind"] for t in told] == ["unreadable", "unreadable", "empty", "aside", "unreadable"]
    assert "Traceback" not in out + err
    assert "more than 10000 characters" in told[1]["text"][0]


def test_a_conversation_is_taken_up_by_its_name_or_the_newest_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = FakeWorld()
    piped(monkeypatch, world, f"{GOAL}\n".encode(), "--json")
    name = json.loads(capsys.readouterr().out.splitlines()[0])["conversation"]
    for given in ("", name, name[-6:]):
        assert piped(monkeypatch, world, b"/plan\n", "--json", f"--resume={given}") == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(t["conversation"], t["posed"]) for t in told] == [(name, "start"), (name, "start")]


def test_a_conversation_that_is_not_there_is_a_fault_of_the_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert piped(monkeypatch, FakeWorld(), b"", "--json", "--resume", "nothing") == 2
    assert "there is no conversation 'nothing'" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_nothing_is_said_of_a_conversation_in_which_nothing_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert piped(monkeypatch, FakeWorld(), b"") == 0
    assert capsys.readouterr() == ("", "")


def test_what_was_typed_is_kept_for_its_owner_alone_and_without_secrets(tmp_path: Path) -> None:
    secret = "tiger-lily-4711-battery"
    history = HistoryFile(tmp_path / "home", Redaction({"DB_PASSWORD": secret}))
    history.add("first\nof two lines")
    history.add(f"connect with {secret}")
    history.add("api_key=sk-abcdefghijklmnopqrstuvwxyz0123456789ABCD")
    (file,) = (tmp_path / "home").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in file.read_text()
    assert "abcdefghijklmnop" not in file.read_text()
    assert history.read()[0] == "first\nof two lines"
    assert len(history.read()) == 3


def test_a_history_file_that_is_open_to_others_or_broken_is_mended(tmp_path: Path) -> None:
    history = HistoryFile(tmp_path, Redaction())
    history.add("one")
    (file,) = tmp_path.iterdir()
    file.chmod(0o666)
    with file.open("a") as stream:
        stream.write("not json\n[1]\n")
    history.add("two")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert history.read() == ["one", "two"]
    file.write_bytes(b"\xff\xfe")
    assert history.read() == []


def test_a_history_does_not_grow_for_ever(tmp_path: Path) -> None:
    history = HistoryFile(tmp_path, Redaction())
    (tmp_path / "x").touch()
    history.add("first")
    file = next(f for f in tmp_path.iterdir() if f.name != "x")
    file.write_text("".join(f"{json.dumps(str(n))}\n" for n in range(2 * MOST + 1)))
    assert len(history.read()) == MOST
    assert len(file.read_text().splitlines()) == MOST


def test_a_history_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    history = HistoryFile(tmp_path / "home", Redaction())
    history.add("one")
    (file,) = (tmp_path / "home").iterdir()
    file.unlink()
    target = tmp_path / "target"
    target.touch()
    file.symlink_to(target)
    history.add("two")
    assert target.read_text() == ""
