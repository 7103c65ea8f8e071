"""The questions that are put to people: one for each audience, bound to what is shown and to nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from agent.approving.approvals import denied, granted, objections
from agent.approving.audience import Today, apart, audience
from agent.approving.envelope import Held, Tally, bounds, called, exactly, held
from agent.documents import ApprovalAsked, Bounds, Pending
from agent.judged.pricing import MICRO, cost
from agent.plan import Plan, Step
from agent.state import Run, Verdict
from policies.request import Facts
from tools.language import tr


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A held step, the policies for which no yes reaches it, and why earlier ones do not."""

    asked: ApprovalAsked
    one: Held
    policies: tuple[str, ...]
    why: Sequence[str]


def questions(today: Today) -> tuple[Pending, ...]:
    """What must be answered before the current plan goes on. Only calls that no earlier yes reaches are asked about.

    None while a question about a plan is open, and none after a no.
    """
    run = today.run
    if not run.plans[-1].approvals or denied(run) or any(p.kind == "plan" for p in run.pending.values()):
        return ()
    wanted = tuple(_wanted(today))
    found: list[Pending] = []
    for key, policies in apart(dict.fromkeys(p for w in wanted for p in w.policies), today).items():
        id_ = _unused(f"plan-{run.plan.version}", key, {*run.asked, *(q.id for q in found)})
        found.append(_about_plan(id_, policies, wanted, today))
    return tuple(found)


def call_questions(verdict: Verdict, step: Step, today: Today) -> tuple[Pending, ...]:
    """What must be answered before a held call is made that no envelope holds. None after a no."""
    run, call = today.run, verdict.call
    if denied(run):
        return ()
    facts = Facts.model_validate(verdict.facts)
    one, tally = called(call, step, run, facts), Tally.of(run)
    missing = [policy for policy in verdict.policies if granted(policy, one, today, tally) is None]
    found: list[Pending] = []
    for key, policies in apart(dict.fromkeys(missing), today).items():
        id_ = _unused(f"call-{call.step}-{call.attempt}", key, {*run.asked, *(q.id for q in found)})
        reasons = [r for p, r in zip(verdict.policies, verdict.reasons, strict=True) if p in policies]
        again = objections(policies, one, today, tally)
        found.append(_about_call(id_, verdict, facts, policies, reasons, again, today))
    return tuple(found)


def _wanted(today: Today) -> Iterator[_Wanted]:
    """Steps of the plan that have not begun, in its order: each uses up what an earlier yes still allows."""
    planned, tally = today.run.plans[-1], Tally.of(today.run)
    for asked in planned.approvals:
        step = planned.plan.step(asked.step)
        if step is None or step.id in today.run.by_step:
            continue
        one = held(step, today)
        if not one.nameable:
            continue  # it is asked about when everything that it says is known
        grants = {p: granted(p, one, today, tally) for p in asked.policies}
        missing = tuple(p for p, grant in grants.items() if grant is None)
        if missing:
            yield _Wanted(asked=asked, one=one, policies=missing, why=objections(missing, one, today, tally))
        for place in {(g.pending, g.kind) for g in grants.values() if g is not None}:
            tally.take(place, step.id, one.facts.cost_micro or 0)


def _about_plan(id_: str, policies: tuple[str, ...], wanted: Iterable[_Wanted], today: Today) -> Pending:
    plan, run = today.run.plan, today.run
    mine = [w for w in wanted if set(w.policies) & set(policies)]
    kinds = [w.one.kind.model_copy(update={"policies": _of(w.policies, policies)}) for w in mine]
    costs = [cost(s, run, None, now=today.at) for s in plan.steps if not run.done(s.id)]
    lapses = today.policies.limits.approvals.expire_after_s
    question = _question(
        id_,
        policies,
        today,
        step=", ".join(w.asked.step for w in mine),
        tool=", ".join(dict.fromkeys(w.one.step.tool for w in mine)),
        reason=tr("; ").join(_reasons(mine, policies)),
        usd_micro=None if None in costs else sum(c for c in costs if c is not None),
        bounds=bounds(kinds, until=today.at + lapses + max(lapses, _longest_s(plan, run))),
        again=[why for w in mine for why in w.why],
    )
    return question.model_copy(update={"digest": _digest(question, plan)})


def _about_call(
    id_: str,
    verdict: Verdict,
    facts: Facts,
    policies: tuple[str, ...],
    reasons: Sequence[str],
    again: Sequence[str],
    today: Today,
) -> Pending:
    call, micro = verdict.call, facts.cost_micro
    kind = exactly(call, facts).model_copy(update={"policies": policies})
    question = _question(
        id_,
        policies,
        today,
        step=call.step,
        tool=call.tool,
        reason=tr("; ").join(dict.fromkeys(reasons)),
        usd_micro=micro,
        bounds=Bounds(
            usd_micro=micro, kinds=(kind,), until=today.at + 2 * today.policies.limits.approvals.expire_after_s
        ),
        again=again,
    )
    return question.model_copy(update={"kind": "call", "digest": call.digest})


def _question(
    id_: str,
    policies: tuple[str, ...],
    today: Today,
    *,
    step: str,
    tool: str,
    reason: str,
    usd_micro: int | None,
    bounds: Bounds,
    again: Sequence[str],
) -> Pending:
    asked = audience(policies, today)
    return Pending(
        id=id_,
        step=step,
        tool=tool,
        reason=reason,
        policies=policies,
        usd=None if usd_micro is None else usd_micro / MICRO,
        asked=today.at,
        expires=today.at + today.policies.limits.approvals.expire_after_s,
        plan=today.run.plan.version,
        policies_digest=today.policies.digest,
        requester=today.requester,
        roles=asked.roles,
        other_than_requester=asked.other_than_requester,
        who=asked.who,
        bounds=bounds,
        again=tr("; ").join(dict.fromkeys(again)),
        answer=f"goalkeeper approve {today.run.id} {id_}",
    )


def _of(some: Collection[str], others: Collection[str]) -> tuple[str, ...]:
    return tuple(one for one in some if one in others)


def _said(asked: ApprovalAsked, policies: Collection[str]) -> str:
    """What these policies say of a step; all that is said of it where nobody noted who said what."""
    if len(asked.reasons) != len(asked.policies):
        return asked.reason
    return tr("; ").join(r for p, r in zip(asked.policies, asked.reasons, strict=True) if p in policies)


def _reasons(mine: Iterable[_Wanted], policies: Collection[str]) -> Iterable[str]:
    """What is said of the steps, once where it is the same of several tools: the bounds name them all."""
    found: dict[str, str] = {}
    for wanted in mine:
        said = _said(wanted.asked, policies)
        found.setdefault(said.replace(wanted.one.step.tool, ""), said)
    return found.values()


def _digest(question: Pending, plan: Plan) -> str:
    """sha256 of the plan and everything that is asked about it, in canonical JSON."""
    said = question.model_dump(mode="json") | {"plan": plan.model_dump(mode="json")}
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _unused(name: str, key: str, taken: Collection[str]) -> str:
    """The name of a question; what is asked again has a number behind it."""
    first = f"{name}.{key}" if key else name
    if first not in taken:
        return first
    return next(found for n in count(2) if (found := f"{first}.{n}") not in taken)


def _longest_s(plan: Plan, run: Run) -> float:
    """The hard limits of what is still to do, along its longest path."""
    ends: dict[str, float] = {}
    for step in plan.steps:
        before = max((ends.get(n, 0.0) for n in step.needs), default=0.0)
        ends[step.id] = before + (0.0 if run.done(step.id) else step.limit_s)
    return max(ends.values(), default=0.0)
