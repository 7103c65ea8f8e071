"""The embedded brain: grammar and chaining, deterministic, no network."""

from __future__ import annotations

from collections.abc import Mapping

from agent.brain.protocol import Account, Answer, Change, Context, Evidence, Fact, Known, Open, Opinion, Terms
from agent.brain.rules.grammar.understand import Rules as Grammar
from agent.brain.rules.planning.honoured import unsupported
from agent.brain.rules.planning.propose import propose
from agent.contract import Contract, Refusal
from agent.goal import Goal
from agent.lines import Consulted
from agent.plan import Plan
from agent.survey import Survey
from tools.record import Json


class Embedded:
    """All of a brain but understanding: plans by chaining over what tools require and provide; asks no model."""

    name = "rules"
    unsupported = staticmethod(unsupported)

    def draws_on(self, account: Account) -> None:
        """Nothing is paid for."""

    def consulted(self) -> tuple[Consulted, ...]:
        return ()

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
    ) -> Plan:
        """The one plan there is for a contract: what else may be known of the goal changes nothing."""
        del goal, open_, known, faults
        return propose(contract, survey, terms, before=before, started=started, results=results, changes=changes)

    def diagnose(self, evidence: Evidence) -> Opinion | None:
        """What the rules have to say is in the evidence already."""
        del evidence
        return None

    def answer(self, question: str, facts: tuple[Fact, ...]) -> Answer | None:
        from agent.brain.rules.answer import answer  # its lexicon is read by whoever is asked something

        return answer(question, facts)


class Rules(Embedded):
    """Understands by grammar."""

    def understand(self, goal: Goal, context: Context) -> Contract | Refusal | Open:
        """What the text states; as a correction where there is a contract to correct.

        Open where something is to be mended: what to do depends on what the diagnosis finds.
        """
        if context.before is None:
            found = Grammar().understand(goal, context)
            return Open(contract=found) if isinstance(found, Contract) and _to_mend(found, goal.text) else found
        from agent.brain.rules.amending import amended, plainly  # only a conversation corrects

        understood = Grammar().understand(Goal.of(plainly(goal.text), source=goal.source), context)
        if isinstance(understood, Refusal):
            return understood
        return amended(context.before, goal.text, understood, context)


def _to_mend(contract: Contract, text: str) -> bool:
    """Whether its one part is a diagnosis, and the text asks to mend what it finds."""
    if len(contract.parts) != 1 or contract.parts[0].task != "diagnose":
        return False
    from agent.brain.rules.mending_asked import asks_to_mend  # only a diagnosis asks

    return asks_to_mend(text)
