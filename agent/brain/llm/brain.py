"""The brain of a language model: it understands, proposes, diagnoses and answers; wherever it cannot, the rules do.

What it says becomes something only through the same checks as anybody's: tracing, validator, guard.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.brain.llm.answer import answer
from agent.brain.llm.client.asking import Asker, Progress
from agent.brain.llm.client.endpoint import endpoint_of
from agent.brain.llm.diagnose import diagnose
from agent.brain.llm.proposing.propose import propose
from agent.brain.llm.understanding.understand import understand
from agent.brain.protocol import Account, Answer, Change, Context, Evidence, Fact, Known, Open, Opinion, Reads, Terms
from agent.brain.rules.planning.honoured import unsupported
from agent.contract import Contract, Refusal
from agent.goal import Goal
from agent.lines import Consulted
from agent.plan import Plan
from agent.settings import Settings
from agent.survey import Survey
from policies.limits import Limits
from tools.record import Json


class Llm:
    """A brain behind an OpenAI-compatible endpoint."""

    name = "llm"
    unsupported = staticmethod(unsupported)

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    @classmethod
    def open(
        cls,
        settings: Settings,
        limits: Limits,
        *,
        consent: Callable[[str], bool] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Llm:
        """The model that the settings name. InvalidRequest when they name none. Nothing is sent yet.

        `consent`: asks whoever is there whether a model without a known price may be asked.
        """
        endpoint = endpoint_of(settings, limits)
        return cls(Asker(endpoint, redaction=settings.redaction, consent=consent, progress=progress))

    def draws_on(self, account: Account) -> None:
        self._asker.draws_on(account)

    def consulted(self) -> tuple[Consulted, ...]:
        return self._asker.consulted()

    def understand(self, goal: Goal, context: Context) -> Contract | Refusal | Open:
        return understand(self._asker, goal, context)

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
        return propose(
            self._asker,
            contract,
            survey,
            terms,
            goal=goal,
            open_=open_,
            known=known,
            faults=faults,
            before=before,
            started=started,
            results=results,
            changes=changes,
        )

    def diagnose(self, evidence: Evidence) -> Opinion | None:
        return diagnose(self._asker, evidence)

    def answer(self, question: str, facts: tuple[Fact, ...]) -> Answer | None:
        return answer(self._asker, question, facts)
