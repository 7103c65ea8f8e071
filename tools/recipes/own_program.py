"""The digest of what a user's `predict` command may have used: its folder, and the model it was given."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from tools import homes
from tools.digest import digest

LARGE = 256 << 20
"""Bytes from which a file of the folder counts with its size alone."""
PASSED_OVER = ("__pycache__", ".git")
"""Folders that change without the program changing."""


def digest_of_command(command: str, folder: Path, model: Path | None) -> str:
    """sha256 over the command's text, the names and bytes of the files in its folder, and the model's own digest.

    Homes of Goalkeeper below the folder are passed over: the command cannot find them.
    """
    total = hashlib.sha256(command.encode(errors="surrogateescape"))
    for name, path in sorted(_files(folder)):
        size = path.stat().st_size
        total.update(f"\n{len(name)}:{name}:{size}:{digest(path) if size < LARGE else ''}".encode(errors="replace"))
    if model is not None:
        total.update(f"\nmodel:{digest(model)}".encode())
    return total.hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for place, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if n not in PASSED_OVER and not homes.is_home(os.path.join(place, n))]
        for name in names:
            path = Path(place, name)
            if path.is_file() and os.access(path, os.R_OK):
                yield path.relative_to(folder).as_posix(), path
