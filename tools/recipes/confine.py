"""Starts a command where it sees what it needs and nothing else: for the user's own `predict`, beside an open holdout.

Linux with user namespaces and util-linux; elsewhere it says so. A new root is built from an allow-list in one
namespace, and the command runs in a second one below it, where the mounts are locked and other processes cannot be
looked into.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tools import homes, visible

_OUTER = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_INNER = ("unshare", "--user", "--mount", "--")
_ASIDE = ("/mnt", "/media", "/srv", "/opt", "/tmp")
_TRIAL_S = 15.0
_LINKS = 40
"""Links on the way to one path, as many as the kernel follows."""
_OLD, _EMPTY = ".old", ".empty"
_KEPT = {
    getattr(os, f"ST_{name.upper()}", 0): name
    for name in ("nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime")
}
"""What a mount is restricted to already stays so: the kernel takes back no restriction in a namespace."""


def confined(
    argv: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    read: Sequence[Path] = (),
    write: Sequence[Path] = (),
    hide: Sequence[Path] = (),
) -> list[str] | None:
    """The command line that runs `argv` in `folder` where it sees that, its programs and libraries, `read` and `write`.

    `hide`, and every home of Goalkeeper below the folder, is not found even there; `read` and `write` win over that.
    None where that cannot be had.
    """
    try:
        hidden = [*map(str, hide), *homes.below(str(folder))]
    except OSError:
        return None
    pivot = shutil.which("pivot_root", path=f"{environ.get('PATH', '')}:/usr/sbin:/sbin")
    plan = json.dumps(
        {
            "pivot": pivot or "pivot_root",
            "read": [*visible.SYSTEM, *visible.programs(environ), *visible.commands(argv[0], environ), str(folder)],
            "hide": hidden,
            "given": [str(path) for path in read],
            "write": [str(path) for path in write],
        }
    )
    front = [*_OUTER, sys.executable, "-I", "-m", "tools.recipes.confine", plan]
    try:
        tried = subprocess.run([*front, "true"], cwd=folder, capture_output=True, timeout=_TRIAL_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return [*front, *argv] if tried.returncode == 0 else None


def main(argv: Sequence[str]) -> int:
    """Inside the outer namespaces: build the root, enter it, then become the command."""
    plan = json.loads(argv[0])
    here = os.getcwd()
    root = next(place for place in _ASIDE if os.path.isdir(place))
    held = _held(plan["given"] + plan["write"])
    _mount("-t", "tmpfs", "-o", "mode=0755", "none", root)  # in this namespace alone: nothing of it is left behind
    _build(root, plan, held)
    _enter(root, plan["pivot"])
    os.chdir(here)
    os.execvp(_INNER[0], [*_INNER, *argv[1:]])


def _held(paths: Sequence[str]) -> dict[str, str]:
    """The real places of what is given, open: they are found even once the new root lies over them."""
    real = [os.path.realpath(path) for path in paths if os.path.exists(path)]
    return {path: f"/proc/self/fd/{os.open(path, os.O_PATH)}" for path in real}


def _build(root: str, plan: Mapping[str, Sequence[str]], held: Mapping[str, str]) -> None:
    Path(root, _EMPTY).touch(mode=0o444)
    for place in ("tmp", "var/tmp", _OLD, "proc"):
        Path(root, place).mkdir(mode=0o777, parents=True, exist_ok=True)
    for path in _shallow_first({*map(os.path.realpath, plan["read"])}):
        if os.path.exists(path):
            _show(path, root, read_only=True)
    for name in {real for path in plan["hide"] for real in (path, os.path.realpath(path))}:
        _mask(name, root)
    for path in _shallow_first(held):
        _show(path, root, read_only=path not in {*map(os.path.realpath, plan["write"])}, source=held[path])
    for path in (*plan["read"], *plan["given"], *plan["write"]):
        _follow_links(path, root)
    _devices(root)
    _mount("-t", "proc", "proc", f"{root}/proc")


def _shallow_first(paths: Mapping[str, str] | set[str]) -> Iterator[str]:
    """The more specific path decides."""
    yield from sorted(paths, key=lambda path: (path.count("/"), path))


def _show(path: str, root: str, *, read_only: bool, source: str | None = None) -> None:
    place = root + path
    if os.path.isdir(path):
        os.makedirs(place, exist_ok=True)
    elif not os.path.lexists(place):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        Path(place).touch()
    _mount("--rbind", source or path, place)
    if read_only:
        flags = os.statvfs(place).f_flag
        kept = [name for flag, name in _KEPT.items() if flags & flag]
        _mount("-o", ",".join(["remount", "bind", "ro", *kept]), place)


def _mask(path: str, root: str) -> None:
    """An empty folder or file over what is there. What is not there needs none."""
    place = root + path
    if os.path.realpath(place) != place or not os.path.exists(place):
        return
    if os.path.isdir(place):
        _mount("-t", "tmpfs", "-o", "mode=0755,size=1m", "none", place)
    else:
        _mount("--bind", f"{root}/{_EMPTY}", place)


def _follow_links(path: str, root: str) -> None:
    """Make the links on the way to a path in the new root as they are in the old one."""
    for _ in range(_LINKS):
        link = next((step for step in (*reversed(Path(path).parents), Path(path)) if step.is_symlink()), None)
        if link is None:
            return
        if not os.path.lexists(place := root + str(link)):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.symlink(os.readlink(link), place)
        beyond = os.path.join(link.parent, os.readlink(link))
        path = os.path.normpath(os.path.join(beyond, os.path.relpath(path, link)))


def _devices(root: str) -> None:
    os.makedirs(f"{root}/dev/shm", exist_ok=True)
    found, special = visible.devices()
    state = [Path(path) for path in visible.DEVICE_STATE] if special else []
    for path in (*found, *special, *state):
        if path.exists():
            _show(str(path), root, read_only=False)
    for name, end in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{end}", f"{root}/dev/{name}")


def _enter(root: str, pivot: str) -> None:
    """Make it the root, and let go of the old one with everything on it."""
    os.chdir(root)
    subprocess.run([pivot, ".", _OLD], check=True)
    os.chdir("/")
    subprocess.run(["umount", "-l", f"/{_OLD}"], check=True)


def _mount(*words: str) -> None:
    """CalledProcessError where the kernel does not allow it: then the trial has failed, and nothing is run."""
    subprocess.run(["mount", "-n", *words], check=True, stdout=subprocess.DEVNULL, pass_fds=_descriptors(words))


def _descriptors(words: Sequence[str]) -> list[int]:
    """Those that the words speak of by number."""
    return [int(word.rpartition("/")[2]) for word in words if word.startswith("/proc/self/fd/")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
