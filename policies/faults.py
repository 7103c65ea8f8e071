"""What is wrong with policies or limits: every fault with its place and the way out."""

from __future__ import annotations

from tools.language import tr
from tools.record import Record


class Fault(Record):
    """One thing that is wrong."""

    place: str
    """`limits.yaml:12:3 money.ask_above_usd`, `spending.cedar:7 spend_ask`."""
    what: str
    fix: str = ""

    def __str__(self) -> str:
        if self.fix:
            return tr("{place}: {what} ({fix})", place=self.place, what=self.what, fix=self.fix)
        return tr("{place}: {what}", place=self.place, what=self.what)


class PolicyFaults(ValueError):
    """Policies or limits cannot be used."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults
