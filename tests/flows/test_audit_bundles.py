"""One file about a run, verified where there is no goalkeeper: whole, bound to a key, honest about what it lacks."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from audited import Kept
from nacl.signing import SigningKey
from simulated import ACCURACY, Stage, classify, priced

from agent.audit.bundle import Exported, export
from agent.audit.evidence import evidence
from agent.audit.journal import Head, Judgement, Line, digest_of, head_line, head_of, key_id, message
from agent.audit.key import fast, public_key
from agent.audit.program import verifier
from agent.audit.verify import MANIFEST_OF, Unreadable, check_bundle
from agent.errors import Broken
from tools.errors import NotFound

FORGER = SigningKey(b"\x05" * 32)
Files = dict[str, bytes]


class Exports:
    """A run that is over, the bundle of it, and what is needed to make another."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder, classify(ACCURACY), world=priced(usd_per_hour=3.0))
        self.of = Kept(folder, self.stage.ended().run.id)
        self.file = folder / "bundle.zip"
        self.made = self.export(self.file)
        with zipfile.ZipFile(self.file) as bundle:
            self.files: Files = {name: bundle.read(name) for name in bundle.namelist()}

    @property
    def public(self) -> bytes:
        found = public_key(self.of.heads.folder)
        assert found is not None
        return found

    def export(self, to: Path, *, of: Kept | None = None) -> Exported:
        of = of or self.of
        return export(of.run, home=of.home, heads=of.heads, fetch=self.stage.backend.objects.fetch, to=to)


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Exports:
    return Exports(tmp_path_factory.mktemp("exports"))


def zipped(files: Files, to: Path) -> Path:
    with zipfile.ZipFile(to, "w") as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)
    return to


def relisted(files: Files) -> Files:
    """With a manifest that fits again: what anybody can do."""
    manifest = json.loads(files["manifest.json"])
    listed = {n: c for n, c in files.items() if not n.startswith("manifest.")}
    manifest["files"] = {n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in listed.items()}
    return files | {"manifest.json": json.dumps(manifest).encode()}


def checked(path: Path, *, given: bytes | None = None) -> Judgement:
    return check_bundle(path, given=given, genuine=fast, program=verifier())


