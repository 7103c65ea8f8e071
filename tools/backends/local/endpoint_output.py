"""What a server process is given as its environment, and what it said last."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

ENVIRONMENT: Mapping[str, str] = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",  # one row is not worth a second thread, and two servers share the cores
    "OPENBLAS_NUM_THREADS": "1",
}
"""All a host or a model server is given: no key, no token and no proxy of the person who started it."""


def tail(path: Path, count: int, *, most: int = 8192) -> list[str]:
    """The last lines of a file, printable characters only."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - most))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    lines = ["".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines()]
    return [line[:300] for line in lines if line][-count:]
