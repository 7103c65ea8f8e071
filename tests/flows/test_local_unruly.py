"""Programs that misbehave: each ends as a typed failure that says what to do, and nothing of it is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from local_desk import FOREVER, Desk, brood, gone

from tools.backends.local.jobs import LocalJobs
from tools.ports import JobState

OUT = "import json, os, pathlib, sys; out = pathlib.Path(os.environ['GOALKEEPER_OUTPUT_DIR'])\n"
SECRET = "tok-4f8a1c99e2"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def small(desk: Desk) -> Desk:
    """A desk whose jobs may write 16 MB."""
    desk.jobs = LocalJobs(runtime=desk.runtime, objects=desk.objects, grace_s=0.3, disk_bytes=16_000_000)
    return desk


def failed(desk: Desk, state: JobState) -> tuple[str, str]:
    """Cause and message of a failure that left nothing behind."""
    assert state.phase == "failed"
    assert state.failure is not None
    assert list(desk.objects.work.iterdir()) == []
    assert desk.objects.names("jobs/") == ()
    return state.failure.cause, state.failure.message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_metrics_that_are_not_finite_are_a_training_that_diverged(desk: Desk, number: str) -> None:
    text = f'{{"f1": 0.5, "loss": {number}, "history": [{{"loss": 1.0}}, {{"loss": {number}}}]}}'
    cause, said = failed(desk, desk.run(f"{OUT}(out / 'metrics.json').write_text({text!r})"))
    assert cause == "diverged"
    assert "loss (" in said
    assert "history.1.loss (" in said
    assert "f1" not in said


@pytest.mark.parametrize(
    ("write", "says"),
    [
        ("(out / 'metrics.json').write_text('accuracy: 0.9')", "cannot be read"),
        ("(out / 'metrics.json').write_text('[0.9]')", "no JSON object"),
        ("(out / 'metrics.json').write_bytes(b'\\xff\\xfe')", "cannot be read"),
        ("(out / 'metrics.json').write_text('[' * 100_000)", "cannot be read"),
        ("(out / 'metrics.json').write_text(json.dumps({'a': 'x' * 2_000_000}))", "1048576 are read"),
        ("(out / 'metrics.json').mkdir()", "no plain file"),
        ("os.symlink('/etc/hostname', out / 'metrics.json')", "no plain file"),
    ],
)
def test_metrics_that_cannot_be_read_are_named_with_the_way_out(desk: Desk, write: str, says: str) -> None:
    cause, said = failed(desk, desk.run(OUT + write))
    assert (cause, says in said, "JSON object of numbers" in said) == ("user_code_error", True, True)


def test_a_program_without_metrics_claims_nothing(desk: Desk) -> None:
    state = desk.run(f"{OUT}(out / 'model.onnx').write_text('m')")
    assert (state.phase, state.result) == ("succeeded", {"claimed": {}})


@pytest.mark.parametrize("sandbox", [False, True])
def test_a_program_that_fills_the_disk_with_many_files_is_ended(small: Desk, sandbox: bool) -> None:
    code = f"{OUT}import time\nfor n in range(10**6): (out / str(n)).write_bytes(b'x' * 1_000_000); time.sleep(0.01)"
    cause, said = failed(small, small.run(code, sandbox=sandbox))
    assert cause == "disk_full"
    assert "16 MB are allowed" in said


@pytest.mark.parametrize("ignores", [True, False])
def test_a_single_file_that_is_too_large_cannot_be_written(small: Desk, ignores: bool) -> None:
    default = "" if ignores else "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
    state = small.run(
        f"{OUT}{default}with (out / 'model').open('wb') as file:\n  for _ in range(99): file.write(b'x' * 10**6)"
    )
    cause, said = failed(small, state)
    assert cause == "disk_full"
    assert ("File too large" if ignores else "larger than the disk can spare") in said


def test_a_program_that_fails_with_children_that_outlive_their_parent_leaves_nothing(desk: Desk) -> None:
    state = desk.end_of(brood(desk, f"mark-{desk.home}", "raise SystemExit(3)"))
    assert failed(desk, state) == ("user_code_error", "It ended with exit code 3")
    assert gone(f"mark-{desk.home}")


def test_a_program_that_hangs_with_children_leaves_nothing(desk: Desk) -> None:
    state = desk.end_of(brood(desk, f"mark-{desk.home}", FOREVER, time_limit_s=1.5))
    cause, said = failed(desk, state)
    assert (cause, "time limit of 1.5 s" in said) == ("timeout", True)
    assert gone(f"mark-{desk.home}")


def test_a_flood_without_an_end_of_line_is_kept_within_bounds_and_the_job_goes_on(desk: Desk) -> None:
    state = desk.run("import sys\nfor _ in range(20): sys.stdout.write('x' * 10**6)\nprint(); print('the end')")
    assert state.phase == "succeeded"
    lines = _drained(desk, state.id)
    assert lines[-1] == "the end"
    assert max(map(len, lines)) < 10_000
    assert _size(desk.folder(state)) <= 8 << 20


def _size(folder: Path) -> int:
    """Bytes of the output that is kept; a segment may be turned over while it is looked at."""
    found = 0
    for path in folder.glob("log*"):
        with suppress(FileNotFoundError):
            found += path.stat().st_size
    return found


def _drained(desk: Desk, job: str) -> Sequence[str]:
    """The output once all of it is written: a program may end before what it printed was read."""
    until = time.monotonic() + 10
    while "the end" not in (lines := desk.jobs.logs(job)) and time.monotonic() < until:
        time.sleep(0.02)
    return lines


def test_credentials_of_the_shell_do_not_reach_a_program_and_it_is_told_so_when_it_fails(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://me:{SECRET}@db/shop")
    monkeypatch.setenv("HARMLESS", "kept")
    names = ("HF_TOKEN", "DATABASE_URL", "HARMLESS")
    state = desk.run(f"import os; print([n for n in {names} if n in os.environ]); os.environ['HF_TOKEN']")
    assert "['HARMLESS']" in desk.jobs.logs(state.id)
    assert state.failure is not None
    assert any("HF_TOKEN" in line and "not given" in line for line in state.failure.evidence)


@pytest.mark.parametrize("flush", ["True", "False"])
def test_credentials_that_a_program_prints_are_kept_out_of_everything_that_is_written_down(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, flush: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"sk-{SECRET}")
    code = f"{OUT}import os, time\nmine = os.environ['MY_TOKEN']; theirs = 'sk-' + mine\n"
    code += f"print(mine, flush={flush}); print('in', mine, 'between'); print(theirs)\n"
    code += f"for c in mine: print(c, end='', flush={flush}); time.sleep(0.01)\n"
    code += "print(); (out / 'metrics.json').write_text(json.dumps({'note': mine})); print('f', end='')\n"
    given = {"MY_TOKEN": SECRET}
    state = desk.run(code, environment=given)
    assert state.result == {"claimed": {"note": "[withheld:MY_TOKEN]"}}
    assert list(desk.jobs.logs(state.id)) == [
        "[withheld:MY_TOKEN]",
        "in [withheld:MY_TOKEN] between",
        "[withheld:OPENAI_API_KEY]",
        "[withheld:MY_TOKEN]",
        "f",
    ]
    broken = desk.run("import os; raise ValueError(os.environ['MY_TOKEN'])", step="broken", environment=given)
    assert broken.failure is not None
    assert SECRET not in broken.model_dump_json()
    for folder in (desk.folder(state), desk.folder(broken)):
        said = [path.name for path in folder.iterdir() if path.is_file() and SECRET.encode() in path.read_bytes()]
        assert set(said) <= {"launch.json"}  # what the program is started with, in a folder of mode 0700


def test_what_a_program_says_can_be_read_while_it_runs_and_its_last_line_is_its_progress(desk: Desk) -> None:
    state = desk.start(f"print('reading')\nprint('\\x1b[31mepoch 1\\x1b[0m: loss 0.5')\n{FOREVER}")
    patience = time.monotonic() + 20
    while len(desk.jobs.logs(state.id)) < 2:
        assert time.monotonic() < patience
        time.sleep(0.01)
    running = desk.jobs.poll(state.id)
    assert running.phase == "running"
    assert running.progress is not None
    assert running.progress.message == "epoch 1: loss 0.5"
    assert desk.jobs.logs(state.id, tail=1) == ("\x1b[31mepoch 1\x1b[0m: loss 0.5",)
    desk.jobs.cancel(state.id)


def test_a_program_that_cannot_be_started_at_all_says_so(desk: Desk) -> None:
    (desk.project / "train.sh").write_text("echo hello")
    cause, said = failed(desk, desk.end_of(desk.submit(("./train.sh",))))
    assert cause == "permission"
    assert "Permission denied" in said
    cause, said = failed(desk, desk.end_of(desk.submit((sys.executable, "nowhere.py"), step="missing")))
    assert cause == "user_code_error"
    assert "nowhere.py" in said
