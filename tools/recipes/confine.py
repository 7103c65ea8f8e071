"""Starts a command where certain files cannot be found: for the user's own `predict`, beside an open holdout.

Linux with user namespaces and util-linux's `unshare`; elsewhere it says so. The mounts are made in one namespace and
the command runs in a second one below it, where they are locked and other processes cannot be looked into.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

_OUTER = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_MASK = (
    'n=$1; shift; while [ "$n" -gt 0 ]; do '
    'if [ -d "$1" ]; then mount -t tmpfs none "$1"; elif [ -e "$1" ]; then mount --bind /dev/null "$1"; fi || exit 97; '
    'shift; n=$((n - 1)); done; exec unshare --user --mount -- "$@"'
)
_TRIAL_S = 10.0


def confined(argv: Sequence[str], hide: Sequence[Path]) -> list[str] | None:
    """The command line that runs `argv` without `hide`; None where that cannot be had."""
    there = [str(path) for path in hide if path.exists()]
    front = [*_OUTER, "sh", "-c", _MASK, "sh", str(len(there)), *there]
    try:
        tried = subprocess.run([*front, "true"], capture_output=True, timeout=_TRIAL_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return [*front, *argv] if tried.returncode == 0 else None
