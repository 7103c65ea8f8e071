"""Where data lies, in one form: what names the same place is the same text, and no detour leads elsewhere.

Local places are absolute after links and `..` are resolved; remote ones have their scheme and host in lower case, with
escapes, `//`, `.` and `..` resolved. What names no place that could be read is `unresolvable:`, which lies nowhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote

NOWHERE = "unresolvable:"
BUNDLED = "sklearn:"
HUB = "hf"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?(.*)", re.DOTALL)
_NAME = re.compile(r"[a-z0-9_]{1,64}")
_MAX_UNQUOTED = 8
"""How often a place may have been escaped: more is a disguise."""


def canonical(place: str, folder: Path) -> str:
    """The place in its one form; relative paths start in `folder`. Never raises."""
    if not place or any(ord(char) < 32 or "\ud800" <= char <= "\udfff" for char in place):
        return NOWHERE + normalize("NFKC", ascii(place))
    if place.startswith(BUNDLED):
        name = place.removeprefix(BUNDLED)
        return place if _NAME.fullmatch(name) else NOWHERE + ascii(place)
    scheme = _SCHEME.fullmatch(place)
    if scheme is None:
        return _local(place, folder)
    name, slashes, rest = scheme[1].lower(), scheme[2], scheme[3]
    if name == "file":
        return NOWHERE + ascii(place) if (plain := _unquoted(rest)) is None else _local(plain, folder)
    if slashes or name == HUB:
        return _remote(name, slashes or "", rest)
    return _local(place, folder)


def _local(path: str, folder: Path) -> str:
    try:
        return str((folder / Path(path).expanduser()).resolve())
    except (OSError, RuntimeError, ValueError):  # a circle of links, a name that no file can have, no such person
        return NOWHERE + ascii(path)


def _remote(scheme: str, slashes: str, rest: str) -> str:
    plain = _unquoted(rest)
    if plain is None:
        return NOWHERE + ascii(rest)
    host, _, path = normalize("NFKC", plain).replace("\\", "/").partition("/")
    kept: list[str] = []
    for part in path.split("/"):
        if part == ".." and not kept:
            return NOWHERE + ascii(rest)
        if part == "..":
            kept.pop()
        elif part not in ("", "."):
            kept.append(part)
    if not host or host in (".", ".."):
        return NOWHERE + ascii(rest)
    return "/".join([f"{scheme}:{slashes}{host.lower()}", *kept])


def _unquoted(text: str) -> str | None:
    """Without escapes, escaped escapes included; None when they have no end or hide what no place holds."""
    for _ in range(_MAX_UNQUOTED):
        plain = unquote(text, errors="surrogateescape")
        if plain == text:
            clean = all(ord(char) >= 32 and not "\ud800" <= char <= "\udfff" for char in plain)
            return plain if clean else None
        text = plain
    return None
