"""The endpoint host as a program: `python -I -m tools.backends.local.endpoint FOLDER`.

Detaches, takes the folder's lock, says when it is ready by its parent's exit code, and runs until the lease lapses.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from pathlib import Path

from tools.backends.local.endpoint_records import LOCK

READY = b"1"


def main(argv: list[str]) -> int:
    """0 when the endpoint is there or is another host's business already; 1 when it did not come up."""
    folder = Path(argv[1])
    hear, tell = os.pipe()
    if os.fork():
        os.close(tell)
        return 0 if os.read(hear, 1) == READY else 1
    os.close(hear)
    os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    lock = _locked(folder)
    if lock is None:
        os.write(tell, READY)
        return 0
    from tools.backends.local.endpoint_run import run  # heavy, and only the detached process needs it

    run(folder, tell)
    return 0


def _locked(folder: Path) -> int | None:
    """The lock of the folder, held as long as this process lives; None when another host holds it."""
    handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return handle


if __name__ == "__main__":
    sys.exit(main(sys.argv))
