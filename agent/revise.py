"""What a decision makes of the plan: its next version, judged like the first. Nothing when it asks for none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from agent import guard, reads, validate
from agent.brain.protocol import Brain, Change, Terms
from agent.brain.rules.planning.propose import propose
from agent.decide import unkept
from agent.documents import Feasibility
from agent.plan import Plan
from agent.proposing import Proposal, proposal
from agent.record.ledger import Purse
from agent.remedy import REMEDY, diagnosed
from agent.state import RETRY, WITHOUT, Decided, Known, Planned, Run
from agent.survey import Read
from policies.engine import Policies
from tools.language import tr

_SAME_PLAN = ("exhausted",)


@dataclass(frozen=True, kw_only=True)
class Revised:
    """The plan's next version, and what was read for it."""

    planned: Planned
    looked: tuple[Known, ...] = ()
    instead: str = ""
    """Why it is the embedded brain's, where another's was no version."""


def revise(
    run: Run, decision: Decided, *, brain: Brain, policies: Policies, purse: Purse, terms: Terms, read: Read
) -> Revised | None:
    """The next version of the plan. One that is none is not taken: the embedded brain's is made in its place."""
    changes = _changes(run, decision)
    if not changes:
        return None
    made = _proposed(run, changes, brain, policies, purse, terms, read)
    contract, plan, faults = run.contract, made.plan, made.faults
    assert contract is not None
    if plan is None:
        plan = _nothing_more(run)
    elif plan.steps == run.plan.steps:
        return None
    plan = plan.model_copy(update={"version": run.plan.version + 1, "why": decision.why})
    if decision.change in ("search", "extend", "grow", REMEDY):
        faults = validate.faults(plan, contract)
    feasibility = Feasibility(
        verdict="infeasible" if faults else "feasible", reasons=faults or ((made.why,) if made.why else ())
    )
    draft = replace(run, plans=[*run.plans, Planned(plan=plan, approvals=(), feasibility=feasibility)])
    approvals, _ = guard.preview(plan, draft, policies, purse=purse)
    planned = Planned(plan=plan, approvals=approvals, feasibility=feasibility, policies_digest=policies.digest)
    return Revised(planned=planned, looked=made.known, instead=made.why)


def _proposed(
    run: Run, changes: tuple[Change, ...], brain: Brain, policies: Policies, purse: Purse, terms: Terms, read: Read
) -> Proposal:
    """The brain's version, else the embedded one's: a run must always be able to wind down."""
    contract, survey = run.contract, run.survey
    assert contract is not None
    assert survey is not None
    started = frozenset(run.by_step)
    results = {step: result for step in started if (result := run.result(step)) is not None}
    return proposal(
        brain,
        contract=contract,
        survey=survey,
        terms=terms,
        goal=run.stated.goal.text if run.stated is not None else "",
        open_=run.opened,
        read=read,
        allowed=lambda call: reads.objection(call, run, policies, purse),
        validate=lambda plan: (*validate.unsound(plan, contract), *_retold(plan, run)),
        fallback=lambda: propose(
            contract, survey, terms, before=run.plan, started=started, results=results, changes=changes
        ),
        before=run.plan,
        started=started,
        results=results,
        changes=changes,
    )


def _nothing_more(run: Run) -> Plan:
    """What has been started, and no step after it."""
    begun = tuple(s for s in run.plan.steps if s.id in run.by_step)
    return run.plan.model_copy(update={"version": run.plan.version + 1, "steps": begun})


def _retold(plan: Plan, run: Run) -> Iterator[str]:
    for before in run.plan.steps:
        now = plan.step(before.id)
        if before.id in run.by_step and now is not None and now != before:
            yield tr("{step}: it has been started, and cannot be another one now", step=before.id)


def _changes(run: Run, decision: Decided) -> tuple[Change, ...]:
    if decision.change in _SAME_PLAN or decision.change.startswith(RETRY):
        return ()
    if decision.change == "wind_down":
        left = set(unkept(run))
        parts = run.contract.parts if run.contract is not None else ()
        return tuple(Change(part=p.name, what="roll_back" if p.name in left else "stop") for p in parts)
    if decision.change.startswith(WITHOUT):
        step = decision.change.removeprefix(WITHOUT)
        return (Change(part=decision.part or "", what="without", step=step),)
    if decision.change == REMEDY:
        parts = run.contract.parts if run.contract is not None else ()
        found = [diagnosed(p, run) for p in parts if p.name == decision.part]
        return tuple(Change(part=decision.part or "", what="remedy", cause=d.cause) for d in found if d is not None)
    return (Change.model_validate({"part": decision.part or "", "what": decision.change}),)
