"""Starts a command where certain files cannot be found: for the user's own `predict`, beside an open holdout.

Linux with user namespaces and util-linux's `unshare`; elsewhere it says so. The mounts are made in one namespace and
the command runs in a second one below it, where they are locked and other processes cannot be looked into.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_OUTER = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_INNER = ("unshare", "--user", "--mount", "--")
_ASIDE = ("/mnt", "/media", "/srv", "/opt")
_TRIAL_S = 15.0


def confined(argv: Sequence[str], *, hide: Sequence[Path], show: Sequence[Path] = ()) -> list[str] | None:
    """The command line that runs `argv` without `hide`, but with `show` where it lies below that.

    None where that cannot be had.
    """
    plan = json.dumps({"hide": [str(p) for p in hide if p.exists()], "show": [str(p) for p in show if p.exists()]})
    front = [*_OUTER, sys.executable, "-I", "-m", "tools.recipes.confine", plan]
    try:
        tried = subprocess.run([*front, "true"], capture_output=True, timeout=_TRIAL_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return [*front, *argv] if tried.returncode == 0 else None


def main(argv: Sequence[str]) -> int:
    """Inside the outer namespaces: make the mounts, then become the command."""
    plan = json.loads(argv[0])
    here = os.getcwd()
    aside = Path(next(place for place in _ASIDE if os.path.isdir(place)))
    _mount("-t", "tmpfs", "none", aside)  # in this namespace alone: nothing of it is left behind
    for number, path in enumerate(plan["show"]):
        (aside / str(number)).mkdir()
        _mount("--bind", path, aside / str(number))
    for path in map(Path, plan["hide"]):
        if path.is_dir():
            _mount("-t", "tmpfs", "none", path)
        elif path.exists():
            _mount("--bind", os.devnull, path)
    for number, path in enumerate(map(Path, plan["show"])):
        path.mkdir(parents=True, exist_ok=True)
        _mount("--bind", aside / str(number), path)
    os.chdir(here)
    os.execvp(_INNER[0], [*_INNER, *argv[1:]])


def _mount(*words: str | Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
