"""What a person typed before: one file in the home, theirs alone to read, without secrets."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from tools.redact import Redaction

MOST = 1000
"""Entries that are kept."""


class HistoryFile:
    """Entries, one JSON string a line. A file that cannot be read or written is as if there were none."""

    def __init__(self, home: Path, redaction: Redaction) -> None:
        self._path = home / f"chat-{os.getuid()}.history"
        self._redaction = redaction

    def read(self) -> list[str]:
        """The last entries, oldest first."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []
        found = []
        for line in lines[-MOST:]:
            with suppress(ValueError):
                entry = json.loads(line)
                found += [entry] if isinstance(entry, str) else []
        if len(lines) > 2 * MOST:
            self._write("".join(f"{json.dumps(entry)}\n" for entry in found), os.O_TRUNC)
        return found

    def add(self, entry: str) -> None:
        """Keep an entry, without secrets."""
        self._write(f"{json.dumps(self._redaction.text(entry))}\n", os.O_APPEND)

    def _write(self, text: str, how: int) -> None:
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how, 0o600)
            try:
                os.fchmod(file, 0o600)
                os.write(file, text.encode("ascii"))
            finally:
                os.close(file)
