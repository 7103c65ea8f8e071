"""A `predict` command sees its folder, its programs, the table and the model; nothing else of the machine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from tools.backends.local.jobs import LocalJobs
from tools.backends.local.objects import LocalObjects
from tools.ports import JobSpec, Tags
from tools.recipes.command import predictions
from tools.recipes.confine import confined

HUNTER = """
import glob, os, sys
def everywhere(root):
    for place, folders, files in os.walk(root):
        yield from (os.path.join(place, name) for name in files)
found = [p for p in everywhere({root!r}) if os.path.basename(p) in {wanted!r}]
"""
TOLD = """
with open(sys.argv[2], "w") as out:
    out.write("prediction\\n" + (str(len(found)) + "\\n") * (len(open(sys.argv[1]).readlines()) - 1))
"""
WANTED = ("holdout_rows.csv", "labels.csv", "secret")


@pytest.fixture(autouse=True)
def _namespaces(tmp_path: Path) -> None:
    if confined(["true"], folder=tmp_path, environ=os.environ) is None:
        pytest.skip("this machine gives no user namespaces: the evaluation says so itself")


def home(place: Path) -> Path:
    evidence = place / "objects" / "jobs" / "r1.evaluate" / "holdout_rows.csv"
    evidence.parent.mkdir(parents=True)
    evidence.write_text("row,label,prediction\n3,yes,no\n")
    (place / "goalkeeper.db").touch()
    return place


def asked(folder: Path, program: str, *, model: Path | None = None, hide: Sequence[Path] = ()) -> list[str]:
    (folder / "predict.py").write_text(program, encoding="utf-8")
    command = f"{shlex.quote(sys.executable)} predict.py"
    told, alone = predictions(command, folder, pl.DataFrame({"a": [1, 2]}), model=model, hide=hide)
    assert alone
    return told.to_list()


def test_it_finds_no_other_home_beside_its_folder_or_within(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for place in (tmp_path / "elsewhere", project / ".goalkeeper", project / "deep" / "er" / "mine"):
        home(place)
    (tmp_path / "labels.csv").write_text("yes")
    program = HUNTER.format(root=str(tmp_path), wanted=WANTED) + TOLD
    assert asked(project, program) == ["0", "0"]
    subprocess.run([sys.executable, "predict.py", "predict.py", str(tmp_path / "OUT")], cwd=project, check=True)
    assert (tmp_path / "OUT").read_text().split()[1] == "4", "the program would find what is not hidden"


def test_what_is_hidden_within_its_folder_is_not_found_and_the_rest_of_it_is(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("yes")
    (tmp_path / "weights").write_text("7")
    program = HUNTER.format(root=str(tmp_path), wanted=("weights", *WANTED)) + TOLD
    assert asked(tmp_path, program) == ["2", "2"], "an empty file lies where the labels were"
    peeking = "import sys\nfound = open('labels.csv').read()\n" + TOLD
    assert asked(tmp_path, peeking, hide=[tmp_path / "labels.csv"]) == ["0", "0"]


def test_the_model_is_given_even_out_of_a_hidden_home_and_only_to_be_read(tmp_path: Path) -> None:
    project, own = tmp_path / "project", home(tmp_path / "home")
    project.mkdir()
    model = own / "objects" / "jobs" / "r1.train"
    model.mkdir()
    (model / "weights").write_text("w")
    program = "import os, sys\nfound = [open(os.environ['GOALKEEPER_OUTPUT_DIR'] + '/weights').read()]\n"
    for path in (model, project):
        program += f"try:\n    open({str(path / 'left')!r}, 'w')\n    found.append('written')\nexcept OSError: pass\n"
    assert asked(project, program + TOLD, model=model, hide=[own]) == ["1", "1"]
    assert not (model / "left").exists()
    assert not (project / "left").exists()


def test_it_may_write_to_the_temporary_folder_and_nothing_of_that_stays(tmp_path: Path) -> None:
    program = "import os, sys, tempfile\nfound = [tempfile.mkstemp()[1], open('/tmp/of-predict', 'w').name]\n" + TOLD
    assert asked(tmp_path, program) == ["2", "2"]
    assert not Path("/tmp/of-predict").exists()


def test_its_mounts_cannot_be_undone(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("yes")
    program = "import os, sys\nos.system('umount -l labels.csv; umount labels.csv; mount -o remount,bind,rw /usr')\n"
    program += "found = open('labels.csv').read() + 'x' * os.access('/proc/1/root/labels.csv', os.R_OK)\n"
    assert asked(tmp_path, program + TOLD, hide=[tmp_path / "labels.csv"]) == ["0", "0"]


def test_a_folder_reached_by_links_and_a_program_of_the_system_work(tmp_path: Path) -> None:
    (tmp_path / "real" / "project").mkdir(parents=True)
    (tmp_path / "one").symlink_to("real")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    folder = tmp_path / "two" / "project"
    (folder / "predict.sh").write_text('printf "prediction\\nyes\\n" > "$2"', encoding="utf-8")
    told, alone = predictions("sh predict.sh", folder, pl.DataFrame({"a": [1]}), model=None)
    assert (told.to_list(), alone) == (["yes"], True)


def test_a_training_program_finds_no_home_in_its_folder_and_none_of_the_runtime(tmp_path: Path) -> None:
    project, runtime = tmp_path / "project", tmp_path / "runtime"
    project.mkdir()
    within = home(project / "mine" / ".goalkeeper")
    searching = HUNTER.format(root=str(tmp_path), wanted=WANTED)
    leaving = "import json\nout = os.environ['GOALKEEPER_OUTPUT_DIR']\n"
    leaving += "json.dump({'found': len(found)}, open(out + '/metrics.json', 'w'))\n"
    (project / "train.py").write_text(searching + leaving, encoding="utf-8")
    other = home(Path(sys.prefix) / ".goalkeeper-of-a-test")  # seen by every program, were it not masked
    try:
        jobs = LocalJobs(runtime=runtime, objects=LocalObjects(other))
        assert trained(jobs, project, call="r0/train/1") == {"found": 0.0}
        jobs = LocalJobs(runtime=runtime, objects=LocalObjects(tmp_path / "current"))
        (project / "train.py").write_text(
            searching.replace(repr(str(tmp_path)), repr(str(other))) + leaving, encoding="utf-8"
        )
        assert trained(jobs, project, call="r1/train/1") == {"found": 0.0}
    finally:
        shutil.rmtree(other)
    assert (within / "objects" / "jobs" / "r1.evaluate" / "holdout_rows.csv").is_file()


def trained(jobs: LocalJobs, project: Path, *, call: str) -> object:
    """What a sandboxed program claims."""
    argv = (sys.executable, "train.py")
    spec = JobSpec(program="command", argv=argv, folder=str(project), sandbox=True, time_limit_s=60)
    run = call.partition("/")[0]
    state = jobs.submit(spec=spec, tags=Tags(run=run, call=call, owner="me", lease_until=time.time() + 60))
    while not state.over:
        time.sleep(0.02)
        state = jobs.poll(state.id)
    assert state.phase == "succeeded", (state.failure, jobs.logs(state.id))
    if state.isolation != "sandboxed":
        pytest.skip("this machine gives no sandbox: the job says so itself")
    assert state.result is not None
    return state.result["claimed"]
