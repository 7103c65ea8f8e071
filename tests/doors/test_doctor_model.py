"""`doctor --model`: what leaves this machine for a language model, and whether it answers."""

from __future__ import annotations

import json
import shutil
import socket
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from fake_session import FakeWorld

from agent.doors.cli.app import execute
from agent.doors.model_check import MOST_TOKENS, bare
from evals.model_server.asked import Asked
from evals.model_server.misbehaviour import Status
from evals.model_server.parameters import Lack, Serves
from evals.model_server.replies import Answers, Message, Reply
from evals.model_server.server import KEY, ModelServer
from prompts.load import load, names

Captured = pytest.CaptureFixture[str]
SECRET = "sk-very-secret-0123456789abcdef"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeWorld:
    monkeypatch.chdir(tmp_path)
    return FakeWorld()


def ready(_: Asked) -> Reply:
    return Answers({"answer": "ready"})


def configure(patch: pytest.MonkeyPatch, **variables: str) -> None:
    known = {"url": "OPENAI_BASE_URL", "key": "OPENAI_API_KEY"}
    for name, value in variables.items():
        patch.setenv(known.get(name, f"GOALKEEPER_{name.upper()}"), value)


def told(world: FakeWorld, capsys: Captured, *flags: str) -> tuple[int, Any, Any]:
    """(exit code, the check of the model, everything about it) of `doctor --json`."""
    code = execute(["doctor", "--json", *flags], world.open)
    document = json.loads(capsys.readouterr().out)
    check = next(c for c in document["checks"] if c["name"] == "model")
    return code, check, document["model"]


