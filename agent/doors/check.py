"""One thing that `doctor` looked at."""

from __future__ import annotations

from typing import Literal

from tools.record import Record


class Check(Record):
    """What was found, and the way out where it is not well."""

    name: str
    state: Literal["ok", "warning", "failed"]
    detail: str
    fix: str = ""
