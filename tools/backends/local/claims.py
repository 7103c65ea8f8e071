"""What a user's program says of itself in `metrics.json`: shown as a claim, once it can be read.

Standard library only: the supervisor of a job imports it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tools.backends.local.credentials import Redactor
from tools.language import tr

MOST = 1 << 20
"""Bytes of a file of claims."""
NAMED = 8
"""Places that a message names."""


class Claims(NamedTuple):
    """What was found; a failure where it cannot be shown."""

    found: dict[str, Any]
    failure: tuple[str, str] | None = None
    """Cause and message."""


def read(path: Path, redactor: Redactor) -> Claims:
    """The claims of a program; none where it left no file. Credentials in it are withheld."""
    if not path.exists() and not path.is_symlink():
        return Claims({})
    try:
        if path.is_symlink() or not path.is_file():
            raise ValueError(tr("it is no plain file"))
        if (size := path.stat().st_size) > MOST:
            raise ValueError(tr("it has {size} bytes, and {most} are read", size=size, most=MOST))
        found = json.loads(redactor.whole(path.read_bytes()))
        if not isinstance(found, dict):
            raise ValueError(tr("it is no JSON object"))
        json.dumps(found, ensure_ascii=False).encode()  # half of a character pair could not be written down again
        odd = list(_not_finite(found, ""))
    except (OSError, ValueError, RecursionError) as error:
        said = tr(
            "Its metrics.json cannot be read: {error}. Write a JSON object of numbers, or no such file.", error=error
        )
        return Claims({}, ("user_code_error", said))
    if odd:
        more = tr(" and {n} more", n=len(odd) - NAMED) if len(odd) > NAMED else ""
        said = tr(
            "Its metrics.json holds numbers that are not finite: {named}. Training has diverged; lower the learning "
            "rate, or write null for what is not defined.",
            named=", ".join(odd[:NAMED]) + more,
        )
        return Claims({}, ("diverged", said))
    return Claims(found)


def _not_finite(value: object, place: str) -> Iterator[str]:
    """Places of NaN and infinity, like `history.3.loss`."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{place} ({value})"
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from _not_finite(each, f"{place}.{name}".lstrip("."))
