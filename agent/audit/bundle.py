"""One self-contained file about a run that a person can verify offline. The same run gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

from agent.audit import raw
from agent.audit.evidence import Omitted, evidence
from agent.audit.examine import Audit, told
from agent.audit.heads import Heads, plain
from agent.audit.journal import Line
from agent.audit.key import Unsignable, fast, public_file, public_key, signer
from agent.audit.program import verifier
from agent.audit.verify import (
    FORMAT,
    HEADS,
    JOURNAL,
    MANIFEST,
    MANIFEST_OF,
    SEAL,
    VERIFIER,
    VERSION,
    VIEWS,
    check_bundle,
    record_line,
    view,
)
from agent.errors import Broken
from agent.record.engine import Unreachable
from tools.language import tr
from tools.record import Json, Record

ABOUT = "README.txt"
KEY = "key.public"
LEDGER = "ledger.json"
_DAY_ONE = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a bundle: when it was exported says nothing."""


class Exported(Record):
    """`audit export --json`."""

    run: str
    bundle: str
    bytes: int
    sha256: str
    files: int
    omitted: tuple[Omitted, ...]
    sealed: bool
    """The manifest is signed too: evidence, ledger and report are as this user exported them."""
    problem: str
    """Why it is not."""
    key: str | None
    """The public key's file, to be given to whoever verifies by another way than the bundle."""
    audit: Audit | None
    """What can be said of the bundle with that key; None when there is none."""


def export(
    run: str, *, home: Path, store: str | None = None, heads: Heads, fetch: Callable[[str], Path], to: Path
) -> Exported:
    """Write the bundle of a run, whole or not at all, in place of a file of that name.

    `fetch` gives an object's place. Broken when the store cannot be read, OSError when the bundle cannot be written.
    """
    public, problem = _public(heads.folder)
    try:
        rows = raw.rows(store or home, run)
    except Unreachable as error:
        raise Broken(tr("the store in {home} cannot be read: {error}", home=home, error=error)) from error
    found = evidence(rows.lines, fetch)
    contents = {**_own(run, home, rows, heads.texts(run), public), **found.files}
    manifest = _manifest(run, contents, found.omitted, public)
    seal = b""
    if public is not None:
        seal, problem = _seal(heads.folder, manifest)
    contents |= {MANIFEST: manifest} | ({SEAL: seal} if seal else {})
    _write(to, contents)
    return Exported(
        run=run,
        bundle=str(to),
        bytes=to.stat().st_size,
        sha256=hashlib.sha256(to.read_bytes()).hexdigest(),
        files=len(contents),
        omitted=found.omitted,
        sealed=bool(seal),
        problem=problem,
        key=None if public is None else str(public_file(heads.folder)),
        audit=None
        if public is None
        else told(check_bundle(to, given=public, genuine=fast, program=verifier()), "folder"),
    )


def _own(run: str, home: Path, rows: raw.Rows, texts: Sequence[str], public: bytes | None) -> dict[str, bytes]:
    """All but the evidence, by name in the bundle."""
    reports = sorted((home / "runs" / run).glob("report.*")) if plain(run) else []
    money = {"run": rows.run, "ledger": rows.ledger, "accounts": rows.accounts}
    return {
        ABOUT: files("agent.audit").joinpath("bundle.md").read_bytes(),
        VERIFIER: verifier(),
        JOURNAL: _lines([_recorded(line) for line in rows.lines]),
        HEADS: _lines(texts),
        LEDGER: (json.dumps(money, indent=2, default=repr) + "\n").encode("ascii"),
        **{name: view(rows.lines, kinds) for name, kinds in VIEWS.items()},
        **{f"report/{path.name}": path.read_bytes() for path in reports if path.is_file()},
        **({} if public is None else {KEY: public.hex().encode() + b"\n"}),
    }


def _lines(texts: Sequence[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode("utf-8", "surrogateescape")


def _recorded(line: Line | None) -> str:
    """A row that is no line stays none for whoever reads it."""
    return "null" if line is None else record_line(line)


def _manifest(run: str, contents: dict[str, bytes], omitted: Sequence[Omitted], public: bytes | None) -> bytes:
    listed = {n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in contents.items()}
    told: Json = {
        "format": FORMAT,
        "version": VERSION,
        "run": run,
        "key": None if public is None else public.hex(),
        "files": listed,
        "omitted": [one.model_dump() for one in omitted],
    }
    return (json.dumps(told, indent=2, sort_keys=True) + "\n").encode("ascii")


def _public(folder: Path) -> tuple[bytes | None, str]:
    """The public key, or why there is none."""
    try:
        found = public_key(folder)
    except Unsignable as error:
        return None, str(error)
    return found, "" if found is not None else tr("there is no signing key in {folder}", folder=folder)


def _seal(folder: Path, manifest: bytes) -> tuple[bytes, str]:
    """The manifest's signature, or why there is none."""
    try:
        return signer(folder).sign(MANIFEST_OF + manifest).hex().encode() + b"\n", ""
    except Unsignable as error:
        return b"", str(error)


def _write(to: Path, contents: dict[str, bytes]) -> None:
    """The same contents give the same bytes, at any time and for anybody."""
    handle, draft = tempfile.mkstemp(dir=to.parent, prefix=f".{to.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            with zipfile.ZipFile(file, "w") as bundle:
                for name in sorted(contents):
                    entry = zipfile.ZipInfo(name, _DAY_ONE)
                    entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
                    bundle.writestr(entry, contents[name])
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, to)
    except BaseException:
        os.unlink(draft)
        raise
