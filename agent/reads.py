"""Whether a look that a brain asks for may be taken: judged like any call, though no plan has it yet."""

from __future__ import annotations

from dataclasses import replace

from agent import guard
from agent.brain.protocol import ReadCall
from agent.documents import Feasibility
from agent.plan import Estimate, Plan, Step
from agent.record.ledger import Purse
from agent.state import Planned, Run
from policies.engine import Policies
from tools.language import tr
from tools.tool import Effect

LIMIT_S = 60.0
"""Longest that one look is meant to take."""


def objection(call: ReadCall, run: Run, policies: Policies, purse: Purse) -> str:
    """Why it may not be taken for any part of the goal; empty when it may."""
    assert run.contract is not None
    said = ""
    for part in run.contract.parts:
        step = Step(
            id="look",
            tool=call.tool,
            part=part.name,
            effect=Effect.READS,
            args=call.args,
            estimate=Estimate(),
            limit_s=LIMIT_S,
        )
        alone = Planned(plan=Plan(version=1, steps=(step,)), approvals=(), feasibility=Feasibility(verdict="feasible"))
        verdict, approved = guard.review(step, replace(run, plans=[*run.plans, alone]), policies, purse=purse)
        if approved is not None:
            return ""
        said = tr("; ").join(verdict.reasons)
    return said
