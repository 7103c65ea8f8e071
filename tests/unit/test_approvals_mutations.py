"""Bugs planted in a copy of the program: the machine must find each one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUGS: dict[str, tuple[str, str, str]] = {
    "the owner believes whoever left the message": (
        "agent/inbox.py",
        "elif not may_answer(who, question, today, approve=approve):",
        "elif not who:",
    ),
    "the requester may answer what is somebody else's": (
        "agent/approving/audience.py",
        "if answerer.other_than_requester and user == today.requester:",
        "if answerer.role == user:",
    ),
    "the digest of an answer is not compared": (
        "agent/inbox.py",
        "if digest != question.digest:",
        "if not digest:",
    ),
    "an answer outlives the policies": (
        "agent/approving/approvals.py",
        "if len(digests) > 1:",
        "if len(digests) > 3:",
    ),
    "a question outlives the policies, and is answered": (
        "agent/inbox.py",
        "elif approve and question.policies_digest != today.policies.digest:",
        "elif approve and not question.policies_digest:",
    ),
    "a yes that comes too late counts": (
        "agent/inbox.py",
        "elif approve and message.at >= question.expires:",
        "elif approve and message.at < 0:",
    ),
    "a yes from before the question counts": (
        "agent/inbox.py",
        "elif approve and message.at < question.asked:",
        "elif approve and message.at < 0:",
    ),
    "an envelope does not lapse": (
        "agent/approving/approvals.py",
        "if today.at >= near.until:",
        "if near.until < 0:",
    ),
    "time goes back": (
        "agent/approving/audience.py",
        "return max(self.now, self.run.last)",
        "return self.now",
    ),
    "an envelope is never used up": (
        "agent/approving/envelope.py",
        "return len(self.steps.get(place, set()) | {step}) > kind.count",
        "return False",
    ),
    "an envelope has no bottom": (
        "agent/approving/envelope.py",
        "return micro is None or self.micro.get(place, 0) + micro > kind.usd_micro",
        "return micro is None",
    ),
    "arguments are not compared with what was shown": (
        "agent/approving/envelope.py",
        "return _same(kind.args, mine.args) and (one.call is None or _kept(kind, one.call))",
        "return True",
    ),
    "a yes for one policy answers another": (
        "agent/approving/envelope.py",
        "if policy not in kind.policies or not one.nameable:",
        "if not one.nameable:",
    ),
    "one policy's yes is enough": (
        "agent/approving/approvals.py",
        "return tuple(found) if len(found) == len(held_by) else None",
        "return tuple(found) or None",
    ),
    "a single call's yes is for any call of the step": (
        "agent/approving/approvals.py",
        'return question.kind == "plan" or (one.call is not None and one.call.digest == question.digest)',
        "return True",
    ),
    "an open question holds nothing up": (
        "agent/advance.py",
        'any(p.kind == "plan" for p in book.run.pending.values())',
        "False",
    ),
    "a no is forgotten": (
        "agent/approving/approvals.py",
        "if run.said_no(question):",
        'if run.said_no(question) and question.kind == "call":',
    ),
    "silence is no no": (
        "agent/approving/approvals.py",
        "if question.expires <= today.at:",
        "if question.expires <= 0:",
    ),
    "a yes beforehand outlives the policies": (
        "agent/approving/approvals.py",
        "or run.rejudged or",
        "or",
    ),
    "an answer is taken in twice": (
        "agent/inbox.py",
        "book.fold_in(message.id)",
        "book.fold_in(0)",
    ),
    "a held call is begun all the same": (
        "agent/advance.py",
        "if ticket is not None:",
        'if ticket is not None or verdict.ruling == "held":',
    ),
    "an attempt is counted anew": (
        "agent/advance.py",
        "attempt = 1 + book.run.attempts(step.id)",
        "attempt = 1",
    ),
}
"""What is wrong → file, what stands there, what is planted."""
HUNT = """
import sys
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
import agent.approving.approvals
assert agent.approving.approvals.__file__.startswith(sys.argv[1]), agent.approving.approvals.__file__
from approvals_model import ApprovalsMachine
from test_approvals_machine import SAMPLE
many = settings(SAMPLE, max_examples=int(sys.argv[2]), stateful_step_count=40)
run_state_machine_as_test(ApprovalsMachine, settings=many)
"""


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, to be spoilt."""
    folder = tmp_path_factory.mktemp("copy")
    for room in ("agent", "policies", "prompts", "tools"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def hunted(copy: Path, examples: int) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(map(str, (copy, ROOT / "tests" / "unit", ROOT / "tests")))
    return subprocess.run(
        [sys.executable, "-c", HUNT, str(copy), str(examples)],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_machine_finds_nothing_wrong_with_the_copy_itself(copy: Path) -> None:
    found = hunted(copy, 50)
    assert found.returncode == 0, found.stderr


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("bug", BUGS)
def test_the_machine_finds_the_bug(copy: Path, bug: str) -> None:
    name, before, after = BUGS[bug]
    file = copy / name
    whole = file.read_text(encoding="utf-8")
    assert whole.count(before) == 1
    file.write_text(whole.replace(before, after), encoding="utf-8")
    try:
        found = hunted(copy, 2000)
    finally:
        file.write_text(whole, encoding="utf-8")
    assert found.returncode == 1
    assert "Failing test case" in found.stderr, found.stderr[-2000:]
