"""A program's output, kept within a cap: its head and its tail; what lay between is counted.

Standard library only: the supervisor writes with it, the agent reads with it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tools.backends.local.credentials import Redactor

HEAD = 4 << 20
"""Bytes kept from the start."""
SEGMENT = 2 << 20
"""Bytes of one of the two segments the tail turns over."""
READ = 1 << 20
"""Bytes read back at most to find the last lines."""
LINE = 8192
"""Characters of one line that are read back."""


class Output:
    """Writes `log`, then `log.tail`, turning the latter over to `log.tail.old`."""

    def __init__(self, folder: Path, redactor: Redactor, *, head: int = HEAD, segment: int = SEGMENT) -> None:
        self._folder = folder
        self._redactor = redactor
        self._room, self._segment = head, segment
        self._file = (folder / "log").open("ab", buffering=0)
        self._tail = 0
        self.dropped = 0
        """Bytes left out so far."""

    def write(self, data: bytes) -> None:
        self._keep(self._redactor.clean(data))

    def close(self) -> None:
        self._keep(self._redactor.rest())
        self._file.close()

    def _keep(self, data: bytes) -> None:
        if self._room:
            first, data = data[: self._room], data[self._room :]
            self._file.write(first)
            self._room -= len(first)
        while data:
            data = self._turn(data)

    def _turn(self, data: bytes) -> bytes:
        """Write what fits into this segment of the tail; the rest."""
        if self._tail % self._segment == 0:
            self._next()
        room = self._segment - self._tail % self._segment
        self._file.write(data[:room])
        self._tail += len(data[:room])
        return data[room:]

    def _next(self) -> None:
        self._file.close()
        tail, old = self._folder / "log.tail", self._folder / "log.tail.old"
        if old.exists():
            self.dropped += old.stat().st_size
            (self._folder / "log.dropped").write_text(str(self.dropped), encoding="ascii")
        if tail.exists():
            tail.replace(old)
        self._file = tail.open("ab", buffering=0)


def last_lines(folder: Path, count: int, *, name: str = "log", within: int = READ) -> Sequence[str]:
    """The last lines of an output, undecodable bytes replaced; a line of its own where some were left out."""
    if count <= 0:
        return ()
    parts = [_end_of(folder / part, within) for part in (name, f"{name}.tail.old", f"{name}.tail")]
    if (folder / f"{name}.dropped").exists():
        dropped = (folder / f"{name}.dropped").read_text(encoding="ascii")
        parts.insert(1, f"\n[{dropped} bytes left out]\n".encode())
    lines = b"".join(parts).decode(errors="replace").splitlines()[-count:]
    return tuple(line if len(line) <= LINE else f"{line[:LINE]} [{len(line) - LINE} more characters]" for line in lines)


def last_line(path: Path, *, within: int = 65536) -> Sequence[bytes]:
    """The complete lines at the end of a file, newest first, from a bounded read."""
    data = _end_of(path, within)
    whole = data[: data.rfind(b"\n") + 1]
    return tuple(reversed(whole.splitlines()))


def _end_of(path: Path, within: int = READ) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - within))
            return file.read(within)
    except OSError:
        return b""
