"""What the agent asks of a brain: understanding, apart from doing. A brain never gets a handle on a backend."""

from __future__ import annotations

from typing import Protocol

from agent.contract import Contract, Refusal
from agent.goal import Goal
from tools.record import Record


class Context(Record):
    """What a brain may know beside the goal's text."""

    now: float
    """Epoch seconds; clock times in the goal are resolved against it."""
    utc_offset_s: int = 0
    """The requester's offset from UTC, for clock times without a zone."""


class Brain(Protocol):
    """Turns words into a contract."""

    name: str

    def understand(self, goal: Goal, context: Context) -> Contract | Refusal:
        """The contract the text states, with assumptions and questions; or why it is not ours."""
        ...
