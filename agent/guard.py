"""Stage 5, guard: whether exactly this call may be made. Only here is an `Approved` made.

Policies judge the call by facts that `agent.judged.facts` computes; what they hold for a person is approved only where
an answer of `agent.approving.approvals` reaches exactly this call.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.approving.approvals import covered
from agent.approving.audience import Today, addressed
from agent.documents import ApprovalAsked
from agent.judged import pricing
from agent.judged.arguments import Ready, ready
from agent.judged.facts import request
from agent.judged.ownership import foreseen
from agent.plan import Plan, Step
from agent.record.ledger import Purse
from agent.state import Grant, Run, Verdict
from agent.written import digest_of_odd, unwritable
from policies.engine import ARGUMENTS, Decision, Finding, Policies
from policies.request import Facts
from tools.catalogue import BY_NAME
from tools.language import tr
from tools.record import Json
from tools.redact import Redaction
from tools.tool import Call


@dataclass(frozen=True, kw_only=True, slots=True)
class Approved:
    """A call the guard approved; `act` takes nothing else."""

    verdict: Verdict

    @property
    def call(self) -> Call:
        return self.verdict.call


def review(
    step: Step, run: Run, policies: Policies, *, purse: Purse, attempt: int = 1, now: float | None = None
) -> tuple[Verdict, Approved | None]:
    """Judge a step whose needs are done. The verdict is journalled; `Approved` exists only with it.

    `now`: epoch seconds that arguments about time are counted from; None is the journal's last line.
    """
    assert run.stated is not None
    at, form = run.last if now is None else max(now, run.last), ready(step, run)
    call = _call(step, run, form, attempt=attempt, now=at)
    asked = request(step, call.args, run, policies, purse=purse, digest=call.digest, now=at)
    decision = _unready(step, form) if form.problems else policies.judge(asked)
    if asked.facts.secrets and decision.ruling != "refused":  # it could not be written down, whatever policies say
        decision = _refused("secrets", tr("a secret stands in the arguments of {tool}", tool=step.tool))
    ruling = decision.ruling
    reasons = tuple(f.told for f in decision.findings)
    today = Today(run=run, policies=policies, now=at)
    grants = covered(call, step, asked.facts, decision, today) if ruling == "held" else None
    if grants:
        said = tuple(f.sentence for f in decision.findings)
        ruling, reasons = "approved", (*said, *(tr("approved by {answer}", answer=a) for a in _who(grants)))
    verdict = Verdict(
        call=call,
        ruling=ruling,
        policies=tuple(f.policy for f in decision.findings),
        reasons=reasons,
        facts=asked.facts.model_dump(mode="json", exclude_defaults=True),
        taint=asked.taint,
        policies_digest=policies.digest,
        # What undoes was paid for by what it undoes: it draws on that reservation and needs none of its own.
        reserve_micro=0 if asked.facts.undoes else asked.facts.cost_micro or 0,
        grants=grants or (),
        rate_micro=0 if asked.facts.undoes else pricing.rate_micro(step, run, call.args) or 0,
    )
    if asked.facts.secrets:
        return _without_secrets(verdict), None
    return verdict, Approved(verdict=verdict) if ruling == "approved" else None


def _call(step: Step, run: Run, form: Ready, *, attempt: int, now: float) -> Call:
    """The call as it would be made; the digest of one that cannot be made is such that nothing performs it."""
    assert run.stated is not None
    args, tool = form.args, BY_NAME.get(step.tool)
    if not form.problems and tool is not None and tool.fix is not None:
        args = args | _settled(tool.fix(args, now), run, step, attempt)
    call = Call.of(
        run=run.id,
        step=step.id,
        attempt=attempt,
        tool=step.tool,
        args=args,
        limit_s=step.limit_s,
        owner=run.stated.owner,
    )
    return call.model_copy(update={"digest": digest_of_odd(step.tool, step.args)}) if form.problems else call


def _unready(step: Step, form: Ready) -> Decision:
    what = tr("; ").join(form.problems)
    return _refused(ARGUMENTS, tr("{tool} cannot be called like that: {what}", tool=step.tool, what=what))


def _refused(policy: str, sentence: str) -> Decision:
    return Decision(ruling="refused", findings=(Finding(policy=policy, ruling="refused", sentence=sentence),))


def _without_secrets(verdict: Verdict) -> Verdict:
    """The verdict with nothing of the secret in it. The call keeps the digest of what was asked, which nothing here
    can be performed under."""
    redaction = Redaction()
    return verdict.model_copy(
        update={
            "call": verdict.call.model_copy(update={"args": redaction.value(verdict.call.args)}),
            "reasons": tuple(redaction.text(reason) for reason in verdict.reasons),
            "facts": redaction.value(verdict.facts),
        }
    )


def _settled(fixed: Json, run: Run, step: Step, attempt: int) -> Json:
    """Arguments that are settled when a call is first judged: one that waits for a person stays the call it was."""
    before = run.calls.get(f"{run.id}/{step.id}/{attempt}")
    if before is None or before.phase != "held":
        return fixed
    return {key: before.call.args.get(key, value) for key, value in fixed.items()}


def _who(grants: tuple[Grant, ...]) -> tuple[str, ...]:
    """Everybody whose yes it rests on, once."""
    return tuple(dict.fromkeys(f"{g.who} (--yes)" if g.by == "flag" else g.who for g in grants))


def readmit(verdict: Verdict) -> Approved:
    """An approval that the journal already holds, after a restart. ValueError for any other verdict."""
    if verdict.ruling != "approved":
        raise ValueError(f"call {verdict.call.id} was {verdict.ruling}")
    return Approved(verdict=verdict)


def preview(
    plan: Plan, run: Run, policies: Policies, *, purse: Purse
) -> tuple[tuple[ApprovalAsked, ...], tuple[ApprovalAsked, ...]]:
    """What a person would be asked if the plan ran under today's facts, and what would be refused."""
    asked: list[ApprovalAsked] = []
    refused: list[ApprovalAsked] = []
    for step in plan.steps:
        if run.done(step.id):
            continue
        odd = tuple(unwritable(step.args))
        args = {} if odd else foreseen(step, run)
        question = request(step, args, run, policies, purse=purse, digest="", now=run.last, preview=True)
        decision = _unready(step, Ready(args={}, problems=odd)) if odd else policies.judge(question)
        if decision.ruling == "approved":
            continue
        found = _shown(step, decision, question.facts)
        if decision.ruling == "held":
            asked.append(addressed(found, Today(run=run, policies=policies, now=run.last)))
        else:
            refused.append(found)
    return tuple(asked), tuple(refused)


def _shown(step: Step, decision: Decision, facts: Facts) -> ApprovalAsked:
    """What policies say of a step, without the secrets that may stand in it."""
    told, reasons = tuple(f.told for f in decision.findings), tuple(f.sentence for f in decision.findings)
    if facts.secrets:
        told, reasons = (tuple(map(Redaction().text, said)) for said in (told, reasons))
    policies = tuple(f.policy for f in decision.findings)
    return ApprovalAsked(step=step.id, reason=tr("; ").join(told), policies=policies, reasons=reasons)
