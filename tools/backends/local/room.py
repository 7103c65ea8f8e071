"""How much a job may write: into its own box, and before the disk is full for everybody else.

Standard library only: the supervisor looks, a few times a second at most.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from tools.language import tr

RESERVE = 256 << 20
"""Bytes of the disk that are left to everybody else."""
LOOKED_AT = 20_000
"""Files of a box that are counted in one look; a box with more is judged by these."""


def allowed(box: str, wanted: int | None) -> int:
    """Bytes a program may write into its box: what it is given, or what the disk can spare now."""
    spare = max(1 << 20, free(box) - RESERVE)
    return spare if wanted is None else min(wanted, spare)


def overfull(box: str, most: int) -> str | None:
    """What is wrong with the room a job takes; None while there is enough."""
    if (left := free(box)) < RESERVE // 2:
        return tr(
            "Only {left} are left on the disk of {folder}: make room there.",
            left=_mb(left),
            folder=os.path.dirname(box),
        )
    if (used := _used(box)) > most:
        return tr(
            "It has written {used} where {most} are allowed: keep fewer checkpoints, or smaller ones.",
            used=_mb(used),
            most=_mb(most),
        )
    return None


def free(box: str) -> int:
    """Bytes that this user may still write on the disk of a folder; as good as endless where nobody can say."""
    try:
        found = os.statvfs(box)
    except OSError:
        return 1 << 62
    return found.f_bavail * found.f_frsize


def _used(box: str) -> int:
    total = 0
    for count, size in enumerate(_sizes(box)):
        total += size
        if count >= LOOKED_AT:
            break
    return total


def _sizes(folder: str) -> Iterator[int]:
    """Bytes on the disk of every file below a folder; what goes meanwhile is passed over."""
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        yield entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue


def _mb(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
