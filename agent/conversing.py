"""What a conversation asks of a session: answers about runs, changes of a goal that is being carried out, and its own
journal.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent import accounts
from agent.about.facts import facts
from agent.about.told import MICRO, Written
from agent.amend import AMENDMENT, diff, digest
from agent.amending import amended
from agent.book import Book
from agent.brain.protocol import Answer, Context, Open, Terms
from agent.contract import Contract, Refusal
from agent.errors import Fault, InvalidRequest, OverLimit
from agent.goal import Goal
from agent.lines import Amended, Ignored
from agent.record.chained import Line
from agent.record.ledger import LARGEST, Resource
from agent.record.store import Message
from agent.runs import said_as
from agent.starting import Starting
from agent.state import Run, fold, parse
from agent.wording import money
from tools.language import language_of, speaking, tr
from tools.record import Json, Record


class Conversing(Starting):
    """Runs of one home, talked about."""

    def ask_about(self, run: str, question: str) -> Answer | None:
        """The answer that the record of a run gives, its values copied from there; None when it gives none."""
        id_ = self._resolve(run)
        lines = self._store.lines(id_)
        state = fold(id_, lines)
        self._brain.draws_on(self._account(talk_of(id_), planned=True))
        question = self._settings.redaction.text(question)
        with speaking(language_of(question)):
            journal = tuple(Written(line.seq, line.at, parse(line)) for line in lines)
            known = facts(state, report=self.show(id_).run, journal=journal, now=self._clock.now())
            answer = self._brain.answer(question, known)
        self._brain.consulted()  # the journal is its owner's: what this cost stands in the ledger
        return answer

    def corrected(self, run: str, text: str) -> Contract:
        """The contract of a run as a sentence corrects it. InvalidRequest for what is not understood as one."""
        state = self._fold(self._resolve(run))
        if state.contract is None or state.stated is None:
            raise InvalidRequest(Fault(place=state.id, what=tr("it has no contract that could be changed")))
        text = self._settings.redaction.text(text)
        self._brain.draws_on(self._account(talk_of(state.id), planned=True))
        said = (state.stated.goal.text, *(a.text for a in state.amended))
        context = Context(now=self._clock.now(), said=said, before=state.contract)
        with said_as(state):
            found = self._brain.understand(Goal.of(text, source=state.stated.goal.source), context)
        self._brain.consulted()
        if isinstance(found, Refusal):
            raise InvalidRequest(Fault(place=text, what=found.reason))
        return found.contract if isinstance(found, Open) else found

    def objections(self, run: str, contract: Contract) -> tuple[str, ...]:
        """Why a run cannot go on under that contract; empty when it can."""
        state = self._fold(self._resolve(run))
        with said_as(state):
            return self._against(state, contract)

    def _against(self, run: Run, contract: Contract) -> tuple[str, ...]:
        """What its owner would say to it now: fields, plan, guards and accounts."""
        purse = self._store.purse(run.id, at=self._clock.now(), caps=self._caps)
        terms = self._terms(run)
        found = amended(run, contract, terms=terms, policies=self._policies, purse=purse)[1]
        return found or tuple(self._committed(run.id, contract))

    def _committed(self, run: str, contract: Contract) -> Iterator[str]:
        """Of what the contract allows less than is spent or reserved already."""
        bounds = accounts.bounds(contract)
        for account in self._store.accounts(run):
            held, most = account.reserved + account.settled, bounds.get(account.resource)
            if account.holder != "run" or most is None or held <= most:
                continue
            if account.resource == "usd_micro":
                usd, taken = money(most / MICRO), money(held / MICRO)
                yield tr("a budget of {usd} is less than the {held} spent or reserved already", usd=usd, held=taken)
            else:
                yield tr("{most} trials are fewer than the {held} made or reserved already", most=most, held=held)

    def amend(self, run: str, contract: Contract, *, before: Contract, text: str, who: str) -> str:
        """Leave a changed contract for the run's owner; what carries it out. InvalidRequest when it cannot be.

        `before`: the contract that it was made from, and has to be the run's still.
        """
        state = self._fold(self._resolve(run))
        with said_as(state):
            if state.stated is None or who != state.stated.owner:
                raise InvalidRequest(Fault(place=state.id, what=tr("only {who} can change it", who=_owner(state))))
            if state.contract is None or digest(state.contract) != digest(before):
                raise InvalidRequest(Fault(place=state.id, what=_overtaken()))
            if why := self._against(state, contract):
                raise InvalidRequest(*(Fault(place=state.id, what=reason) for reason in why))
            body: Json = {"contract": contract.model_dump(mode="json"), "who": who, "text": text}
            body["from"] = digest(before)
            dedupe = f"{state.id}:amend:{state.seq}:{contract.model_dump_json()}"
            self._post(state.id, "amend", body, at=self._clock.now(), dedupe=dedupe)
            return self._carried_out(state.id, tr("Changed"))

    def _amend(self, book: Book, message: Message, terms: Terms) -> tuple[Record, ...]:
        """The lines that a changed contract comes to: itself and the plan's next version, or why it is none."""
        who, run = str(message.body.get("who") or ""), book.run
        before = run.contract
        assert before is not None
        if run.stated is None or who != run.stated.owner:
            return (_ignored(who, tr("only {who} can change it", who=_owner(run))),)
        if message.body.get("from") != digest(before):
            return (_ignored(who, _overtaken()),)
        contract = Contract.model_validate(message.body["contract"])
        said = tuple(str(change) for change in diff(before, contract))
        change = Amended(contract=contract, who=who, text=str(message.body.get("text") or ""), changes=said)
        planned, faults = amended(run, contract, terms=terms, policies=self._policies, purse=book.purse())
        if faults := faults or tuple(self._committed(run.id, contract)):
            return (_ignored(who, tr("; ").join(faults)),)
        assert planned is not None
        try:
            lifted: dict[Resource, int] = {"usd_micro": LARGEST}  # what the goal does not say any more
            self._store.bound(run.id, lifted | accounts.bounds(contract))
        except OverLimit:
            return (_ignored(who, tr("more than that is spent or reserved already")),)
        return change, planned

    def say(self, conversation: str, kind: str, body: Json) -> int:
        """Write a turn of a conversation down, without secrets; its sequence."""
        return self._store.say(conversation, kind, body, at=self._clock.now())

    def turns(self, conversation: str) -> list[Line]:
        """A conversation in order. Broken when it was altered."""
        return self._store.turns(conversation) if self._begun else []

    def conversations(self) -> list[tuple[str, float, int]]:
        """(name, epoch seconds of its last turn, turns), newest first."""
        return self._store.conversations() if self._begun else []


def talk_of(run: str) -> str:
    """What is asked about a run is paid for beside it: it is no cost of the goal, and its requester's all the same."""
    return f"{run}~talk"


def _ignored(who: str, why: str) -> Ignored:
    return Ignored(pending=AMENDMENT, approve=True, who=who, why=why)


def _overtaken() -> str:
    return tr("the goal was changed in between: this was a change of what it was before")


def _owner(run: Run) -> str:
    return run.stated.owner if run.stated is not None else "-"
