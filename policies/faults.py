"""What is wrong with what somebody wrote: every fault with its place and the way out."""

from __future__ import annotations

from tools.language import tr
from tools.record import Record


class Fault(Record):
    """One thing that is wrong with a request, a policy or a limit."""

    place: str
    """`goal.yaml:3:5 clauses[0]`, `data.csv`, `--budget`, `spending.cedar:7 spend_ask`."""
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
