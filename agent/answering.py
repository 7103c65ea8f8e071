"""Which open questions a person's answer is for: every one that is theirs, and each of them once."""

from __future__ import annotations

from collections.abc import Sequence

from agent.clock import stamp
from agent.documents import Pending
from agent.errors import Fault, InvalidRequest
from agent.inbox import closed
from agent.record.store import Message
from agent.state import Run
from tools.language import tr
from tools.record import Record


class Choice(Record):
    """What an answer is for, and what it is not for."""

    theirs: tuple[Pending, ...]
    others: tuple[Pending, ...] = ()
    """They were asked for and somebody else has to answer them."""


def choose(
    run: Run, names: Sequence[str], *, who: str, approve: bool, waiting: Sequence[Message], now: float
) -> Choice:
    """The questions of these names, all open ones without any. InvalidRequest when there is nothing to answer.

    `waiting`: messages that the run's owner has not taken in yet. What was answered is answered; only a no still
    counts while a yes waits. `now`: epoch seconds.
    """
    if faults := [Fault(place=run.id, what=_no_such(name, run)) for name in names if name not in run.pending]:
        raise InvalidRequest(*faults)
    if not run.pending:
        raise InvalidRequest(Fault(place=run.id, what=_nothing(run)))
    wanted = [run.pending[name] for name in dict.fromkeys(names)] or list(run.pending.values())
    answered = {q.id: said for q in wanted if (said := _said(q, run, waiting, approve=approve, now=now))}
    faults = [Fault(place=run.id, what=answered[q.id]) for q in wanted if q.id in answered and q.id in names]
    open_ = [q for q in wanted if q.id not in answered]
    if faults or not open_:
        raise InvalidRequest(*(faults or [Fault(place=run.id, what=said) for said in answered.values()]))
    theirs = tuple(q for q in open_ if _may(q, run, who, approve=approve))
    return Choice(theirs=theirs, others=tuple(q for q in open_ if q not in theirs))


def elsewhere(waiting: Sequence[Message], question: Pending) -> bool:
    """Somebody answered or cancelled while the person at the door was asked."""
    return any(m.kind == "cancel" or m.body.get("pending") == question.id for m in waiting)


def _may(question: Pending, run: Run, who: str, *, approve: bool) -> bool:
    own = run.stated is not None and run.stated.owner == who
    return question.may_be_answered_by(who) or (own and not approve)


def _no_such(name: str, run: Run) -> str:
    if name in run.answers:
        return closed(name, run)
    asked = ", ".join(run.pending) or tr("nothing")
    return tr("it does not wait for that answer; it asks {asked}", asked=asked)


def _nothing(run: Run) -> str:
    """Nothing is open: who answered last, if anybody ever did."""
    said = [closed(id_, run) for id_, answer in run.answers.items() if answer.by in ("person", "flag", "time")]
    asked = tr("it does not wait for that answer; it asks {asked}", asked=tr("nothing"))
    return tr("{asked}: {said}", asked=asked, said=said[-1]) if said else asked


def _said(question: Pending, run: Run, waiting: Sequence[Message], *, approve: bool, now: float) -> str:
    """Who has answered it, or that it has lapsed, while its owner has not looked; empty while an answer counts."""
    mine = [m for m in waiting if (m.body.get("pending"), m.body.get("digest")) == (question.id, question.digest)]
    mine = [m for m in mine if _may(question, run, str(m.body.get("who")), approve=m.kind == "approve")]
    last = next((m for m in mine if m.kind == "deny"), None) or next((m for m in mine if approve), None)
    if last is None and now >= question.expires:
        return tr("nobody answered {question} in time", question=question.id)
    if last is None:
        return ""
    return tr(
        "{who} approved {question} at {time}" if last.kind == "approve" else "{who} denied {question} at {time}",
        who=str(last.body.get("who", "")),
        question=question.id,
        time=stamp(last.at),
    )
