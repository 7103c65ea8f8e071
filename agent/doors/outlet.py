"""A stream whose reader may leave at any time: what is written then is dropped, and the work goes on."""

from __future__ import annotations

import os
from typing import TextIO

from tools.redact import Redaction


class Outlet:
    """Writes text to a stream until nobody reads it any more."""

    def __init__(self, stream: TextIO, redaction: Redaction | None = None) -> None:
        """`redaction`: what is taken out of all that is written; without one, whatever looks like a secret."""
        self._stream = stream
        self._redaction = redaction or Redaction()
        self.gone = False
        """True once the reader has left."""

    @property
    def encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        try:
            return self._stream.isatty()
        except ValueError:  # closed
            return False

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        if not self.gone:
            try:
                self._stream.write(self._redaction.text(text))
            except BrokenPipeError:
                self._leave()
        return len(text)

    def flush(self) -> None:
        if not self.gone:
            try:
                self._stream.flush()
            except BrokenPipeError:
                self._leave()

    def line(self, text: str = "") -> None:
        self.write(text + "\n")
        self.flush()

    def document(self, text: str) -> None:
        """One JSON document, always UTF-8 whatever the terminal speaks."""
        text = self._redaction.json(text)
        buffer = getattr(self._stream, "buffer", None)
        if buffer is None or self.gone:
            self.line(text)
            return
        try:
            self._stream.flush()
            buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
            buffer.flush()
        except BrokenPipeError:
            self._leave()

    def _leave(self) -> None:
        """From here on the descriptor leads nowhere, so that the interpreter's last flush does not fail either."""
        self.gone = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
