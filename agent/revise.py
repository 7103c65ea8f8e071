"""What a decision makes of the plan: its next version, judged like the first. Nothing when it asks for none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace

from agent import guard, validate
from agent.brain.protocol import Brain, Change, Terms
from agent.brain.rules.planning.propose import propose
from agent.decide import unkept
from agent.documents import Feasibility
from agent.plan import Plan
from agent.record.ledger import Purse
from agent.state import RETRY, WITHOUT, Decided, Planned, Run
from policies.engine import Policies
from tools.language import tr

_SAME_PLAN = ("exhausted",)


def revise(
    run: Run, decision: Decided, *, brain: Brain, policies: Policies, purse: Purse, terms: Terms
) -> Planned | None:
    """The next version of the plan. One that is none is not taken: the embedded brain's is made in its place."""
    changes = _changes(run, decision)
    if not changes:
        return None
    contract, survey = run.contract, run.survey
    assert contract is not None
    assert survey is not None
    started = frozenset(run.by_step)
    results = {step: result for step in started if (result := run.result(step)) is not None}

    def asked(propose: Callable[..., Plan]) -> Plan:
        given = deepcopy((contract, survey))  # a brain works on copies: what it is judged by stays as it was
        before, came_to = deepcopy((run.plan, results))
        return propose(*given, terms, before=before, started=started, results=came_to, changes=changes)

    plan, faults = _taken(lambda: asked(brain.propose), run)
    if faults:  # a run must always be able to wind down: the embedded brain's version is made instead
        plan, faults = _taken(lambda: asked(propose), run)
    if faults:
        plan, faults = _nothing_more(run), faults
    elif plan.steps == run.plan.steps:
        return None
    plan = plan.model_copy(update={"why": decision.why})
    if decision.change in ("search", "extend", "grow"):
        faults = validate.faults(plan, contract)
    feasibility = Feasibility(verdict="infeasible" if faults else "feasible", reasons=faults)
    draft = replace(run, plans=[*run.plans, Planned(plan=plan, approvals=(), feasibility=feasibility)])
    approvals, _ = guard.preview(plan, draft, policies, purse=purse)
    return Planned(plan=plan, approvals=approvals, feasibility=feasibility, policies_digest=policies.digest)


def _nothing_more(run: Run) -> Plan:
    """What has been started, and no step after it."""
    begun = tuple(s for s in run.plan.steps if s.id in run.by_step)
    return run.plan.model_copy(update={"version": run.plan.version + 1, "steps": begun})


def _taken(make: Callable[[], Plan], run: Run) -> tuple[Plan, tuple[str, ...]]:
    """The proposal as the next version, or the plan as it is and why it was not taken.

    What has been started is history: a version that tells it otherwise would change what was approved and measured.
    """
    assert run.contract is not None
    plan, faults = validate.proposed(make)
    if plan is not None:
        plan = plan.model_copy(update={"version": run.plan.version + 1})
        faults = (*validate.unsound(plan, run.contract), *_retold(plan, run))
    return (run.plan, faults) if plan is None or faults else (plan, ())


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
    return (Change.model_validate({"part": decision.part or "", "what": decision.change}),)
