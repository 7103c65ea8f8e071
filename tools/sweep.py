"""Finds what runs own on this machine, and ends what nobody needs: `python -m tools.sweep [--release]`.

From what the resources say of themselves alone: it needs no agent, model or store.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tools.backends.local.disk import remove
from tools.backends.local.registry import (
    OVER,
    Folder,
    Registration,
    alive,
    end,
    registrations,
    runtime_folder,
)
from tools.errors import ToolError
from tools.ports import Owned, Scope
from tools.record import Record

KINDS: tuple[Folder, ...] = ("jobs", "endpoints")
STARTING_S = 120.0
"""A resource without a process is still being made when it is younger than this."""


class Finding(Record):
    """One resource and whether somebody still needs it."""

    owned: Owned
    alive: bool
    """Whether its process runs; True where only the backend itself could say."""
    unowned: bool
    """Its lease has lapsed, or its process is gone and only debris is left."""
    released: bool = False


class Lists(Protocol):
    """The part of a creating port the sweeper needs."""

    def owned(self, scope: Scope) -> Sequence[Owned]: ...


def sweep(ports: Iterable[Lists], *, now: float) -> tuple[Finding, ...]:
    """What the ports of any backend list; unowned by lease alone. Errors of a port pass through."""
    listed = [owned for port in ports for owned in port.owned(Scope())]
    return tuple(Finding(owned=each, alive=True, unowned=each.lease_until <= now) for each in listed)


def look(runtime: Path, *, now: float) -> tuple[Finding, ...]:
    """What is registered in a runtime folder and not over."""
    return tuple(_finding(tags, now) for _, tags in _registered(runtime))


def release(runtime: Path, *, now: float) -> tuple[Finding, ...]:
    """End what is unowned and remove what it left; then the records of what ended by itself and whose lease is over."""
    found = []
    for folder, tags in _registered(runtime):
        finding = _finding(tags, now)
        if finding.unowned:
            end(tags.process)
            _forget(folder, tags)
            finding = finding.model_copy(update={"released": True, "alive": False})
        found.append(finding)
    for kind in KINDS:
        for folder, tags in registrations(runtime, kind):
            if (folder / OVER).exists() and tags.lease_until <= now:
                _forget(folder, tags)
    return tuple(found)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """1 when something unowned was found, else 0; 5 when the runtime folder cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m tools.sweep", description="What runs own, and what nobody needs.")
    parser.add_argument("--runtime", type=Path, help="the runtime folder; default: this user's")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--release", action="store_true", help="end what is unowned")
    options = parser.parse_args(argv)
    try:
        runtime = options.runtime or runtime_folder(environ)
    except ToolError as error:
        sys.stderr.write(f"{error}\n")
        return 5
    found = (release if options.release else look)(runtime, now=time.time())
    sys.stdout.write(_document(found) if options.json else _table(found))
    return 1 if any(each.unowned for each in found) else 0


def _registered(runtime: Path) -> tuple[tuple[Path, Registration], ...]:
    """Folders of resources that are not over. A folder that says nothing readable is no resource of ours."""
    every = [pair for kind in KINDS for pair in registrations(runtime, kind)]
    return tuple((folder, tags) for folder, tags in every if not (folder / OVER).exists())


def _finding(tags: Registration, now: float) -> Finding:
    lives = alive(tags.process)
    starting = tags.process.pid == 0 and now < tags.started + STARTING_S
    gone = not lives and not starting
    detail = "its process is gone" if gone else tags.detail
    owned = tags.model_copy(update={"detail": detail}).owned()
    return Finding(owned=owned, alive=lives, unowned=gone or tags.lease_until <= now)


def _forget(folder: Path, tags: Registration) -> None:
    for path in (*(Path(name) for name in tags.debris), folder):
        remove(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _document(found: Sequence[Finding]) -> str:
    return json.dumps({"resources": [each.model_dump(mode="json") for each in found]}, indent=2) + "\n"


def _table(found: Sequence[Finding]) -> str:
    if not found:
        return "Nothing is owned by any run.\n"
    lines = []
    for each in found:
        of = each.owned
        until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(of.lease_until))
        state = "released" if each.released else "unowned" if each.unowned else "owned"
        detail = f" ({of.detail})" if of.detail else ""
        lines.append(f"{state:9}{of.kind} {of.id} of run {of.run}, {of.owner}, lease until {until}{detail}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
