"""What a decision makes of the plan: its next version, judged like the first. Nothing when it asks for none."""

from __future__ import annotations

from agent import guard, validate
from agent.brain.protocol import Brain, Change, Terms
from agent.decide import unkept
from agent.documents import Feasibility
from agent.state import RETRY, WITHOUT, Decided, Planned, Run
from policies.limits import Limits

_SAME_PLAN = ("exhausted",)


def revise(run: Run, decision: Decided, *, brain: Brain, limits: Limits, terms: Terms) -> Planned | None:
    """The next version of the plan. One that cannot be run is not taken: the plan stays as it is."""
    changes = _changes(run, decision)
    if not changes:
        return None
    contract, survey = run.contract, run.survey
    assert contract is not None
    assert survey is not None
    started = frozenset(run.by_step)
    results = {step: result for step in started if (result := run.result(step)) is not None}
    plan = brain.propose(contract, survey, terms, before=run.plan, started=started, results=results, changes=changes)
    if plan.steps == run.plan.steps:
        return None
    plan = plan.model_copy(update={"why": decision.why})
    faults = validate.faults(plan, contract) if decision.change in ("search", "extend", "grow") else ()
    feasibility = Feasibility(verdict="infeasible" if faults else "feasible", reasons=faults)
    draft = Run(
        id=run.id,
        stated=run.stated,
        contract=contract,
        survey=survey,
        plans=[*run.plans, Planned(plan=plan, approvals=(), feasibility=feasibility)],
        calls=run.calls,
        by_step=run.by_step,
    )
    approvals, _ = guard.preview(plan, draft, limits)
    return Planned(plan=plan, approvals=approvals, feasibility=feasibility)


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
    return (Change.model_validate({"part": decision.part or "", "what": decision.change}),)
