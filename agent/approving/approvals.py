"""What people's answers reach.

A yes reaches a call only for the policies it answers, given under the policies of today by somebody who has the role
today, in time, and for exactly that call or for an envelope that provably holds it. A no, and silence, end the plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.approving.audience import Today, may_say_yes
from agent.approving.envelope import Held, Tally, called, of_kind
from agent.clock import stamp
from agent.documents import Kind, Pending
from agent.plan import Step
from agent.state import Answer, Answered, Grant, Run
from policies.engine import Decision
from policies.request import Facts
from tools.language import tr
from tools.tool import Call


def covered(call: Call, step: Step, facts: Facts, decision: Decision, today: Today) -> tuple[Grant, ...] | None:
    """A yes for every policy that holds the call; None where one is missing, or where anything else objects."""
    held_by = [f.policy for f in decision.findings]
    if decision.ruling != "held" or not held_by or any(f.ruling != "held" for f in decision.findings):
        return None
    one, tally = called(call, step, today.run, facts), Tally.of(today.run)
    found = [grant for policy in held_by if (grant := granted(policy, one, today, tally)) is not None]
    return tuple(found) if len(found) == len(held_by) else None


def granted(policy: str, one: Held, today: Today, tally: Tally) -> Grant | None:
    """A yes that reaches the call for that policy, the latest first."""
    for near in _near(policy, one, today.run):
        if _objection(near, policy, one, today, tally) is None:
            answer = near.answer
            return Grant(
                policy=policy,
                pending=near.question.id,
                kind=near.index,
                who=answer.who,
                by=answer.by,
                at=answer.at,
                digest=answer.digest,
            )
    return None


def objections(policies: Sequence[str], one: Held, today: Today, tally: Tally) -> list[str]:
    """Why each yes that comes near the call does not reach it."""
    found = [_objection(n, p, one, today, tally) for p in policies for n in _near(p, one, today.run)]
    return list(dict.fromkeys(f for f in found if f is not None))


def denied(run: Run) -> str | None:
    """Why the run may not go on, when somebody said no or nobody answered in time, to whichever plan that was."""
    for question in run.asked.values():
        if run.said_no(question):
            answer, what = run.answers[question.id], tr("the plan") if question.kind == "plan" else question.step
            if answer.by == "time":
                return tr("nobody approved {what} in time ({question})", what=what, question=question.id)
            return tr("{who} did not approve {what} ({question})", who=answer.who, what=what, question=question.id)
    return None


def current(question: Pending, run: Run) -> bool:
    """It is about the plan as it is now, or about a call of it that is still held."""
    if question.kind == "plan":
        return question.plan == run.plan.version
    return run.plan.step(question.step) is not None and run.holds(question)


def overtaken(question: Pending) -> Answer:
    """Nobody needs an answer any more."""
    return Answer(pending=question.id, approve=False, who="", by="overtaken")


def ended(question: Pending, today: Today) -> Answer | None:
    """How an open question ends by itself: put under other policies, to another plan, or not answered in time."""
    if question.policies_digest != today.policies.digest:
        return Answer(pending=question.id, approve=False, who="", by="policies")
    if not current(question, today.run):
        return overtaken(question)
    if question.expires <= today.at:
        return Answer(pending=question.id, approve=False, who="", by="time")
    return None


def beforehand(question: Pending, run: Run) -> Answer | None:
    """The requester's `--yes`: to the first plan, as it was shown, where it is theirs to answer."""
    stated = run.stated
    if stated is None or not stated.accept or run.rejudged or question.id != "plan-1":
        return None
    if not question.may_be_answered_by(stated.owner):
        return None
    return yes_or_no(question, approve=True, who=stated.owner, at=question.asked, by="flag")


def yes_or_no(
    question: Pending, *, approve: bool, who: str, at: float, by: Answered = "person", uid: int | None = None
) -> Answer:
    """A person's answer to exactly that question."""
    return Answer(
        pending=question.id,
        approve=approve,
        who=who,
        by=by,
        uid=uid,
        at=at,
        digest=question.digest,
        policies_digest=question.policies_digest,
        roles=question.roles,
    )


@dataclass(frozen=True, kw_only=True)
class _Near:
    """A yes to a question about such a call."""

    question: Pending
    answer: Answer
    index: int
    """Which kind of the question's bounds the call is."""
    kind: Kind
    until: float


def _near(policy: str, one: Held, run: Run) -> Iterator[_Near]:
    for id_, answer in reversed(run.answers.items()):
        question = run.asked[id_]
        if not answer.approve or question.bounds is None or policy not in question.policies:
            continue
        for index, kind in enumerate(question.bounds.kinds):
            own = question.kind == "call" and question.step == one.step.id and one.call is not None
            if own or (question.kind == "plan" and of_kind(kind, one, policy)):
                yield _Near(question=question, answer=answer, index=index, kind=kind, until=question.bounds.until)


def _objection(near: _Near, policy: str, one: Held, today: Today, tally: Tally) -> str | None:
    """Why a yes does not reach the call now; None when it does."""
    who, question, place = near.answer.who, near.question.id, (near.question.id, near.index)
    digests = {near.question.policies_digest, near.answer.policies_digest, today.policies.digest}
    if len(digests) > 1:
        return tr("the policies have changed since {who} approved {question}", who=who, question=question)
    if near.answer.digest != near.question.digest or not _meant(near.question, one):
        return tr("its arguments have changed since {who} approved {question}", who=who, question=question)
    if not may_say_yes(who, policy, today):
        return tr("{who}, who approved {question}, may not do so any more", who=who, question=question)
    if today.at >= near.until:
        time = stamp(near.until)
        return tr("what {who} approved as {question} was to begin before {time}", who=who, question=question, time=time)
    if tally.used_up(place, near.kind, one.step.id):
        return tr("what {who} approved as {question} is used up", who=who, question=question)
    if tally.too_dear(place, near.kind, one.facts.cost_micro):
        return tr("it costs more than is left of what {who} approved as {question}", who=who, question=question)
    return None


def _meant(question: Pending, one: Held) -> bool:
    """A question about a single call is about that one to the last byte."""
    return question.kind == "plan" or (one.call is not None and one.call.digest == question.digest)