def alone(bundle: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The bundle's own verifier in an interpreter that sees no package but the standard library."""
    with zipfile.ZipFile(bundle) as files:
        (folder / "verify.py").write_bytes(files.read("verify.py"))
    return subprocess.run(
        [sys.executable, "-I", "-S", str(folder / "verify.py"), str(bundle), *options],
        cwd=folder,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_bundle_is_verified_offline_without_goalkeeper(exports: Exports, tmp_path: Path) -> None:
    ended = alone(exports.file, tmp_path, "--key", exports.public.hex())
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = len(exports.of.lines())
    assert ended.stdout.splitlines() == [
        f"{exports.of.run}: verified to sequence {lines}, complete",
        f"{lines} lines, {len(exports.of.heads.texts(exports.of.run))} signed heads, key {key_id(exports.public)}",
    ]


def test_without_a_key_the_bundle_is_said_to_speak_for_itself_alone(exports: Exports, tmp_path: Path) -> None:
    ended = alone(exports.file, tmp_path)
    assert ended.returncode == 0
    assert "note: the key is the bundle's own: it says that nothing was altered since, not who signed" in ended.stdout


def test_there_is_no_goalkeeper_where_the_bundle_is_verified(exports: Exports, tmp_path: Path) -> None:
    """The test above would pass for the wrong reason otherwise."""
    probe = tmp_path / "probe.py"
    probe.write_text("from importlib.util import find_spec as f; print([f(n) for n in ('agent', 'nacl', 'pydantic')])")
    ended = subprocess.run(
        [sys.executable, "-I", "-S", str(probe)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[None, None, None]"


def test_the_same_run_gives_the_same_bytes(exports: Exports, tmp_path: Path) -> None:
    again = exports.export(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == exports.file.read_bytes()
    assert (again.sha256, again.sealed, again.problem) == (exports.made.sha256, True, "")
    assert [p.name for p in tmp_path.iterdir()] == ["again.zip"]


def test_it_holds_everything_that_a_person_asks_for(exports: Exports) -> None:
    names = set(exports.files)
    assert {"README.txt", "verify.py", "journal.jsonl", "heads.jsonl", "key.public", "ledger.json"} <= names
    assert {"contract.json", "plans.json", "verdicts.json", "approvals.json", "report/report.md"} <= names
    assert any(n.startswith("evidence/") and n.endswith("/evaluation.json") for n in names)
    assert any(n.startswith("evidence/") and n.endswith("/holdout_rows.csv") for n in names)
    verdicts = json.loads(exports.files["verdicts.json"])
    assert {"facts", "policies", "call"} <= set(verdicts[0]["body"])
    assert exports.made.omitted == ()
    assert exports.files["verify.py"] == verifier()
    stored = [json.loads(line) for line in exports.files["journal.jsonl"].decode().splitlines()]
    assert [tuple(line.values()) for line in stored] == exports.of.lines()
    assert json.loads(exports.files["ledger.json"])["ledger"]


def test_approvals_say_who_answered_when_and_to_what(tmp_path: Path) -> None:
    stage = Stage(tmp_path, classify(ACCURACY), world=priced(usd_per_hour=None))
    of = Kept(tmp_path, stage.ended(accept=False, ask=lambda _: True).run.id)
    export(of.run, home=of.home, heads=of.heads, fetch=stage.backend.objects.fetch, to=tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as bundle:
        asked, answer = json.loads(bundle.read("approvals.json"))
    assert (asked["kind"], answer["kind"]) == ("asked", "answer")
    assert asked["body"]["digest"]
    assert (answer["body"]["who"], answer["body"]["approve"]) == ("ada", True)
    assert answer["body"]["pending"] == asked["body"]["id"]
    assert answer["time"].startswith("2026-01-01T")


NAMES = (
    *("README.txt", "verify.py", "journal.jsonl", "heads.jsonl", "key.public", "ledger.json", "report/report.md"),
    *("contract.json", "plans.json", "verdicts.json", "approvals.json"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_was_altered_is_named(exports: Exports, tmp_path: Path, name: str) -> None:
    content = exports.files[name]
    found = checked(zipped(exports.files | {name: content[:-2] + b"~" + content[-1:]}, tmp_path / "b.zip"))
    assert found.exit_code == 1
    assert f"{name} has been altered" in [str(f) for f in found.faults]


@pytest.mark.parametrize("name", NAMES)
def test_altering_the_manifest_too_does_not_help(exports: Exports, tmp_path: Path, name: str) -> None:
    content = exports.files[name]
    forged = relisted(exports.files | {name: content[:-2] + b"~" + content[-1:]})
    found = checked(zipped(forged, tmp_path / "b.zip"))
    assert found.exit_code == 1
    assert "the signature of the manifest is not genuine" in [str(f) for f in found.faults]


@pytest.mark.parametrize("name", ["journal.jsonl", "heads.jsonl", "contract.json", "verdicts.json", "approvals.json"])
def test_what_the_journal_says_is_bound_even_without_the_manifests_signature(
    exports: Exports, tmp_path: Path, name: str
) -> None:
    content = exports.files[name]
    forged = relisted(exports.files | {name: content.replace(b"a", b"b", 1) if len(content) > 3 else b"[{}]\n"})
    del forged["manifest.sig"]
    found = checked(zipped(forged, tmp_path / "b.zip"))
    assert found.exit_code == 1
    assert any(str(n).startswith("the manifest is unsigned") for n in found.notes)


@pytest.mark.parametrize("kind", ["taken out", "put in", "renamed"])
def test_files_taken_out_and_put_in_are_named(exports: Exports, tmp_path: Path, kind: str) -> None:
    files = dict(exports.files)
    if kind != "put in":
        moved = files.pop("ledger.json")
    if kind != "taken out":
        files["extra.json"] = b"{}" if kind == "put in" else moved
    faults = [str(f) for f in checked(zipped(files, tmp_path / "b.zip")).faults]
    expected = {
        "taken out": {"ledger.json is in the manifest and not in the bundle"},
        "put in": {"extra.json is in the bundle and not in its manifest"},
    }
    assert set(faults) == expected.get(kind, expected["taken out"] | expected["put in"])


def _resigned(files: Files, key: SigningKey, *, forge: Callable[[str], str]) -> Files:
    """The whole bundle, with other lines, signed with another key: all that a forger without the key can do."""
    public = bytes(key.verify_key)
    lines = files["journal.jsonl"].decode().splitlines()
    heads, previous = [], ""
    for text in files["heads.jsonl"].decode().splitlines():
        found = head_of(text)
        assert found is not None
        head: Head = found[0]._replace(key=key_id(public), previous=previous)
        heads.append(head_line(head, key.sign(message(head)).signature))
        previous = digest_of(heads[-1])
    forged = files | {
        "journal.jsonl": "".join(f"{forge(line)}\n" for line in lines).encode(),
        "heads.jsonl": "".join(f"{head}\n" for head in heads).encode(),
        "key.public": public.hex().encode() + b"\n",
    }
    manifest = json.loads(forged["manifest.json"]) | {"key": public.hex()}
    forged = relisted(forged | {"manifest.json": json.dumps(manifest).encode()})
    seal = key.sign(MANIFEST_OF + forged["manifest.json"]).signature
    return forged | {"manifest.sig": seal.hex().encode()}


def test_a_bundle_that_a_forger_signed_passes_for_nobody_who_knows_the_key(exports: Exports, tmp_path: Path) -> None:
    forged = zipped(_resigned(exports.files, FORGER, forge=lambda line: line), tmp_path / "b.zip")
    own = checked(forged)
    assert own.exit_code == 0
    assert any("the bundle's own" in str(n) for n in own.notes)
    found = checked(forged, given=exports.public)
    assert found.exit_code == 1
    assert "head 1 was signed with key" in str(found.faults[0])
    assert alone(forged, tmp_path, "--key", exports.public.hex()).returncode == 1


def test_another_runs_journal_does_not_serve(exports: Exports, tmp_path: Path) -> None:
    manifest = json.loads(exports.files["manifest.json"]) | {"run": "another"}
    files = exports.files | {"manifest.json": json.dumps(manifest).encode()}
    found = checked(zipped(files, tmp_path / "b.zip"))
    assert f"head 1 is of run {exports.of.run}" in [str(f) for f in found.faults]


def test_a_verifier_that_is_not_ours_is_not_to_be_run(exports: Exports, tmp_path: Path) -> None:
    files = relisted(exports.files | {"verify.py": b"print('all is well')"})
    assert any("do not run it" in str(n) for n in checked(zipped(files, tmp_path / "b.zip")).notes)


def test_a_bundle_of_a_run_that_was_altered_is_made_and_says_so(exports: Exports, tmp_path: Path) -> None:
    of = exports.of.copied(tmp_path / "copy")
    of.sql("UPDATE journal SET body = CAST(x'7BFF7D' AS TEXT) WHERE seq = 5")
    of.sql("UPDATE journal SET kind = x'00' WHERE seq = 7")
    made = exports.export(tmp_path / "b.zip", of=of)
    assert made.audit is not None
    assert made.audit.faults[0] == "line 5 has been altered"
    ended = alone(tmp_path / "b.zip", tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_run_without_heads_is_exported_and_nothing_is_said_of_it(exports: Exports, tmp_path: Path) -> None:
    of = exports.of.copied(tmp_path / "copy")
    for path in sorted(of.heads.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    made = exports.export(tmp_path / "b.zip", of=of)
    assert (made.sealed, made.audit, made.key) == (False, None, None)
    assert made.problem.startswith("there is no signing key in")
    assert not (of.heads.folder / "key").exists()
    ended = alone(tmp_path / "b.zip", tmp_path)
    assert ended.returncode == 4
    assert "there is no signed head: nothing can be said of" in ended.stdout


def test_a_key_that_cannot_sign_leaves_the_manifest_unsigned_and_says_why(exports: Exports, tmp_path: Path) -> None:
    of = exports.of.copied(tmp_path / "copy")
    (of.heads.folder / "key" / "private").chmod(0o644)
    made = exports.export(tmp_path / "b.zip", of=of)
    assert not made.sealed
    assert "must be yours alone" in made.problem
    assert alone(tmp_path / "b.zip", tmp_path).returncode == 0


def test_a_store_that_cannot_be_read_is_said_so(exports: Exports, tmp_path: Path) -> None:
    of = exports.of.copied(tmp_path / "copy")
    (of.home / "goalkeeper.db").write_bytes(b"no database " * 400)
    with pytest.raises(Broken, match="cannot be read"):
        exports.export(tmp_path / "b.zip", of=of)
    assert not (tmp_path / "b.zip").exists()


def test_a_bundle_that_cannot_be_written_leaves_nothing(exports: Exports, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        exports.export(tmp_path / "nowhere" / "b.zip")
    (tmp_path / "b.zip").mkdir()
    with pytest.raises(OSError, match="directory"):
        exports.export(tmp_path / "b.zip")
    assert [p.name for p in tmp_path.iterdir()] == ["b.zip"]


def _with_name(name: str) -> Callable[[Path, Files], None]:
    return lambda to, files: zipped(files | {name: b"x"}, to) and None


def _twice(to: Path, files: Files) -> None:
    with zipfile.ZipFile(to, "w") as bundle:
        bundle.writestr("manifest.json", files["manifest.json"])
        with pytest.warns(UserWarning, match="Duplicate name"):
            bundle.writestr("manifest.json", files["manifest.json"])


def _bare(to: Path, files: Files) -> None:
    zipped({"readme": b"x"}, to)


def _manifest(**fields: object) -> Callable[[Path, Files], None]:
    def make(to: Path, files: Files) -> None:
        manifest = json.loads(files["manifest.json"]) | fields
        zipped(files | {"manifest.json": json.dumps(manifest).encode()}, to)

    return make


def _deep(to: Path, files: Files) -> None:
    zipped(files | {"manifest.json": b"[" * 100_000}, to)


def _truncated(to: Path, files: Files) -> None:
    zipped(files, to)
    to.write_bytes(to.read_bytes()[:-100])


def _empty(to: Path, files: Files) -> None:
    to.write_bytes(b"")


@pytest.mark.parametrize(
    "make",
    [
        _with_name("../../etc/passwd"),
        _with_name("/etc/passwd"),
        _with_name("a/./b"),
        _with_name("a\nb"),
        _twice,
        _bare,
        _manifest(format="something else"),
        _manifest(version=2),
        _manifest(files=[]),
        _manifest(key="xyz"),
        _deep,
        _truncated,
        _empty,
    ],
)
def test_what_is_no_bundle_is_refused_in_one_sentence(
    exports: Exports, tmp_path: Path, make: Callable[[Path, Files], None]
) -> None:
    make(tmp_path / "b.zip", exports.files)
    with pytest.raises(Unreadable):
        checked(tmp_path / "b.zip")


def test_a_part_that_cannot_be_unpacked_is_altered(exports: Exports, tmp_path: Path) -> None:
    content = bytearray(exports.file.read_bytes())
    with zipfile.ZipFile(exports.file) as bundle:
        at = bundle.getinfo("ledger.json").header_offset
    content[at + 60] ^= 0xFF
    (tmp_path / "b.zip").write_bytes(content)
    faults = [str(f) for f in checked(tmp_path / "b.zip").faults]
    assert faults == ["ledger.json has been altered"]


def test_what_a_manifest_says_steers_no_terminal(exports: Exports, tmp_path: Path) -> None:
    _manifest(run="\x1b[2Jrun\u202e")(tmp_path / "b.zip", exports.files)
    (tmp_path / "verify.py").write_bytes(verifier())
    command = [sys.executable, "-I", str(tmp_path / "verify.py"), str(tmp_path / "b.zip")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[0].startswith("?[2Jrun?: not verified")


@pytest.mark.parametrize("options", [("--key", "abc"), ("--key", "/nowhere"), ("--key", "/")])
def test_what_is_no_key_is_refused(exports: Exports, tmp_path: Path, options: tuple[str, ...]) -> None:
    ended = alone(exports.file, tmp_path, *options)
    assert ended.returncode == 2
    assert "is neither a public key of 64 hexadecimal digits nor a file of one" in ended.stderr


def journalled(key: object) -> tuple[Line | None, ...]:
    """A journal in which one evaluation ended with that key."""
    bodies = (
        ("verdict", {"call": {"id": "r/e/1", "tool": "evaluate_model"}}),
        ("verdict", {"call": {"id": "r/t/1", "tool": "train_model"}}),
        ("outcome", {"call": "r/t/1", "result": {"key": "jobs/train"}}),
        ("outcome", {"call": "r/e/1", "result": {"key": key}}),
        ("outcome", {"call": "r/e/1", "result": None}),
        ("outcome", {"call": ["r/e/1"], "result": {"key": "jobs/list"}}),
        ("verdict", {"call": {"id": ["r"], "tool": "evaluate_model"}}),
        ("verdict", ["nothing"]),
    )
    lines = [Line(n, 1.0, kind, json.dumps(body), "") for n, (kind, body) in enumerate(bodies, start=1)]
    return (*lines, Line(9, 1.0, "outcome", "no json", ""), Line(10, 1.0, "outcome", "[" * 100_000, ""), None)


def test_what_evidence_is_left_out_is_said(tmp_path: Path) -> None:
    place = tmp_path / "object"
    (place / "deep").mkdir(parents=True)
    (place / "a.json").write_bytes(b"{}")
    (place / "big.csv").write_bytes(b"x" * 11)
    (place / "deep" / "b.bin").write_bytes(b"\xff\xfe\x00")
    (place / "deep" / "c.bin").write_bytes(b"x" * 8)
    (place / "link").symlink_to("/etc/passwd")
    (place / "odd\nname").write_bytes(b"")
    found = evidence(journalled("jobs/e"), lambda _: place, file_bytes=10, all_bytes=12)
    assert found.files == {"evidence/jobs/e/a.json": b"{}", "evidence/jobs/e/deep/b.bin": b"\xff\xfe\x00"}
    assert {(o.name, o.bytes, o.why) for o in found.omitted} == {
        ("evidence/jobs/e/big.csv", 11, "it is too large"),
        ("evidence/jobs/e/deep/c.bin", 8, "it is too large"),
        ("evidence/jobs/e/link", None, "it is no plain file"),
        ("'evidence/jobs/e/odd\\nname'", None, "a bundle names no file so"),
    }


def test_evidence_that_is_gone_is_left_out_and_said(tmp_path: Path) -> None:
    def fetch(key: str) -> Path:
        raise NotFound(f"There is no object {key}.")

    found = evidence(journalled("jobs/e"), fetch)
    assert (found.files, [o.why for o in found.omitted]) == ({}, ["There is no object jobs/e."])
    assert evidence(journalled(7), fetch) == ({}, ())
