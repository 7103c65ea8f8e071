"""Questions about a goal that is shown and not started, answered from its plan document. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.amend import called
from agent.brain.rules.questions import topics
from agent.wording import demand, measured_where, span, wanted, work
from tools.language import tr

if TYPE_CHECKING:
    from agent.contract import Contract
    from agent.documents import PlanDocument

_VERDICTS = ("refused", "infeasible", "needs_input", "unknown")

_TRAINS = ("tune_model", "launch_training")


def answered(document: PlanDocument, question: str) -> Iterator[str]:
    """The lines of an answer: the verdict with its reasons, then what is asked of it."""
    about = topics(question)
    ruled = document.feasibility
    estimate = document.estimate
    if document.plan.steps:
        time, usd = span(estimate.seconds, "seconds"), span(estimate.usd, "usd")
        yield tr("Not started. It would take {time} and cost {usd}.", time=time, usd=usd)
    else:
        yield tr("Not started yet: nothing was done.")
    if ruled.verdict in _VERDICTS:
        yield tr("the plan is {verdict}", verdict=tr(ruled.verdict))
        yield from (f"{tr('because')} {reason}" for reason in ruled.reasons)
        yield from (f"{tr('instead')} {other}" for other in ruled.alternatives)
    if "refused" in about or "questions" in about:
        asked = [f"{a.step}{tr(': ')}{a.reason}" for a in document.approvals]
        yield from (tr("a person will be asked about {what}", what=what) for what in asked)
    if document.contract is not None:
        yield from _of(document.contract, about)
    if "models" in about and (trained := [s.id for s in document.plan.steps if s.tool in _TRAINS]):
        yield tr("models") + f"{tr(': ')}{', '.join(trained)}"
    yield tr("/plan shows the contract, the plan and what will be asked.")


def _of(contract: Contract, about: tuple[str, ...]) -> Iterator[str]:
    if {"contract", "goal", "clauses"} & set(about):
        for part in contract.parts:
            yield tr("what is wanted ({part})", part=part.name) + f"{tr(': ')}{work(part)}"
            yield from (f"{demand(clause)} {measured_where(clause)}" for clause in part.clauses)
            if part.objective is not None:
                yield wanted(part.objective)
    if {"assumptions", "contract", "models"} & set(about):
        yield from (
            tr("assumed about {field}", field=called(a.field, contract) or a.field) + f"{tr(': ')}{a.text}"
            for a in contract.assumptions
        )
