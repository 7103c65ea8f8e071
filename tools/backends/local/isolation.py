"""What a sandbox needs, tried in a process of its own: `python -I -m tools.backends.local.isolation`.

Prints one line; exit 0 when jobs can be sandboxed here, 1 with the kernel's reason when they cannot.
"""

from __future__ import annotations

import os
import sys

from tools.backends.local import linux


def main() -> int:
    """Try the namespaces and mounts, in this process, which is good for nothing else afterwards."""
    if not linux.available():
        print("this platform has no namespaces")
        return 1
    uid, gid = os.geteuid(), os.getegid()
    try:
        linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWPID | linux.CLONE_NEWNS | linux.CLONE_NEWIPC)
        linux.map_self(uid, gid)
    except OSError as error:
        print(f"namespaces are refused: {error}")
        return 1
    child = os.fork()
    if child == 0:
        os._exit(_mounts())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _mounts() -> int:
    """As the first process of the namespace."""
    try:
        linux.private_mounts()
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
        linux.mount("tmpfs", "/tmp", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV)
    except OSError as error:
        os.write(1, f"mounts are refused: {error}\n".encode())
        return 1
    os.write(1, b"namespaces and mounts work\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
