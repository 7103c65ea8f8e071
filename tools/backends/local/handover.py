"""Turns what a program left into an object: plain files and folders only, nothing that leads elsewhere."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from tools.backends.local.launch import Launch
from tools.backends.local.objects import LocalObjects


def hand_over(launch: Launch) -> tuple[str, ...]:
    """Make `out/` the object `jobs/ID`; the names that were left out because they are neither file nor folder."""
    left_out = tuple(_plain(launch.out))
    LocalObjects(Path(launch.home)).take(f"jobs/{launch.id}", launch.out)
    return left_out


def _plain(out: Path) -> Iterator[str]:
    """Replace links within the folder by copies, and remove what is no plain file."""
    root = Path(os.path.realpath(out))
    for where, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(where, name)
            kind = path.lstat().st_mode
            if stat.S_ISDIR(kind) or stat.S_ISREG(kind):
                continue
            if not (stat.S_ISLNK(kind) and _copied(path, root)):
                path.unlink(missing_ok=True)
                yield path.relative_to(root).as_posix()


def _copied(link: Path, root: Path) -> bool:
    """Put a copy in place of a link to a file of the same folder; False when it leads anywhere else."""
    real = Path(os.path.realpath(link))
    if not real.is_relative_to(root) or not real.is_file():
        return False
    link.unlink()
    shutil.copyfile(real, link)
    return True
