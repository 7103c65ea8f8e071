"""Where a database server is, told without the password that the address may hold."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

HIDDEN = "…"
_SECRETS = ("password", "sslpassword", "passfile")
_SHORTEST = 3
"""A shorter piece of a password is found in ordinary words."""


class Address:
    """`postgresql://user:password@host:port/database?option=value`."""

    def __init__(self, whole: str) -> None:
        self.whole = whole
        """With the password: for the driver alone."""
        self._secrets = sorted(_secrets(whole), key=len, reverse=True)

    def __repr__(self) -> str:
        return f"Address({self})"

    def __str__(self) -> str:
        """Host and database."""
        try:
            parts = urlsplit(self.whole)
        except ValueError:
            return HIDDEN
        host = parts.netloc.rpartition("@")[2] or dict(parse_qsl(parts.query)).get("host", "")
        return self.without_secrets(f"postgresql://{host}{parts.path}")

    def without_secrets(self, said: object) -> str:
        """What a driver says, on one line, without the password or a piece of it."""
        told = " ".join(str(said).split())
        for secret in self._secrets:
            told = told.replace(secret, HIDDEN)
        return told


def _secrets(whole: str) -> set[str]:
    """The password, as written and as meant. A character that should have been escaped may have cut it anywhere, so
    everything up to the last `@` counts, and each piece of it."""
    rest = whole.partition("://")[2]
    password = rest.rpartition("@")[0].partition(":")[2]
    found = {password, *re.split(r"[^\w]+", password)}
    found |= {value for name, value in parse_qsl(rest.partition("?")[2]) if name in _SECRETS}
    found |= {unquote(one) for one in found}
    return {one for one in found if len(one) >= _SHORTEST} | ({password} - {""})
