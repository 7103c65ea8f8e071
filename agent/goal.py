"""Stage 1, goal: what was asked, by whom, through which door."""

from __future__ import annotations

import hashlib

from tools.record import Record


class Goal(Record):
    """A goal as it was stated."""

    text: str
    source: str
    """Door and person: `cli:USER`, `file:PATH`, `slack:TEAM/USER`."""
    digest: str

    @classmethod
    def of(cls, text: str, *, source: str) -> Goal:
        return cls(text=text, source=source, digest=hashlib.sha256(text.encode()).hexdigest())
