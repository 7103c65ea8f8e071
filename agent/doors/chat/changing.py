"""Changes of a run's goal in a conversation: shown, warned of, and made with a yes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.amend import diff, digest, in_words
from agent.amending import hopeless
from agent.doors.chat.conversation import Conversation
from agent.doors.chat.journal import Draft
from agent.doors.chat.proposals import Proposal
from agent.doors.chat.told import Gathered
from agent.doors.chat.turns import At
from agent.errors import Fault, InvalidRequest
from agent.wording import clean, duration, outside
from tools.language import tr

if TYPE_CHECKING:
    from agent.contract import Clause, Contract
    from agent.documents import RunDocument


def focus(talk: Conversation) -> str:
    if talk.run is None:
        what = tr("is about no run yet: state a goal, or /use")
        raise InvalidRequest(Fault(place=tr("this conversation"), what=what))
    return talk.run


def amend(talk: Conversation, text: str, told: Gathered) -> None:
    """What a change of the running goal comes to; it takes effect with a yes."""
    talk.lapse(told)
    run = focus(talk)
    document = talk.session.show(run)
    contract = talk.session.corrected(run, text)
    before = document.contract
    if contract.questions or before is None:
        for question in contract.questions:
            told.fault(outside(in_words(question.text, contract)))
        return
    changes = diff(before, contract)
    if not changes:
        told.fault(tr("Nothing of the goal would change by that."))
        return
    told.changes(changes)
    if why := hopeless(contract):
        for reason in why:
            told.fault(outside(reason))
        told.line(tr("Nothing was changed: run {run} goes on as it was.", run=run))
        return
    _warn(talk, document, contract, told)
    why = talk.session.objections(run, contract)
    for reason in why:
        told.fault(outside(reason))
    talk.proposal = Proposal(run=run, contract=contract, before=before, text=text, anew=bool(why))


def _warn(talk: Conversation, document: RunDocument, contract: Contract, told: Gathered) -> None:
    """What else a change of the run comes to."""
    before = document.contract
    assert before is not None
    if document.run.holdout_looks and _on_holdout(before) != _on_holdout(contract):
        told.line(tr("The holdout was looked at before this change: what it showed was known."))
    view, deadline = talk.session.view(document.run.id), contract.deadline_s
    passed = max(0.0, view.now - view.started)
    if deadline is not None and deadline != before.deadline_s and passed >= deadline:
        told.line(tr("The run has taken {time} already: with that deadline it ends at once.", time=duration(passed)))


def _on_holdout(contract: Contract) -> list[Clause]:
    """The demands that are judged on the holdout."""
    return [clause for part in contract.parts for clause in part.clauses if clause.where == "holdout"]


def accepted(talk: Conversation, at: At, told: Gathered, yes: bool) -> None:
    proposal, talk.proposal = talk.proposal, None
    if proposal is None:
        told.fault(tr("Nothing was changed: what was proposed is dropped."))
        return
    if not yes:
        told.line(tr("Nothing was changed."))
        return
    now = talk.session.show(proposal.run).contract
    if now is None or digest(now) != digest(proposal.before):
        told.fault(tr("Nothing was changed: the goal was changed in between. What the change comes to now:"))
        amend(talk, proposal.text, told)
        return
    since = max((event.seq for event in talk.session.events(proposal.run)), default=0)
    message = talk.session.amend(
        proposal.run, proposal.contract, before=proposal.before, text=proposal.text, who=talk.user
    )
    talk.awaited.left(proposal.run, since)
    talk.note("amended", run=proposal.run, text=proposal.text)
    carry_out(talk, proposal.run, message, told)


def anew(talk: Conversation, at: At, told: Gathered, yes: bool) -> None:
    """Cancel the run and state its goal as it is now."""
    proposal, talk.proposal = talk.proposal, None
    if proposal is None:
        told.fault(tr("Nothing was changed: what was proposed is dropped."))
        return
    if not yes:
        told.line(tr("Nothing was changed: run {run} goes on as it was.", run=proposal.run))
        return
    document = talk.session.show(proposal.run)
    carry_out(talk, proposal.run, talk.session.cancel(proposal.run, talk.user), told)
    _restate(talk, document, document.contract, proposal.text, told)


def _restate(talk: Conversation, document: RunDocument, contract: Contract | None, text: str, told: Gathered) -> None:
    talk.draft, talk.shown = Draft(text=document.goal.text), document
    if contract is not None:
        talk.correct(text, told)


def carry_out(talk: Conversation, run: str, message: str, told: Gathered) -> None:
    """The run goes on here; where it cannot, the message says who carries it out."""
    if talk.driver.run == run or (not talk.driver.busy and talk.drive(run, told)):
        told.line(tr("Taken down: run {run} goes on with it.", run=run))
    else:
        told.line(clean(message))
