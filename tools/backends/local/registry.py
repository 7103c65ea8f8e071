"""Where local resources say what they are: one folder each below a per-user runtime folder.

It knows processes, folders and leases, and nothing of what a job or an endpoint does.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import BaseModel, ValidationError

from tools.backends.local.disk import small
from tools.backends.local.lease import Instant, Term, instant, term
from tools.backends.local.leftovers import MODULES
from tools.backends.local.process import Process, boot, finish, process, proven, running
from tools.errors import Refused
from tools.ports import Kind, Owned
from tools.record import Record

Folder = Literal["jobs", "endpoints"]
TAGS = "tags.json"
OVER = "status.json"
"""A resource folder holding this file has ended by itself and owns nothing any more."""
LARGEST = 1 << 25
"""Bytes of a file of ours that are read; a job's result may have half of it."""

M = TypeVar("M", bound=BaseModel)


class Identity(Record):
    """A process that cannot be mistaken for another one with the same pid."""

    pid: int
    ticks: int
    """Start in clock ticks since boot (field 22 of /proc/PID/stat)."""
    boot: str = ""
    """The kernel's id of this boot: pids start again after the next."""


class Registration(Record):
    """`tags.json`: what a local resource says of itself, enough to list and end it without its maker."""

    kind: Kind
    id: str
    run: str
    call: str
    owner: str
    lease_until: float
    """Epoch seconds."""
    lapses: float | None = None
    """The same on the clock since boot, which counts."""
    boot: str = ""
    """Of which boot."""
    started: float
    process: Identity
    """The leader of the session in which the resource runs; pid 0, which is never alive, until it has started."""
    debris: tuple[str, ...] = ()
    """Absolute paths to remove with it, beside its own folder."""
    detail: str = ""

    def owned(self) -> Owned:
        fields = self.model_dump(exclude={"process", "debris", "lapses", "boot"})
        return Owned.model_validate(fields)

    def leased(self, until: float, at: Instant | None = None) -> Self:
        """The same with a lease until then, given now. Every change of a lease goes through here."""
        given = term(until, at or instant())
        return self.model_copy(update={"lease_until": until, "lapses": given.lapses, "boot": given.boot})

    @property
    def term(self) -> Term:
        return Term(until=self.lease_until, lapses=self.lapses, boot=self.boot)


def runtime_folder(environ: Mapping[str, str]) -> Path:
    """The per-user folder for what runs on this machine, made with mode 0700. Refused when it is not ours."""
    path = _chosen(environ)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return checked(path)


def checked(path: Path) -> Path:
    """A folder as the runtime folder, closed to others. Refused when it is not ours; OSError when it is not there."""
    found = path.lstat()
    if path.is_symlink() or found.st_uid != os.geteuid():
        raise Refused(f"The runtime folder {path} belongs to someone else; set GOALKEEPER_RUNTIME_DIR to one of yours.")
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path


def folders(root: Path, kind: Folder) -> tuple[Path, ...]:
    """The resource folders of one kind below a runtime folder, by name. A link is none: it leads elsewhere."""
    place = root / kind
    try:
        found = () if place.is_symlink() else sorted(place.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(p for p in found if p.is_dir() and not p.is_symlink() and not p.name.startswith("."))


def registrations(root: Path, kind: Folder) -> Iterator[tuple[Path, Registration]]:
    """Every registered resource of one kind; a folder whose tags cannot be read, or are another's, is left out."""
    for folder in folders(root, kind):
        if (tags := registration(folder)) is not None:
            yield folder, tags


def registration(folder: Path) -> Registration | None:
    """What a resource's folder says of it; None when that cannot be read, or is of another resource."""
    tags = read_json(folder / TAGS, Registration)
    own = tags is not None and (tags.id, f"{tags.kind}s") == (folder.name, folder.parent.name)
    return tags if own else None


def write_json(path: Path, record: BaseModel) -> None:
    """Replace a file by a record, atomically: a reader sees the old or the new, never half."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(record.model_dump_json())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def read_json(path: Path, kind: type[M]) -> M | None:
    """The record in a file; None when there is no file or it is not such a record."""
    try:
        text = small(path, LARGEST)
        return None if text is None else kind.model_validate_json(text)
    except (OSError, ValidationError):
        return None


def identify(pid: int) -> Identity:
    """The identity of a running process; `ticks` is 0 when there is none."""
    return Identity(pid=pid, ticks=process(pid).ticks, boot=boot())


def alive(identity: Identity) -> bool:
    """Whether this very process still runs; a zombie does not."""
    return identity.boot in ("", boot()) and running(Process(identity.pid, identity.ticks))


def leads(identity: Identity, folder: Path) -> bool:
    """Whether this very process runs, and is what we started for that resource's folder."""
    same = identity.boot in ("", boot())
    return same and proven(Process(identity.pid, identity.ticks), MODULES[folder.parent.name], folder)


def end(identity: Identity, folder: Path, *, grace_s: float = 2.0) -> None:
    """End a resource's process, its descendants and its whole session: SIGTERM, then SIGKILL. Idempotent.

    Nobody is ended who is not provably what we started for that folder.
    """
    if leads(identity, folder):
        finish(Process(identity.pid, identity.ticks), grace_s=grace_s)


def _chosen(environ: Mapping[str, str]) -> Path:
    if named := environ.get("GOALKEEPER_RUNTIME_DIR"):
        return Path(named).absolute()
    # Not XDG_RUNTIME_DIR: that ends with the login, and what runs, its records and its keys must outlive it.
    state = environ.get("XDG_STATE_HOME") or f"{environ.get('HOME') or '/nonexistent'}/.local/state"
    if os.access(next(p for p in (Path(state), *Path(state).parents) if p.exists()), os.W_OK):
        return Path(state).absolute() / "goalkeeper"
    return Path("/tmp") / f"goalkeeper-{os.geteuid()}"
