"""Which variables look like credentials, and how their values are kept out of what is written down.

Standard library only: the supervisor of a job imports it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tools.credential import SHORTEST, is_credential, mark


def without(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that do not look like credentials."""
    return {name: value for name, value in environ.items() if not is_credential(name, value)}


class Redactor:
    """Replaces the values of credentials in a stream of bytes, wherever the stream happens to be cut."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        found = {
            value.encode(errors="surrogateescape"): mark(name).encode()
            for name, value in environ.items()
            if len(value) >= SHORTEST and is_credential(name, value)
        }
        self._instead = found
        longest_first = sorted(found, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, longest_first))) if found else None
        self._held = b""

    def clean(self, data: bytes) -> bytes:
        """What may be written of it now; an end that may be the start of a credential is kept for the next time."""
        if self._pattern is None:
            return data
        text = self._pattern.sub(self._replaced, self._held + data)
        kept = max((_overlap(text, secret) for secret in self._instead), default=0)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def rest(self) -> bytes:
        """What was kept, once nothing follows."""
        held, self._held = self._held, b""
        return held

    def whole(self, data: bytes) -> bytes:
        """All of it at once."""
        return data if self._pattern is None else self._pattern.sub(self._replaced, data)

    def _replaced(self, found: re.Match[bytes]) -> bytes:
        return self._instead[found[0]]


def _overlap(text: bytes, secret: bytes) -> int:
    """How many bytes at the end of a text are the start of a secret, but not all of it."""
    lengths: Iterable[int] = range(min(len(text), len(secret) - 1), 0, -1)
    return next((n for n in lengths if text.endswith(secret[:n])), 0)
