"""Where homes of Goalkeeper lie below a folder: each holds opened holdouts, that a user's own program must not find.

Standard library only: what builds a job's sandbox imports it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

STORE = "goalkeeper.db"
OBJECTS = "objects"
ENTRIES = 500_000
"""Files and folders looked through for homes; a folder with more cannot be cleared."""


def is_home(folder: str) -> bool:
    """Whether a folder holds a store and its objects."""
    return os.path.isdir(os.path.join(folder, OBJECTS)) and os.path.lexists(os.path.join(folder, STORE))


def below(folder: str, *, most: int = ENTRIES) -> Iterator[str]:
    """Every home at or below a folder. OSError when there is too much in it to say."""
    left = most
    for place, folders, files in os.walk(os.path.realpath(folder)):
        if OBJECTS in folders and STORE in (*files, *folders):
            yield place
            folders.clear()  # what lies in it is hidden with it
        left -= len(folders) + len(files)
        if left < 0:
            raise OSError(f"{folder} has too many files to look for homes of goalkeeper in it")
