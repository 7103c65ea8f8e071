"""What people and policies had to do with a run: what is asked and of whom, what was refused or held and why."""

from __future__ import annotations

from collections.abc import Iterator

from agent.about.told import Row, Told
from agent.clock import stamp
from agent.documents import Pending
from agent.posed import who
from agent.sentences import sentence
from agent.state import Answer, Ignored, Planned, Rejudged, Understood, Verdict
from agent.wording import moment, money, outside
from tools.language import plural, tr

_SHORT = 12
"""Characters of a digest that people compare."""
_WITHOUT_PLAN = ("refused", "infeasible", "needs_input")


def asked(told: Told) -> Iterator[Row]:
    """Topic `questions`: what waits for an answer, whose counts, and until when."""
    at = {record.id: seq for seq, record in told.lines(Pending)}
    if not told.run.pending:
        yield Row("questions", tr("open questions"), tr("none"), told.end)
    for question in told.run.pending.values():
        says = tr("question {id} about {step}", id=question.id, step=question.step)
        until = moment(stamp(question.expires))
        value = tr(
            "{reason}; {who} may answer it, until {until}; it may cost {usd}",
            reason=outside(question.reason),
            who=who(question),
            until=until,
            usd=money(question.usd),
        )
        yield Row("questions", says, value, at.get(question.id), outside=True)


def refused(told: Told) -> Iterator[Row]:
    """Topic `refused`: every call that was refused or held, by which policies, in their words; plans and goals that
    were; and every no of a person. What policies say may quote an argument."""
    found = [*_judged(told), *_waiting(told), *_planned(told), *_denied(told)]
    yield from found or [Row("refused", tr("refused or held"), tr("nothing so far"), told.end)]


def _judged(told: Told) -> Iterator[Row]:
    for seq, verdict in told.lines(Verdict):
        step = verdict.call.step
        if verdict.ruling == "refused":
            yield Row("refused", tr("{step} was refused", step=step), _objections(verdict), seq, outside=True)
        elif verdict.ruling == "held":
            yield Row("refused", tr("{step} was held", step=step), _objections(verdict), seq, outside=True)


def _waiting(told: Told) -> Iterator[Row]:
    """Steps that a question about the plan holds: they have not been judged one by one."""
    judged = {verdict.call.step for _, verdict in told.lines(Verdict) if verdict.ruling == "held"}
    for question in told.run.pending.values():
        if question.step not in judged:
            said = ", ".join(question.policies)
            value = outside(f"{said}{tr(': ')}{question.reason}" if said else question.reason)
            yield Row("refused", tr("{step} is held until {id} is answered", step=question.step, id=question.id), value)


def _planned(told: Told) -> Iterator[Row]:
    for seq, planned in told.lines(Planned):
        if (ruled := planned.feasibility).verdict in _WITHOUT_PLAN:
            says = tr("the plan is {verdict}", verdict=tr(ruled.verdict))
            yield Row("refused", says, outside(tr("; ").join(ruled.reasons)), seq, outside=True)
    for seq, understood in told.lines(Understood):
        if understood.refusal is not None:
            yield Row("refused", tr("the goal was refused"), outside(understood.refusal.reason), seq)


def _denied(told: Told) -> Iterator[Row]:
    for seq, answer in told.lines(Answer):
        if not answer.approve and answer.by in ("person", "time"):
            yield Row("refused", tr("the answer to {id}", id=answer.pending), outside(sentence(answer)), seq)


def _objections(verdict: Verdict) -> str:
    """`POLICY: what it says`, of each that decided; then what was noted beside."""
    said = [
        f"{policy}{tr(': ')}{reason}" for policy, reason in zip(verdict.policies, verdict.reasons, strict=False)
    ] + list(verdict.reasons[len(verdict.policies) :])
    return outside(tr("; ").join(said) or tr("no reason is on record"))


def answers(told: Told) -> Iterator[Row]:
    """Topic `people`: who asked for the run, who answered what, and whose answer did not count."""
    stated = told.run.stated
    if stated is not None:
        value = tr("{owner}, through {source}", owner=stated.owner, source=outside(stated.goal.source))
        yield Row("people", tr("who asked for it"), value, told.first(type(stated)))
    for seq, answer in told.lines(Answer):
        yield Row("people", tr("the answer to {id}", id=answer.pending), outside(sentence(answer)), seq)
    for seq, ignored in told.lines(Ignored):
        yield Row("people", tr("an answer that does not count"), outside(sentence(ignored)), seq)
    for question in told.run.pending.values():
        yield Row("people", tr("who may answer {id}", id=question.id), who(question), told.end)
    if not told.run.answers and not told.run.pending:
        yield Row("people", tr("answers"), tr("nobody was asked anything"), told.end)


def policies(told: Told) -> Iterator[Row]:
    """Topic `policies`: the set that judges, and which of it objected how often."""
    if not told.run.plans:
        yield Row("policies", tr("the policies"), tr("nothing was judged yet"), told.end)
        return
    digest = told.run.plans[-1].policies_digest[:_SHORT] or tr("none")
    judged_by = max(told.last(Planned) or 0, told.last(Rejudged) or 0) or None
    yield Row("policies", tr("digest of the policies in force"), digest, judged_by)
    counted: dict[str, list[int]] = {}
    for seq, verdict in told.lines(Verdict):
        for policy in verdict.policies:
            counted.setdefault(policy, []).append(seq)
    for policy, lines in counted.items():
        yield Row("policies", tr("policy {policy} objected", policy=policy), plural(len(lines), "time"), lines[-1])
    if not counted:
        yield Row("policies", tr("objections of the policies"), tr("none so far"), told.end)
    for seq, rejudged in told.lines(Rejudged):
        yield Row("policies", tr("the policies have changed"), outside(sentence(rejudged)), seq)
