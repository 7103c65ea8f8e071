"""What the agent asks of a brain: understanding, apart from doing. A brain never gets a handle on a backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from agent.contract import Contract, Refusal
from agent.goal import Goal
from agent.plan import Plan
from agent.survey import Survey
from tools.record import Json, Record


class Context(Record):
    """What a brain may know beside the goal's text."""

    now: float
    """Epoch seconds; clock times in the goal are resolved against it."""
    utc_offset_s: int = 0
    """The requester's offset from UTC, for clock times without a zone."""


class Terms(Record):
    """What the operator set and a plan depends on."""

    load_rps: float
    """Most requests a second that a watch may send."""
    lease_s: float
    """How long an endpoint lives when the goal does not say."""
    owner: str
    folder: str
    """Absolute: where the user's own program starts."""


class Change(Record):
    """What a revision asks of one part."""

    part: str
    what: Literal["search", "settle", "without", "extend", "grow", "roll_back", "stop"]
    """`settle`: judge the best model there is; `grow`: more servers; `without`: go on without one candidate."""
    step: str | None = None
    """For `without`: the candidate's step."""


class Brain(Protocol):
    """Turns words into a contract, and a contract into plans."""

    name: str

    def understand(self, goal: Goal, context: Context) -> Contract | Refusal:
        """The contract the text states, with assumptions and questions; or why it is not ours."""
        ...

    def unsupported(self, contract: Contract) -> tuple[str, ...]:
        """Why no plan can be made with the tools there are; empty when one can."""
        ...

    def propose(
        self,
        contract: Contract,
        survey: Survey,
        terms: Terms,
        *,
        before: Plan | None = None,
        started: frozenset[str] = frozenset(),
        results: Mapping[str, Json] | None = None,
        changes: tuple[Change, ...] = (),
    ) -> Plan:
        """A plan; with `before` and `changes` its next version, steps that were started carried over."""
        ...
