"""What other processes leave for a run's owner: answers and cancellations, each taken in once.

Whoever left a message checked it; the owner checks it again. An answer counts for exactly what was asked, from
somebody whom today's limits allow it, in time, and first; whatever else arrives is noted and changes nothing.
"""

from __future__ import annotations

from agent.approving.approvals import ended, overtaken, yes_or_no
from agent.approving.audience import Today, may_say_yes
from agent.book import Book
from agent.clock import stamp
from agent.decide import wound_down
from agent.documents import Pending
from agent.record.store import Message
from agent.state import Answer, Decided, Ignored, Run
from tools.language import tr


def take_in(messages: list[Message], book: Book, today: Today) -> None:
    """Fold the messages in, denials before approvals; then close the questions that time or changes have ended."""
    for message in messages:
        book.fold_in(message.id)
        if message.kind == "cancel":
            who = str(message.body.get("who", "somebody"))
            book.add(Decided(action="cancel", why=tr("{who} cancelled the run", who=who), code=4))
        else:
            book.add(_read(message, today))
    closing = wound_down(today.run) is not None
    for question in list(today.run.pending.values()):
        end = overtaken(question) if closing and question.kind == "call" else ended(question, today)
        if end is not None:
            book.add(end)


def _read(message: Message, today: Today) -> Answer | Ignored:
    body, approve = message.body, message.kind == "approve"
    id_, who, digest = (str(body.get(name) or "") for name in ("pending", "who", "digest"))
    question = today.run.pending.get(id_)
    if question is None:
        return Ignored(pending=id_, approve=approve, who=who, why=closed(id_, today.run))
    if not who:
        why = tr("it does not say who gave it")
    elif digest != question.digest:
        why = tr("it was given to something else than what is asked")
    elif approve and question.policies_digest != today.policies.digest:
        why = tr("the policies have changed since it was asked")
    elif approve and message.at < question.asked:
        why = tr("it was given before it was asked")
    elif approve and message.at >= question.expires:
        why = tr("it came after {time}", time=stamp(question.expires))
    elif not may_answer(who, question, today, approve=approve):
        why = tr("{who} may not answer it", who=who)
    else:
        uid = body.get("uid")
        known = uid if isinstance(uid, int) else None
        return yes_or_no(question, approve=approve, who=who, at=message.at, uid=known)
    return Ignored(pending=id_, approve=approve, who=who, why=why)


def may_answer(who: str, question: Pending, today: Today, *, approve: bool) -> bool:
    """By today's limits. A no counts from anybody who was asked, too, and always from whoever asked for the goal."""
    if not approve and (who == today.requester or question.may_be_answered_by(who)):
        return True
    return all(may_say_yes(who, policy, today) for policy in question.policies)


def closed(id_: str, run: Run) -> str:
    """Why a question cannot be answered any more, or at all."""
    answer = run.answers.get(id_)
    if answer is None:
        return tr("nothing is asked by the name {question!r}", question=id_)
    time = stamp(answer.at)
    match answer.by:
        case "person" | "flag":
            return tr(
                "{who} approved {question} at {time}" if answer.approve else "{who} denied {question} at {time}",
                who=answer.who,
                question=id_,
                time=time,
            )
        case "time":
            return tr("nobody answered {question} in time", question=id_)
        case "overtaken":
            return tr("{question} is no longer asked: the plan has changed", question=id_)
        case "policies":
            return tr("{question} is no longer asked: the policies have changed", question=id_)
