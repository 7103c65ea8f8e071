"""The Linux calls that isolation needs and Python has no name for. Each raises OSError with the call's name.

Standard library only. On another platform `available()` is False and nothing else may be called.
"""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = (
    0x00020000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
READ_ONLY, NO_SUID, NO_DEV = 1, 2, 4
"""Mount attributes of mount_setattr(2)."""

_MNT_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_MOUNT_SETATTR = 442
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_SECUREBITS = 1, 4, 24, 28
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 36, 38, 47, 4
_SECUREBITS_LOCKED = 0xEF
"""No rights for uid 0, none kept over a change of uid, no ambient ones; all locked but keep-caps itself."""
_CAPABILITY_VERSION_3 = 0x20080522


class _MountAttributes(ctypes.Structure):
    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns", ctypes.c_uint64),
    )


_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def available() -> bool:
    """Whether this platform has these calls at all; the kernel may still refuse them."""
    return _libc is not None and os.uname().machine in _PIVOT_ROOT


def unshare(flags: int) -> None:
    _checked("unshare", ctypes.c_int(flags))


def private_mounts() -> None:
    """No mount made from here on is seen outside, and none made outside is seen here."""
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    _checked("mount", *encoded[:3], ctypes.c_ulong(flags), encoded[3], about=target)


def bind(source: str, target: str, *, attributes: int) -> None:
    """Show `source` with all that is mounted below it at `target`, with these attributes on every part."""
    mount(source, target, None, MS_BIND | MS_REC)
    restrict(target, attributes)


def restrict(target: str, attributes: int) -> None:
    """Add attributes to a mount and everything mounted below it."""
    _restrict(target, attributes, _AT_RECURSIVE)


def restrict_one(target: str, attributes: int) -> None:
    """Add attributes to one mount alone."""
    _restrict(target, attributes, 0)


def change_root(root: str) -> None:
    """Make a mount the root and drop the old root with everything on it."""
    os.chdir(root)
    _system("pivot_root", _PIVOT_ROOT[os.uname().machine], b".", b".", about=root)
    _checked("umount2", b".", ctypes.c_int(_MNT_DETACH), about="the old root")
    os.chdir("/")


def map_self(uid: int, gid: int) -> None:
    """In a fresh user namespace: this user and group, under their own numbers, and nobody else."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def die_with_parent(number: int) -> None:
    """Have the kernel send this signal here when the parent ends. No effect on another platform."""
    if _libc is not None:
        _prctl(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends. No effect on another platform."""
    if _libc is not None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def close_memory() -> None:
    """Nobody of the same user may look into this process."""
    if _libc is not None:
        _prctl(_PR_SET_DUMPABLE, 0)


def renounce() -> None:
    """Give up every capability for good, for this process and all it starts."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _prctl(_PR_SET_SECUREBITS, _SECUREBITS_LOCKED)
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        last = int(file.read())
    for capability in range(last + 1):
        _prctl(_PR_CAPBSET_DROP, capability)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    _checked("capset", header, none)


def _restrict(target: str, attributes: int, depth: int) -> None:
    wanted = _MountAttributes(set=attributes)
    _system(
        "mount_setattr",
        _MOUNT_SETATTR,
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_uint(depth),
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
        about=target,
    )


def _prctl(option: int, value: int) -> None:
    _checked("prctl", ctypes.c_int(option), *(ctypes.c_ulong(each) for each in (value, 0, 0, 0)))


def _system(name: str, number: int, *args: object, about: str = "") -> None:
    _checked("syscall", ctypes.c_long(number), *args, about=f"{name} {about}".strip())


def _checked(name: str, *args: object, about: str = "") -> None:
    if _libc is None:
        raise OSError(f"{name} is a call of Linux")
    if getattr(_libc, name)(*args) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)} ({name} {about})".replace(" )", ")"))
