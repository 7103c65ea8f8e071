"""Which owner of a run may change the world: the one with the highest epoch that a backend has heard of.

Each owner of a run has a number that rises from one to the next. A backend in its hands (`Backend.fenced`) says the
number with every change, and refuses the changes of earlier owners: whoever slept while its run was taken over changes
nothing any more, wherever it fell asleep.
"""

from __future__ import annotations

from pydantic import Field

from tools.errors import superseded
from tools.record import Record


class Tenure(Record):
    """A run in the hands of one owner."""

    run: str
    epoch: int = Field(ge=0)


class Epochs:
    """The highest epoch of each run that was heard of."""

    def __init__(self) -> None:
        self._highest: dict[str, int] = {}
        self.rises = 0
        """How often one rose."""

    def hear(self, tenure: Tenure) -> None:
        """From now on earlier owners of the run are refused. Superseded when this is one."""
        before = self._highest.get(tenure.run, -1)
        if tenure.epoch < before:
            raise superseded(tenure.run)
        if tenure.epoch > before:
            self._highest[tenure.run] = tenure.epoch
            self.rises += 1
