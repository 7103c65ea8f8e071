"""Files that are whole or not there, and folders that go for good. Standard library only."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path


def write_once(path: Path, content: object) -> bool:
    """Write a JSON file that is not there yet; False when it is, and what it says stays."""
    draft = _draft(path, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def replace(path: Path, content: object) -> None:
    """Write a JSON file over what is there: a reader sees the old or the new."""
    _draft(path, content).replace(path)


def small(path: Path, most: int) -> bytes | None:
    """The content of a plain file of this user, read without waiting; None when it is a link, a pipe, larger than that
    or somebody else's. FileNotFoundError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most or found.st_uid != os.geteuid():
            return None
        return os.read(handle, found.st_size + 1)
    except OSError:
        return None
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a folder with everything in it, also what its maker has closed to itself. Idempotent."""
    if os.path.lexists(path):
        shutil.rmtree(path, onerror=_opened)


def _draft(path: Path, content: object) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    draft.write_text(json.dumps(content), encoding="utf-8")
    return draft


def _opened(call: Callable[..., object], name: str, _: object) -> None:
    """Open what is closed and try once more; what has gone in the meantime is gone."""
    if not os.path.lexists(name):
        return
    for path in (os.path.dirname(name), name):
        if not os.path.islink(path):
            os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | stat.S_IRWXU)
    if call in (os.unlink, os.rmdir):
        call(name)
    else:
        shutil.rmtree(name)
