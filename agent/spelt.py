"""How the value of a setting is spelt: each reader takes a text and the folder that relative paths start from, and
raises ValueError with a sentence. What may be secret is never repeated in it.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr


def path(text: str, folder: Path) -> Path:
    """An absolute path."""
    if "\0" in text:
        raise ValueError("a path cannot hold a NUL character")
    return Path(os.path.abspath(folder / Path(text).expanduser()))


def number(text: str, _: Path) -> float:
    """0 or more."""
    try:
        value = float(text.replace("_", "")) if text.isascii() else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{text!r} is not a number of 0 or more")
    return value


def positive(text: str, folder: Path) -> float:
    """More than 0."""
    value = number(text, folder)
    if value == 0:
        raise ValueError("must be more than 0")
    return value


def money(text: str, folder: Path) -> float:
    """US dollars."""
    bare = re.fullmatch(r"(?:US)?\$?\s*([\d.,]+)\s*(?:\$|USD)?", text.strip(), re.IGNORECASE)
    try:
        return number(bare[1].replace(",", "") if bare else text, folder)
    except ValueError as fault:
        raise ValueError(f"{text!r} is not an amount of US dollars: write e.g. 20 or 2.50") from fault


_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str, folder: Path = Path()) -> float:
    """Seconds, more than 0, of `90s`, `30m`, `8h`, `2d` or a bare number; ValueError with a sentence."""
    match = re.fullmatch(r"\s*([\d.]+)\s*([a-z]*)\s*", text)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"{text!r} is not a duration: write e.g. 90s, 30m, 8h or 2d")
    return positive(match[1], folder) * _UNITS[match[2]]


def yes(text: str, _: Path) -> bool:
    """`1`, `true`, `yes` or their contraries."""
    if text.lower() in ("1", "true", "yes"):
        return True
    if text.lower() in ("0", "false", "no"):
        return False
    raise ValueError(f"{text!r} is neither yes nor no")


def as_text(text: str, _: Path) -> str:
    """As it stands."""
    return text


def address(text: str, _: Path) -> str:
    """The address of a server, without a slash at its end."""
    bare = text.strip().rstrip("/")
    if re.fullmatch(r"https?://[^\s/?#]+(?:/[^\s?#]*)?", bare) is None:
        raise ValueError(f"{text!r} is not an address: write e.g. http://127.0.0.1:8000/v1")
    return bare


def database(text: str, _: Path) -> SecretStr:
    """The address of a PostgreSQL database; what is wrong is told without it, since it may hold a password."""
    if re.fullmatch(r"postgres(?:ql)?://\S+", text.strip()) is None:
        raise ValueError("it is not the address of a PostgreSQL database: write e.g. postgresql://user@host/database")
    return SecretStr(text.strip())


def prices(text: str, _: Path) -> tuple[float, float]:
    """`1.25/10`: US dollars per million tokens read and written; one number stands for both."""
    read, slash, written = text.replace("$", "").partition("/")
    return number(read.strip(), Path()), number((written if slash else read).strip(), Path())


def count(text: str, _: Path) -> int:
    """1 to 64."""
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 64):
        raise ValueError(f"{text!r} is not a whole number from 1 to 64")
    return int(text)


def secret(text: str, _: Path) -> SecretStr:
    """As it stands, shown to nobody."""
    return SecretStr(text)


def choice(*words: str) -> Callable[[str, Path], str]:
    """One of the words."""

    def read(text: str, _: Path) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is not available here: choose {' or '.join(words)}")
        return text

    return read
