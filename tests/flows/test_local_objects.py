"""What lies on disk for the local backend: objects, keys, registrations and kept output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nacl.public import PrivateKey, PublicKey, SealedBox

from tools.backends.local.credentials import Redactor
from tools.backends.local.disk import remove, write_once
from tools.backends.local.keys import Keys
from tools.backends.local.objects import LocalObjects
from tools.backends.local.output import Output, last_lines
from tools.backends.local.process import Process, finish, process
from tools.backends.local.registry import Identity, alive, end, identify, registrations, runtime_folder
from tools.digest import digest
from tools.errors import Conflict, Invalid, NotFound, Refused


@pytest.fixture
def objects(tmp_path: Path) -> LocalObjects:
    return LocalObjects(tmp_path / "home")


def folder_with(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def test_an_object_is_a_copy_with_its_digest(objects: LocalObjects, tmp_path: Path) -> None:
    source = folder_with(tmp_path / "source", a="1", b="2")
    stored = objects.put("sets/one", source)
    (source / "a").write_text("changed")
    assert (objects.fetch("sets/one") / "a").read_text() == "1"
    assert stored == objects.digest("sets/one") == digest(objects.fetch("sets/one"))
    assert stored != digest(source)
    assert (objects.fetch("sets/one/b")).read_text() == "2"


def test_a_second_put_replaces_the_first_whole(objects: LocalObjects, tmp_path: Path) -> None:
    objects.put("model", folder_with(tmp_path / "one", a="1", b="2"))
    objects.put("model", folder_with(tmp_path / "two", c="3"))
    assert [path.name for path in objects.fetch("model").iterdir()] == ["c"]
    assert list(objects.work.iterdir()) == []


def test_names_are_what_was_put_and_not_its_parts(objects: LocalObjects, tmp_path: Path) -> None:
    source = folder_with(tmp_path / "source", a="1")
    for key in ("sets/one", "sets/two", "models/one"):
        objects.put(key, source)
    objects.put("sets/file.csv", source / "a")
    assert objects.names("sets/") == ("sets/file.csv", "sets/one", "sets/two")
    assert objects.names("") == ("models/one", "sets/file.csv", "sets/one", "sets/two")
    assert objects.names("none") == ()


def test_what_is_not_there_is_said_so(objects: LocalObjects, tmp_path: Path) -> None:
    for look in (objects.fetch, objects.digest):
        with pytest.raises(NotFound):
            look("sets/one")
    with pytest.raises(NotFound):
        objects.put("sets/one", tmp_path / "nothing")
    with pytest.raises(Invalid):
        objects.fetch("../../etc/passwd")
    objects.put("file", folder_with(tmp_path / "source", a="1") / "a")
    with pytest.raises(Conflict):
        objects.put("file/below", tmp_path / "source")


def test_a_run_has_one_key_pair_that_fits_and_nobody_else_may_read(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    public, private = (keys.path("r1", name) for name in ("holdout.public", "holdout.private"))
    sealed = SealedBox(PublicKey(public.read_bytes())).encrypt(b"rows")
    assert SealedBox(PrivateKey(private.read_bytes())).decrypt(sealed) == b"rows"
    assert private.stat().st_mode & 0o777 == 0o600
    assert Keys(tmp_path).path("r1", "holdout.private").read_bytes() == private.read_bytes()
    assert keys.path("r2", "holdout.private").read_bytes() != private.read_bytes()


@pytest.mark.parametrize(("run", "name"), [("r1", "holdout"), ("r1", "../x"), ("../r1", "holdout.public"), ("", "x")])
def test_a_secret_there_is_none_of_is_refused(tmp_path: Path, run: str, name: str) -> None:
    with pytest.raises(Invalid):
        Keys(tmp_path).path(run, name)


def test_the_runtime_folder_is_private_and_ours(tmp_path: Path) -> None:
    named = runtime_folder({"GOALKEEPER_RUNTIME_DIR": str(tmp_path / "mine")})
    assert named.stat().st_mode & 0o777 == 0o700
    assert runtime_folder({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "goalkeeper"
    (tmp_path / "open").mkdir(mode=0o755)
    assert runtime_folder({"GOALKEEPER_RUNTIME_DIR": str(tmp_path / "open")}).stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(Refused, match="GOALKEEPER_RUNTIME_DIR"):
        runtime_folder({"GOALKEEPER_RUNTIME_DIR": str(tmp_path / "link")})


def test_a_runtime_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 65534, 65534)
    with pytest.raises(Refused, match="someone else"):
        runtime_folder({"GOALKEEPER_RUNTIME_DIR": str(tmp_path / "theirs")})


def test_a_process_with_a_reused_pid_is_not_mistaken_and_not_ended(tmp_path: Path) -> None:
    folder = tmp_path / "jobs" / "x"
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], start_new_session=True) as child:
        me = identify(child.pid)
        for other in (me.model_copy(update={"ticks": me.ticks + 1}), me.model_copy(update={"boot": "another"})):
            assert not alive(other)
            finish(Process(other.pid, other.ticks), grace_s=0.1) if other.boot == me.boot else None
            end(other, folder, grace_s=0.1)
        end(me, folder)
        assert alive(me), "it was not started for that folder"
        finish(Process(me.pid, me.ticks), grace_s=2.0)
        assert not alive(me)
    assert not alive(Identity(pid=0, ticks=0))
    for pid in (0, -1, 1):
        end(Identity(pid=pid, ticks=0), folder)
        finish(Process(pid, 0), grace_s=0.1)


def test_ending_a_session_ends_all_its_processes_even_deaf_ones() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(30)"
    start = f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {deaf!r}])"
    code = f"{start}; print(child.pid, flush=True); child.wait()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        said = {parent.stdout.readline().strip(), parent.stdout.readline().strip()} - {b"1"}
        child = identify(int(said.pop()))
        assert alive(child)
        finish(process(parent.pid), grace_s=0.2)
        assert not alive(child)


def test_a_folder_that_says_nothing_readable_is_no_resource(tmp_path: Path) -> None:
    for name, text in {"empty": None, "broken": "{", "foreign": '{"kind": "job"}'}.items():
        (tmp_path / "jobs" / name).mkdir(parents=True)
        if text is not None:
            (tmp_path / "jobs" / name / "tags.json").write_text(text)
    assert list(registrations(tmp_path, "jobs")) == []
    assert list(registrations(tmp_path, "endpoints")) == []


def test_output_keeps_its_head_and_its_tail_and_counts_the_rest(tmp_path: Path) -> None:
    output = Output(tmp_path, Redactor({}), head=100, segment=50)
    for number in range(100):
        output.write(f"line {number:04}\n".encode())
    output.close()
    kept = b"".join((tmp_path / name).read_bytes() for name in ("log", "log.tail.old", "log.tail"))
    assert len(kept) + output.dropped == 1000
    assert len(kept) <= 200
    lines = last_lines(tmp_path, 1000)
    assert (lines[0], lines[-1]) == ("line 0000", "line 0099")
    assert f"[{output.dropped} bytes left out]" in lines
    assert last_lines(tmp_path, 1) == ("line 0099",)
    assert last_lines(tmp_path, 0) == ()


def test_of_many_writers_one_writes_and_the_others_are_told(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    assert [write_once(path, {"by": number}) for number in range(3)] == [True, False, False]
    assert path.read_text() == '{"by": 0}'
    assert [each.name for each in tmp_path.iterdir()] == ["status.json"]


def test_what_its_maker_has_closed_to_itself_is_removed_too(tmp_path: Path) -> None:
    inner = tmp_path / "box" / "closed" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    (tmp_path / "box" / "link").symlink_to(tmp_path)
    inner.chmod(0)
    inner.parent.chmod(0)
    remove(tmp_path / "box")
    remove(tmp_path / "box")
    assert list(tmp_path.iterdir()) == []
