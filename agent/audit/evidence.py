"""The documents that a run's measured values rest on, found through its journal. What is left out is said."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from agent.audit.journal import Line
from agent.audit.verify import file_name
from tools.errors import ToolError
from tools.record import Json, Record

TOOLS = ("evaluate_model",)
"""Whose results are evidence."""
LARGEST_FILE_BYTES = 64 << 20
LARGEST_BYTES = 256 << 20
"""Of all evidence in one bundle."""


class Omitted(Record):
    """Something that belongs to the run and is not in the bundle."""

    name: str
    bytes: int | None
    why: str


class Found(NamedTuple):
    """What was found of a run."""

    files: dict[str, bytes]
    """By name in the bundle."""
    omitted: tuple[Omitted, ...]


def evidence(
    lines: Sequence[Line | None],
    fetch: Callable[[str], Path],
    *,
    file_bytes: int = LARGEST_FILE_BYTES,
    all_bytes: int = LARGEST_BYTES,
) -> Found:
    """Every file of every evaluation that the journal names; `fetch` gives an object's place.

    `file_bytes`: most that one may have; `all_bytes`: most of all together.
    """
    files: dict[str, bytes] = {}
    omitted: list[Omitted] = []
    room = all_bytes
    for name, path in _places(lines, fetch, omitted):
        try:
            size = path.stat().st_size
            if size > min(file_bytes, room):
                omitted.append(Omitted(name=name, bytes=size, why="it is too large"))
                continue
            files[name] = path.read_bytes()
            room -= len(files[name])
        except OSError as error:
            omitted.append(Omitted(name=name, bytes=None, why=error.strerror or type(error).__name__))
    return Found(files, tuple(omitted))


def keys(lines: Sequence[Line | None]) -> tuple[str, ...]:
    """Object keys of the evaluations that the journal names, in its order."""
    calls: set[object] = set()
    found: dict[str, None] = {}
    for line in lines:
        body = _body(line)
        if line is not None and line.kind == "verdict" and isinstance(call := body.get("call"), dict):
            calls |= {call.get("id")} if call.get("tool") in TOOLS and isinstance(call.get("id"), str) else set()
        elif line is not None and line.kind == "outcome" and isinstance(result := body.get("result"), dict):
            key = result.get("key")
            if isinstance(key, str) and isinstance(body.get("call"), str) and body["call"] in calls:
                found[key] = None
    return tuple(found)


def _body(line: Line | None) -> Json:
    """The line's record; empty for one that holds none."""
    try:
        body = json.loads(line.body) if line is not None and line.kind in ("verdict", "outcome") else {}
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _places(
    lines: Sequence[Line | None], fetch: Callable[[str], Path], omitted: list[Omitted]
) -> Iterator[tuple[str, Path]]:
    """Name in the bundle and place of every file, in the order of their names. Links are not followed."""
    for key in keys(lines):
        name = f"evidence/{key}"
        try:
            place = fetch(key)
        except (ToolError, OSError, ValueError) as error:
            omitted.append(Omitted(name=name, bytes=None, why=str(error)))
            continue
        for path in sorted(_files(place)):
            inside = name if path == place else f"{name}/{path.relative_to(place).as_posix()}"
            if path.is_symlink() or not path.is_file():
                omitted.append(Omitted(name=inside, bytes=None, why="it is no plain file"))
            elif not file_name(inside):
                omitted.append(Omitted(name=repr(inside), bytes=None, why="a bundle names no file so"))
            else:
                yield inside, path


def _files(place: Path) -> Iterator[Path]:
    if not place.is_dir() or place.is_symlink():
        yield place
        return
    for where, folders, names in os.walk(place):
        yield from (Path(where, name) for name in names)
        yield from (Path(where, name) for name in folders if Path(where, name).is_symlink())
