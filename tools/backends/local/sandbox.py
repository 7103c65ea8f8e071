"""Which part of the machine a job sees: a new root by allow-list, with masks over what must not be found.

It decides what is visible and builds it; who runs in it and for how long is the keeper's business.
Runs as the first process of fresh user, mount and PID namespaces. Standard library only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from tools import homes, visible
from tools.backends.local import linux
from tools.backends.local.launch import Launch

SECRETIVE = ("kcore", "keys", "key-users", "kmsg", "kpagecgroup", "kpagecount", "kpageflags", "timer_list")
ENTRIES = 20_000
"""Files of a project looked through for other names of what is hidden."""


class View(NamedTuple):
    """One path of the new root."""

    path: str
    kind: Literal["read", "write", "mask", "private"]
    source: str
    """What is shown there."""


def views(launch: Launch, environ: Mapping[str, str]) -> tuple[View, ...]:
    """What the job sees, shallow first: the more specific path decides, and a mask wins over a program's path."""
    found: dict[str, View] = {}
    for view in _ordered(launch, environ):
        found[view.path] = view
    return tuple(sorted(found.values(), key=lambda view: view.path.count("/") if view.path != "/" else 0))


def build(launch: Launch, root: str, environ: Mapping[str, str]) -> None:
    """Build the new root at an empty folder and enter it. OSError when the kernel does not allow it."""
    linux.private_mounts()
    linux.mount("tmpfs", root, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=0755,size=16m")
    empty = f"{root}/.empty"
    os.close(os.open(empty, os.O_CREAT | os.O_RDONLY, 0o444))
    for view in views(launch, environ):
        _show(view, root, empty)
    _processes(f"{root}/proc")
    _devices(f"{root}/dev")
    linux.change_root(root)
    one_more = "/proc/sys/user/max_user_namespaces"
    Path(one_more).write_text("1", encoding="ascii")  # the program's own, and none below it
    _freeze_kernel_settings()


def _ordered(launch: Launch, environ: Mapping[str, str]) -> Iterator[View]:
    """Later ones win over earlier ones with the same path."""
    programs = [*visible.programs(environ), *(visible.commands(launch.argv[0], environ) if launch.argv else ())]
    beyond = [path for path in programs if not path.startswith("/usr/")]
    for path in (*visible.SYSTEM, *beyond, "/etc/resolv.conf"):
        yield from _real(path, "read")
    yield View("/tmp", "private", f"{launch.box}/tmp")
    yield View("/var/tmp", "private", f"{launch.box}/tmp")
    if launch.argv:
        if (home := environ.get("HOME", "")).startswith("/") and home != "/":
            for path in {home, os.path.realpath(home)}:
                yield View(path, "private", f"{launch.box}/home")
        yield from _real(launch.folder, "write")
    hidden = tuple(_hidden(launch))
    for path in hidden:
        yield View(path, "mask", "")
    for path in launch.readable:
        yield View(path, "read", path)
    yield View(launch.box, "write", launch.box)


def _hidden(launch: Launch) -> Iterator[str]:
    """The hidden paths, what they lead to, their other names within the program's own folder, and every home there."""
    if launch.argv:
        yield from homes.below(launch.folder)
    inodes = set()
    for name in launch.hide:
        yield from {name, real := os.path.realpath(name)}
        try:
            found = os.stat(real)
        except OSError:
            continue  # what is not there needs no mask
        if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
            inodes.add((found.st_dev, found.st_ino))
    if inodes and launch.argv:
        yield from _links(launch.folder, inodes)


def _links(folder: str, inodes: Iterable[tuple[int, int]]) -> Iterator[str]:
    left = ENTRIES
    for where, _, names in os.walk(os.path.realpath(folder)):
        for name in names:
            found = os.lstat(path := os.path.join(where, name))
            if (found.st_dev, found.st_ino) in inodes:
                yield path
        left -= len(names)
        if left < 0:
            raise OSError(f"{folder} has too many files to look for other names of what is hidden")


def _real(path: str, kind: Literal["read", "write"]) -> Iterator[View]:
    """A path and, where it is a link, what it leads to."""
    real = os.path.realpath(path)
    if os.path.lexists(path) and os.path.exists(real):
        yield View(path, kind, path)
        if real != path:
            yield View(real, kind, real)


def _show(view: View, root: str, empty: str) -> None:
    _follow_links(view.path, root)
    place = root + view.path
    if os.path.realpath(place) != place:
        return  # reached through a link, and what the link leads to is a view of its own
    if view.kind == "mask":
        _mask(place, empty)
        return
    _mount_point(place, folder=os.path.isdir(view.source))
    attributes = linux.NO_SUID | linux.NO_DEV | (linux.READ_ONLY if view.kind == "read" else 0)
    linux.bind(view.source, place, attributes=attributes)


def _follow_links(path: str, root: str) -> None:
    """Make the links on the way to a path in the new root as they are in the old one."""
    for step in (*reversed(Path(path).parents), Path(path)):
        if step.is_symlink() and not os.path.lexists(root + str(step)):
            os.makedirs(root + str(step.parent), exist_ok=True)
            os.symlink(os.readlink(step), root + str(step))
            return


def _mask(place: str, empty: str) -> None:
    """An empty folder or file over what is there. What is not there needs none."""
    if not os.path.lexists(place):
        return
    if os.path.isdir(place):
        linux.mount("tmpfs", place, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=0755,size=1m")
    else:
        linux.bind(empty, place, attributes=linux.READ_ONLY | linux.NO_SUID | linux.NO_DEV)


def _mount_point(place: str, *, folder: bool) -> None:
    if os.path.lexists(place):
        return
    os.makedirs(place if folder else os.path.dirname(place), exist_ok=True)
    if not folder:
        os.close(os.open(place, os.O_CREAT | os.O_RDONLY, 0o444))


def _processes(place: str) -> None:
    """Only the processes of this job."""
    os.makedirs(place, exist_ok=True)
    linux.mount("proc", place, "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)


def _devices(place: str) -> None:
    os.makedirs(f"{place}/shm", exist_ok=True)
    linux.mount("tmpfs", f"{place}/shm", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=1777")
    found, special = visible.devices()
    for path in (*found, *special):
        _mount_point(f"{place}/{path.name}", folder=path.is_dir())
        linux.bind(str(path), f"{place}/{path.name}", attributes=linux.NO_SUID)
    for name, end in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{end}", f"{place}/{name}")
    if special:
        root = place.removesuffix("/dev")
        for state in visible.DEVICE_STATE:
            _mount_point(root + state, folder=True)
            linux.bind(state, root + state, attributes=linux.READ_ONLY | linux.NO_SUID | linux.NO_DEV)


def _freeze_kernel_settings() -> None:
    """The machine's own settings below /proc obey uid 0 without any capability: make all but processes read-only."""
    for name in os.listdir("/proc"):
        place = f"/proc/{name}"
        if name.isdigit() or os.path.islink(place):
            continue
        source = "/dev/null" if name in SECRETIVE else place
        if os.path.isdir(place) or source != place or os.stat(place).st_mode & 0o222:
            linux.bind(source, place, attributes=linux.READ_ONLY | linux.NO_SUID)
    linux.restrict_one("/", linux.READ_ONLY)
