"""What the agent asks of a brain: understanding, apart from doing. A brain never gets a handle on a backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from agent.contract import Contract, Refusal
from agent.goal import Goal
from agent.lines import Consulted
from agent.lines import Known as Known
from agent.plan import Plan
from agent.survey import Survey
from tools.errors import Cause
from tools.inert import Seen
from tools.record import Json, Record


class Context(Record):
    """What a brain may know beside the goal's text."""

    now: float
    """Epoch seconds; clock times in the goal are resolved against it."""
    utc_offset_s: int = 0
    """The requester's offset from UTC, for clock times without a zone."""
    said: tuple[str, ...] = ()
    """What the requester said before in the same conversation, oldest first."""
    before: Contract | None = None
    """The contract that is being corrected."""


class Open(Record):
    """Understood, and what it leaves open must be found out before it can be planned."""

    contract: Contract


class ReadCall(Record):
    """One call of a tool that only reads."""

    tool: str
    args: Json


class Reads(Record):
    """What a brain wants to know before it plans."""

    calls: tuple[ReadCall, ...]


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
    what: Literal["search", "settle", "without", "extend", "grow", "roll_back", "stop", "remedy"]
    """`settle`: judge the best model there is; `grow`: more servers; `without`: go on without one candidate; `remedy`:
    mend what a diagnosis found."""
    step: str | None = None
    """For `without`: the candidate's step."""
    cause: Cause | None = None
    """For `remedy`."""


class Evidence(Record):
    """What is known of a failure: forms of lines, never the lines themselves."""

    tool: str
    cause: Cause
    """What the rules say of it."""
    message: str = ""
    """A form as well."""
    lines: tuple[Seen, ...] = ()


class Opinion(Record):
    """A cause from the closed set, and the numbers of the lines that it rests on."""

    cause: Cause
    lines: tuple[int, ...]


Topic = Literal[
    "goal",
    "contract",
    "plan",
    "now",
    "steps",
    "refused",
    "questions",
    "cost",
    "clauses",
    "figures",
    "models",
    "holdout",
    "revisions",
    "diagnoses",
    "kept",
    "time",
    "people",
    "policies",
    "assumptions",
    "brain",
]
"""What can be asked of a run."""


class Fact(Record):
    """One thing that is known of a run, as its record says it."""

    id: str
    """`f1`, `f2`, ..."""
    topic: Topic
    says: str
    """What it is, in our words."""
    value: str
    """As code formats it."""
    seq: int | None = None
    """Line of the journal."""
    outside: bool = False
    """The value holds text from outside."""


class Answer(Record):
    """An answer to a question about a run, with the facts it rests on."""

    text: str
    facts: tuple[str, ...]
    by: Literal["rules", "llm"]


class Account(Protocol):
    """What the calls of a model draw on."""

    def reserve(self, call: str, *, tokens: int, usd_micro: int) -> None:
        """OverLimit when an account does not allow it."""
        ...

    def settle(self, call: str, *, tokens: int, usd_micro: int) -> None: ...


class Brain(Protocol):
    """Turns words into a contract, and a contract into plans."""

    name: str

    def draws_on(self, account: Account) -> None:
        """From now on calls of a model are paid from there."""
        ...

    def consulted(self) -> tuple[Consulted, ...]:
        """What a model was asked since the last look, for the journal."""
        ...

    def understand(self, goal: Goal, context: Context) -> Contract | Refusal | Open:
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
        goal: str = "",
        open_: bool = False,
        known: tuple[Known, ...] = (),
        faults: tuple[str, ...] = (),
        before: Plan | None = None,
        started: frozenset[str] = frozenset(),
        results: Mapping[str, Json] | None = None,
        changes: tuple[Change, ...] = (),
    ) -> Plan | Reads:
        """A plan, or what must be read first; with `before` and `changes` its next version, steps that were started
        carried over.

        `goal`: its text. `known`: what earlier reads said. `faults`: what was wrong with the plan proposed before.
        """
        ...

    def diagnose(self, evidence: Evidence) -> Opinion | None:
        """What it thinks that a failure comes from; None when it is not sure."""
        ...

    def answer(self, question: str, facts: tuple[Fact, ...]) -> Answer | None:
        """The answer that the facts give; None when they give none."""
        ...
