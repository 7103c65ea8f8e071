"""Becomes a command that may write no file larger than so many bytes: `python -I -S limited.py BYTES COMMAND...`.

Standard library only, and no package: it is started by its path, in milliseconds.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Sequence

NOT_FOUND, NOT_STARTED = 127, 126
"""Exit codes as a shell gives them."""


def main(argv: Sequence[str]) -> int:
    """Returns only when the command cannot be started."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(argv[0]), int(argv[0])))
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and whoever it becomes would go on ignoring them
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(argv[1], list(argv[1:]))
    except OSError as error:
        print(f"{argv[1]}: {error.strerror}", file=sys.stderr)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_STARTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
