"""Verifies an audit bundle of a Goalkeeper run, offline: `python3 -I verify.py BUNDLE --key PUBLIC_KEY`.

Standard library only. In a bundle, this file, `journal.py` and `ed25519.py` of `agent/audit` are one program.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.audit.ed25519 import genuine
from agent.audit.journal import Genuine, Judgement, Line, Remark, canonical, judge, line_of, tr

FORMAT = "goalkeeper audit bundle"
VERSION = 1
MANIFEST_OF = b"goalkeeper audit manifest 1\n"
MANIFEST, SEAL = "manifest.json", "manifest.sig"
JOURNAL, HEADS, VERIFIER = "journal.jsonl", "heads.jsonl", "verify.py"
VIEWS: Mapping[str, tuple[str, ...]] = {
    "contract.json": ("goal", "contract"),
    "plans.json": ("plan",),
    "verdicts.json": ("verdict",),
    "approvals.json": ("asked", "answer"),
}
"""File of a bundle → the kinds of journal lines that it shows."""
LARGEST_BYTES = 1 << 30
"""Of a part that is read whole."""
LARGEST_BUNDLE_BYTES = 1 << 33
"""Of everything in a bundle, unpacked."""
_NAME = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[\w@=+,. -]+(?:/[\w@=+,. -]+)*", re.ASCII)
_KEY = re.compile(r"[0-9a-fA-F]{64}")
_SPOILT = (zipfile.BadZipFile, zlib.error, EOFError)


class Unreadable(ValueError):
    """What was given is no bundle, or no key."""


def key_of(text: str) -> bytes:
    """A public key of its 64 hexadecimal digits. Unreadable otherwise."""
    if not _KEY.fullmatch(text.strip()):
        raise Unreadable(f"{text.strip()[:80]!r} is no public key: that has 64 hexadecimal digits")
    return bytes.fromhex(text.strip())


def file_name(name: str) -> bool:
    """Whether a file of a bundle can be called that."""
    return _NAME.fullmatch(name) is not None


def record_line(line: Line) -> str:
    """A line as `journal.jsonl` holds it."""
    return json.dumps(line._asdict())


def view(lines: Sequence[Line | None], kinds: Sequence[str]) -> bytes:
    """The lines of some kinds for people to read: a JSON array of records with sequence, time, kind, body and hash."""
    shown = [
        {"sequence": line.seq, "time": _time(line.at), "kind": line.kind, "body": _body(line.body), "hash": line.hash}
        for line in lines
        if line is not None and line.kind in kinds
    ]
    return (json.dumps(shown, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")


def _time(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return repr(at)


def _body(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def check_bundle(
    path: Path, *, given: bytes | None = None, genuine: Genuine = genuine, program: bytes | None = None
) -> Judgement:
    """What can be said of a bundle. Unreadable when it is none.

    `given` is the public key as it is known from elsewhere; `program` what the bundle's own verifier must be.
    """
    try:
        with zipfile.ZipFile(path) as bundle:
            return _Opened(bundle, program).judged(given, genuine)
    except (OSError, *_SPOILT, NotImplementedError, RuntimeError) as error:
        raise Unreadable(f"{path} cannot be read as a bundle: {error}") from error


class _Opened:
    """A bundle that is being looked at. Nothing of it is written anywhere, and nothing of it is run."""

    def __init__(self, bundle: zipfile.ZipFile, program: bytes | None) -> None:
        self._bundle = bundle
        self._program = Path(__file__).read_bytes() if program is None else program
        self._sizes = {i.filename: i.file_size for i in bundle.infolist()}
        if len(self._sizes) != len(bundle.infolist()) or not all(file_name(n) for n in self._sizes):
            raise Unreadable("the bundle names a file twice, or as no file of a bundle is named")
        if sum(self._sizes.values()) > LARGEST_BUNDLE_BYTES:
            raise Unreadable("the bundle would be larger than any bundle is")
        self._manifest = self._read_manifest()

    def judged(self, given: bytes | None, genuine: Genuine) -> Judgement:
        own = self._manifest.get("key")
        public = given if given is not None else key_of(str(own)) if own is not None else b""
        lines = [_read_line(text) for text in self._records(JOURNAL)]
        run = str(self._manifest.get("run"))
        found = judge(run, lines, self._records(HEADS), public=public, genuine=genuine)
        faults = [*found.faults, *self._differing(), *self._misleading(lines)]
        notes = [*found.notes, *self._left_out()]
        if given is None and public:
            notes.append(tr("the key is the bundle's own: it says that nothing was altered since, not who signed"))
        if self._content(VERIFIER) != self._program:
            notes.append(tr("the bundle's {file} is not the one that says this: do not run it", file=VERIFIER))
        if SEAL not in self._sizes:
            notes.append(tr("the manifest is unsigned: all but the journal is as whoever made the bundle put it there"))
        elif not genuine(public, MANIFEST_OF + (self._content(MANIFEST) or b""), self._seal()):
            faults.append(tr("the signature of the manifest is not genuine"))
        return found._replace(faults=tuple(faults), notes=tuple(notes))

    def _read_manifest(self) -> dict[str, Any]:
        try:
            manifest: dict[str, Any] = json.loads(self._content(MANIFEST) or b"")
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"the bundle's {MANIFEST} cannot be read: {error}") from error
        files = manifest.get("files") if isinstance(manifest, dict) else None
        if not isinstance(files, dict) or manifest.get("format") != FORMAT:
            raise Unreadable(f"the bundle's {MANIFEST} is not that of an audit bundle")
        if manifest.get("version") != VERSION:
            raise Unreadable(f"the bundle has version {manifest.get('version')!r}; this verifier knows {VERSION}")
        return manifest

    def _content(self, name: str) -> bytes | None:
        """A part of the bundle; None when it is not there, or not whole."""
        size = self._sizes.get(name)
        if size is None:
            return None
        if size > LARGEST_BYTES:
            raise Unreadable(f"{name} is larger than {LARGEST_BYTES} bytes")
        try:
            return self._bundle.read(name)
        except _SPOILT:
            return None

    def _records(self, name: str) -> list[str]:
        """The lines of a file; the last one ends too."""
        text = (self._content(name) or b"").decode("utf-8", "surrogateescape")
        return text.removesuffix("\n").split("\n") if text else []

    def _seal(self) -> bytes:
        try:
            return bytes.fromhex((self._content(SEAL) or b"").decode("ascii", "replace"))
        except ValueError:
            return b""

    def _differing(self) -> Iterator[Remark]:
        """Files that are not what the manifest says, on either side."""
        files = self._manifest["files"]
        for name in sorted({*files, *self._sizes} - {MANIFEST, SEAL}):
            if name not in files:
                yield tr("{file} is in the bundle and not in its manifest", file=name)
            elif name not in self._sizes:
                yield tr("{file} is in the manifest and not in the bundle", file=name)
            elif {"bytes": self._sizes[name], "sha256": self._digest(name)} != files[name]:
                yield tr("{file} has been altered", file=name)

    def _digest(self, name: str) -> str | None:
        total = hashlib.sha256()
        try:
            with self._bundle.open(name) as stream:
                while block := stream.read(1 << 20):
                    total.update(block)
        except _SPOILT:
            return None
        return total.hexdigest()

    def _misleading(self, lines: Sequence[Line | None]) -> Iterator[Remark]:
        """Files for people that do not show what the journal says."""
        for name, kinds in VIEWS.items():
            if self._content(name) != view(lines, kinds):
                yield tr("{file} is not what the journal says", file=name)

    def _left_out(self) -> Iterator[Remark]:
        omitted = self._manifest.get("omitted")
        for one in omitted if isinstance(omitted, list) else ():
            yield tr("left out: {what}", what=canonical(one))


def _read_line(text: str) -> Line | None:
    try:
        found = json.loads(text)
        return line_of([found[name] for name in Line._fields])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def main() -> int:
    """0 verified, 1 not verified, 2 no bundle, 4 no signed head."""
    parser = argparse.ArgumentParser(description="Verify an audit bundle of a Goalkeeper run, offline.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", help="the public key as you know it from elsewhere: 64 hexadecimal digits, or a file")
    asked = parser.parse_args()
    try:
        found = check_bundle(asked.bundle, given=None if asked.key is None else given_key(asked.key))
    except Unreadable as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2
    told = [f"{found.run}: {found.headline}", f"{found.lines} lines, {found.heads} signed heads, key {found.key}"]
    told += [f"fault: {remark}" for remark in found.faults] + [f"note: {remark}" for remark in found.notes]
    for line in told:  # whatever the file says, it steers no terminal
        print("".join(c if c.isprintable() else "?" for c in line).encode("ascii", "backslashreplace").decode())
    return found.exit_code


def given_key(text: str) -> bytes:
    """The public key of these digits, or of those in the file of that name. Unreadable otherwise."""
    if _KEY.fullmatch(text):
        return key_of(text)
    try:
        return key_of(Path(text).read_text(encoding="ascii", errors="replace"))
    except (OSError, ValueError) as error:
        raise Unreadable(
            f"{text[:200]!r} is neither a public key of 64 hexadecimal digits nor a file of one"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
