"""Metrics of the goal's own: every formula is checked before anything starts, and one that is missing is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.contract import Clause, Contract, Part, Remark
from agent.errors import Fault
from agent.learning import CUSTOM, formulas
from tools.language import tr
from tools.recipes.faults import BadInput
from tools.recipes.formulas.formula import parse


def faults(contract: Contract, places: Mapping[str, str]) -> tuple[Fault, ...]:
    """Everything that is wrong with the formulas. `places` says where a dotted path stands in the goal file."""
    return tuple(
        fault
        for index, part in enumerate(contract.parts)
        for name, text in formulas(part).items()
        for fault in _of(text, _place(f"parts.{index}.metrics.{name}", places))
    )


def _of(text: str, place: str) -> Iterator[Fault]:
    try:
        parse(text)
    except BadInput as error:
        for fault in error.found:
            yield Fault(place=f"{place}, {fault.place}", what=fault.problem, fix=fault.fix)


def _place(path: str, places: Mapping[str, str]) -> str:
    at = path
    while at and at not in places:
        at = at.rpartition(".")[0]
    return places.get(at, path)


def settled(contract: Contract) -> Contract:
    """The contract with what has a formula measured on the holdout, and a question about what has none."""
    parts = tuple(p.model_copy(update={"clauses": tuple(_placed(c, p) for c in p.clauses)}) for p in contract.parts)
    asked = tuple(q for index, part in enumerate(parts) for q in _questions(index, part))
    known = {q.field for q in contract.questions}
    new = tuple(q for q in asked if q.field not in known)
    return contract.model_copy(update={"parts": parts, "questions": (*contract.questions, *new)})


def _placed(clause: Clause, part: Part) -> Clause:
    """Our evaluator computes a formula from predictions on held-out rows, wherever the words put the clause."""
    own = clause.metric.startswith(CUSTOM) and clause.metric.removeprefix(CUSTOM) in formulas(part)
    return clause.model_copy(update={"where": "holdout"}) if own and clause.where != "holdout" else clause


def _questions(index: int, part: Part) -> Iterator[Remark]:
    wanted = [c.metric for c in part.clauses] + ([part.objective.metric] if part.objective is not None else [])
    for metric in dict.fromkeys(wanted):
        name = metric.removeprefix(CUSTOM)
        if metric.startswith(CUSTOM) and name not in formulas(part):
            text = tr(
                'How is {name} computed? Say it in the goal file: metrics: {{{name}: "mean(prediction == 1)"}}',
                name=name,
            )
            yield Remark(field=f"parts.{index}.metrics.{name}", text=text)
