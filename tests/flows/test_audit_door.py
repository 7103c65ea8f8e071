"""`audit verify`, `audit export` and what `doctor` says of them, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from audited import Kept
from simulated import ACCURACY, Stage, classify

from agent.doors.cli.app import execute


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A run that is over, in a home as it would lie in a project's folder."""
    folder = tmp_path_factory.mktemp("over")
    return Kept(folder, Stage(folder, classify(ACCURACY)).ended().run.id)


@pytest.fixture
def mine(over: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    kept = over.copied(tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOALKEEPER_HOME", str(kept.home))
    monkeypatch.setenv("GOALKEEPER_RUNTIME_DIR", str(kept.folder / "runtime"))
    monkeypatch.setenv("GOALKEEPER_BACKEND", "sim")
    return kept


Captured = pytest.CaptureFixture[str]


def test_a_run_is_verified_by_a_part_of_its_name(mine: Kept, capsys: Captured) -> None:
    assert execute(["audit", "verify", mine.run[-6:]]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == f"{mine.run}: verified to sequence {len(mine.lines())}, complete"
    assert err == ""


def test_what_is_wrong_is_said_with_exit_code_1(mine: Kept, capsys: Captured) -> None:
    mine.sql("DELETE FROM journal WHERE seq = 5")
    assert execute(["audit", "verify", mine.run]) == 1
    assert "  fault: lines 5 to 5 are missing" in capsys.readouterr().out


def test_json_is_one_document(mine: Kept, capsys: Captured) -> None:
    assert execute(["audit", "verify", mine.run, "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (document["ruling"], document["complete"], document["trusted"], err) == ("verified", True, "folder", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["verify", "nobody"], "there is no run 'nobody'"),
        (["verify", ""], "there is no run ''"),
        (["verify"], "name a run, or a file with --bundle"),
        (["verify", "r", "--bundle", "goalkeeper.zip"], "does not exist"),
        (["verify", "r", "--key", "abc"], "--key: 'abc' is neither a public key of 64 hexadecimal digits nor a file"),
        (["export", "nobody"], "there is no run 'nobody'"),
        (["export"], "Missing argument"),
        ([], "export"),
    ],
)
def test_what_cannot_be_meant_ends_with_exit_code_2(
    mine: Kept, capsys: Captured, arguments: list[str], says: str
) -> None:
    assert execute(["audit", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_run_that_was_never_signed_ends_with_exit_code_4(mine: Kept, capsys: Captured) -> None:
    mine.log.unlink()
    assert execute(["audit", "verify", mine.run]) == 4
    assert "there is no signed head: nothing can be said" in capsys.readouterr().out


def test_a_run_whose_home_is_gone_is_known_by_its_heads(
    mine: Kept, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOALKEEPER_HOME", str(mine.folder / "elsewhere"))
    assert execute(["audit", "verify", mine.run]) == 1
    out = capsys.readouterr().out
    assert "fault: the journal ends at line 0" in out
    assert "is that its home?" in out
    assert not (mine.folder / "elsewhere").exists()


def test_a_bundle_is_exported_and_verified_with_a_key_from_elsewhere(mine: Kept, capsys: Captured) -> None:
    assert execute(["audit", "export", mine.run]) == 0
    out, err = capsys.readouterr()
    bundle = Path(f"{mine.run}.audit.zip")
    assert bundle.is_file()
    assert "verified to sequence" in out
    public = mine.heads.folder / "key" / "public"
    assert f"Give {public} to whoever verifies" in err
    assert execute(["audit", "verify", "--bundle", str(bundle), "--key", str(public), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["trusted"], document["complete"]) == ("given", True)
    assert execute(["audit", "verify", "--bundle", str(bundle), "--key", "ab" * 32]) == 1
    capsys.readouterr()
    assert execute(["audit", "verify", "--bundle", str(bundle)]) == 0
    assert "the key is the bundle's own" in capsys.readouterr().out


def test_what_is_no_bundle_is_said_so(mine: Kept, capsys: Captured) -> None:
    Path("b.zip").write_bytes(b"no bundle")
    assert execute(["audit", "verify", "--bundle", "b.zip"]) == 2
    assert "b.zip cannot be read as a bundle" in capsys.readouterr().err


def test_a_bundle_that_cannot_be_written_is_said_so(mine: Kept, capsys: Captured) -> None:
    assert execute(["audit", "export", mine.run, "--output", "nowhere/b.zip"]) == 5
    assert "nowhere" in capsys.readouterr().err


def _check(capsys: Captured) -> dict[str, str]:
    execute(["doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    (found,) = [check for check in document["checks"] if check["name"] == "audit"]
    return dict(found)


def test_doctor_says_where_heads_and_key_lie(mine: Kept, capsys: Captured) -> None:
    found = _check(capsys)
    assert found["state"] == "ok"
    assert str(mine.heads.folder) in found["detail"]
    assert str(mine.heads.folder / "key" / "public") in found["detail"]


def test_doctor_says_what_keeps_heads_from_being_signed(
    mine: Kept, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mine.heads.folder / "key" / "private").chmod(0o644)
    found = _check(capsys)
    assert found["state"] == "warning"
    assert "must be yours alone: chmod go=" in found["detail"]
    monkeypatch.setenv("GOALKEEPER_AUDIT_DIR", str(mine.home / "audit"))
    found = _check(capsys)
    assert (found["state"], "outside" in found["fix"]) == ("warning", True)
    Path("file").write_text("")
    monkeypatch.setenv("GOALKEEPER_AUDIT_DIR", str(Path("file").absolute() / "audit"))
    found = _check(capsys)
    assert (found["state"], "GOALKEEPER_AUDIT_DIR" in found["fix"]) == ("warning", True)
    assert not (mine.home / "audit").exists()


def test_heads_may_lie_where_a_person_says(mine: Kept, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    (mine.folder / "runtime" / "audit").rename(mine.folder / "vault")
    assert execute(["audit", "verify", mine.run]) == 4
    monkeypatch.setenv("GOALKEEPER_AUDIT_DIR", str(mine.folder / "vault"))
    assert execute(["audit", "verify", mine.run]) == 0
    Path("goalkeeper.toml").write_text('audit_dir = "/tmp"\n')
    capsys.readouterr()
    assert execute(["audit", "verify", mine.run]) == 2
    assert "never taken from a file" in capsys.readouterr().err
