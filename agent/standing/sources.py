"""Whether the data that a model was trained on have changed: content digests of what lies on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agent.contract import Part
from agent.survey import BUNDLED, REMOTE, source_of
from tools.digest import digest

WHOLE_BYTES = 1 << 30
"""Larger files and folders are told apart by names, sizes and times alone: every check looks at them."""


def content(part: Part, folder: str) -> str:
    """One digest over everything the part names; empty where something cannot be read from here."""
    if not part.data:
        return ""
    whole = hashlib.sha256()
    for data in part.data:
        if data.uri.startswith(REMOTE):
            return ""
        told = data.uri if data.uri.startswith(BUNDLED) else _there(data.uri, Path(folder))
        if not told:
            return ""
        whole.update(f"{data.uri}:{told}\n".encode())
    return whole.hexdigest()


def _there(uri: str, folder: Path) -> str:
    try:
        path = Path(source_of(uri, folder))
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        if not all(p.is_file() for p in files):
            return ""  # a pipe would be waited for
        seen = [(p, p.stat()) for p in files]
        if sum(stat.st_size for _, stat in seen) <= WHOLE_BYTES:
            return digest(path)
        told = "\n".join(f"{p.relative_to(path)}: {stat.st_size} bytes, {stat.st_mtime_ns}" for p, stat in seen)
        return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()
    except (OSError, RuntimeError):  # it is gone, not ours to read, or a link to itself
        return ""


def changed_since(part: Part, folder: str, at: float) -> bool:
    """A file was written after that time, or nobody can tell."""
    for data in part.data:
        if data.uri.startswith(BUNDLED):
            continue
        if data.uri.startswith(REMOTE):
            return True
        try:
            path = Path(source_of(data.uri, Path(folder)))
            files = [path, *path.rglob("*")] if path.is_dir() else [path]
            if any(one.stat().st_mtime >= at for one in files):
                return True
        except (OSError, RuntimeError):
            return True
    return False
