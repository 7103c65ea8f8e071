"""A contract changed while its run goes on: what of the plan can follow, or why it cannot. Pure.

What has begun stays as it was; what has not is planned for the contract as it is now. Where that gives no plan that can
be run, nothing is changed: the run goes on as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agent import guard, validate
from agent.amend import blocked, in_words
from agent.brain.protocol import Terms
from agent.brain.rules.planning.honoured import unsupported
from agent.brain.rules.planning.propose import propose
from agent.contract import Contract
from agent.decide import wound_down
from agent.documents import Feasibility
from agent.plan import Plan
from agent.record.ledger import Purse
from agent.state import Planned, Run
from agent.unfit import impossible
from policies.engine import Policies
from tools.language import tr


def _fixed(run: Run, contract: Contract) -> tuple[str, ...]:
    """Why the run cannot go on under that contract, whatever the plan."""
    if run.report is not None or run.contract is None or run.survey is None:
        return (tr("it has ended already"),)
    if wound_down(run) is not None:
        return (tr("it is being wound down"),)
    if contract.questions:
        return tuple(in_words(q.text, contract) for q in contract.questions)
    return (*blocked(run.contract, contract, run), *hopeless(contract))


def hopeless(contract: Contract) -> tuple[str, ...]:
    """Why no run could carry that contract out."""
    return (*impossible(contract), *unsupported(contract))


def amended(
    run: Run, contract: Contract, *, terms: Terms, policies: Policies, purse: Purse
) -> tuple[Planned | None, tuple[str, ...]]:
    """The plan's next version under the amended contract, or why there is none: guards refuse a step of it as well."""
    if faults := _fixed(run, contract):
        return None, faults
    plan, faults = _planned(run, contract, terms)
    if faults:
        return None, faults
    feasible = Planned(plan=plan, approvals=(), feasibility=Feasibility(verdict="feasible"))
    draft = replace(run, contract=contract, plans=[*run.plans, feasible])
    approvals, refused = guard.preview(plan, draft, policies, purse=purse)
    if refused:
        return None, tuple(f"{r.step}{tr(': ')}{r.reason}" for r in refused)
    return feasible.model_copy(update={"approvals": approvals, "policies_digest": policies.digest}), ()


def _planned(run: Run, contract: Contract, terms: Terms) -> tuple[Plan, tuple[str, ...]]:
    assert run.survey is not None
    survey = run.survey
    fresh, faults = validate.proposed(lambda: propose(contract, survey, terms))
    if fresh is None:
        return run.plan, faults
    steps = {s.id: s for s in fresh.steps}
    kept = [s if s.id in run.by_step else steps.get(s.id, s) for s in run.plan.steps]
    if run.plan.version == 1:  # later versions have replaced steps of the first by others
        kept += [s for s in fresh.steps if run.plan.step(s.id) is None]
    why = tr("the goal was changed")
    plan = Plan(version=run.plan.version + 1, steps=tuple(kept), why=why)
    return plan, (*validate.faults(plan, contract), *_unmeasured(run, plan))


def _unmeasured(run: Run, plan: Plan) -> Iterator[str]:
    """Clauses that only steps which have begun already could have measured."""
    begun = {s.id: s for s in run.plan.steps if s.id in run.by_step}
    for step in plan.steps:
        before = begun.get(step.id)
        if before is not None and set(step.measures) - set(before.measures):
            yield tr("{step}: it has been started, and cannot be another one now", step=step.id)
