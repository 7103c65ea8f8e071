"""Content digests of files and folders: the same bytes under the same names give the same digest anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

_CHUNK = 1 << 20


def digest(path: Path | str) -> str:
    """sha256, in hex, of a file's bytes, or of a folder's sorted relative names and bytes.

    A folder's digest does not depend on where it lies, on times or on modes. A link inside it counts as what
    it points to. FileNotFoundError when there is nothing at `path`.
    """
    root = Path(path)
    if root.is_dir():
        return digest_of((p.relative_to(root).as_posix(), p) for p in root.rglob("*") if p.is_file())
    return _file(root)


def digest_of(files: Iterable[tuple[str, Path]]) -> str:
    """sha256, in hex, over (name, file) pairs in the order of their names."""
    total = hashlib.sha256()
    for name, path in sorted(files):
        total.update(f"{len(name.encode())}:{name}:{_file(path)}\n".encode())
    return total.hexdigest()


def _file(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()
