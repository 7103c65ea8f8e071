"""A real model server from a package registry, with a tiny model of random weights that the test makes itself: nonsense
in, law-abiding behaviour out.

The server is llama.cpp's in the package `llama-cpp-python[server]`, which is no dependency of ours. To run this:

    python -m venv /tmp/llama && /tmp/llama/bin/pip install 'llama-cpp-python[server]'
    GOALKEEPER_TEST_MODEL_SERVER=/tmp/llama/bin/python pytest -rs tests/flows/test_real_model_server.py

`GOALKEEPER_TEST_MODEL_SERVER` names a python that has the package; without it, this one is looked at. Where the package
is absent the tests are skipped and say so. The server knows no JSON schemas as a response format, and answers HTTP 500
to them; what it is made to say through a tool fits the tool's schema, letter by letter at random.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from simulated import Stage, classify, owned
from tiny_model import CONTEXT, write

from agent.brain.llm.brain import Llm
from agent.doors.cli.app import execute
from agent.lines import Consulted
from agent.prospect import Request
from agent.settings import Settings
from policies.limits import load_limits

PYTHON = os.environ.get("GOALKEEPER_TEST_MODEL_SERVER", sys.executable)
HAS = "import importlib.util as u, sys; sys.exit(not (u.find_spec('llama_cpp') and u.find_spec('llama_cpp.server')))"
START_S = 60.0
FORMS = ("auto", "tool", "json", "text")
MOST_REQUESTS = 6
"""Of one question: two answers, with what the ladder takes to find its rung."""
GOALS = (
    "Train a classifier on sklearn:breast_cancer, accuracy at least 0.9",
    "用 sklearn:breast_cancer 训练一个分类器，准确率至少 0.9",
)


def _installed() -> bool:
    try:
        return subprocess.run([PYTHON, "-c", HAS], capture_output=True, timeout=START_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that answers."""
    if not _installed():
        pytest.skip(f"{PYTHON} has no llama-cpp-python[server]: name one that has in GOALKEEPER_TEST_MODEL_SERVER")
    folder = tmp_path_factory.mktemp("model")
    model, port = write(folder / "tiny.gguf"), _free_port()
    command = [PYTHON, "-m", "llama_cpp.server", "--model", str(model), "--model_alias", "tiny"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", str(CONTEXT), "--n_threads", "1"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        _wait(f"http://127.0.0.1:{port}/v1", server, folder / "log")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/models", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"the model server did not start: {log.read_text(errors='replace')[-2000:]}")


def settings(url: str, folder: Path, **more: object) -> Settings:
    given = {"home": folder / "home", "runtime": folder / "runtime", "user": "ada", "backend": "sim", "brain": "llm"}
    return Settings.model_validate(given | {"model": "tiny", "model_url": url, "model_deadline_s": 60.0} | more)


@pytest.mark.parametrize(("form", "goal"), [*((form, GOALS[0]) for form in FORMS), ("auto", GOALS[1])])
def test_a_goal_ends_correctly_whatever_the_model_says(url: str, goal: str, form: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify())
    stage.settings = settings(url, tmp_path, model_form=form)
    stage.brain = Llm.open(stage.settings, load_limits())  # type: ignore[assignment]
    with stage.session() as session:
        run = session.start(Request(text=goal, source="cli:ada", accept=True, folder=str(tmp_path)))
        document = session.drive(run)
        asked = [Consulted.model_validate(e.body) for e in session.events(run) if e.kind == "model"]
    assert document.run.exit_code == 0
    assert [(c.metric, c.demanded, c.verdict) for c in document.run.clauses] == [
        ("accuracy", "accuracy >= 0.9 on holdout", "MET")
    ]
    assert [one.purpose for one in asked] == ["understand"]
    assert (asked[0].outcome, asked[0].instead) == ("invalid", True)
    assert 1 <= asked[0].requests <= MOST_REQUESTS
    assert asked[0].tokens_in > 0
    assert any("tiny" in said and asked[0].why in said for said in document.run.findings)
    assert owned(stage.backend) == []
    assert {e.kind for e in stage.calls()} <= {"jobs.submit", "objects.put"}


def test_doctor_says_whether_it_answers_and_in_which_form(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("GOALKEEPER_MODEL", "tiny")
    assert execute(["doctor", "--model", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    tried = document["model"]["tried"]
    assert (tried["outcome"], tried["form"], document["model"]["loopback"]) == ("answered", "tool", True)
    monkeypatch.setenv("GOALKEEPER_MODEL_FORM", "text")
    assert execute(["doctor", "--model"]) == 5
    assert "GOALKEEPER_MODEL_FORM" in capsys.readouterr().out
