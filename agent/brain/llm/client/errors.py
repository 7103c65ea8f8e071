"""Why a model gave no answer, by what is left to do. Whoever asks one catches `NoAnswer` and does without.

NoAnswer
├── Unavailable   not now: throttled, failing, too slow, cut off; perhaps later
├── Unfit         never like this: the key, the model, the address or the request is refused
├── Nonsense      an answer that is none; its faults are listed
├── Declined      the model, or a filter before it, does not want to
├── Spent         tokens, money or the time for an answer are used up
└── Unpriced      what it costs is not known, and nobody agreed to that
"""

from __future__ import annotations


class NoAnswer(Exception):
    """No answer of a model."""

    def __init__(self, why: str, *, worked: bool = False) -> None:
        """`why`: in our words, never in the server's. `worked`: the server may have worked for it, and may charge."""
        super().__init__(why)
        self.why = why
        self.worked = worked


class Unavailable(NoAnswer):
    """The server cannot answer now."""

    def __init__(self, why: str, *, retry_after_s: float | None = None, worked: bool = False, says: str = "") -> None:
        """`retry_after_s`: how long the server asks to be left alone; None: it did not say. `says`: as for `Unfit`."""
        super().__init__(why, worked=worked)
        self.retry_after_s = retry_after_s
        self.says = says


class Unfit(NoAnswer):
    """The server refuses the request."""

    def __init__(self, why: str, *, status: int = 0, says: str = "") -> None:
        """`says`: the beginning of the server's own words: text from outside, to tell refusals apart and no more."""
        super().__init__(why)
        self.status = status
        self.says = says


class Nonsense(NoAnswer):
    """What came is no answer to what was asked."""

    def __init__(self, why: str, *faults: str) -> None:
        """`faults`: for the model that made them. They may hold its words."""
        super().__init__(why, worked=True)
        self.faults = faults


class Declined(NoAnswer):
    """The model refuses to answer."""

    def __init__(self, why: str) -> None:
        super().__init__(why, worked=True)


class Spent(NoAnswer):
    """Nothing is left to ask with."""


class Unpriced(NoAnswer):
    """Its price is unknown."""
