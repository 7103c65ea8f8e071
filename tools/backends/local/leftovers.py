"""What a local resource is known by, and what it leaves on the disk: a record may name anything, and is not believed.

Standard library only: the watchdog imports it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.backends.local.disk import remove

MODULES: Mapping[str, str] = {
    "jobs": "tools.backends.local.supervise",
    "endpoints": "tools.backends.local.endpoint",
}
"""By the folder its record lies in, what the leader of a resource runs: the mark by which it is known to be ours."""
ASIDE = "goalkeeper-"
"""How the folder of a control socket begins that found no room in the endpoint's own."""


def forget(folder: Path, debris: Iterable[str]) -> None:
    """Remove a resource's folder and what was made beside it. OSError when something of it cannot go."""
    clear(debris, folder)
    if folder.is_symlink():
        raise OSError(f"{folder} is a link, and what it leads to is not ours")
    remove(folder)


def clear(debris: Iterable[str], folder: Path) -> None:
    """Remove what was made beside a resource's folder."""
    for path in debris:
        if removable(path, folder):
            remove(Path(path))


def removable(path: str, folder: Path) -> bool:
    """Whether a path is what we make beside that resource: the box of that very job, or a control socket's folder."""
    place = Path(path)
    try:
        found = place.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False
        if folder.parent.name == "jobs":
            return os.path.realpath(path) == path and place.parts[-3:] == ("objects", ".work", folder.name)
        aside = place.parent == Path("/tmp") and place.name.startswith(ASIDE)
        return aside and set(os.listdir(place)) <= {"control.sock"}
    except OSError:
        return False
