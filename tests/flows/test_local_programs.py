"""What a program in a job is given, what becomes of what it leaves, and what its failure is called."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from local_desk import FOREVER, Desk, tags

from tools.backends.local.job_records import Status
from tools.backends.local.registry import TAGS, Registration, read_json
from tools.errors import NotFound
from tools.ports import JobSpec


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_a_program_leaves_becomes_an_object_and_its_metrics_a_claim(desk: Desk) -> None:
    code = "import os, json; out = os.environ['GOALKEEPER_OUTPUT_DIR']\n"
    code += "open(out + '/metrics.json', 'w').write(json.dumps({'f1': 1.0})); open(out + '/model.onnx', 'w').write('m')"
    state = desk.run(code)
    assert (state.phase, state.result) == ("succeeded", {"claimed": {"f1": 1.0}})
    assert (desk.objects.fetch(f"jobs/{state.id}") / "model.onnx").read_text() == "m"
    assert desk.objects.names("jobs/") == (f"jobs/{state.id}",)
    assert list(desk.objects.work.iterdir()) == []


def test_a_result_survives_the_runtime_folder(desk: Desk) -> None:
    state = desk.run("import os; open(os.environ['GOALKEEPER_OUTPUT_DIR'] + '/m', 'w').write('m')")
    shutil.rmtree(desk.runtime)
    assert (desk.objects.fetch(f"jobs/{state.id}") / "m").read_text() == "m"


def test_links_that_lead_out_of_the_output_are_left_out_and_others_become_files(desk: Desk) -> None:
    (desk.project / "private").write_text("secret")
    code = "import os; os.chdir(os.environ['GOALKEEPER_OUTPUT_DIR']); open('a', 'w').write('a')\n"
    code += f"os.symlink('a', 'b'); os.symlink({str(desk.project / 'private')!r}, 'c'); os.mkfifo('d')"
    state = desk.run(code)
    made = desk.objects.fetch(f"jobs/{state.id}")
    assert sorted(path.name for path in made.iterdir()) == ["a", "b"]
    assert not (made / "b").is_symlink()
    status = read_json(desk.folder(state) / "status.json", Status)
    assert status is not None
    assert set(status.left_out) == {"c", "d"}


def test_a_program_that_puts_a_link_in_place_of_its_output_folder_fails(desk: Desk) -> None:
    (desk.project / "keep").mkdir()
    (desk.project / "keep" / "file").write_text("kept")
    code = "import os; out = os.environ['GOALKEEPER_OUTPUT_DIR']; os.rmdir(out)\n"
    state = desk.run(code + f"os.symlink({str(desk.project / 'keep')!r}, out)")
    assert state.phase == "failed"
    assert (desk.project / "keep" / "file").read_text() == "kept"


@pytest.mark.parametrize(
    ("code", "cause", "says"),
    [
        ("import nowhere_to_be_found", "missing_dependency", "nowhere_to_be_found"),
        ("raise ValueError('columns differ')", "user_code_error", "columns differ"),
        ("raise MemoryError", "out_of_memory_host", "MemoryError"),
        ("import os; os.write(2, b'OSError: [Errno 28] No space left on device\\n'); exit(1)", "disk_full", "No space"),
        ("raise RuntimeError('CUDA out of memory. Tried to allocate')", "out_of_memory_device", "CUDA"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "user_code_error", "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "unknown", "SIGKILL"),
    ],
)
def test_a_failure_has_the_cause_its_last_words_tell(desk: Desk, code: str, cause: str, says: str) -> None:
    state = desk.run(code)
    assert state.failure is not None
    assert (state.phase, state.failure.cause) == ("failed", cause)
    assert says in state.failure.message
    with pytest.raises(NotFound):
        desk.objects.fetch(f"jobs/{state.id}")


def test_a_program_that_is_not_there_is_named(desk: Desk) -> None:
    state = desk.end_of(desk.submit(("no-such-program", "x")))
    assert state.failure is not None
    assert "no-such-program: No such file or directory" in state.failure.message


def test_a_recipe_tells_its_own_typed_failure(desk: Desk) -> None:
    given = JobSpec(program="prepare", args={"source": 3}, sandbox=True, time_limit_s=30)
    state = desk.end_of(desk.jobs.submit(spec=given, tags=tags("prepare")))
    assert state.failure is not None
    assert (state.phase, state.failure.cause) == ("failed", "data_invalid")
    assert any("source" in fault for fault in state.failure.faults)


def test_the_users_program_finds_its_own_packages_and_none_of_our_secrets(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"GOALKEEPER_KEY": "1", "OPENAI_API_KEY": "2", "PYTHONSAFEPATH": "1", "THEIRS": "3"}.items():
        monkeypatch.setenv(name, value)
    (desk.project / "tools").mkdir()
    (desk.project / "tools" / "__init__.py").write_text("WHOSE = 'the user'")
    code = "import os, json, tools; print(tools.WHOSE); print(json.dumps(dict(os.environ)))"
    state = desk.run(code, environment={"GOALKEEPER_EXTRA": "given"}, args={"hyperparameters": {"depth": 3}})
    whose, environment = desk.jobs.logs(state.id)
    seen: Mapping[str, str] = json.loads(environment)
    assert whose == "the user"
    assert not {"GOALKEEPER_KEY", "OPENAI_API_KEY", "PYTHONSAFEPATH"} & set(seen)
    assert (seen["THEIRS"], seen["GOALKEEPER_EXTRA"]) == ("3", "given")
    assert json.loads(seen["GOALKEEPER_HYPERPARAMETERS"]) == {"depth": 3}


def test_a_program_reads_its_data_and_the_secrets_it_was_given_and_cannot_change_them(
    desk: Desk, tmp_path: Path
) -> None:
    data = tmp_path / "prepared"
    data.mkdir()
    (data / "train.parquet").write_text("rows")
    desk.objects.put("sets/one", data)
    code = "import os, json; from pathlib import Path; train = Path(os.environ['GOALKEEPER_DATA_TRAIN'])\n"
    code += f"print(train.read_text()); keys = Path({str(desk.runtime)!r}, 'keys', 'r1')\n"
    code += "print([path.name for path in keys.iterdir()]); train.write_text('mine')"
    state = desk.run(code, mounts={"data": "sets/one"}, secrets=("holdout.public",), sandbox=True)
    if state.isolation != "sandboxed":
        pytest.skip("this machine gives no user namespaces")
    assert list(desk.jobs.logs(state.id))[:2] == ["rows", "['holdout.public']"]
    assert state.failure is not None
    assert "Read-only file system" in state.failure.message


def test_the_last_progress_that_is_one_is_shown(desk: Desk) -> None:
    state = desk.start(FOREVER)
    said = read_json(desk.folder(state) / TAGS, Registration)
    assert said is not None
    lines = [
        json.dumps({"at": 1.0, "message": "half", "fraction": 0.5}),
        "{not json",
        '{"at": NaN}',
        "\udcff",
        '{"at": 2',
    ]
    content = "\n".join(lines).encode(errors="surrogateescape")
    Path(said.debris[0], "progress.jsonl").write_bytes(content)
    progress = desk.jobs.poll(state.id).progress
    assert progress is not None
    assert (progress.message, progress.fraction) == ("half", 0.5)
    desk.jobs.cancel(state.id)


def test_a_flood_of_output_is_kept_within_bounds(desk: Desk) -> None:
    state = desk.run("import sys\nfor i in range(300_000): sys.stdout.write(f'{i:060}\\n')\nprint('the end')")
    status = read_json(desk.folder(state) / "status.json", Status)
    assert status is not None
    kept = sum(path.stat().st_size for path in desk.folder(state).glob("log*"))
    assert kept <= 8 << 20
    assert status.dropped >= 300_000 * 61 - kept
    assert list(desk.jobs.logs(state.id, tail=2)) == [f"{299_999:060}", "the end"]


def test_what_a_job_used_is_measured(desk: Desk) -> None:
    child = "x = bytearray(60_000_000); sum(range(3 * 10**6))"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    state = desk.run(code, sandbox=True)
    status = read_json(desk.folder(state) / "status.json", Status)
    assert status is not None
    assert status.usage["peak_bytes"] > 60e6
    assert status.usage["cpu_s"] > 0.03


def test_the_home_inside_the_project_is_hidden_and_the_data_in_it_is_not(tmp_path: Path) -> None:
    desk = Desk(tmp_path, home="project/.goalkeeper")
    data = tmp_path / "prepared"
    data.mkdir()
    (data / "train.csv").write_text("rows")
    desk.objects.put("sets/one", data)
    (desk.home / "journal.sqlite").write_text("journal")
    code = "import os; print(open(os.environ['GOALKEEPER_DATA_TRAIN']).read()); print(os.listdir('.goalkeeper'))"
    state = desk.run(f"{code}; open('mine', 'w').write('kept')", mounts={"data": "sets/one"}, sandbox=True)
    if state.isolation != "sandboxed":
        pytest.skip("this machine gives no user namespaces")
    assert list(desk.jobs.logs(state.id)) == ["rows", "['objects']"]
    assert (desk.project / "mine").read_text() == "kept"


def test_a_hidden_folder_hides_all_but_the_project_in_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "data.csv").write_text("rows")
    (tmp_path / "alias").symlink_to(desk.project)
    code = f"import os; print(os.getcwd(), os.listdir({str(tmp_path)!r}), os.path.exists('train.py'))"
    hide = (str(tmp_path), str(tmp_path / "nothing"))
    state = desk.run(code, folder=str(tmp_path / "alias"), hide=hide, sandbox=True)
    if state.isolation != "sandboxed":
        pytest.skip("this machine gives no user namespaces")
    (said,) = desk.jobs.logs(state.id)
    assert "data.csv" not in said
    assert said.startswith(str(desk.project))
    assert said.endswith("True")