def test_a_model_that_answers_is_told_with_where_what_it_costs_and_what_leaves(
    world: FakeWorld, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(ready) as server:
        configure(monkeypatch, url=server.url, key=KEY, model="scripted", brain="llm")
        code, check, model = told(world, capsys, "--model")
        assert code == 0
        assert check["state"] == "ok"
        assert "form schema" in check["detail"]
        assert (model["model"], model["url"], model["loopback"], model["key"]) == ("scripted", server.url, True, True)
        assert model["price"] == {"read": 0.0, "written": 0.0, "origin": "limits.yaml"}
        assert model["caps"] == {"before_contract": 60000, "per_run": 2000000, "per_month": 50000000}
        assert (model["tried"]["outcome"], model["tried"]["form"], model["tried"]["requests"]) == (
            "answered",
            "schema",
            1,
        )
        assert model["tried"]["tokens_in"] > 0
        listed = {(one["prompt"], one["sends"]) for one in model["leaves"]}
        assert listed == {(name, sends) for name in names() for sends in load(name).sends}
        assert all(one["means"] for one in model["leaves"])
        assert len(server.asked) == 1
        assert server.wrong == []


def test_the_question_holds_nothing_of_anybodys(
    world: FakeWorld, capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with ModelServer(ready) as server:
        configure(monkeypatch, url=server.url, key=KEY, model="scripted")
        monkeypatch.setenv("DATABASE_PASSWORD", SECRET)
        told(world, capsys, "--model")
        sent = json.dumps(server.recorded[0].body)
    assert load("ping").sends == ()
    assert str(tmp_path) not in sent
    assert SECRET not in sent
    assert len(sent) < 2000
    assert server.recorded[0].body is not None
    assert MOST_TOKENS in server.recorded[0].body.values()


def test_without_the_flag_nothing_is_asked(world: FakeWorld, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer(ready) as server:
        configure(monkeypatch, url=server.url, key=KEY, model="scripted")
        code, check, model = told(world, capsys)
        assert (code, check["state"], model) == (0, "ok", None)
        assert "--brain llm" in check["detail"]
        assert server.recorded == []
    assert all(s.brain == "rules" for s in world.opened)


def test_no_model_is_no_fault_until_one_is_to_be_tried(world: FakeWorld, capsys: Captured) -> None:
    code, check, _ = told(world, capsys)
    assert (code, check["state"]) == (0, "ok")
    assert "none is configured" in check["detail"]
    code, check, model = told(world, capsys, "--model")
    assert (code, check["state"], model) == (5, "failed", None)
    assert "GOALKEEPER_MODEL" in check["fix"]
    assert "OPENAI_BASE_URL" in check["fix"]


def test_a_brain_without_a_model_is_a_fault_at_once(world: FakeWorld, capsys: Captured) -> None:
    code, check, _ = told(world, capsys, "--brain", "llm")
    assert (code, check["state"]) == (5, "failed")
    assert "GOALKEEPER_MODEL" in check["detail"]


def test_whether_the_backend_answers_needs_no_model(world: FakeWorld, capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / ".goalkeeper").mkdir()
    told(world, capsys, "--brain", "llm")
    assert [s.brain for s in world.opened] == ["rules"]


FAILURES: dict[str, tuple[dict[str, str], Reply, str]] = {
    "no key": ({"key": ""}, Answers({}), "OPENAI_API_KEY"),
    "another's key": ({"key": "sk-other"}, Answers({}), "OPENAI_API_KEY"),
    "no such model": ({"model": "gpt-none"}, Answers({}), "GOALKEEPER_MODEL=gpt-none"),
    "prose": ({}, Message(content="I would rather talk about the weather."), "GOALKEEPER_MODEL_FORM"),
    "another answer": ({}, Answers({"answer": "no"}), "GOALKEEPER_MODEL_FORM"),
    "a refusal": ({}, Message(refusal="No."), "another model"),
    "a bad request": ({}, Status(422), "chat model"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_every_failure_names_a_way_out(
    case: str, world: FakeWorld, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables, reply, fix = FAILURES[case]
    with ModelServer(lambda _: reply) as server:
        given = {"url": server.url, "key": KEY, "model": "scripted"} | variables
        configure(monkeypatch, **{name: value for name, value in given.items() if value})
        code, check, model = told(world, capsys, "--model")
    assert (code, check["state"]) == (5, "failed")
    assert fix in check["fix"], check
    assert model["tried"]["outcome"] in ("failed", "invalid", "declined")
    assert model["tried"]["why"]
    assert "weather" not in json.dumps(check)


def test_a_wrong_path_is_told_with_what_lists_the_models(
    world: FakeWorld, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(ready) as server:
        configure(monkeypatch, url=server.url.removesuffix("/v1"), key=KEY, model="scripted")
        code, check, _ = told(world, capsys, "--model")
    assert code == 5
    assert "/v1" in check["fix"]
    assert "/models" in check["fix"]


def test_a_server_that_does_not_run_is_told_to_be_started(
    world: FakeWorld, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        configure(monkeypatch, url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1", model="m", model_deadline="1s")
        code, check, model = told(world, capsys, "--model")
    assert code == 5
    assert "start the server" in check["fix"]
    assert model["tried"]["outcome"] == "failed"


@pytest.mark.parametrize(("lacks", "form"), [({"json_schema"}, "tool"), ({"json_schema", "tools"}, "json")])
def test_the_rung_of_the_ladder_that_holds_is_told(
    lacks: set[Lack], form: str, world: FakeWorld, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(ready, serves=Serves(lacks=frozenset(lacks))) as server:
        configure(monkeypatch, url=server.url, key=KEY, model="scripted")
        code, check, model = told(world, capsys, "--model")
    assert code == 0
    assert model["tried"]["form"] == form
    assert f"form {form}" in check["detail"]


def test_where_the_price_is_not_known_and_nobody_can_be_asked_nothing_is_sent(
    world: FakeWorld, capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with ModelServer(ready) as server:
        shutil.copytree(str(files("policies")), tmp_path / "own", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        limits = tmp_path / "own" / "limits.yaml"
        limits.write_text(limits.read_text().replace('model: "*"', "model: another"))
        configure(monkeypatch, url=server.url, key=KEY, model="scripted", policies="own")
        code, check, model = told(world, capsys, "--model")
        assert server.recorded == []
    assert (code, model["price"], model["tried"]["outcome"]) == (5, None, "skipped")
    assert "GOALKEEPER_MODEL_PRICE" in check["fix"]


def test_a_price_that_is_set_names_its_origin(
    world: FakeWorld, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(ready) as server:
        configure(monkeypatch, url=server.url, key=KEY, model="scripted", model_price="1.25/10")
        _, _, model = told(world, capsys, "--model")
    assert model["price"] == {"read": 1.25, "written": 10.0, "origin": "GOALKEEPER_MODEL_PRICE"}
    assert model["tried"]["usd"] > 0


def test_people_are_told_the_same_in_plain_lines(
    world: FakeWorld, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(ready) as server:
        configure(monkeypatch, url=server.url, key=KEY, model="scripted", model_price="1.25/10")
        assert execute(["doctor", "--model"], world.open) == 0
        out = capsys.readouterr().out
    for words in (server.url, "on this machine", "$1.25 read, $10 written", "auto: schema", "60000 before a contract"):
        assert words in out
    for prompt in (load(name) for name in names()):
        assert (prompt.title in out) == bool(prompt.sends)
    assert KEY not in out


def test_no_secret_is_shown(world: FakeWorld, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, url=f"https://ada:{SECRET}@models.example.com/v1", key=SECRET, model="m")
    for flags in ([], ["--model"], ["--json"], ["--json", "--model"]):
        execute(["doctor", *flags], world.open)
        out, err = capsys.readouterr()
        assert SECRET not in out + err
        assert "ada:" not in out


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:pw@models.example.com:8443/v1", "https://models.example.com:8443/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://models.example.com/v1?key=pw#pw", "https://models.example.com/v1"),
        ("http://127.0.0.1:99999/v1", "an address that cannot be read"),
        ("http://[::1/v1", "an address that cannot be read"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(url: str, shown: str) -> None:
    assert bare(url) == shown
