"""What a program needs to see of the machine: the system, its interpreter, libraries and devices; nothing of people's.

Both who confines a job and who confines a `predict` command inside one ask here. Standard library only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/nix/store", "/gnu/store")
DEVICES = ("null", "zero", "full", "random", "urandom")
ACCELERATORS = ("nvidia*", "dri", "kfd", "dxg")
DEVICE_STATE = ("/sys/bus", "/sys/class", "/sys/devices", "/sys/module")
"""What the drivers of accelerators read; shown only where there is one."""


def programs(environ: Mapping[str, str]) -> list[str]:
    """This interpreter, its libraries and our own sources."""
    libraries = environ.get("LD_LIBRARY_PATH", "").split(":")
    binary = Path(os.path.realpath(sys.executable))
    own = str(Path(__file__).parent)
    return [sys.prefix, sys.base_prefix, _installation(binary), own, *(path for path in libraries if path)]


def commands(program: str, environ: Mapping[str, str]) -> list[str]:
    """Where the user's own programs lie: what PATH names and where `program` lies, with the libraries beside it."""
    folders = [Path(name) for name in environ.get("PATH", "").split(":") if name.startswith("/")]
    first = Path(program)
    if first.is_absolute():
        folders.append(first.parent)
    home = environ.get("HOME", "")
    found: list[str] = []
    for folder in folders:
        found.append(_beside(folder, home))
        for name in ("python", "python3", first.name):
            if (binary := folder / name).exists():
                found.append(_installation(Path(os.path.realpath(binary))))
    return [path for path in found if path not in ("/", home)]


def devices() -> tuple[list[Path], list[Path]]:
    """The plain devices every program may use, and those of accelerators."""
    special = [path for pattern in ACCELERATORS for path in sorted(Path("/dev").glob(pattern))]
    return [Path("/dev", name) for name in DEVICES], special


def _beside(folder: Path, home: str) -> str:
    """`PREFIX/bin` stands for PREFIX, unless that is the home folder or the root."""
    wide = str(folder.parent)
    whole = folder.name in ("bin", "sbin", "shims") and wide not in ("/", home) and not home.startswith(f"{wide}/")
    return wide if whole else str(folder)


def _installation(binary: Path) -> str:
    return str(binary.parent.parent if binary.parent.name == "bin" and str(binary.parent.parent) != "/" else binary)
