"""Which argument names a goal file, and which paths that file may name: inside its project, links resolved."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
SUFFIXES = (".yaml", ".yml")
REMOTE = frozenset({"s3", "gs", "https", "sklearn", "hf"})


def named(argument: str) -> Path | None:
    """The goal file that a GOAL argument names; None when it is the goal's text."""
    looks = argument.lower().endswith(SUFFIXES) and not any(c.isspace() for c in argument)
    if looks:
        return Path(argument)
    try:
        mode = os.stat(argument).st_mode
    except (OSError, ValueError):
        return None  # nothing of that name: a sentence
    return Path(argument) if not stat.S_ISDIR(mode) or os.sep in argument else None


def project_of(file: Path, current: Path) -> Path:
    """The current folder when the file lies in it, else the file's own folder; resolved."""
    folder, here = file.resolve().parent, current.resolve()
    return here if here != Path(here.anchor) and folder.is_relative_to(here) else folder


def path_inside(uri: str, *, folder: Path, project: Path) -> str:
    """The uri as written; ValueError when it is a path that leaves the project."""
    if scheme := _SCHEME.match(uri):
        if scheme[1].lower() in REMOTE or not _is_path(scheme[1], uri):
            return uri
        raise ValueError(f"{scheme[1]}: cannot be read here: write a path, or one of {', '.join(sorted(REMOTE))}")
    if uri.startswith("~"):
        raise ValueError("~ is not expanded: write a path inside the project")
    if "\0" in uri:
        raise ValueError("a path cannot hold a NUL character")
    real = Path(os.path.realpath(folder / uri))
    if not real.is_relative_to(project):
        raise ValueError(f"{uri!r} leaves the project {project}: copy it in, or run from a folder that holds both")
    return uri


def _is_path(scheme: str, uri: str) -> bool:
    """`file:x` and `http://x` name a place; `credit:v9` names a version of a model."""
    return scheme.lower() in ("file", "http", "ftp") or uri.startswith(f"{scheme}://")
