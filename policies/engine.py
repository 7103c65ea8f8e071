"""What judging a call answers, and what whoever judges promises. Knows no policy language and nothing of the agent."""

from __future__ import annotations

from typing import Literal, Protocol

from policies.limits import Limits
from policies.request import Request
from tools.language import tr
from tools.record import Record

Ruling = Literal["approved", "held", "refused"]
ENGINE = "engine"
"""Objects in the place of policies that could not be asked."""
DEFAULT_DENY = "default_deny"
"""Objects where no policy permits."""
ARGUMENTS = "arguments"
"""Objects to arguments that are nothing a policy could judge."""
RESERVED = frozenset({ENGINE, DEFAULT_DENY, ARGUMENTS})


class Finding(Record):
    """One policy's objection."""

    policy: str
    ruling: Literal["held", "refused"]
    sentence: str
    """Names the fact, for people."""
    fix: str = ""
    """The way out."""

    @property
    def told(self) -> str:
        """The fact with the way out."""
        return f"{self.sentence}{tr(': ')}{self.fix}" if self.fix else self.sentence


class Decision(Record):
    """The judgement of all policies: approved without findings, held only if a person's yes answers every finding."""

    ruling: Ruling
    findings: tuple[Finding, ...] = ()
    errors: tuple[str, ...] = ()
    """Why policies could not be asked; never empty without a refusal."""


class Policies(Protocol):
    """A set of policies with its limits."""

    @property
    def digest(self) -> str:
        """sha256 of every policy and limit: approvals given under another set do not count."""

    @property
    def limits(self) -> Limits: ...

    def prepare(self) -> None:
        """Load what judging needs ahead of the first call, from a thread of its own. Never raises: judging tells."""

    def judge(self, request: Request) -> Decision:
        """Never raises: what cannot be judged is refused."""
